"""What compiled functions are called with: nests, keywords, defaults, Values, other functions."""

import functools
import inspect
import math
from collections import OrderedDict
from fractions import Fraction
from typing import NamedTuple

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value
from hypothesis import given, settings
from hypothesis import strategies as st

steady = settings(deadline=None, derandomize=True, database=None)


class Option(NamedTuple):
    strike: float
    legs: object


leaf = st.floats(-10, 10)
nests = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(["a", "b", 3]), inner, max_size=3),
        st.builds(Option, leaf, inner),
    ),
    max_leaves=8,
)


def doubled(x):
    """Every leaf of a nest times two."""
    if isinstance(x, Option):
        return Option(*map(doubled, x))
    if isinstance(x, (list, tuple)):
        return type(x)(map(doubled, x))
    if isinstance(x, dict):
        return {key: doubled(part) for key, part in x.items()}
    return 2.0 * x


def kinds(x):
    """The same nest with types in place of leaves."""
    if isinstance(x, dict):
        return dict, {key: kinds(part) for key, part in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x), [kinds(part) for part in x]
    return type(x)


@steady
@given(nests)
def test_nests_go_through(nest):
    got = gt.compile(doubled)(nest)
    assert got == doubled(nest)
    assert kinds(got) == kinds(doubled(nest))


@steady
@given(nests)
def test_gradients_have_the_nest_of_the_argument(nest):
    def squares(x):
        if isinstance(x, dict):
            x = list(x.values())
        return sum(map(squares, x), 0.0) if isinstance(x, (list, tuple)) else x * x

    got = gt.compile(squares).grad(nest, wrt=0)
    assert got == doubled(nest)
    assert kinds(got) == kinds(doubled(nest))


def test_arrays_in_nests_broadcast():
    f = gt.compile(lambda pair, k: {"sum": pair[0] + pair[1], "k": [k]})
    got = f((np.arange(3.0), 1.0), np.zeros((2, 1)))
    np.testing.assert_array_equal(got["sum"], [[1, 2, 3], [1, 2, 3]])
    assert got["k"][0].shape == (2, 3)


def test_vectors_in_dicts_by_a_signature():
    f = gt.compile(lambda p, x: p["w"] @ x + p["v"] @ x, signature="(n),(n)->()")
    w, x = np.arange(3.0), np.ones((5, 3))
    got, (dp, dx) = f.value_and_grad({"w": w, "v": w}, x)
    np.testing.assert_array_equal(got, np.full(5, 6.0))
    np.testing.assert_array_equal(dp["w"], np.full(3, 5.0))
    assert dx.shape == (5, 3)


def test_keywords_and_defaults_are_python_s():
    def f(a, b=2, /, c=3, *more, d, e=5, **rest):
        assert type(b) is int or isinstance(b, Value)
        return a + 10 * b + 100 * c + sum(more) + 1000 * d + 10000 * e + sum(rest.values())

    g = gt.compile(f)
    cases = [
        ((1,), {"d": 4}),
        ((1, 7), {"d": 4, "c": 8}),
        ((1, 7, 8, 9, 10), {"d": 4}),
        ((1,), {"e": 1, "z": 3, "d": 4}),
        ((1,), {"z": 3, "d": 4, "y": 1, "e": 1}),
    ]
    for args, kwargs in cases:
        assert g(*args, **kwargs) == f(*args, **kwargs)
        assert g(np.ones(2), *args[1:], **kwargs).shape == (2,)
    assert g.grad(1, z=3, d=4, c=1) == (1.0, 100.0, 1000.0, 1.0)  # a, c, d, z
    assert g.grad(1, 2, 3, 4, 5, d=1, wrt="more[1]") == 1.0


def test_an_omitted_default_stays_a_plain_constant():
    f = gt.compile(lambda x, n=3: sum(x for _ in range(n)))
    assert f(2.0) == 6.0
    with pytest.raises(TypeError):
        f(2.0, 3)  # a number that is passed is a Value, and no count


