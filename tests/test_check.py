"""Right gradients pass at any scale, wrong ones fail: `gradtape.check`."""

import math
import time
from collections.abc import Callable
from typing import Any

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value
from gradtape.show.checking.differences import difference
from gradtape.show.graph import Graph
from hypothesis import given, settings
from hypothesis import strategies as st

SMOOTH: list[Callable[[Any], Any]] = [
    gt.exp,
    gt.sin,
    gt.tanh,
    gt.sigmoid,
    gt.atan,
    gt.softplus,
    lambda x: x * x * x - 2 * x,
    lambda x: 1 / (1 + x * x),
    lambda x: gt.log(1 + x * x),
    lambda x: gt.exp(-x * x) * gt.cos(3 * x),
]
NUMBERS = st.floats(-3, 3)
# Factors of the argument, of the value, and an offset that drowns the value.
SCALES = st.sampled_from([1e-8, 1e-3, 1.0, 1e3, 1e8, 1e12])


@settings(deadline=None)
@given(st.sampled_from(SMOOTH), NUMBERS, SCALES, SCALES, st.sampled_from([0.0, 1.0, 1e6]))
def test_right_gradients_pass(
    f: Callable[[Any], Any], at: float, wide: float, high: float, offset: float
) -> None:
    report = gt.check(lambda x: high * f(x / wide) + offset * high, at * wide)
    assert report, str(report)


@settings(deadline=None)
@given(
    st.sampled_from(SMOOTH),
    NUMBERS,
    SCALES,
    SCALES,
    st.sampled_from([-1.0, 0.0, 0.5, 2.0, 1.001, 1.00001]),
)
def test_wrong_gradients_fail(
    f: Callable[[Any], Any], at: float, wide: float, high: float, factor: float
) -> None:
    x = Value(at)
    f(x).backward()
    slope = x.grad * high / wide
    if abs(x.grad) < 1e-3:
        return

    def scaled(x: float) -> float:
        return high * float(f(x / wide))

    assert gt.check(scaled, at * wide, gradient=lambda x: slope)
    report = gt.check(scaled, at * wide, gradient=lambda x: slope * factor)
    assert not report, str(report)
    assert report.arguments[0].verdict == "wrong"


@settings(deadline=None)
@given(st.floats(-2, 2), st.floats(-3, 3), st.floats(-3, 3), st.floats(0, 1))
def test_kinks_are_told_and_any_slope_between_passes(
    at: float, left: float, right: float, part: float
) -> None:
    if abs(left - right) < 0.01:
        return

    def bent(x: float) -> float:
        return math.sin(at) + (left if x < at else right) * (x - at)

    report = gt.check(bent, at, gradient=lambda x: left + part * (right - left))
    assert report, str(report)
    assert report.arguments[0].verdict == "kink"
    beyond = max(left, right) + 0.1 * (1 + part)
    assert not gt.check(bent, at, gradient=lambda x: beyond)


@settings(deadline=None)
@given(st.floats(1e-9, 1e-2), st.sampled_from([-1.0, 1.0]))
def test_beside_a_kink_one_slope_is_right(distance: float, side: float) -> None:
    at = side * distance
    assert gt.check(gt.relu, at)
    assert not gt.check(gt.relu, at, gradient=lambda x: 0.5)
    assert not gt.check(gt.relu, at, gradient=lambda x: float(side < 0))


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_error_covers_the_difference(slope: float, at: float) -> None:
    found = difference(lambda x: slope * x, at)
    assert abs(found.value - slope) <= found.error + 1e-12 * abs(slope) + 1e-300


def test_cancellation_is_not_taken_for_an_error() -> None:
    assert gt.check(lambda x: (x + 1e12) - 1e12, 1.0)
    assert gt.check(lambda x: (x + 1e12) - 1e12, 1.0, gradient=lambda x: 1.0)
    assert not gt.check(lambda x: (x + 1e12) - 1e12, 1.0, gradient=lambda x: 1.1)


@pytest.mark.parametrize(
    ("f", "at"),
    [
        (gt.abs, 0.0),
        (gt.relu, 0.0),
        (lambda x: gt.clip(x, 0.0, 1.0), 1.0),
        (lambda x: gt.leaky_relu(x, 0.1), 0.0),
        (gt.sqrt, 0.0),
        (gt.cbrt, 0.0),
        (gt.sign, 0.0),
        (lambda x: x**1.5, 0.0),
        (lambda x: x**0, 0.0),
        (lambda x: gt.sqrt(x * x), 0.0),
        (gt.tanh, 1000.0),
        (gt.exp, -800.0),
        (lambda x: gt.sqrt(1 - x), 1.0),
        (gt.asin, 1.0),
        (lambda x: gt.where(x > 1, x, x * x), 1.0),
        (lambda x: 1 / x, 1e-12),
        (lambda x: gt.log(x), 1e-300),
        (lambda x: gt.sin(1e8 * x), 1.0),
    ],
)
def test_conventions_at_edges_are_not_accused(f: Callable[[Any], Any], at: float) -> None:
    report = gt.check(f, at)
    assert report, str(report)


