"""What a user may rely on: `Value`, its gradients and numbers, bad input, NumPy, copies."""

import copy
import gc
import math
import operator
import pickle
import weakref

import numpy as np
import pytest

import gradtape as gt
from gradtape import Value, _core

NAN, INF = math.nan, math.inf


def grads(function, *at):
    """Gradients of a function of Values at these numbers."""
    leaves = [Value(x) for x in at]
    function(*leaves).backward()
    return [leaf.grad for leaf in leaves]


# --- Attributes ---------------------------------------------------------------------------------


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


# --- Operands of every kind, on either side -----------------------------------------------------

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
    assert float(gt.exp(number)) == math.exp(c)
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


@pytest.mark.parametrize("big", [10**400, -(10**400), 2**53 + 1])
def test_comparisons_with_large_ints_are_those_of_floats(big):
    for x in (1.0, 2.0**53, INF, -INF, NAN):
        for compare in (operator.lt, operator.eq, operator.ne, operator.ge):
            assert compare(Value(x), big) is compare(x, big)


def test_comparisons_with_nan_and_with_other_things():
    nan = Value(NAN)
    assert not nan == nan  # noqa: PLR0124 SIM201  this is what is tested
    assert nan != nan  # noqa: PLR0124
    assert bool(nan)
    x = Value(0.0)
    assert not x
    assert x == 0
    assert x == -0.0
    assert (x == None) is False  # noqa: E711
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
    assert grads(collatz_like, 9.0) == [1.25]
    x = Value(3.0)
    total = sum(x * k for k in range(4))
    total.backward()
    assert (total.data, x.grad) == (18.0, 6.0)
    assert max(Value(1.0), x) is x
    assert sorted([x, Value(1.0), 2], reverse=True)[0] is x


# --- Gradients ----------------------------------------------------------------------------------


def test_a_second_sweep_doubles_leaves_and_nothing_else():
    x, y = Value(0.3), Value(-1.7)
    h = x * y
    out = (h + x).tanh() * h
    out.backward()
    first = [v.grad for v in (x, y, h, out)]
    out.backward()
    assert [v.grad for v in (x, y, h, out)] == [2 * first[0], 2 * first[1], first[2], 1.0]
    out.backward(seed=-0.5)
    assert [v.grad for v in (x, y)] == [1.5 * first[0], 1.5 * first[1]]
    assert [v.grad for v in (h, out)] == [-0.5 * first[2], -0.5]
    _core.zero_grad([x, y])
    assert _core.grads([x, y]) == [0.0, 0.0]


def test_backward_of_a_leaf_and_of_an_inner_value():
    x = Value(2.0)
    x.backward()
    x.backward(3)
    assert x.grad == 4.0
    y = x * 5
    z = y * 7
    y.backward()
    assert (x.grad, y.grad, z.grad) == (9.0, 1.0, 0.0)
    z.backward()
    assert (x.grad, y.grad, z.grad) == (44.0, 7.0, 1.0)


def test_an_inner_value_reached_with_adjoint_zero_gets_zero_and_one_not_reached_keeps_its_own():
    x = Value(2.0)
    a, b = x * 3, x * 5
    (a + b).backward()
    assert (a.grad, b.grad) == (1.0, 1.0)
    (a * 0.0).backward()
    assert (a.grad, b.grad, x.grad) == (0.0, 1.0, 8.0)


def test_contributions_that_cancel_leave_nothing_behind():
    x = Value(3.0)
    h = x * 2.0
    m = -h
    between = [x * 1.0 for _ in range(3)]
    out = m + h * 1.0
    for _ in range(3):
        out.backward()
        assert (x.grad, h.grad) == (0.0, 0.0)
    assert len(between) == 3


