"""Which layer is which is found out in few steps, or said not to be: `check_backward`."""

from typing import Any

import gradtape as gt
import numpy as np
import pytest
from gradtape.show.checking import backward_checking
from gradtape.show.checking.gradients import Parameters
from gradtape.show.checking.recognising import STEPS, Budget, recognised
from hypothesis import given, settings
from hypothesis import strategies as st

Array = Any
ACTIVATIONS: dict[str, Any] = {
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "leaky relu": (lambda z: np.where(z > 0, z, 0.1 * z), lambda z: np.where(z > 0, 1.0, 0.1)),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(z)), lambda z: np.exp(np.minimum(z, 0))),
    "softplus": (lambda z: np.log1p(np.exp(z)), lambda z: 1 / (1 + np.exp(-z))),
    "identity": (lambda z: z, np.ones_like),
    "sine": (np.sin, np.cos),
    "square": (lambda z: z * z, lambda z: 2 * z),
    "swish": (
        lambda z: z / (1 + np.exp(-2 * z)),
        lambda z: (1 + np.exp(-2 * z) * (1 + 2 * z)) / (1 + np.exp(-2 * z)) ** 2,
    ),
}


class Equal:
    """A network whose layers all have the same size, as many as the batch has rows."""

    def __init__(self, layers: int, activations: list[str], sums: bool, size: int = 4) -> None:
        random = np.random.default_rng(layers)
        self.activations = [ACTIVATIONS[name] for name in activations]
        self.sums = sums
        self.parameters: list[Array] = []
        for _ in range(layers):
            # Squares of squares stay within bounds if what is squared does.
            scale = 0.2 if "square" in activations else 0.6
            shapes = [(size, size), (size,)]
            self.parameters += [scale * random.normal(size=shape) for shape in shapes]
        self.X, self.Y = random.normal(size=(size, size)), random.normal(size=(size, size))
        self.forgotten = -1

    def run(self, parameters: list[Array], X: Array) -> tuple[list[Array], list[Array]]:
        found, sums = [X], []
        for i in range(0, len(parameters) - len(parameters) % 2, 2):
            sums.append(found[-1] @ parameters[i] + parameters[i + 1])
            last = len(sums) > len(self.activations)
            found.append(sums[-1] if last else self.activations[len(sums) - 1][0](sums[-1]))
        return found, sums

    def forward(self, parameters: list[Array], X: Array) -> list[Array]:
        found, sums = self.run(parameters, X)
        if not self.sums:
            return found
        pairs = zip(sums[:-1], found[1:-1], strict=True)
        return [X, *(x for pair in pairs for x in pair), found[-1]]

    def backward(self, given: list[Array], Y: Array, parameters: list[Array]) -> list[Array]:
        found, sums = self.run(parameters, given[0])
        d, gradients = (found[-1] - Y) / len(Y), []
        for layer in reversed(range(len(sums))):
            if layer < len(self.activations) and layer != self.forgotten:
                d = d * self.activations[layer][1](sums[layer])
            gradients = [found[layer].T @ d, d.sum(axis=0), *gradients]
            d = d @ parameters[2 * layer].T
        return [*gradients, *(np.zeros_like(x) for x in parameters[2 * len(sums) :])]

    def check(self) -> Any:
        return gt.check_backward(
            self.forward,
            self.backward,
            self.parameters,
            self.X,
            self.Y,
            loss=lambda p, y: 0.5 * np.sum((p - y) ** 2) / len(y),
            entries=80,
        )


@pytest.fixture
def budgets(monkeypatch: pytest.MonkeyPatch) -> list[Budget]:
    """The budgets of all checks, as they were left."""
    found: list[Budget] = []

    def made() -> Budget:
        found.append(Budget())
        return found[-1]

    monkeypatch.setattr(backward_checking, "Budget", made)
    return found


@pytest.mark.parametrize("sums", [False, True])
@pytest.mark.parametrize("layers", range(2, 9))
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_layers_of_equal_size(
    activation: str, layers: int, sums: bool, budgets: list[Budget]
) -> None:
    net = Equal(layers, [activation] * (layers - 1), sums)
    report = net.check()
    assert report, str(report)
    assert not any("could not be found out" in note for note in report.notes)
    assert STEPS - budgets[-1].left < STEPS // 3
    if activation != "identity" and layers in (2, 5):
        # That is told by name only if the layers were found.
        net.forgotten = layers - 2
        first = net.check().first
        assert first is not None
        assert first.name == f"W{layers - 1}"
        assert f"in layer {layers - 1} is missing" in first.cause


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=1, max_size=5), st.booleans())
def test_layers_with_activations_of_their_own(activations: list[str], sums: bool) -> None:
    net = Equal(len(activations) + 1, activations, sums)
    arrays = net.parameters
    outputs = net.forward(arrays, net.X)

    def along(i: int, direction: Array, end: int, rows_first: bool) -> Array:
        sides = []
        for h in (1e-6, -1e-6):
            moved = [x + h * direction if k == i else x for k, x in enumerate(arrays)]
            array = net.forward(moved, net.X)[end]
            sides.append(array.T if rows_first else array)
        return (sides[0] - sides[1]) / 2e-6

    step = 2 if sums else 1
    reached: list[int | None] = [1 + i // 2 * step for i in range(len(arrays))]
    budget = Budget()
    given = Parameters.of(arrays)
    layers, rows_first = next(recognised(given, outputs, reached, along, budget))
    assert rows_first
    if "identity" not in activations:
        pairs = [(layer.weight, layer.bias) for layer in layers]
        assert pairs == [(i, i + 1) for i in range(0, len(arrays), 2)]
        # Those of a known name keep it beside those of none; relu may be dead nowhere.
        for name, layer in zip(activations, layers, strict=False):
            if name in ("sigmoid", "tanh", "relu", "softplus"):
                assert layer.activation == name or (name, layer.activation) == ("relu", "")
    assert not budget.spent


def test_what_all_zeros_are_read_as_is_found(budgets: list[Budget]) -> None:
    net = Equal(8, ["tanh"] * 7, True)
    net.parameters = [np.zeros_like(x) for x in net.parameters]
    report = net.check()
    assert report, str(report)
    assert not any("could not be found out" in note for note in report.notes)
    assert not budgets[-1].spent


@pytest.mark.parametrize("activation", ["relu", "tanh", "swish"])
def test_what_is_not_found_out_is_said(activation: str, budgets: list[Budget]) -> None:
    net = Equal(8, [activation] * 7, True)
    # Weights that change nothing may be anywhere, and this one parameter is nowhere.
    net.parameters = [*(np.zeros_like(x) for x in net.parameters), np.ones(7)]
    report = net.check()
    assert report, str(report)
    assert budgets[-1].spent
    text = "could not be found out in 5,000 steps, so each gradient was judged by itself"
    assert any(text in note for note in report.notes)
    right = net.backward

    def wrong(*given: Any) -> list[Array]:
        found = right(*given)
        found[15] = found[15] * -1
        return found

    net.backward = wrong  # type: ignore[method-assign]
    report = net.check()
    assert [line.name for line in report.wrong] == ["b8"]
    assert "the wrong sign" in report["b8"].cause
    assert any(text in note for note in report.notes)
