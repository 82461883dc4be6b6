"""Faults put into right backward passes, as edits of their source, are each told by name."""

from pathlib import Path
from typing import Any

import gradtape as gt
import numpy as np
import pytest
from gradtape.show.checking.backward_report import BackwardReport

HERE = Path(__file__).parent / "backward"
Edits = tuple[tuple[str, str], ...]


def loaded(name: str, edits: Edits = ()) -> dict[str, Any]:
    source = (HERE / f"{name}.py").read_text(encoding="utf-8")
    for old, new in edits:
        assert source.count(old) == 1, f"{old!r} occurs {source.count(old)} times"
        source = source.replace(old, new)
    names: dict[str, Any] = {}
    exec(compile(source, name, "exec"), names)
    return names


def normal(seed: int, *shapes: tuple[int, ...]) -> list[Any]:
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) * 0.7 for shape in shapes]


def three_layers(
    edits: Edits = (), seed: int = 1, scale: float = 1.0, m: int = 5
) -> BackwardReport:
    names = loaded("three_layers", edits)
    found = normal(seed, (4, 3), (4,), (4, 4), (4,), (2, 4), (2,), (3, m), (2, m))
    parameters = [scale * x for x in found[:6]]
    X, Y = found[6:]
    return gt.check_backward(
        names["forward"], names["backward"], parameters, X, Y, loss=names["loss"]
    )


def layers(edits: Edits = (), seed: int = 2, m: int = 6) -> BackwardReport:
    names = loaded("layers", edits)
    shapes = [(5, 4), (5, 1), (5, 5), (5, 1), (3, 5), (3, 1), (4, m), (3, m)]
    found = normal(seed, *shapes)
    parameters = dict(zip(["W1", "b1", "W2", "b2", "W3", "b3"], found[:6], strict=True))
    Y = np.eye(3)[np.argmax(found[7], axis=0)].T
    return gt.check_backward(
        names["forward"], names["backward"], parameters, found[6], Y, loss=names["loss"]
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [0.01, 1.0])
def test_the_three_layers_are_right(seed: int, scale: float) -> None:
    report = three_layers(seed=seed, scale=scale)
    assert report, str(report)
    assert [line.name for line in report.lines] == ["W3", "b3", "W2", "b2", "W1", "b1"]


@pytest.mark.parametrize("seed", range(5))
def test_the_layers_are_right(seed: int) -> None:
    report = layers(seed=seed)
    assert report, str(report)


W3 = "np.dot(dL_dPredictions, hid_2.T)"
W2 = "np.dot(dL_hid_2, hid_1.T)"
W1 = "np.dot(dL_hid_1, X.T)"
B3 = "np.dot(dL_dPredictions, np.ones((batch_size,)))"
B2 = "np.dot(dL_hid_2, np.ones((batch_size,)))"
B1 = "np.dot(dL_hid_1, np.ones((batch_size,)))"
LOSS = "(predictions - targets) / targets.shape[-1]"
DELTA2 = "np.dot(W3.T, dL_dPredictions) * hid_2 * (1 - hid_2)"
DELTA1 = "np.dot(W2.T, dL_hid_2) * hid_1 * (1 - hid_1)"
ALL = {"W1", "b1", "W2", "b2", "W3", "b3"}
UPPER = {"W3", "b3"}
LOWER = {"W1", "b1"}