def test_an_assigned_leaf_changes_neither_the_graph_nor_its_gradients():
    x, y = Value(3.0), Value(4.0)
    z = x * y
    out = z + x * x  # the product is a temporary that dies
    x.data = 100.0
    assert (z.data, out.data) == (12.0, 21.0)
    assert out.prev[1].data == 9.0
    out.backward()
    assert (x.grad, y.grad) == (4.0 + 6.0, 3.0)
    x.data = -1.0
    assert [p.data for p in out.prev] == [12.0, 9.0]
    assert (x * y).data == -4.0


def test_dead_temporaries_keep_data_after_cuts_and_assignments():
    x = Value(2.0)
    keep = x * 2.0
    cut = keep * 3.0
    x.data = 5.0
    del cut
    u = x * 7.0
    w = u + 1.0
    del u
    assert w.prev[0].data == 35.0
    p = Value(6.0)
    q = p * 7.0 + keep
    assert q.prev[0].data == 42.0
    assert q.prev[0].prev[0] is p


def test_data_assigned_to_an_inner_value_counts_from_there_on():
    x = Value(2.0)
    y = x * 2.0
    y.data = 100.0
    w = y * 3.0 + 1.0
    assert w.data == 301.0
    assert w.prev[0].data == 300.0


def test_dead_temporaries_keep_identity_while_they_are_alive_again():
    x = Value(2.0, label="x")
    out = (x + 1.0) * (x - 1.0)
    out.backward()
    a, b = out.prev
    assert (a.data, b.data, a.grad, b.grad) == (3.0, 1.0, 1.0, 3.0)
    assert out.prev[0] is a
    assert out.prev[1] is b
    assert a.prev[0] is x
    a.label = "a"
    assert out.prev[0].label == "a"
    (a * 2).backward()
    assert a.grad == 2.0


def test_a_dead_leaf_comes_back_as_one_leaf():
    out = Value(2.0) * Value(5.0)
    out.backward()
    x, y = out.prev
    assert (x.data, y.data, x.grad, y.grad) == (2.0, 5.0, 5.0, 2.0)
    assert out.prev[0] is x
    out.backward()
    assert (x.grad, y.grad) == (10.0, 4.0)
    x.data = 3.0
    assert (out.data, (x * y).data) == (10.0, 15.0)


def test_no_grad_records_nothing():
    x = Value(3.0)
    with gt.no_grad():
        y = gt.sum([x * x, gt.exp(x), -x])
        n = _core.layer([x], (x, x), "tanh")[0]
        with gt.no_grad():
            pass
        assert (x * 2).prev == ()
    assert (y.prev, n.prev, n.op) == ((), (), "")
    assert y.data == 9.0 + math.exp(3.0) - 3.0
    y.backward()
    assert x.grad == 0.0
    with pytest.raises(RuntimeError, match="inside"), gt.no_grad():
        raise RuntimeError("inside")
    assert (x * 2).prev[0] is x

    @gt.no_grad()
    def quiet():
        return x * 2

    assert quiet().prev == ()
    assert quiet().prev == ()
    assert len((x * 2).prev) == 1


def test_detach_is_a_leaf_of_its_own():
    x = Value(3.0, label="x")
    y = x * x
    d = y.detach()
    assert (d.data, d.prev, d.grad) == (9.0, (), 0.0)
    (d * x).backward()
    assert (x.grad, d.grad) == (9.0, 3.0)
    d.data = 1.0
    assert y.data == 9.0


# --- Numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "at", "data"),
    [
        (lambda x: x / 0, 1.0, INF),
        (lambda x: x / 0, -1.0, -INF),
        (lambda x: x / 0, 0.0, NAN),
        (lambda x: 1 / x, 0.0, INF),
        (lambda x: x**-1, 0.0, INF),
        (lambda x: x**0.5, -1.0, NAN),
        (lambda x: x**0, 0.0, 1.0),
        (lambda x: 0**x, 0.0, 1.0),
        (gt.log, -1.0, NAN),
        (gt.log, 0.0, -INF),
        (gt.sqrt, -1.0, NAN),
        (gt.exp, 1000.0, INF),
        (gt.acosh, 0.5, NAN),
        (gt.norm_ppf, 0.0, -INF),
        (gt.tanh, 1000.0, 1.0),
        (gt.sigmoid, -1000.0, 0.0),
        (gt.softplus, 1000.0, 1000.0),
        (gt.lgamma, 0.0, INF),
    ],
)
def test_ieee_rules_and_no_exception(function, at, data):
    x = Value(at)
    y = function(x)
    assert y.data == data or math.isnan(y.data) and math.isnan(data)
    y.backward()
    assert type(x.grad) is float


