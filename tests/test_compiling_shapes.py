"""Compiled functions as ufuncs: NumPy's rules of broadcasting, and the eager function's numbers."""

import math

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

steady = settings(deadline=None, derandomize=True, database=None)
seeds = st.integers(0, 2**32 - 1)
ways = st.sampled_from(["plain", "fortran", "reversed", "strided", "readonly", "float32", "int"])


def mix(a, b, c):
    """Branches, products, and an argument that not every path uses."""
    if a > b:
        return gt.tanh(a * b) + c
    return a * c - b * b if c > 0 else gt.sin(a)


def array(shape, seed, way):
    """Random numbers of this shape, laid out in memory in different ways."""
    x = np.random.default_rng(seed).normal(size=shape)
    if way == "float32":
        return x.astype(np.float32)
    if way == "int":
        return np.rint(3 * x).astype(np.int64)
    if way == "fortran":
        return np.asfortranarray(x)
    if way == "reversed":
        return x[tuple(slice(None, None, -1) for _ in shape)]
    if way == "strided":
        wide = np.full([2 * n for n in shape], np.nan)
        wide[tuple(slice(None, None, 2) for _ in shape)] = x
        return wide[tuple(slice(None, None, 2) for _ in shape)]
    if way == "readonly":
        x.flags.writeable = False
    return x


def eager(function, *numbers):
    """Values and gradients of one row, by the tape."""
    leaves = [Value(float(x)) for x in numbers]
    result = function(*leaves)
    if not isinstance(result, Value):
        return result, [0.0 for _ in leaves]
    result.backward()
    return result.data, [leaf.grad for leaf in leaves]


def rows_of(loop, shape):
    """For every row of the loop, where it reads an array of this shape, as a flat index."""
    return np.broadcast_to(np.arange(math.prod(shape)).reshape(shape), loop)


def expected(function, arrays):
    """Values in the loop's shape, gradients in the arrays', row by row."""
    loop = np.broadcast_shapes(*(x.shape for x in arrays))
    places = [rows_of(loop, x.shape) for x in arrays]
    values, gradients = np.empty(loop), [np.zeros(x.size) for x in arrays]
    for row in np.ndindex(*loop):
        at = [x.ravel()[place[row]] for x, place in zip(arrays, places, strict=True)]
        values[row], partials = eager(function, *at)
        for gradient, place, partial in zip(gradients, places, partials, strict=True):
            gradient[place[row]] += partial
    return values, [g.reshape(x.shape) for g, x in zip(gradients, arrays, strict=True)]


@steady
@given(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=4), seeds, ways)
def test_arguments_broadcast_as_in_numpy(shapes, seed, way):
    f = gt.compile(mix)
    arrays = [array(shape, seed + i, way) for i, shape in enumerate(shapes.input_shapes)]
    values, gradients = expected(mix, arrays)
    got = f(*arrays)
    assert np.shape(got) == shapes.result_shape
    np.testing.assert_array_equal(got, values)
    value, partials = f.value_and_grad(*arrays)
    np.testing.assert_array_equal(value, values)
    for x, got, want in zip(arrays, partials, gradients, strict=True):
        assert np.shape(got) == x.shape
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


@steady
@given(
    hnp.mutually_broadcastable_shapes(signature="(m,n),(n),()->(m)", max_dims=2, max_side=3),
    seeds,
    ways,
)
def test_signatures_are_those_of_numpy(shapes, seed, way):
    def affine(a, x, b):
        return [gt.dot(row, x) + b for row in a]

    arrays = [array(shape, seed + i, way) for i, shape in enumerate(shapes.input_shapes)]
    plain = np.vectorize(lambda a, x, b: a @ x + b, signature="(m,n),(n),()->(m)")
    got = gt.compile(affine, signature="(m,n),(n),()->(m)")(*arrays)
    assert got.shape == shapes.result_shape
    np.testing.assert_allclose(got, plain(*arrays), rtol=1e-6, atol=1e-6)


