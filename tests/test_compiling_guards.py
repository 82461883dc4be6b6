"""Guards as people read them: the condition that is written is the one that was answered."""

import operator

import gradtape as gt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

steady = settings(deadline=None, derandomize=True, database=None)

COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
SOME = st.sampled_from([float("nan"), float("inf"), -1.0, -0.0, 0.0, 0.5, 2.0])


@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize("other", ["y", 0.5])
@steady
@given(rows=st.lists(st.tuples(SOME, SOME), min_size=1, max_size=12))
def test_a_guard_that_is_evaluated_gives_its_answer(compare, other, rows):
    f = gt.compile(lambda x, y: -x if compare(x, y if other == "y" else other) else x)
    names = {"nan": float("nan"), "inf": float("inf")}
    for x, y in rows:
        before = [path.rows for path in f.paths]
        f(x, y)
        after = [path.rows for path in f.paths]
        taken = [i for i, rows in enumerate(after) if [*before, 0][i] != rows]
        (guard,) = f.paths[taken[0]].guards
        assert eval(guard.test, names | {"x": x, "y": y}) is guard.holds


@pytest.mark.parametrize(
    ("compare", "written"),
    [
        (operator.lt, "x < 2.0"),
        (operator.le, "x <= 2.0"),
        (operator.gt, "x > 2.0"),
        (operator.ge, "x >= 2.0"),
        (operator.eq, "x == 2.0"),
    ],
)
def test_guards_are_written_the_same_way_for_either_answer(compare, written):
    f = gt.compile(lambda x: -x if compare(x, 2.0) else x)
    f(np.array([1.0, 2.0, 3.0]))
    assert {guard.test for path in f.paths for guard in path.guards} == {written}
    assert sorted(guard.holds for path in f.paths for guard in path.guards) == [False, True]
    for path in f.paths:
        (guard,) = path.guards
        sign = "" if guard.holds else "not "
        assert f"guard {sign}{written}  # {__file__}:" in str(path.program)
        assert f"{written} is {guard.holds}" in str(path)
        assert f", {sign}{written} [" in repr(path)


def test_too_many_numbers_taken_out_are_told_from_too_many_branches():
    def taken(x):
        return x * x.data

    with pytest.raises(gt.GradtapeError, match=r"more than 8 paths: each number .* taken out") as e:
        gt.compile(taken, max_paths=8)(np.arange(20.0))
    assert f"{__file__}:{taken.__code__.co_firstlineno + 1}" in str(e.value)
    branches = gt.compile(lambda x, y: x if x.data > 0 and y > 1 else -x, max_paths=1)
    with pytest.raises(gt.GradtapeError, match=r"paths through its branches; let where"):
        branches(2.0, np.array([2.0, 0.5]))