KINKS = [
    (gt.relu, [0.0], [0.0]),
    (gt.abs, [0.0], [0.0]),
    (gt.sign, [3.0], [0.0]),
    (gt.maximum, [2.0, 2.0], [0.5, 0.5]),
    (gt.minimum, [2.0, 2.0], [0.5, 0.5]),
    (gt.maximum, [2.0, 1.0], [1.0, 0.0]),
    (gt.clip, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]),
    (gt.clip, [1.0, 0.0, 1.0], [1.0, 0.0, 0.0]),
    (gt.clip, [2.0, 0.0, 1.0], [0.0, 0.0, 1.0]),
    (gt.clip, [-2.0, 0.0, 1.0], [0.0, 1.0, 0.0]),
    (gt.leaky_relu, [0.0, 0.25], [0.25, 0.0]),
    (gt.elu, [0.0, 0.75], [0.75, 0.0]),
    (gt.hypot, [0.0, 0.0], [0.0, 0.0]),
    (gt.pow, [0.0, 0.0], [0.0, 0.0]),
    (gt.pow, [0.0, 2.0], [0.0, 0.0]),
    (gt.sqrt, [0.0], [INF]),
    (gt.tanh, [1000.0], [0.0]),
    (gt.tanh, [-1000.0], [0.0]),
    (gt.sigmoid, [1000.0], [0.0]),
    (gt.sigmoid, [-1000.0], [0.0]),
    (gt.softplus, [-1000.0], [0.0]),
    (gt.where, [1.0, 2.0, 3.0], [0.0, 1.0, 0.0]),
    (gt.where, [0.0, 2.0, 3.0], [0.0, 0.0, 1.0]),
]


@pytest.mark.parametrize(("function", "at", "want"), KINKS)
def test_conventions_at_kinks(function, at, want):
    assert grads(function, *at) == want


def test_an_adjoint_of_zero_never_poisons():
    assert grads(lambda x: gt.where(x > 0, gt.sqrt(x), x * 2), 0.0) == [2.0]
    assert grads(lambda x: gt.where(x > 0, gt.log(x), x * 3), -1.0) == [3.0]
    assert grads(lambda x: gt.where(0.0, x / 0, 1.0), 0.0) == [0.0]
    assert grads(lambda x: gt.sqrt(x) * 0, 0.0) == [0.0]
    assert grads(lambda x: gt.sqrt(x) * 0 + x, 0.0) == [1.0]
    assert grads(lambda x: gt.sqrt(x * x), 0.0) == [0.0]
    assert grads(lambda x: gt.dot([gt.sqrt(x), x], [0.0, 4.0]), 0.0) == [4.0]
    assert grads(lambda x, y: gt.maximum(gt.sqrt(x), y), 0.0, 1.0) == [0.0, 1.0]
    assert grads(lambda x: gt.affine([gt.sqrt(x)], [1.0], -1.0, "relu"), 0.0) == [0.0]
    assert grads(lambda x, w: gt.affine([x], [w], 0.0, "sqrt"), 0.0, 0.0) == [0.0, 0.0]
    assert grads(lambda x: gt.logsumexp([gt.log(x), 1.0]), 0.0) == [0.0]


