"""Right backward passes of all kinds are not accused; what else `check_backward` says and does."""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import gradtape as gt
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

Array = Any
# An activation and its derivative by input and output.
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z, a: a * (1 - a)),
    "tanh": (np.tanh, lambda z, a: 1 - a**2),
    "relu": (lambda z: np.maximum(z, 0), lambda z, a: (z > 0) * 1.0),
    "leaky relu": (lambda z: np.where(z > 0, z, 0.1 * z), lambda z, a: np.where(z > 0, 1.0, 0.1)),
    "elu": (
        lambda z: np.where(z > 0, z, np.expm1(z)),
        lambda z, a: np.where(z > 0, 1.0, np.exp(z)),
    ),
    "softplus": (lambda z: np.log1p(np.exp(z)), lambda z, a: 1 / (1 + np.exp(-z))),
    "identity": (lambda z: z, lambda z, a: np.ones_like(z)),
    "sine": (np.sin, lambda z, a: np.cos(z)),
    "square": (lambda z: z * z, lambda z, a: 2 * z),
    "swish": (
        lambda z: z / (1 + np.exp(-2 * z)),
        lambda z, a: (1 + np.exp(-2 * z) * (1 + 2 * z)) / (1 + np.exp(-2 * z)) ** 2,
    ),
}
LOSSES: dict[str, tuple[Callable[..., Any], Callable[..., Array]]] = {
    "half mean": (
        lambda p, y: 0.5 * np.sum((p - y) ** 2) / len(y),
        lambda p, y: (p - y) / len(y),
    ),
    "mean": (lambda p, y: np.mean((p - y) ** 2), lambda p, y: 2 * (p - y) / y.size),
    "sum": (lambda p, y: np.sum((p - y) ** 2), lambda p, y: 2 * (p - y)),
    "log cosh": (lambda p, y: np.sum(np.logaddexp(p - y, y - p)), lambda p, y: np.tanh(p - y)),
    "quartic": (lambda p, y: np.mean((p - y) ** 4), lambda p, y: 4 * (p - y) ** 3 / y.size),
}


class Net:
    """A network of layers, rows first, right by construction."""

    def __init__(self, sizes: list[int], activation: str, loss: str, m: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.act, self.slope = ACTIVATIONS[activation]
        self.loss, self.d_loss = LOSSES[loss]
        self.parameters: list[Array] = []
        for n, k in pairwise(sizes):
            self.parameters += [random.normal(size=(n, k)) * 0.6, random.normal(size=k) * 0.5]
        self.X = random.normal(size=(m, sizes[0]))
        self.Y = random.normal(size=(m, sizes[-1]))

    def forward(self, parameters: list[Array], X: Array) -> list[Array]:
        found = [X]
        for i in range(0, len(parameters), 2):
            z = found[-1] @ parameters[i] + parameters[i + 1]
            found += [z, self.act(z)] if i + 2 < len(parameters) else [z]
        return found

    def backward(self, activations: list[Array], Y: Array, parameters: list[Array]) -> list[Array]:
        d, gradients = self.d_loss(activations[-1], Y), []
        places = range(len(parameters) - 2, -1, -2)
        for i in places:
            if i + 2 < len(parameters):
                d = d * self.slope(activations[i + 1], activations[i + 2])
            before = activations[i] if i else activations[0]
            gradients = [before.T @ d, d.sum(axis=0), *gradients]
            d = d @ parameters[i].T
        return gradients

    def check(self, **others: Any) -> Any:
        given = {"forward": self.forward, "backward": self.backward, "loss": self.loss}
        given |= {"parameters": self.parameters, "X": self.X, "targets": self.Y}
        return gt.check_backward(**(given | others))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_activation_and_loss(activation: str, loss: str) -> None:
    report = Net([3, 4, 4, 2], activation, loss, 5, 1).check()
    assert report, str(report)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(sorted(ACTIVATIONS)),
    st.sampled_from(sorted(LOSSES)),
    st.lists(st.integers(1, 5), min_size=2, max_size=5),
    st.integers(1, 6),
    st.integers(0, 1000),
)
@example("elu", "mean", [3, 4, 4, 2], 5, 220)
@example("swish", "half mean", [5] * 5, 5, 47)
def test_right_networks_are_not_accused(
    activation: str, loss: str, sizes: list[int], m: int, seed: int
) -> None:
    report = Net(sizes, activation, loss, m, seed).check()
    assert report, str(report)


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(sorted(ACTIVATIONS)),
    st.integers(0, 5),
    st.sampled_from([-1.0, 0.0, 0.5, 1.001, 3.0]),
    st.integers(0, 1000),
)
def test_a_wrong_gradient_is_found_where_it_is(
    activation: str, place: int, factor: float, seed: int
) -> None:
    net = Net([3, 4, 4, 2], activation, "mean", 5, seed)

    def backward(*given: Any) -> list[Array]:
        gradients = net.backward(*given)
        gradients[place] = gradients[place] * factor
        return gradients

    right = net.backward(net.forward(net.parameters, net.X), net.Y, net.parameters)[place]
    report = net.check(backward=backward)
    assert report.ok == (not np.any(right)), str(report)
    if not report:
        name = f"{'Wb'[place % 2]}{place // 2 + 1}"
        assert [line.name for line in report.wrong] == [name], str(report)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(["tanh", "sine", "swish", "leaky relu", "elu"]), st.integers(0, 1000))