# What is put in for what, which gradient is wrong first, what is said of it, and which are wrong.
THREE_LAYERS = [
    (W2, f"{W2}.T", "W2", "transposed", {"W2"}),
    (W2, f"{W2} / batch_size", "W2", "the batch size", {"W2"}),
    (W3, f"2 * {W3}", "W3", "2 times too large", {"W3"}),
    (W1, f"{W1} / 2", "W1", "2 times too small", {"W1"}),
    (W1, f"-{W1}", "W1", "the wrong sign", {"W1"}),
    (W2, f"1.37 * {W2}", "W2", "1.37 times", {"W2"}),
    (W2, f"0 * {W2}", "W2", "all zeros", {"W2"}),
    (B1, f"0 * {B1}", "b1", "all zeros", {"b1"}),
    (LOSS, "(targets - predictions) / targets.shape[-1]", "W3", "the wrong sign", ALL),
    (
        LOSS,
        "(predictions - targets)",
        "W3",
        "a sum over the rows where the loss takes the mean",
        ALL,
    ),
    (LOSS, "2 * (predictions - targets) / targets.shape[-1]", "W3", "2 times too large", ALL),
    (LOSS, "(predictions - targets) / targets.size", "W3", "the number of outputs", ALL),
    (DELTA2, "np.dot(W3.T, dL_dPredictions)", "W2", "sigmoid in layer 2 is missing", ALL - UPPER),
    (DELTA1, "np.dot(W2.T, dL_hid_2)", "W1", "sigmoid in layer 1 is missing", LOWER),
    (DELTA1, "np.dot(W2.T, dL_hid_2) * hid_1", "W1", "a for a·(1 − a)", LOWER),
    (DELTA1, "np.dot(W2.T, dL_hid_2) * (1 - hid_1)", "W1", "1 − a for a·(1 − a)", LOWER),
    (DELTA1, "np.dot(W2.T, dL_hid_2) * (1 - hid_1**2)", "W1", "tanh's derivative is used", LOWER),
    (DELTA1, "np.dot(W2.T, dL_hid_2) * (hid_1 > 0)", "W1", "sigmoid in layer 1 is missing", LOWER),
    (
        DELTA1,
        "np.dot(W2.T, dL_hid_2) * sigmoid(hid_1) * (1 - sigmoid(hid_1))",
        "W1",
        "at the output a, but its formula wants the input z",
        LOWER,
    ),
    (
        DELTA1,
        "np.dot(W2.T, dL_hid_2) * (W1 @ X + b1[:, None]) * (1 - W1 @ X - b1[:, None])",
        "W1",
        "at the input z, but its formula wants the output a",
        LOWER,
    ),
    (DELTA1, f"{DELTA1} * hid_1 * (1 - hid_1)", "W1", "applied twice", LOWER),
    (DELTA1, "np.dot(W2.T, dL_hid_2) * hid_2 * (1 - hid_2)", "W1", "taken at layer 2", LOWER),
    (DELTA1, "hid_1 * (1 - hid_1)", "W1", "stands alone", LOWER),
    (DELTA1, "np.dot(W2, dL_hid_2) * hid_1 * (1 - hid_1)", "W1", "W2 is not transposed", LOWER),
    (DELTA1, "dL_hid_2 * hid_1 * (1 - hid_1)", "W1", "W2 is missing", LOWER),
    (DELTA1, "dL_hid_2", "W1", "the delta of layer 2 is used again", LOWER),
    (DELTA1, f"{DELTA1} / batch_size", "W1", "batch size", LOWER),
    (DELTA1, f"0.3 * {DELTA1}", "W1", "0.3 times", LOWER),
    (W2, "np.dot(dL_hid_2[:, -1:], hid_1[:, -1:].T)", "W2", "only the last row", {"W2"}),
    (W2, "np.dot(dL_hid_2, hid_2.T)", "W2", "with the activations of layer 2", {"W2"}),
    (W3, "np.dot(dL_dPredictions, hid_1.T)", "W3", "with the activations of layer 1", {"W3"}),
    (
        W3,
        "np.dot(dL_dPredictions, (W2 @ hid_1 + b2[:, None]).T)",
        "W3",
        "with the sums z of layer 2",
        {"W3"},
    ),
    (B2, "dL_hid_2[:, -1]", "b2", "only the last row", {"b2"}),
    (B2, "dL_hid_2.mean(axis=1)", "b2", "a mean over the rows", {"b2"}),
    (B2, "dL_hid_2.sum(axis=0)", "b2", "over the wrong axis", {"b2"}),
    (B2, "dL_hid_2", "b2", "not summed over the rows", {"b2"}),
    (B2, "np.dot(W3.T, dL_dPredictions).sum(axis=1)", "b2", "leaves out the derivative", {"b2"}),
    (W2, f"{W2} + 0.1 * W2", "W2", "regularisation term 0.1·W2 that", {"W2"}),
    (W2, f"{W2}[:3]", "W2", "has shape (3, 4)", {"W2"}),
    (W2, f"{W2} * np.nan", "W2", "nan", {"W2"}),
    (W2, "None", "W2", "no gradient is returned", {"W2"}),
    (
        "[dL_dW1, dL_db1, dL_dW2, dL_db2,",
        "[dL_dW1, dL_db2, dL_dW2, dL_db1,",
        "b2",
        "of b1: swap",
        {"b1", "b2"},
    ),
    ("dL_dW2, dL_db2, dL_dW3, dL_db3]", "dL_dW2, dL_db2, dL_dW3]", "b3", "no gradient", {"b3"}),
]