@steady
@given(hnp.mutually_broadcastable_shapes(signature="(m,n),(n)->()", max_dims=2, max_side=3), seeds)
def test_gradients_of_vectors_have_their_shapes(shapes, seed):
    def form(a, x):
        return gt.tanh((a @ x).sum()) + (x[0] if x[0] > 0 else a[0, 0])

    a, x = (array(shape, seed + i, "plain") for i, shape in enumerate(shapes.input_shapes))
    loop = shapes.result_shape
    value, (da, dx) = gt.compile(form, signature="(m,n),(n)->()").value_and_grad(a, x)
    wide_a = rows_of((*loop, *a.shape[-2:]), a.shape)
    wide_x = rows_of((*loop, *x.shape[-1:]), x.shape)
    want_a, want_x = np.zeros(a.size), np.zeros(x.size)
    for row in np.ndindex(*loop):
        leaves_a = [Value(v) for v in a.ravel()[wide_a[row].ravel()]]
        leaves_x = [Value(v) for v in x.ravel()[wide_x[row].ravel()]]
        result = form(np.array(leaves_a).reshape(a.shape[-2:]), np.array(leaves_x))
        result.backward()
        assert np.asarray(value)[row] == result.data
        for place, leaf in zip(wide_a[row].ravel(), leaves_a, strict=True):
            want_a[place] += leaf.grad
        for place, leaf in zip(wide_x[row].ravel(), leaves_x, strict=True):
            want_x[place] += leaf.grad
    assert (da.shape, dx.shape) == (a.shape, x.shape)
    np.testing.assert_allclose(da.ravel(), want_a, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(dx.ravel(), want_x, rtol=1e-12, atol=1e-13)


def test_numbers_give_numbers_and_arrays_arrays():
    f = gt.compile(lambda x, y: x * y)
    assert type(f(2, True)) is float
    assert type(f(np.float32(2), np.array(3))) is float
    assert f(np.ones(1), 2.0).shape == (1,)
    assert f(np.ones((2, 0)), 2.0).shape == (2, 0)
    value, (dx, dy) = f.value_and_grad(np.array(3.0), 2)
    assert (type(value), type(dx), type(dy)) == (float, float, float)


def test_a_grid_is_summed_over_what_each_side_was_repeated_along():
    f = gt.compile(lambda s, k: s * k**2)
    s, k = np.arange(1.0, 5.0).reshape(4, 1), np.arange(1.0, 4.0).reshape(1, 3)
    value, (ds, dk) = f.value_and_grad(s, k)
    np.testing.assert_array_equal(value, s * k**2)
    np.testing.assert_allclose(ds, np.full((4, 1), (k**2).sum()))
    np.testing.assert_allclose(dk, 2 * k * s.sum())


@pytest.mark.parametrize("rows", [1, 2, 31, 32, 33, 1000, 4097])
def test_every_number_of_rows(rows):
    f = gt.compile(mix)
    a, b, c = (array((rows,), i, "plain") for i in range(3))
    values, (_, _, dc) = expected(mix, [a, b, c])
    got, (_, _, gc) = f.value_and_grad(a, b, c)
    np.testing.assert_array_equal(got, values)
    np.testing.assert_allclose(gc, dc, rtol=1e-12)


def test_no_rows_give_empty_results_and_zero_gradients():
    f = gt.compile(lambda x, y: (x * y, x + y))
    assert f(np.ones((0, 3)), 1.0).shape == (0, 3)  # nothing is known of its results yet
    f(1.0, 2.0)
    a, b = f(np.ones((0, 3)), 1.0)
    assert (a.shape, b.shape) == ((0, 3), (0, 3))
    g = gt.compile(lambda x, y: x * y)
    value, (dx, dy) = g.value_and_grad(np.ones(0), 2.0)
    assert (value.shape, dx.shape, dy) == ((0,), (0,), 0.0)
    assert g.value_and_grad(np.ones(0), 2.0, reduce="sum") == (0.0, (pytest.approx([]), 0.0))
    assert g.backward(np.ones(0), 2.0) == 0.0
    h = gt.compile(lambda x: x, signature="(n)->(n)")
    assert h(np.ones((0, 3))).shape == (0, 3)
    assert gt.compile(lambda x: x, signature="(n)->(n)").jacobian(np.ones((0, 3)))[0].shape[0] == 0


def test_lists_are_arrays_where_the_signature_says_so():
    f = gt.compile(lambda x, t: x @ x - t, signature="(n),()->()")
    assert f([1, 2, 3], 4.0) == 10.0
    np.testing.assert_array_equal(f([[1, 2], [3, 4]], [0.0, 1.0][1]), [4.0, 24.0])


def test_whatever_gives_an_array_is_one():
    class Column:
        def __array__(self, dtype=None, copy=None):
            return np.array([1, 2, 3], dtype=dtype)

    f = gt.compile(lambda x: 2 * x)
    np.testing.assert_array_equal(f(Column()), [2.0, 4.0, 6.0])
    np.testing.assert_array_equal(f(np.arange(3, dtype=">f8")), [0.0, 2.0, 4.0])
    records = np.zeros(3, dtype=[("flag", "i1"), ("x", "f8")])
    records["x"] = 1.5
    np.testing.assert_array_equal(f(records["x"]), [3.0, 3.0, 3.0])


def test_fixed_sizes_and_new_letters_in_results():
    pairs = gt.compile(lambda x: [(x[0], x[1]), (x[1], x[2])], signature="(3)->(k,2)")
    np.testing.assert_array_equal(pairs(np.array([[1.0, 2.0, 3.0]])), [[[1.0, 2.0], [2.0, 3.0]]])
    spread = gt.compile(lambda x: (x.sum(), x - x.mean()), signature="(n)->(),(n)")
    total, rest = spread(np.array([[1.0, 3.0], [4.0, 8.0]]))
    np.testing.assert_array_equal(total, [4.0, 12.0])
    np.testing.assert_array_equal(rest, [[-1.0, 1.0], [-2.0, 2.0]])
