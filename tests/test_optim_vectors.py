"""Optimizers and schedules against PyTorch's: the vectors that the Rust tests read too."""

import inspect
import json
from pathlib import Path

import gradtape as gt
import pytest
from gradtape import Value, _core, fit, optim

VECTORS = json.loads((Path(__file__).parent / "vectors" / "optim.json").read_text())
START, GRADIENTS, CASES = VECTORS["start"], VECTORS["gradients"], VECTORS["cases"]
METHODS = {
    name.lower(): method
    for name, method in vars(optim).items()
    if inspect.isclass(method) and issubclass(method, optim.Optimizer) and "method" in vars(method)
}


def named(case):
    kind = case["schedule"]["kind"]
    told = [f"{name}={x}" for name, x in case["settings"].items()]
    return " ".join([case["method"], *told, *([] if kind == "constant" else [kind])])


each = pytest.mark.parametrize("case", CASES, ids=map(named, CASES))


def schedule(case):
    told = dict(case["schedule"])
    kind, rate = told.pop("kind"), case["rate"]
    if kind == "constant":
        return rate
    return optim.step_decay(rate, **told) if kind == "step" else optim.cosine(rate, **told)


def optimizer(case, parameters):
    return METHODS[case["method"]](parameters, schedule(case), **case["settings"])


def wrong(got, want):
    return [
        f"{i}: {x!r}, not {y!r}"
        for i, (x, y) in enumerate(zip(got, want, strict=True))
        if not abs(x - y) <= 1e-12 * max(1.0, abs(y))
    ]


class Linear:
    """Its gradient for a row is the row."""

    def __init__(self):
        self.numbers = [Value(x) for x in START]

    def __call__(self, row):
        return [gt.sum(p * x for p, x in zip(self.numbers, row, strict=True))]

    def parameters(self):
        return self.numbers


def the_output(rows, _):
    return gt.sum(row[0] for row in rows) / len(rows)


def test_every_optimizer_and_schedule_has_vectors():
    assert {case["method"] for case in CASES} == set(METHODS)
    assert {case["schedule"]["kind"] for case in CASES} == {"constant", "step", "cosine"}
    told = {name for case in CASES for name in case["settings"]}
    settings = {name for method in METHODS.values() for name in method.settings()}
    assert told == settings


@each
def test_steps_are_pytorchs(case):
    parameters = [Value(x) for x in START]
    steps = optimizer(case, parameters)
    failures = []
    for count, row in enumerate(GRADIENTS, 1):
        for p, g in zip(parameters, row, strict=True):
            p.grad = g
        steps.step()
        if str(count) in case["after"]:
            found = wrong(_core.data(parameters), case["after"][str(count)])
            failures += [f"step {count}, parameter {text}" for text in found]
    assert not failures, "\n".join(failures)


@each
def test_so_are_steps_in_native_training(case):
    # In two parts: what is remembered between steps is kept from one call to the next.
    model = Linear()
    steps = optimizer(case, model.parameters())
    for part, count in ((GRADIENTS[:10], 10), (GRADIENTS[10:], 100)):
        fit(
            model,
            part,
            [0.0] * len(part),
            loss=the_output,
            optimizer=steps,
            epochs=1,
            batch_size=1,
            shuffle=False,
            native=True,
        )
        assert not wrong(_core.data(model.parameters()), case["after"][str(count)])


@each
def test_rates_are_pytorchs(case):
    rates = optimizer(case, [Value(0.0)]).rates(len(GRADIENTS))
    assert not wrong(rates, case["rates"])
