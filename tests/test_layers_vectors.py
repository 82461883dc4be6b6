"""Layers against PyTorch's: what they give, and their gradients."""

import json
from pathlib import Path

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value, _core, nn
from gradtape.nn.nested import flat

CASES = json.loads((Path(__file__).parent / "vectors" / "layers.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_layer(case):
    layer = eval(case["make"], vars(nn).copy())
    parameters = layer.parameters()
    assert len(parameters) == len(case["parameters"])
    _core.assign(parameters, case["parameters"])
    x = np.array(case["x"], dtype=object)
    if case["by_x"] is not None:
        x = np.vectorize(Value, otypes=[object])(x)
    out = flat(layer(x.tolist()))
    assert _core.data(out) == pytest.approx(flat(case["out"]), rel=1e-12, abs=1e-13)
    gt.dot(out, flat(case["factors"])).backward()
    by_parameters = [p.grad for p in parameters]
    assert by_parameters == pytest.approx(case["by_parameters"], rel=1e-11, abs=1e-12)
    if case["by_x"] is not None:
        by_x = [v.grad for v in flat(x.tolist())]
        assert by_x == pytest.approx(flat(case["by_x"]), rel=1e-11, abs=1e-12)


def test_every_layer_has_a_vector():
    made = {case["make"].partition("(")[0] for case in CASES}
    # These are made of the others, or have nothing that could be learned; other tests hold them.
    others = {"Activation", "Sequential", "Residual", "Flatten", "Dropout"}
    others |= {"MLP", "Layer", "Neuron", "Model", "Module"}
    assert made | others == set(nn.__all__)