def test_calls_of_one_structure_share_their_paths():
    f = gt.compile(lambda a, b: a * b)
    f(1.0, 2.0), f(b=2.0, a=1.0), f(np.ones(3), b=2), f(True, np.float32(2))
    assert len(f.paths) == 1
    g = gt.compile(lambda xs: xs[0] * 2)
    g([1.0]), g([1.0, 2.0]), g((1.0,)), g([np.ones(2)])
    assert len(g.paths) == 3


def test_real_numbers_of_other_kinds():
    f = gt.compile(lambda x: x * 2)
    for x in [Fraction(3, 2), np.float16(1.5), np.longdouble(1.5), OrderedDict(a=1.5)]:
        got = f(x["a"] if isinstance(x, OrderedDict) else x)
        assert (type(got), got) == (float, 3.0)


def test_values_make_a_plain_call():
    f = gt.compile(lambda x, y: gt.sin(x) * y)
    x, y = Value(0.5), Value(2.0)
    result = f(x, y)
    result.backward()
    assert (x.grad, y.grad) == (2.0 * math.cos(0.5), math.sin(0.5))
    assert isinstance(f(x, 2.0), Value)
    mixed = f(np.array([x, y]), 2.0)
    assert mixed.dtype == object
    assert isinstance(gt.compile(lambda c: c["a"][0] * 2)({"a": [x]}), Value)
    assert not f.paths


def test_compiled_functions_nest_and_recurse():
    w = Value(3.0, label="w")

    @gt.compile
    def inner(x):
        return w * x

    @gt.compile
    def outer(x):
        return inner(x) * inner(2.0)  # with a plain number too: w is a parameter of outer

    @gt.compile
    def factorial(n):
        return n * factorial(n - 1) if n > 1 else 1.0

    x = np.array([1.0, 2.0])
    value, (dx,) = outer.value_and_grad(x)
    np.testing.assert_array_equal(value, 18 * x)
    np.testing.assert_array_equal(dx, [18.0, 18.0])
    w.data = 1.0
    np.testing.assert_array_equal(outer(x), 2 * x)
    np.testing.assert_array_equal(factorial(np.array([1.0, 3.0, 5.0])), [1.0, 6.0, 120.0])


def test_a_gradient_inside_a_recording_is_refused():
    f = gt.compile(lambda x: x * x)
    g = gt.compile(lambda x: f.grad(2.0)[0] * x)
    with pytest.raises(gt.GradtapeError, match="a gradient is asked for while"):
        g(1.0)


def test_it_looks_like_the_function():
    def price(S: float, K: float = 1.0) -> float:
        """The price."""
        return S * K

    f = gt.compile(price)
    assert (f.__name__, f.__doc__, f.__wrapped__) == ("price", "The price.", price)
    assert f.__module__ == __name__
    assert inspect.signature(f) == inspect.signature(price)
    assert repr(f) == "<compiled price, 0 paths>"
    f(1.0)
    assert repr(f) == "<compiled price, 1 path>"
    g = gt.compile(signature="( n ),()->()")(lambda x, y: x[0] * y)
    assert repr(g) == "<compiled <lambda> (n),()->(), 0 paths>"
    assert gt.compile(f).__wrapped__ is price


def test_every_kind_of_callable():
    class Scale:
        def __init__(self, by):
            self.by = by

        def __call__(self, x):
            return self.by * x

    f = gt.compile(Scale(3.0))
    assert (f(2.0), f.__name__) == (6.0, "Scale")
    f.__wrapped__.by = 4.0
    assert f(2.0) == 8.0
    assert gt.compile(functools.partial(lambda a, x: a * x, 5.0))(2.0) == 10.0
    assert gt.compile(Scale(2.0).__call__)(2.0) == 4.0
    assert gt.compile(gt.exp)(0.0) == 1.0
    model = gt.MLP([2, 3, 1], "tanh", seed=0)
    np.testing.assert_allclose(
        gt.compile(model)([0.5, np.array([0.1])])[0], model([0.5, 0.1])[0].data
    )