def test_any_activation_whose_derivative_is_missing(activation: str, seed: int) -> None:
    net = Net([3, 4, 4, 2], activation, "mean", 5, seed)
    slope, calls = net.slope, []

    def missing(z: Array, a: Array) -> Array:
        calls.append(z)
        return np.ones_like(z) if len(calls) % 2 else slope(z, a)

    net.slope = missing
    if np.all(slope(*net.forward(net.parameters, net.X)[3:5]) == 1):
        return
    report = net.check()
    assert report.first is not None, str(report)
    assert report.first.name == "W2", str(report)
    assert "in layer 2 is missing" in report.first.cause, str(report)
    assert [line.follows for line in report.wrong] == [False, True, True, True]


def float32(net: Net) -> dict[str, Any]:
    return {
        "parameters": [x.astype(np.float32) for x in net.parameters],
        "X": net.X.astype(np.float32),
        "targets": net.Y.astype(np.float32),
    }


def as_dict(net: Net) -> dict[str, Any]:
    names = ["W1", "b1", "W2", "b2", "W3", "b3"]

    def listed(parameters: Any) -> list[Array]:
        return [parameters[name] for name in names]

    def backward(activations: Any, Y: Any, parameters: Any) -> dict[str, Array]:
        found = net.backward(activations, Y, listed(parameters))
        return {f"dL_d{name}": x for name, x in reversed(list(zip(names, found, strict=True)))}

    return {
        "parameters": dict(zip(names, net.parameters, strict=True)),
        "forward": lambda parameters, X: net.forward(listed(parameters), X),
        "backward": backward,
    }


def as_pairs(net: Net) -> dict[str, Any]:
    def flat(pairs: Any) -> list[Array]:
        return [x for pair in pairs for x in (pair["W"], pair["b"])]

    def pairs(flat: list[Array]) -> list[dict[str, Array]]:
        return [{"W": flat[i], "b": flat[i + 1]} for i in range(0, len(flat), 2)]

    return {
        "parameters": pairs(net.parameters),
        "forward": lambda parameters, X: net.forward(flat(parameters), X),
        "backward": lambda a, Y, p: pairs(net.backward(a, Y, flat(p))),
    }


def without_input_and_sums(net: Net) -> dict[str, Any]:
    def forward(parameters: Any, X: Any) -> list[Array]:
        found = net.forward(parameters, X)
        return [found[2], found[4], found[5]]

    def backward(activations: Any, Y: Any, parameters: Any) -> list[Array]:
        return net.backward(net.forward(parameters, net.X), Y, parameters)

    return {"forward": forward, "backward": backward}


def only_the_prediction(net: Net) -> dict[str, Any]:
    return without_input_and_sums(net) | {"forward": lambda p, X: net.forward(p, X)[-1]}


def regularised(net: Net) -> dict[str, Any]:
    def backward(*given: Any) -> list[Array]:
        found = net.backward(*given)
        return [g + 0.1 * p if p.ndim == 2 else g for g, p in zip(found, given[2], strict=True)]

    def loss(predictions: Any, targets: Any, parameters: Any) -> Any:
        return net.loss(predictions, targets) + 0.05 * sum(
            np.sum(p**2) for p in parameters if p.ndim == 2
        )

    return {"loss": loss, "backward": backward}


def one_row(net: Net) -> dict[str, Any]:
    return {"X": net.X[:1], "targets": net.Y[:1]}


