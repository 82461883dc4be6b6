"""Branches, what the function reads outside itself, and methods."""

import gc
import linecache
import weakref

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value
from hypothesis import given, settings
from hypothesis import strategies as st

steady = settings(deadline=None, derandomize=True, database=None)

RATE = 0.5
CALLS = 0
WEIGHT = Value(2.0, label="weight")


def steps(x):
    n = 0
    while x > 1:
        x = x / 2
        n += 1
    return x + n


@steady
@given(st.lists(st.floats(-100, 1000), min_size=1, max_size=40))
def test_loops_take_as_many_turns_as_each_row_needs(xs):
    f = gt.compile(steps)
    np.testing.assert_array_equal(f(np.array(xs)), [steps(x) for x in xs])
    assert len(f.paths) == len({steps(x) // 1 for x in xs} | {0}) - (min(xs) > 1) or len(xs)
    assert sum(path.rows for path in f.paths) == len(xs)


def test_paths_tell_guards_lines_and_rows():
    def payoff(S, K):
        if S > K:
            return S - K
        return 0.0 * S

    f = gt.compile(payoff)
    f(np.array([1.0, 5.0, 7.0]), 3.0)
    below, above = f.paths
    assert (below.index, below.rows, above.rows) == (0, 1, 2)
    (guard,) = above.guards
    assert guard.holds != below.guards[0].holds
    assert guard.file == __file__
    assert guard.source == "if S > K:"
    assert guard.line == payoff.__code__.co_firstlineno + 1
    assert linecache.getline(guard.file, guard.line).strip() in str(above)
    assert repr(above).startswith("<path 1: 2 rows, ")
    assert "if S > K:" in repr(above)
    assert str(above).startswith("path 1: 2 rows, ")


def test_the_program_is_a_wengert_list_with_the_function_s_names():
    w = Value(2.0, label="slope")
    f = gt.compile(lambda x, y: w * x[0] + gt.sin(y), signature="(n),()->()")
    with pytest.raises(gt.GradtapeError, match=r"has not been recorded yet: call it once"):
        f.program.nodes  # noqa: B018  reading it raises
    f(np.ones((4, 1)), 0.0)
    text = str(f.program)
    for name in ["x[0]", "y", "slope", "sin"]:
        assert name in text
    assert len(f.programs) == 1
    assert len(f.program) == f.program.nodes > 0
    assert repr(f.program).startswith("<program of <lambda>, path 0: ")
    g = gt.compile(lambda x: x if x > 0 else -2 * x)
    g(np.array([1.0, -1.0, -2.0]))
    assert str(g.program) == str(g.programs[1])


def test_stats_count():
    f = gt.compile(lambda x: gt.exp(x) + gt.exp(x))
    assert f.stats()["forms"] == 0
    f(np.ones(10))
    f([1.0, 2.0][0])
    f((2.0,)[0] * np.ones((3, 1)))
    stats = f.stats()
    assert [stats[key] for key in ("forms", "paths", "parameters", "rows")] == [1, 1, 0, 14]
    assert stats["nodes_recorded"] == 3
    assert stats["nodes"] < 6  # exp(x) is computed once
    assert stats["compile_ms"] >= stats["record_ms"] > 0
    g = gt.compile(lambda x: x["a"] * gt.Value(2.0) if "a" in x else x["b"])
    g({"a": 1.0}), g({"b": 1.0}), g({"a": 2.0})
    assert (g.stats()["forms"], g.stats()["paths"], g.stats()["rows"]) == (2, 2, 3)


def test_too_many_paths():
    f = gt.compile(steps, max_paths=3)
    f(np.array([0.5, 2.0, 4.0]))
    with pytest.raises(gt.GradtapeError, match=r"more than 3 paths .* where"):
        f(np.array([0.5, 800.0]))
    np.testing.assert_array_equal(f(np.array([0.5, 4.0])), [0.5, 3.0])


def test_a_function_that_is_different_each_time_is_refused():
    rng = np.random.default_rng(0)
    f = gt.compile(lambda x: x * rng.normal())
    with pytest.raises(gt.GradtapeError):
        f(1.0)


def test_a_global_that_was_assigned_is_read_anew():
    global RATE
    f = gt.compile(lambda x: RATE * x)
    try:
        assert f(2.0) == 1.0
        RATE = 0.5
        assert f(2.0) == 1.0
        RATE = 2.0
        assert f(2.0) == 4.0
        RATE = float("nan")
        assert f(2.0) != f(2.0)
    finally:
        RATE = 0.5


def test_a_value_that_was_replaced_is_read_anew():
    global WEIGHT
    f = gt.compile(lambda x: WEIGHT * x)
    before = WEIGHT
    try:
        assert f(2.0) == 4.0
        WEIGHT = Value(3.0)
        assert f.backward(2.0) == 6.0
        assert (WEIGHT.grad, before.grad, f.parameters) == (2.0, 0.0, [WEIGHT])
    finally:
        WEIGHT = before


def test_names_of_functions_that_it_calls_are_watched():
    global RATE

    def helper(x):
        return [RATE * x for _ in range(2)]

    f = gt.compile(lambda x: helper(x)[0])
    g = gt.compile(lambda x: f(x) + 1)
    try:
        assert (f(2.0), g(2.0)) == (1.0, 2.0)
        RATE = 3.0
        assert (f(2.0), g(2.0)) == (6.0, 7.0)
    finally:
        RATE = 0.5


def test_a_closure_is_watched():
    power, names = 2, ["a"]

    def f(x):
        return x**power if names else x

    g = gt.compile(f)
    assert g(3.0) == 9.0
    power = 3
    assert g(3.0) == 27.0
    names.clear()  # what stands inside an object is not watched ...
    assert g(3.0) == 27.0
    g.clear()  # ... but all can be forgotten
    assert g(3.0) == 3.0


def test_a_name_that_the_function_itself_changes_does_not_record_anew():
    global CALLS

    def count(x):
        global CALLS
        CALLS += 1
        return x if x > 0 else -x

    f = gt.compile(count)
    x = np.array([1.0, -1.0])
    f(x)
    recorded = CALLS
    f(x), f(x)
    assert recorded == CALLS
    CALLS = 0


class Scheme:
    def __init__(self, rate):
        self.rate = rate
        self.weight = Value(rate, label="weight")
        self.me = self

    @gt.compile
    def step(self, x, *, up=True):
        """One step."""
        return x * self.rate * self.weight if up else x

    @gt.compile(signature="(n)->()")
    def total(self, x):
        return x.sum() * self.rate


def test_methods():
    a, b = Scheme(2.0), Scheme(3.0)
    assert (a.step(1.0), b.step(1.0)) == (4.0, 9.0)
    np.testing.assert_array_equal(a.total(np.ones((2, 3))), [6.0, 6.0])
    assert a.step.value_and_grad(2.0) == (8.0, (4.0,))
    assert a.step.backward(2.0) == 8.0
    assert (a.weight.grad, b.weight.grad) == (4.0, 0.0)
    assert a.step.parameters == [a.weight]
    assert Scheme.step(a, Value(1.0)).data == 4.0
    assert (a.step.__name__, a.step.__doc__) == ("step", "One step.")
    assert a.step(1.0, up=np.array([0.0, 1.0])).tolist() == [1.0, 4.0]


def test_attributes_of_the_object_are_watched():
    a = Scheme(2.0)
    assert a.step(1.0) == 4.0
    a.rate = 5.0
    assert a.step(1.0) == 10.0
    a.weight = Value(1.0)
    assert a.step(1.0) == 5.0
    a.weight.data = 2.0
    assert a.step(1.0) == 10.0


def test_what_other_methods_and_properties_read_is_watched():
    class Bond:
        def __init__(self):
            self.rate, self.years = 2.0, 1.0

        def growth(self):
            return self._power()

        def _power(self):
            return self.rate**2

        @property
        def horizon(self):
            return self.years + 1

        @gt.compile
        def worth(self, x):
            return x * self.growth() * self.horizon

    bond = Bond()
    assert bond.worth(1.0) == 8.0
    bond.rate = 3.0
    assert bond.worth(1.0) == 18.0
    bond.years = 2.0
    assert bond.worth(1.0) == 27.0


def test_an_object_is_not_kept_alive_by_its_paths():
    a = Scheme(2.0)
    assert a.step(1.0) == 4.0
    gone = weakref.ref(a)
    held = Scheme.step._bound
    assert id(a) in held
    place = id(a)
    del a
    gc.collect()
    assert gone() is None
    assert place not in held


def test_equal_objects_have_paths_of_their_own():
    class Same:
        def __init__(self, k):
            self.k = k

        def __eq__(self, other):
            return True

        __hash__ = None

        @gt.compile
        def times(self, x):
            return self.k * x

    assert [Same(k).times(1.0) for k in (1.0, 2.0, 3.0)] == [1.0, 2.0, 3.0]


def test_an_object_without_weak_references():
    class Tight:
        __slots__ = ()

        @gt.compile
        def one(self, x):
            return x

    with pytest.raises(TypeError, match=r"add '__weakref__' to the __slots__ of Tight"):
        Tight().one(1.0)
