"""Whole algorithms whose way depends on the numbers: each row has the plain function's bits."""

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value
from hypothesis import given, settings
from hypothesis import strategies as st

steady = settings(deadline=None, derandomize=True, database=None, max_examples=25)

EDGES = [0.0, -0.0, 1.0, -1.0, 2.0, 5e-324, -1e-310, 1e308, float("inf"), -float("inf")]
NUMBERS = st.one_of(st.sampled_from([*EDGES, float("nan")]), st.floats(-4, 4))


def barrier(x, y, z):
    """A knocked-out option on a path of three prices; ties do not knock out."""
    for price in (x, y, z):
        if price > 2.0:
            return 0.25 * x
    return max(z - y, 0.0) * gt.exp(-x)


def american(x, y, z):
    """Early exercise in a tree of four steps."""
    up, strike = gt.exp(0.1 + z * 0.01), y
    values = [max(strike - x * up ** (2 * k - 4), 0.0) for k in range(5)]
    for n in range(3, -1, -1):
        held = [0.5 * values[k] + 0.49 * values[k + 1] for k in range(n + 1)]
        now = [strike - x * up ** (2 * k - n) for k in range(n + 1)]
        values = [a if a > b else b for a, b in zip(held, now, strict=True)]
    return values[0]


def newton(x, y, z):
    """A root of a cubic, to a tolerance or twelve steps."""
    for _ in range(12):
        step = (x**3 - y * x - z) / (3 * x * x - y)
        x = x - step
        if abs(step) < 1e-10:
            break
    return x


def bisection(x, y, z):
    low, high = min(x, y), max(x, y)
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (middle, high) if gt.tanh(middle) < z else (low, middle)
        if high - low <= 1e-3:
            return middle
    return low


def collatz(x, y, z):
    n = 0
    while not x <= 1 and n < 12:
        half = x / 2
        x = half if half < y else 3 * x + z
        n += 1
    return x * n


def quicksort(x, y, z):
    def ordered(xs):
        if len(xs) < 2:
            return xs
        first, *rest = xs
        below = [a for a in rest if a < first]
        return [*ordered(below), first, *ordered([a for a in rest if not a < first])]

    low, middle, high = ordered([x, y, z])
    return low - 2 * middle / high


def piecewise(x, y, z):
    if x == y or not z:
        return abs(x) - z
    if x != x or 0 <= y < 1:
        return sorted([x, y, z])[1]
    return gt.where(x > z, x * y, min(y, z, x) ** 2)


FUNCTIONS = [barrier, american, newton, bisection, collatz, quicksort, piecewise]


def eager(function, row):
    values = [Value(x) for x in row]
    result = function(*values)
    if not isinstance(result, Value):
        return result, [0.0] * len(values)
    result.backward()
    return result.data, [value.grad for value in values]


def same_bits(a, b):
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    nan = np.isnan(a) & np.isnan(b)
    np.testing.assert_array_equal(a.view(np.int64)[~nan], b.view(np.int64)[~nan])


@pytest.mark.parametrize("function", FUNCTIONS)
@steady
@given(rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=60))
def test_every_row_has_the_bits_of_the_plain_function(function, rows):
    f = gt.compile(function, max_paths=5000)
    expected = [eager(function, row)[0] for row in rows]
    columns = np.array(rows).T
    same_bits(f(*columns), expected)
    same_bits(f(*columns), expected)
    backwards = f(*columns[:, ::-1])
    same_bits(backwards, expected[::-1])
    values, _ = f.value_and_grad(*columns)
    same_bits(values, expected)
    assert sum(path.rows for path in f.paths) == 4 * len(rows)


@pytest.mark.parametrize("function", FUNCTIONS)
@steady
@given(
    rows=st.lists(
        st.tuples(st.floats(0.1, 2.5), st.floats(0.1, 2.5), st.floats(0.1, 2.5)),
        min_size=1,
        max_size=60,
    )
)
def test_every_row_has_the_gradient_of_the_plain_function(function, rows):
    f = gt.compile(function, max_paths=5000)
    gradients = np.array(f.grad(*np.array(rows).T)).T
    for row, gradient in zip(rows, gradients, strict=True):
        expected = np.array(eager(function, row)[1])
        # What cancels in one order of adding need not in another.
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-12 * scale)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_number_of_threads_changes_no_bit(function):
    rng = np.random.default_rng(1)
    columns = rng.uniform(0.1, 2.5, (3, 20_000))
    f = gt.compile(function, max_paths=5000)
    (value, gradients), *others = (
        f.value_and_grad(columns[0], columns[1], 0.75, reduce="sum", threads=n)
        for n in (1, 1, 2, 3, 8, 2)
    )
    for other, more in others:
        assert other == value
        for a, b in zip(gradients, more, strict=True):
            same_bits(a, b)