def test_infinite_and_undefined_adjoints_pass_through():
    assert grads(lambda x: gt.sqrt(x) * 2 + x, 0.0) == [INF]
    assert grads(lambda x, y: gt.dot([gt.sqrt(x), y], [1.0, 2.0]), 0.0, 1.0) == [INF, 2.0]
    assert grads(lambda x, y: gt.sqrt(gt.sum([x, y])), 0.0, 0.0) == [INF, INF]
    leaves = grads(lambda x, y: (gt.sqrt(x) - gt.sqrt(x)) + y, 0.0, 1.0)
    assert math.isnan(leaves[0])
    assert leaves[1] == 1.0
    assert grads(lambda x, y: gt.sqrt(x) + y, 0.0, 1.0) == [INF, 1.0]  # nothing stayed behind


# --- NumPy --------------------------------------------------------------------------------------

UFUNCS = (
    "exp expm1 log log1p log2 log10 sqrt cbrt sin cos tan arcsin arccos arctan sinh cosh tanh "
    "arcsinh arctanh abs negative"
).split()


@pytest.mark.parametrize("name", UFUNCS)
def test_numpy_functions_return_values(name):
    row = name.replace("arc", "a").replace("negative", "neg")
    value, first, _ = _core.derivatives(row, [0.3])
    for arrange in (lambda v: v, lambda v: np.array([v, Value(0.1)])):
        x = Value(0.3)
        y = getattr(np, name)(arrange(x))
        y = y[0] if isinstance(y, np.ndarray) else y
        assert type(y) is Value
        y.backward()
        assert (y.data, x.grad) == (value, first[0])


def test_numpy_functions_of_two_operands():
    x, y = Value(0.5), Value(0.25)
    for name in ("arctan2", "hypot", "power", "add", "subtract", "multiply", "divide"):
        for operands in ((x, y), (x, 0.25), (0.5, y)):
            z = getattr(np, name)(*operands)
            assert type(z) is Value
            assert math.isclose(z.data, getattr(np, name)(0.5, 0.25), rel_tol=1e-15)
    assert np.maximum(x, y) is x
    assert type(np.square(x)) is Value


def test_object_arrays():
    x, y = Value(2.0), Value(3.0)
    a = np.array([x, y])
    assert a.dtype == object
    assert a[0] is x
    total = (a @ a) + a.sum() * 2 + a.mean() + (a * np.array([1.0, 10.0])).sum() + np.exp(a)[0]
    assert type(total) is Value
    assert total.data == 13.0 + 10.0 + 2.5 + 32.0 + math.exp(2.0)
    total.backward()
    assert x.grad == pytest.approx(4.0 + 2.0 + 0.5 + 1.0 + math.exp(2.0), rel=1e-15)
    assert y.grad == pytest.approx(6.0 + 2.0 + 0.5 + 10.0, rel=1e-15)
    w = np.array([[x, y], [y, x]])
    out = np.tanh(w @ np.array([0.1, 0.2]))
    assert [v.data for v in out] == [math.tanh(2.0 * 0.1 + 3.0 * 0.2), math.tanh(0.3 + 0.4)]
    assert [v.data for v in np.array([1.0, 2.0]) - x] == [-1.0, 0.0]
    assert [v.data for v in x - np.array([1.0, 2.0])] == [1.0, 0.0]
    assert (a > 2.5).tolist() == [False, True]


def test_functions_map_over_arrays():
    floats = gt.exp(np.array([0.0, 1.0]))
    assert floats.dtype == float
    assert floats.tolist() == [1.0, math.e]
    x = Value(3.0)
    values = gt.maximum(np.array([1.0, 5.0]), x)
    assert [v.data for v in values] == [3.0, 5.0]
    assert all(type(v) is Value for v in values)
    assert gt.softplus(np.array([[x]]))[0, 0].op == "softplus"
    assert gt.exp(np.array([1, 2])).dtype == float
    assert gt.exp(1) == math.e
    assert type(gt.pow(2, 3)) is float


# --- Bad input ----------------------------------------------------------------------------------

