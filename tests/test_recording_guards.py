"""Guards: what a recorded function asked of its numbers, and the numbers it took out."""

import copy
import math
import pickle

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value, _core

X, Y = ("input", 0), ("input", 1)
P, Q = ("parameter", 0), ("parameter", 1)


@pytest.fixture
def guards_of(recorded):
    """The guards of a function that computes nothing and captures nothing."""

    def read(call, *point):
        steps, guards, _, parameters = recorded(call, *point)
        assert steps == parameters == []
        return guards

    return read


# --- comparisons ----------------------------------------------------------------------------

COMPARISONS = [
    (lambda x, y: x < y, "less", False, False),
    (lambda x, y: x <= y, "less_equal", False, False),
    (lambda x, y: x == y, "equal", False, False),
    (lambda x, y: x != y, "equal", False, True),
    (lambda x, y: x > y, "less", True, False),
    (lambda x, y: x >= y, "less_equal", True, False),
]


@pytest.mark.parametrize(("compare", "test", "swapped", "negated"), COMPARISONS)
@pytest.mark.parametrize("point", [(1.0, 2.0), (2.0, 1.0), (2.0, 2.0), (math.nan, 2.0)])
def test_comparisons_are_guards(guards_of, compare, test, swapped, negated, point):
    answers = []

    def call(a):
        answers.append(compare(*a))
        answers.append(compare(a[0], point[1]))
        return []

    guards = guards_of(call, *point)
    want = compare(*point)
    assert answers == [want, want]
    assert all(type(answer) is bool for answer in answers)
    for guard, other in zip(guards, (Y, point[1]), strict=True):
        assert guard == (test, *((other, X) if swapped else (X, other)), want != negated)


@pytest.mark.parametrize("other", [2, True, np.float32(2), np.int64(2), np.array(2.0), 2**60])
def test_comparisons_with_numbers_on_either_side(guards_of, other):
    number = float(other)
    assert guards_of(lambda a: [other < a[0]], 3.0) == [("less", number, X, number < 3)]
    assert guards_of(lambda a: [a[0] < other], 3.0) == [("less", X, number, number > 3)]


@pytest.mark.parametrize("huge", [2**53 + 1, -(10**400), 10**400])
def test_ints_that_no_float_equals_pin_the_number(guards_of, huge):
    assert guards_of(lambda a: [a[0] < huge], 2.0**53) == [("same", X, 2.0**53, True)]
    assert guards_of(lambda a: [a[0] == huge], 3.0) == [("same", X, 3.0, True)]


def test_truth_is_a_guard(guards_of):
    assert guards_of(lambda a: [bool(a[0])], 3.0) == [("equal", X, 0.0, False)]
    assert guards_of(lambda a: [not a[0]], 0.0) == [("equal", X, 0.0, True)]
    assert guards_of(lambda a: [not a[0]], math.nan) == [("equal", X, 0.0, False)]


def test_python_s_own_functions_ask_through_comparisons(guards_of):
    asked = guards_of(lambda a: [max(a), sorted(a)[0]], 1.0, 2.0)
    assert asked == [("less", X, Y, True), ("less", Y, X, False)]


def test_comparisons_with_other_things_record_nothing(guards_of):
    def call(a):
        assert (a[0] == "a") is False
        assert (a[0] != None) is True  # noqa: E711  this is what is tested
        with pytest.raises(TypeError):
            a[0] < "a"  # noqa: B015  it raises
        return a

    assert guards_of(call, 1.0) == []


def test_what_is_the_same_in_every_call_is_no_guard(guards_of):
    def call(a):
        c = Value(2.0)
        assert c > 1
        assert c
        assert c == Value(2.0)
        assert c.data == 2.0
        return a

    assert guards_of(call, 1.0) == []


def test_guards_on_steps_and_parameters_reach_them(recorded):
    w = Value(3.0)

    def call(a):
        unused = gt.exp(a[0] * w)
        return [1.0 if unused > w else 2.0]

    steps, guards, outputs, parameters = recorded(call, 1.0)
    assert steps == [("mul", "", (X, P)), ("exp", "", (0,))]
    assert (guards, outputs) == ([("less", P, 1, True)], [1.0])
    assert parameters[0] is w


def test_guards_name_the_line_outside_the_package():
    def call(a):
        elementwise = np.array([a[0]], dtype=object) > 1
        with pytest.raises(ValueError, match="target is -1 or 1"):
            gt.losses.hinge([elementwise[0]], [a[0]])
        return a

    (_, _, guards, _, places), _ = _core._record(call, [2.0])
    first = call.__code__.co_firstlineno
    assert [guard[1:3] for guard in guards] == [(1.0, X), (X, -1.0), (X, 1.0)]
    assert [places[guard[4]] for guard in guards] == [
        (__file__, first + 1),
        (__file__, first + 3),
        (__file__, first + 3),
    ]


def test_guards_of_one_line_share_its_place():
    (_, _, guards, _, places), _ = _core._record(lambda a: [a[0] < i for i in range(9)], [2.0])
    assert len(guards) == 9
    assert len(places) == 1


# --- numbers taken out -------------------------------------------------------------------------


def test_reading_the_data_pins_the_number(recorded):
    w = Value(3.0)
    node = w * 2

    def call(a):
        y = a[0] * 2
        return [y.data, w.data, *_core.data([a[0], node]), a[0].detach().data]

    steps, guards, outputs, _ = recorded(call, 5.0)
    assert steps == [("mul", "", (X, 2.0))]
    assert guards == [
        ("same", 0, 10.0, True),
        ("same", P, 3.0, True),
        ("same", X, 5.0, True),
        ("same", Q, 6.0, True),
        ("same", X, 5.0, True),
    ]
    assert outputs == [10.0, 3.0, 5.0, 6.0, 5.0]


def test_looking_is_free(recorded):
    def call(a):
        y = a[0] * 2
        assert (repr(y), f"{y}", y.op, y.prev, y.label) == (str(y), str(y), "*", (a[0],), "")
        return [y if hash(y) == hash(y) and y is not None and y in [y] else 0.0]

    assert recorded(call, 5.0) == ([("mul", "", (X, 2.0))], [], [0], [])


def test_copies_and_pickles_pin_the_number(recorded):
    for copied in (copy.deepcopy, copy.copy, lambda v: pickle.loads(pickle.dumps(v))):
        steps, guards, outputs, _ = recorded(lambda a, c=copied: [c(a[0]) * a[0]], 3.0)
        assert guards == [("same", X, 3.0, True)]
        assert steps == [("mul", "", (3.0, X))]
        assert outputs == [0]


def test_a_copied_graph_stands_on_pinned_leaves(recorded):
    steps, guards, _, _ = recorded(lambda a: [copy.deepcopy(gt.exp(a[0] * 2)) * a[0]], 3.0)
    assert ("same", X, 3.0, True) in guards
    assert [step for step in steps if step[0] != "mul"] == [
        ("exp", "", (0,)),  # the one that is copied: its number is pinned
        ("exp", "", (2,)),
    ]
    assert steps[2] == ("mul", "", (3.0, 2.0))