def row_biases(net: Net) -> dict[str, Any]:
    return {
        "parameters": [x.reshape(1, -1) if x.ndim == 1 else x for x in net.parameters],
        "backward": lambda *given: [
            g.reshape(1, -1) if g.ndim == 1 else g for g in net.backward(*given)
        ],
    }


def vector_gradients_of_row_biases(net: Net) -> dict[str, Any]:
    return row_biases(net) | {"backward": net.backward}


def large_offset(net: Net) -> dict[str, Any]:
    return {"loss": lambda p, y: net.loss(p, y) + 1e6}


def zero_input(net: Net) -> dict[str, Any]:
    return {"X": np.zeros_like(net.X)}


def tuples(net: Net) -> dict[str, Any]:
    return {
        "parameters": tuple(net.parameters),
        "backward": lambda *given: tuple(net.backward(*given)),
    }


VARIANTS = [
    float32,
    as_dict,
    as_pairs,
    without_input_and_sums,
    only_the_prediction,
    regularised,
    one_row,
    row_biases,
    vector_gradients_of_row_biases,
    large_offset,
    zero_input,
    tuples,
]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_other_forms(variant: Callable[[Net], dict[str, Any]], activation: str) -> None:
    net = Net([3, 4, 5, 2], activation, "mean", 6, 3)
    report = net.check(**variant(net))
    assert report, str(report)
    assert len(report.lines) == 6


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_other_forms_with_a_fault(variant: Callable[[Net], dict[str, Any]]) -> None:
    net = Net([3, 4, 5, 2], "tanh", "mean", 6, 3)
    given = variant(net)
    inner = given.get("backward", net.backward)

    def halved(*arguments: Any) -> Any:
        gradients = inner(*arguments)
        change = gradients[1]["W"] if variant is as_pairs else None
        if change is not None:
            gradients[1]["W"] = change * -1
        elif isinstance(gradients, dict):
            gradients["dL_dW2"] = gradients["dL_dW2"] * -1
        else:
            gradients = [*gradients[:2], gradients[2] * -1, *gradients[3:]]
        return gradients

    report = net.check(**(given | {"backward": halved}))
    assert [line.name for line in report.wrong] == ["W2"], str(report)
    assert "the wrong sign" in report["W2"].cause


def test_forgotten_regularisation_is_told() -> None:
    net = Net([3, 4, 5, 2], "tanh", "mean", 6, 3)
    report = net.check(loss=regularised(net)["loss"])
    assert {line.name for line in report.wrong} == {"W1", "W2", "W3"}
    assert all("regularisation term is missing" in line.cause for line in report.wrong)


def recurrent(fault: bool) -> dict[str, Any]:
    """The same weights in two layers: what each use contributes is to be added up."""
    random = np.random.default_rng(5)
    W, b, V = random.normal(size=(3, 3)), random.normal(size=3), random.normal(size=(2, 3))

    def forward(parameters: Any, X: Any) -> list[Array]:
        W, b, V = parameters
        first = np.tanh(W @ X + b[:, None])
        second = np.tanh(W @ first + b[:, None])
        return [X, first, second, V @ second]

    def backward(activations: Any, Y: Any, parameters: Any) -> list[Array]:
        X, first, second, predictions = activations
        W, _, V = parameters
        d3 = predictions - Y
        d2 = (V.T @ d3) * (1 - second**2)
        d1 = (W.T @ d2) * (1 - first**2)
        dW = d1 @ X.T if fault else d1 @ X.T + d2 @ first.T
        return [dW, d1.sum(axis=1) + d2.sum(axis=1), d3 @ second.T]

    return {
        "forward": forward,
        "backward": backward,
        "parameters": [W, b, V],
        "X": random.normal(size=(3, 4)),
        "targets": random.normal(size=(2, 4)),
        "loss": lambda p, y: 0.5 * np.sum((p - y) ** 2),
    }


def test_shared_weights() -> None:
    assert gt.check_backward(**recurrent(False))
    report = gt.check_backward(**recurrent(True))
    assert [line.name for line in report.wrong] == ["W1"], str(report)
    assert "'=' for '+=': of 2 uses only the last counts" in report["W1"].cause