V = Value(2.0)
BAD = [
    (lambda: Value("2"), "real number.*str"),
    (lambda: Value(None), "real number.*NoneType"),
    (lambda: Value(1j), "real number.*complex"),
    (lambda: Value([1.0]), "real number.*list"),
    (lambda: Value(b"1"), "real number.*bytes"),
    (lambda: Value(V), "real number.*Value"),
    (lambda: Value(np.array([1.0, 2.0])), "real number.*ndarray"),
    (lambda: Value(np.complex128(1)), "real number.*complex128"),
    (lambda: Value(), "number"),
    (lambda: Value(1.0, "a", 2), "at most 2"),
    (lambda: Value(1.0, name="a"), "name"),
    (lambda: Value(1.0, label=3), "str.*int"),
    (lambda: V + "x", "str"),
    (lambda: "x" + V, "str"),
    (lambda: V ** "x", "str"),
    (lambda: "x" * V, "str"),
    (lambda: V - None, "NoneType"),
    (lambda: None / V, "NoneType"),
    (lambda: V * 1j, "complex"),
    (lambda: 1j * V, "complex"),
    (lambda: V * np.complex128(1j), "complex"),
    (lambda: np.complex128(1j) * V, "complex"),
    (lambda: V / [1], "list"),
    (lambda: V + np.array("x"), "str|ndarray"),
    (lambda: V + np.datetime64("2020-01-01"), "datetime64"),
    (lambda: V + object(), "object"),
    (lambda: math.exp(V), r"gradtape\.exp\(v\).*v\.data"),
    (lambda: math.sqrt(V), r"v\.data"),
    (lambda: float(V), r"v\.data"),
    (lambda: int(V), r"v\.data"),
    (lambda: complex(V), r"v\.data"),
    (lambda: np.float64(V), r"v\.data"),
    (lambda: np.array([V, V], dtype=float), r"v\.data"),
    (lambda: np.floor(V), r"v\.data"),
    (lambda: gt.exp("x"), "exp.*str"),
    (lambda: gt.exp(None), "exp.*NoneType"),
    (lambda: gt.exp(1j), "exp.*complex"),
    (lambda: gt.exp(np.array([1j])), "exp.*complex"),
    (lambda: gt.exp(np.array(["x"])), "exp.*U1"),
    (lambda: gt.add(V, "x"), "str"),
    (lambda: gt.where(V, None, 1.0), "where.*NoneType"),
    (lambda: gt.clip(V, "a", 1.0), "clip.*str"),
    (lambda: gt.exp(), "exp"),
    (lambda: gt.exp(V, V), "exp"),
    (lambda: V.exp(1.0), "exp"),
    (lambda: gt.sum(V), "sequence.*Value"),
    (lambda: gt.sum(3.0), "sequence.*float"),
    (lambda: gt.sum([V, "x"]), r"values\[1\].*str"),
    (lambda: gt.dot([V], [None]), r"\[0\].*NoneType"),
    (lambda: gt.affine([V], [V], "b"), "bias.*str"),
    (lambda: gt.logsumexp([1j]), "complex"),
    (lambda: gt.softmax(["x"]), "str"),
    (lambda: _core.layer([V], (V, None), ""), r"parameters\[1\].*NoneType"),
    (lambda: _core.grads([V, 1.0]), r"values\[1\].*Value.*float"),
    (lambda: V.backward("x"), "seed.*str"),
    (lambda: V.backward(seed=V), "seed.*Value"),
    (lambda: V.backward(1.0, 2.0), "backward"),
    (lambda: setattr(V, "data", "x"), "data.*str"),
    (lambda: setattr(V, "data", V), "data.*Value"),
    (lambda: setattr(V, "grad", None), "grad.*NoneType"),
    (lambda: setattr(V, "label", 3), "label.*int"),
    (lambda: pow(V, 2, 3), ""),
    (lambda: V // 2, ""),
    (lambda: V % 2, ""),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_input_raises_type_error_that_says_what_was_given(number):
    call, message = BAD[number]
    with pytest.raises(TypeError, match=message):
        call()
    assert (V.data, V.label) == (2.0, "")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gt.dot([V], [V, V]), "1 and 2"),
        (lambda: gt.affine([V, V], [V], 0.0), "2 and 1"),
        (lambda: gt.affine([V], [V], 0.0, "reluu"), "reluu.*relu"),
        (lambda: gt.affine([V], [V], 0.0, "add"), "add.*relu"),
        (lambda: gt.logsumexp([]), "at least one"),
        (lambda: gt.softmax([]), "at least one"),
        (lambda: gt.log_softmax([]), "at least one"),
        (lambda: _core.layer([V, V], (V, V), "relu"), "multiple of 3.*2"),
        (lambda: _core.layer([V], (), "relu"), "multiple of 2.*0"),
        (lambda: _core.layer([V], (V, V), "nope"), "nope"),
        (lambda: _core.assign([V, V], [1.0]), "2.*1"),
    ],
)
def test_sizes_and_names_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()
    assert V.data == 2.0


