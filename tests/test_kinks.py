"""Kinks are found where they are, counted, and nowhere else."""

import importlib.util
import sys
from pathlib import Path

import gradtape as gt
import pytest
from gradtape import Value, _core
from hypothesis import given, settings
from hypothesis import strategies as st

_spec = importlib.util.spec_from_file_location(
    "properties", Path(__file__).with_name("test_properties.py")
)
properties = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(properties)

steady = settings(deadline=None, derandomize=True, database=None)


@settings(steady, max_examples=300)
@given(properties.programs, properties.points)
def test_no_kinks_where_every_step_is_smooth(program, xs):
    leaves = [Value(x) for x in xs]
    report = gt.kinks(properties.evaluate(program, leaves, properties.by_core))
    assert len(report) == 0
    assert str(report) == "no kinks met in 1 graph"


@settings(steady, max_examples=100)
@given(st.lists(st.sampled_from([-2.0, -0.0, 0.0, 5e-324, 1.0]), min_size=1, max_size=30))
def test_as_many_as_there_are(xs):
    leaves = [Value(x) for x in xs]
    report = gt.kinks(gt.sum([gt.relu(x) for x in leaves]))
    assert len(report) == xs.count(0.0)
    assert len(gt.kinks(gt.sum([gt.relu(x) * 0.0 for x in leaves]))) == 0


# An expression, its leaves, and what is found: operation, derivatives below, taken and above.
MET = [
    (gt.relu, [0.0], "relu", [(0, 0, 1)]),
    (gt.abs, [0.0], "abs", [(-1, 0, 1)]),
    (gt.sign, [0.0], "sign", [(-1, 0, 1)]),
    (lambda x: gt.leaky_relu(x, 0.1), [0.0], "leaky_relu", [(0.1, 0.1, 1)]),
    (lambda x: gt.elu(x, 0.5), [0.0], "elu", [(0.5, 0.5, 1)]),
    (gt.maximum, [2.0, 2.0], "maximum", [(0, 0.5, 1)] * 2),
    (gt.minimum, [2.0, 2.0], "minimum", [(1, 0.5, 0)] * 2),
    (lambda x: gt.maximum(x, 3.0), [3.0], "maximum", [(0, 0.5, 1)]),
    (lambda x: gt.clip(x, 0.0, 1.0), [1.0], "clip", [(1, 1, 0)]),
    (lambda x: gt.clip(x, 0.0, 1.0), [0.0], "clip", [(0, 1, 1)]),
    (gt.hypot, [0.0, 0.0], "hypot", [(-1, 0, 1)] * 2),
    (lambda x, y: x**y, [0.0, 0.0], "pow", [(-float("inf"), 0, 0)]),
    (gt.greater, [1.0, 1.0], "greater", [(0, 0, 1), (1, 0, 0)]),
    (gt.greater_equal, [1.0, 1.0], "greater_equal", [(0, 1, 1), (1, 1, 0)]),
    (gt.equal, [1.0, 1.0], "equal", [(0, 1, 0)] * 2),
    (lambda x: gt.affine([x], [2.0], -6.0, "relu"), [3.0], "relu", [(0, 0, 1)]),
]


@pytest.mark.parametrize(("function", "xs", "operation", "sides"), MET)
def test_what_was_met(function, xs, operation, sides):
    leaves = [Value(x, f"leaf{i}") for i, x in enumerate(xs)]
    report = gt.kinks(function(*leaves))
    assert len(report) == 1
    (kink,) = report.counts
    assert kink.operation == operation
    assert [side[1:] for side in kink.sides] == sides
    assert kink.convention == next(s for n, *_, s in _core.operations() if n == operation)
    moved = [Value(x + 0.25 * (i + 1)) for i, x in enumerate(xs)]
    assert len(gt.kinks(function(*moved))) == 0


NOT_MET = [
    (lambda x: gt.elu(x, 1.0), 0.0),
    (lambda x: x**2, 0.0),
    (lambda x: x**0, 0.0),
    (lambda x: x**1.5, 0.0),
    (gt.sqrt, 0.0),
    (gt.cbrt, 0.0),
    (lambda x: 1 / x, 0.0),
    (gt.log, 0.0),
    (gt.tanh, 0.0),
    (lambda x: gt.where(x, x, 2.0), 0.0),
    (lambda x: gt.where(gt.greater(x, 0.0), x, -x), 1.0),
    (gt.relu, float("nan")),
    (lambda x: x, 0.0),
]


@pytest.mark.parametrize(("function", "x"), NOT_MET)
def test_what_is_no_kink(function, x):
    assert len(gt.kinks(function(Value(x)))) == 0


def test_the_report_of_sweeps_tells_lines_and_counts():
    x, y = Value(1.0, "x"), Value(1.0, "y")
    before = sys.gettrace()
    with gt.kinks() as report:
        for _ in range(3):
            gt.relu(x - y).backward()
        gt.relu(x).backward()
        gt.abs(x - y)  # not swept
    assert sys.gettrace() is before
    assert len(report) == 3
    assert report.graphs == 4
    lines = str(report).splitlines()
    assert lines[:4] == [
        "3 kinks met in 4 graphs",
        "3 × relu(0.0)",
        "  by x: below 0.0, taken 0.0, above 1.0",
        "  max(x, 0); the derivative at 0 is 0",
    ]
    assert f"{__file__}:" in lines[4]
    assert lines[5] == "      gt.relu(x - y).backward()"
    gt.relu(x - y).backward()
    assert len(report) == 3


def test_beside_the_search_for_anomalies():
    x = Value(0.0, "x")
    with gt.kinks() as report, gt.detect_anomaly():
        gt.relu(x).backward()
        (gt.abs(x) * 2).backward()
    assert len(report) == 2


def test_a_report_that_an_error_ended_keeps_what_it_has():
    x = Value(0.0, "x")

    def work():
        gt.relu(x).backward()
        raise KeyError

    report = gt.kinks()
    with pytest.raises(KeyError), report:
        work()
    assert len(report) == 1


def test_networks_at_zero():
    model = gt.MLP([2, 3, 1])
    with gt.kinks() as report:
        model([0.0, 0.0])[0].backward()
    assert len(report) == 3


def test_something_else_is_refused():
    with pytest.raises(TypeError, match="not float"):
        gt.kinks(1.0)