def test_what_is_no_dense_network_is_compared_too() -> None:
    net = Net([3, 3, 2], "tanh", "mean", 4, 0)
    net.parameters.insert(2, np.array([0.5, -1.5, 2.0]))

    def forward(parameters: Any, X: Any) -> list[Array]:
        W1, b1, scale, W2, b2 = parameters
        hidden = np.tanh(X @ W1 + b1)
        return [X, hidden, scale * hidden, (scale * hidden) @ W2 + b2]

    def backward(activations: Any, Y: Any, parameters: Any) -> list[Array]:
        X, hidden, scaled, predictions = activations
        d = 2 * (predictions - Y) / Y.size
        d2 = d @ parameters[3].T
        d1 = d2 * parameters[2] * (1 - hidden**2)
        scale = (d2 * hidden).sum(axis=0)
        return [X.T @ d1, d1.sum(axis=0), scale, scaled.T @ d, d.sum(axis=0)]

    assert net.check(forward=forward, backward=backward)

    def transposed(*given: Any) -> list[Array]:
        found = backward(*given)
        return [found[0].T, *found[1:]]

    report = net.check(forward=forward, backward=transposed)
    assert str(report["W1"]).split(maxsplit=2)[2] == "transposed"
    assert "not dense layers" in str(report)


class Broken(Exception):
    pass


def test_nothing_is_changed_even_if_something_raises() -> None:
    net = Net([3, 4, 2], "tanh", "mean", 4, 0)
    before = [x.copy() for x in [*net.parameters, net.X, net.Y]]
    calls = []

    def spoiling(parameters: Any, X: Any) -> list[Array]:
        found = [x.copy() for x in net.forward(parameters, X)]
        calls.append(1)
        X += 1
        for x in parameters:
            x *= 2
        if len(calls) == 40:
            raise Broken
        return found

    def backward(activations: Any, Y: Any, parameters: Any) -> list[Array]:
        found = net.backward(activations, Y, parameters)
        for x in [*activations, Y, *parameters]:
            x[...] = 0
        return found

    with pytest.raises(Broken):
        net.check(forward=spoiling, backward=backward)
    after = [*net.parameters, net.X, net.Y]
    assert all(np.array_equal(x, y) for x, y in zip(before, after, strict=True))
    calls += [1] * 100
    report = net.check(forward=spoiling, backward=backward)
    assert report.ok
    assert "note: backward changes the parameters" in str(report)
    assert all(np.array_equal(x, y) for x, y in zip(before, after, strict=True))


def test_it_says_the_same_each_time() -> None:
    net = Net([3, 4, 2], "tanh", "mean", 4, 0)
    net.slope = lambda z, a: 1 + a * a
    assert str(net.check()) == str(net.check())


def test_large_networks_are_sampled() -> None:
    net = Net([64, 128, 64, 10], "tanh", "mean", 32, 0)
    start = time.perf_counter()
    report = net.check(entries=400)
    assert time.perf_counter() - start < 30
    assert report, str(report)
    assert "of 17,226 numbers" in str(report)
    slope = net.slope
    net.slope = lambda z, a: slope(z, a) if z.shape[1] == 128 else np.ones_like(z)
    report = net.check(entries=400)
    assert report.first is not None
    assert "tanh in layer 2 is missing" in report.first.cause, str(report)


def test_one_wrong_number_between_the_samples_is_found() -> None:
    net = Net([30, 40, 2], "tanh", "mean", 8, 0)

    def backward(*given: Any) -> list[Array]:
        found = net.backward(*given)
        found[0][17, 23] *= 3
        return found

    report = net.check(backward=backward, entries=100)
    assert [line.name for line in report.wrong] == ["W1"], str(report)


def test_bad_input_is_named() -> None:
    net = Net([3, 4, 2], "tanh", "mean", 4, 0)
    with pytest.raises(ValueError, match=r"an array of shape \(4, 2\): take the mean"):
        net.check(loss=lambda p, y: (p - y) ** 2)
    with pytest.raises(ValueError, match="not return the same twice"):
        net.check(forward=lambda p, X: net.forward(p, X + np.random.random()))  # noqa: NPY002  another each time
    with pytest.raises(ValueError, match="not NoneType"):
        net.check(forward=lambda p, X: None)
    with pytest.raises(ValueError, match="no array of numbers"):
        net.check(parameters=["a"])
    report = net.check(loss=lambda p, y: np.nan)
    assert not report
    assert "the loss is nan" in str(report)
    report = net.check(backward=lambda *given: net.backward(*given)[:3])
    assert not report
    assert "backward returned 3 gradients for 4 parameters" in str(report)
    with pytest.raises(gt.GradtapeError, match="first b2"):
        report.raise_if_wrong()