def test_assign_changes_all_or_none():
    x, y = Value(1.0), Value(2.0)
    for numbers, error in (([5.0, "x"], TypeError), ([5.0], ValueError), ([V, 5.0], TypeError)):
        with pytest.raises(error):
            _core.assign([x, y], numbers)
        assert _core.data([x, y]) == [1.0, 2.0]
    _core.assign((x, y), np.array([3.0, 4.0]))
    assert _core.data([x, y]) == [3.0, 4.0]


def test_attributes_cannot_be_deleted_and_prev_not_set():
    x = Value(1.0)
    for name in ("data", "grad", "label", "op", "prev"):
        with pytest.raises((AttributeError, TypeError)):
            delattr(x, name)
    for name in ("op", "prev"):
        with pytest.raises(AttributeError):
            setattr(x, name, ())


def test_default_slope_and_alpha():
    x = Value(-2.0)
    for function in (gt.leaky_relu, Value.leaky_relu):
        assert function(x).data == -0.02
    for function in (gt.elu, Value.elu):
        assert function(x).data == pytest.approx(math.expm1(-2.0), rel=1e-15)


# --- Subclasses, attributes, weak references, copies --------------------------------------------


class Parameter(Value):
    """A subclass whose `__init__` takes other arguments."""

    def __init__(self, name, scale=1.0, *, unit="m"):
        super().__init__(2.0 * scale, label=name)
        self.unit = unit


class Bare(Value):
    """A subclass that never calls `Value.__init__`."""

    def __init__(self, anything):
        self.anything = anything


class Slotted(Value):
    """A subclass with slots of its own."""

    __slots__ = ("extra",)


def test_subclasses():
    p = Parameter("p", 1.5, unit="s")
    assert (p.data, p.label, p.unit, isinstance(p, Value)) == (3.0, "p", "s", True)
    assert repr(p) == "Parameter(data=3.0, label='p')"
    y = 2 * p + p**2 + gt.dot([p], [p])
    y.backward()
    assert (y.data, p.grad, type(y)) == (24.0, 14.0, Value)
    assert y.prev[0].prev[0].prev[0] is p
    b = Bare("thing")
    assert (b.data, b.anything) == (0.0, "thing")
    s = Slotted(4.0)
    s.extra = [s]  # a cycle, which the collector breaks
    assert (s * 2).data == 8.0
    gone = weakref.ref(s)
    del s
    gc.collect()
    assert gone() is None
    with pytest.raises(TypeError, match="str"):
        Parameter("p", "2")