@pytest.mark.parametrize(("old", "new", "first", "said", "wrong"), THREE_LAYERS)
@pytest.mark.parametrize("seed", [1, 2])
def test_three_layers(
    old: str, new: str, first: str, said: str, wrong: set[str], seed: int
) -> None:
    report = three_layers(((old, new),), seed)
    assert not report
    assert report.first is not None
    assert report.first.name == first, str(report)
    assert said in report.first.cause, str(report)
    assert {line.name for line in report.wrong} == wrong, str(report)
    follow = [line for line in report.wrong if line.follows]
    assert len(follow) == (0 if "swap" in said else len(wrong) - 1), str(report)


@pytest.mark.parametrize(("old", "new", "first", "said", "wrong"), THREE_LAYERS[:33])
def test_with_the_small_weights_of_a_fresh_network(
    old: str, new: str, first: str, said: str, wrong: set[str]
) -> None:
    report = three_layers(((old, new),), 4, 0.05)
    assert report.first is not None
    assert report.first.name == first, str(report)
    assert said in report.first.cause, str(report)


DW, DB = "np.dot(dZ, self.A_prev.T) / m", "np.sum(dZ, axis=1, keepdims=True) / m"
DOWN = "return np.dot(self.W.T, dZ)"
LAYERS = [
    (DW, "np.dot(dZ, self.A_prev.T)", "W3", "the batch size", {"W1", "W2", "W3"}),
    (DB, "np.sum(dZ, axis=1, keepdims=True)", "b3", "the batch size", {"b1", "b2", "b3"}),
    (DB, "np.mean(dZ) * np.ones_like(self.b)", "b3", "", {"b1", "b2", "b3"}),
    (DB, "np.sum(dZ, axis=0, keepdims=True) / m", "b3", "the wrong axis", {"b1", "b2", "b3"}),
    (DB, "dZ[:, -1:] / m", "b3", "only the last row", {"b1", "b2", "b3"}),
    ("dA * A * (1 - A)", "A * (1 - A)", "W2", "stands alone", ALL - UPPER),
    ("dA * A * (1 - A)", "dA * Z * (1 - Z)", "W2", "at the input z", ALL - UPPER),
    ("dA * A * (1 - A)", "dA", "W2", "sigmoid in layer 2 is missing", ALL - UPPER),
    ("dZ[Z <= 0] = 0", "pass", "W1", "relu in layer 1 is missing", LOWER),
    ("dZ[Z <= 0] = 0", "dZ[Z > 0] = 0", "W1", "", LOWER),
    ("dA - np.sum(dA * A, axis=0)", "dA", "W3", "", ALL),
    ("A * (dA - np.sum(dA * A, axis=0))", "dA", "W3", "softmax in layer 3 is missing", ALL),
    ("A * (dA - np.sum(dA * A, axis=0))", "A * (1 - A) * dA", "W3", "only the diagonal", ALL),
    ("dA = -targets /", "dA = targets /", "W3", "the wrong sign", ALL),
    (
        DOWN,
        "return np.dot(self.W.T, dA)[: len(self.A_prev)]",
        "W2",
        "layer 3's activation",
        ALL - UPPER,
    ),
    (DOWN, "return np.dot(self.W.T, dZ) / m", "W2", "by the batch size", ALL - UPPER),
    ("self.dW = np", "self.W -= 0.1 * dZ @ self.A_prev.T; self.dW = np", "W2", "", ALL - UPPER),
]


@pytest.mark.parametrize(("old", "new", "first", "said", "wrong"), LAYERS)
@pytest.mark.parametrize("seed", [1, 2])
def test_layers(old: str, new: str, first: str, said: str, wrong: set[str], seed: int) -> None:
    report = layers(((old, new),), seed)
    assert report.first is not None
    assert report.first.name == first, str(report)
    assert said in report.first.cause, str(report)
    assert {line.name for line in report.wrong} == wrong, str(report)


def test_two_faults_are_both_told() -> None:
    report = three_layers(((W3, f"2 * {W3}"), (DELTA1, "np.dot(W2.T, dL_hid_2)")))
    assert "2 times too large" in report["W3"].cause
    assert "sigmoid in layer 1 is missing" in report["W1"].cause
    assert [line.name for line in report.wrong if line.follows] == ["b1"]


def test_updating_the_parameters_on_the_way_is_noted() -> None:
    report = three_layers((("dL_dW1 = np", "W1 -= 0.1; dL_dW1 = np"),))
    assert report.ok
    assert "note: backward changes the parameters" in str(report)
