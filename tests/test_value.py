"""What a user may rely on: attributes, operators, operands of every kind, comparisons."""

import math
import operator

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value, _core

NAN, INF = math.nan, math.inf


def grads(function, *at):
    """Gradients of a function of Values at these numbers."""
    leaves = [Value(x) for x in at]
    function(*leaves).backward()
    return [leaf.grad for leaf in leaves]


# --- Attributes -----------------------------------------------------------------------------------


def test_a_leaf():
    x = Value(2, label="x")
    assert (x.data, x.grad, x.label, x.op, x.prev) == (2.0, 0.0, "x", "", ())
    assert type(x.data) is float
    x.data, x.grad, x.label = np.float32(0.5), 7, "y"
    assert (x.data, x.grad, x.label) == (0.5, 7.0, "y")
    assert repr(Value(2.0)) == "Value(data=2.0)"
    assert repr(x) == "Value(data=0.5, label='y')"
    x.label = ""
    assert repr(x) == "Value(data=0.5)"


@pytest.mark.parametrize(
    ("function", "symbol", "data"),
    [
        (operator.add, "+", 5.0),
        (operator.sub, "-", 1.0),
        (operator.mul, "*", 6.0),
        (operator.truediv, "/", 1.5),
        (operator.pow, "**", 9.0),
    ],
)
def test_a_node(function, symbol, data):
    x, y = Value(3.0), Value(2.0)
    z = function(x, y)
    assert (z.data, z.op, z.label, z.grad) == (data, symbol, "", 0.0)
    assert z.prev[0] is x
    assert z.prev[1] is y
    both = function(x, x).prev
    assert both[0] is x
    assert both[1] is x


def test_unary_operators_and_in_place_ones():
    x = Value(-3.0)
    assert [(-x).op, abs(x).op, x.tanh().op] == ["neg", "abs", "tanh"]
    assert (+x).data == -3.0
    y = x
    y += 1
    y *= x
    y /= 2
    y -= x
    y **= 2
    assert y.data == 36.0
    assert x.data == -3.0
    y.backward()
    assert x.grad == 2 * 6.0 * ((2 * -3.0 + 1) / 2 - 1)


# --- Operands of every kind, on either side -------------------------------------------------------

KINDS = {
    "int": 2,
    "bool": True,
    "float": 2.0,
    "float64": np.float64(2),
    "float32": np.float32(2),
    "float16": np.float16(2),
    "int64": np.int64(2),
    "uint8": np.uint8(2),
    "numpy bool": np.True_,
    "0-d floats": np.array(2.0),
    "0-d ints": np.array(2),
}
kinds = pytest.mark.parametrize("number", KINDS.values(), ids=KINDS)
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]


@kinds
@pytest.mark.parametrize("function", OPERATORS)
def test_numbers_on_either_side_fold_into_the_node(function, number):
    c = float(number)
    name = {"truediv": "div"}.get(function.__name__, function.__name__)
    for result, at, own in (
        (function(x := Value(3.0), number), [3.0, c], 0),
        (function(number, y := Value(3.0)), [c, 3.0], 1),
    ):
        leaf = (x, y)[own]
        value, first, _ = _core.derivatives(name, at)
        assert type(result) is Value
        assert result.data == value
        assert len(result.prev) == 1
        assert result.prev[0] is leaf
        result.backward()
        assert leaf.grad == first[own]


@kinds
def test_numbers_in_functions_and_as_data(number):
    c = float(number)
    x = Value(0.5)
    assert Value(number).data == c
    assert gt.maximum(number, x).data == c
    assert gt.where(x, number, 0).data == c
    assert gt.sum([number, x]).data == c + 0.5
    assert gt.dot([number], [x]).data == c * 0.5
    assert gt.affine([number], [x], number).data == c * 0.5 + c
    assert type(gt.exp(number)) in (float, np.ndarray)
    assert float(gt.exp(number)) == pytest.approx(math.exp(c), rel=4e-16)
    x.data = number
    assert x.data == c


@kinds
def test_comparisons_are_of_data(number):
    c = float(number)
    comparisons = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)
    for x in (c - 1, c, c + 1):
        for compare in comparisons:
            assert bool(compare(Value(x), number)) is compare(x, c)
            assert bool(compare(number, Value(x))) is compare(c, x)
            assert compare(Value(x), Value(c)) is compare(x, c)


@pytest.mark.parametrize("big", [10**400, -(10**400), 2**53 + 1], ids=["huge", "-huge", "odd"])
def test_comparisons_with_large_ints_are_those_of_floats(big):
    for x in (1.0, 2.0**53, INF, -INF, NAN):
        for compare in (operator.lt, operator.eq, operator.ne, operator.ge):
            assert compare(Value(x), big) is compare(x, big)


def test_comparisons_with_nan_and_with_other_things():
    nan = Value(NAN)
    assert not nan == nan  # noqa: SIM201  this is what is tested
    assert nan != nan
    assert bool(nan)
    x = Value(0.0)
    assert not x
    assert x == 0
    assert x == -0.0
    assert (x == None) is False  # noqa: E711  this is what is tested
    assert (x != "0") is True
    for other in (None, "0", 1j, []):
        with pytest.raises(TypeError):
            _ = x < other


def test_hash_is_by_identity():
    values = [Value(1.0) for _ in range(100)]
    assert len(set(values)) == 100
    index = {v: i for i, v in enumerate(values)}
    assert [index[v] for v in values] == list(range(100))
    before = hash(values[0])
    values[0].data = 5.0
    assert hash(values[0]) == before
    assert Value(1.0) in values  # by data, as lists look


def test_control_flow_follows_data():
    def power(x, n):
        return 1.0 if n == 0 else x * power(x, n - 1)

    def collatz_like(x):
        steps = 0
        while x > 1:
            x = x / 2 if x > 4 else x - 1
            steps += 1
        return x * steps if x else x

    assert grads(lambda x: power(x, 5), 2.0) == [80.0]
    assert grads(collatz_like, 9.0) == [1.0]
    x = Value(3.0)
    total = sum(x * k for k in range(4))
    total.backward()
    assert (total.data, x.grad) == (18.0, 6.0)
    assert max(Value(1.0), x) is x
    assert sorted([x, Value(1.0), 2], reverse=True)[0] is x