def test_user_attributes_and_weak_references():
    x = Value(1.0)
    y = x * 2
    y.note, x.history = "inner", [1, 2]
    assert (y.note, vars(x)) == ("inner", {"history": [1, 2]})
    with pytest.raises(AttributeError):
        _ = x.nothing
    events = []
    ref, proxy = weakref.ref(y, events.append), weakref.proxy(x)
    assert ref() is y
    assert (proxy.data, len(weakref.WeakSet([x, y]))) == (1.0, 2)
    del y
    assert ref() is None
    assert len(events) == 1
    fresh = [Value(0.0) for _ in range(10)]  # some in the dead one's memory
    assert all(vars(v) == {} and v.label == "" for v in fresh)


def copies():
    yield "deepcopy", copy.deepcopy
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield f"pickle {protocol}", lambda v, p=protocol: pickle.loads(pickle.dumps(v, p))


COPIES = dict(copies())
each_copy = pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)


@each_copy
def test_a_copied_graph_stays_one_graph(duplicate):
    x, p = Value(0.5, label="x"), Parameter("p", 0.25, unit="kg")
    h = x * p
    h.note = ["attribute"]
    out = gt.tanh(h + x) * gt.affine([h, 2.0], [x, p], 1.0, "sigmoid") / gt.where(1.0, h, x)
    out.backward()
    x2, p2, h2, out2 = duplicate([x, p, h, out])
    assert [v.data for v in (x2, p2, h2, out2)] == [v.data for v in (x, p, h, out)]
    assert [v.grad for v in (x2, p2, h2, out2)] == [v.grad for v in (x, p, h, out)]
    assert (x2.label, p2.label, p2.unit, h2.note) == ("x", "p", "kg", ["attribute"])
    assert (type(p2), h2.op, out2.op) == (Parameter, "*", "/")
    assert h2.prev[0] is x2
    assert h2.prev[1] is p2
    assert h2.note is not h.note
    assert [v.data for v in out2.prev] == [v.data for v in out.prev]
    out2.backward()
    assert [v.grad for v in (x2, p2, h2)] == [2 * x.grad, 2 * p.grad, h.grad]
    assert out2.prev[0].prev[0].prev[0].prev == h2.prev
    x2.data = 9.0
    assert (x.data, out2.data) == (0.5, out.data)


@each_copy
def test_a_copied_graph_shares_dead_temporaries_as_the_original_does(duplicate):
    x = Value(0.5)
    t = x * 2.0
    a, b = t + 1.0, t * 3.0
    del t
    a2, b2 = duplicate([a, b])
    t2 = a2.prev[0]
    assert b2.prev[0] is t2
    assert a.prev[0] is b.prev[0]


@each_copy
def test_copies_of_graphs_whose_leaves_are_dead(duplicate):
    x = Value(2.0)
    out = gt.sum([Value(3.0) * x, Value(4.0), x])
    x2, out2 = duplicate([x, out])
    out2.backward()
    assert (out2.data, x2.grad, x.grad) == (12.0, 4.0, 0.0)
    assert out2.prev[1].data == 4.0


def test_a_shallow_copy_shares_its_operands():
    x = Value(2.0)
    y = copy.copy(x * 3)
    assert y.prev[0] is x
    y.backward()
    assert x.grad == 3.0
    assert copy.copy(x) is not x


def test_what_is_no_state_is_refused():
    ok = ("mul", None, [(-2, 3.0), (-1, 3.0)])
    x = Value(2.0)
    assert _core._restore(Value, 6.0, 0.0, None, (x,), [ok]).prev[0] is x
    for nodes in (
        [("nope", None, [(-2, 1.0)])],
        [("mul", None, [(-2, 3.0)])],
        [("mul", None, [(0, 3.0), (-2, 1.0)])],
        [("mul", None, [(-3, 3.0), (-2, 1.0)])],
        [("affine", "nope", [(-2, 1.0), (-1, 1.0), (-1, 0.0)])],
    ):
        with pytest.raises(ValueError, match="state"):
            _core._restore(Value, 6.0, 0.0, None, (x,), nodes)
    with pytest.raises(ValueError, match="state"):
        _core._restore(float, 6.0, 0.0, None, (), [])