@pytest.mark.parametrize("name", [name for name, operands, *_ in gt._core.operations() if operands])
def test_every_row_of_the_table(name: str) -> None:
    operands = next(x[1] for x in gt._core.operations() if x[0] == name)
    at = [2.0] * len(operands) if name in ("acosh", "polygamma") else [0.37, 0.61, 0.83]
    report = gt.check(getattr(gt, name), *at[: len(operands)])
    assert report, str(report)
    assert len(report.nodes) == len(operands)


def test_n_ary_nodes_and_structures() -> None:
    def f(w: Any, x: Any, rest: Any) -> Any:
        hidden = gt.affine(list(x), list(w), rest["b"], activation="tanh")
        return gt.logsumexp([hidden, gt.dot(w, x), gt.sum(rest["c"])])

    w, x = np.array([0.1, -0.2]), [0.5, 2.0]
    report = gt.check(f, w, x, {"b": 0.3, "c": (1.0, -1.0)})
    assert report, str(report)
    names = ["w[0]", "w[1]", "x[0]", "x[1]", "rest['b']", "rest['c'][0]", "rest['c'][1]"]
    assert [line.name for line in report.arguments] == names
    assert len(report.nodes) == 5 + 4 + 2 + 3


def test_lost_gradient_is_found() -> None:
    report = gt.check(lambda x: x * x.data, 3.0)
    assert [line.verdict for line in report.arguments] == ["wrong"]
    assert report.arguments[0].remark == "1/2 times the right one"
    with pytest.raises(gt.GradtapeError, match="1/2 times"):
        report.raise_if_wrong()
    assert not gt.check(lambda x: x.data**2, 3.0)


def test_wrong_node_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    true = Graph.operands_of

    def wrong(self: Graph, index: int) -> Any:
        for operand in true(self, index):
            object.__setattr__(operand, "partial", operand.partial * 1.01)
            yield operand

    monkeypatch.setattr(Graph, "operands_of", wrong)
    report = gt.check(lambda x: gt.exp(x) * x, 0.5)
    assert [line.verdict for line in report.arguments] == ["right"]
    assert [line.verdict for line in report.nodes] == ["wrong"] * 3


def test_compiled_functions() -> None:
    f = gt.compile(lambda x, a: gt.exp(-x) * a if x > 0 else a * x)
    assert gt.check(f, 1.0, 2.0).nodes
    assert gt.check(f, np.array([1.0, -2.0, 3.0]), 2.0)
    assert gt.check(gt.compile(lambda w: w[0] * w[1]), [2.0, 3.0])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nothing_to_compare(value: float) -> None:
    report = gt.check(lambda x: x * value, 1.0)
    assert not report.ok
    assert "nothing to compare" in str(report)


def test_nan_gradient_is_wrong() -> None:
    assert not gt.check(math.sin, 1.0, gradient=lambda x: math.nan)
    assert not gt.check(math.sin, 1.0, gradient=lambda x: math.inf)


def test_no_gradient_is_left_behind() -> None:
    weight = Value(3.0, "w")
    weight.grad = 7.0
    assert gt.check(lambda x: x * weight, 2.0)
    assert (weight.data, weight.grad) == (3.0, 7.0)


def test_arguments_are_not_changed() -> None:
    x = np.array([1.0, 2.0])

    def f(x: Any) -> Any:
        y = x.sum()
        x[0] = 5.0
        return y

    assert gt.check(f, x)
    assert x.tolist() == [1.0, 2.0]


def test_hostile_labels_stay_on_their_line() -> None:
    def f(x: Any) -> Any:
        y = x * 2
        y.label = "wrong\n  right \u202e" + "a" * 10_000
        return gt.sin(y)

    text = str(gt.check(f, 1.0))
    assert len(text.splitlines()) == 5
    assert max(map(len, text.splitlines())) < 120
    assert text.isascii() or "\u202e" not in text


def test_large_graphs_are_sampled() -> None:
    def f(x: Any) -> Any:
        for _ in range(20_000):
            x = x * 1.00001
        return x

    start = time.perf_counter()
    report = gt.check(f, 1.0)
    assert time.perf_counter() - start < 10
    assert report
    assert len(report.nodes) == 500
    assert report.skipped == 19_500
    assert "19,500 more nodes" in str(report)
    assert len(str(report).splitlines()) < 50


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="needs the point"):
        gt.check(gt.exp)
    with pytest.raises(TypeError, match=r"name must be a number .* not str"):
        gt.check(lambda x, name: x, 1.0, "a")
    with pytest.raises(ValueError, match=r"an array of shape \(2,\)"):
        gt.check(lambda x: x, np.ones(2))
    with pytest.raises(ValueError, match="has 1 numbers, the arguments 2"):
        gt.check(lambda x, y: x * y, 1.0, 2.0, gradient=lambda x, y: x)
