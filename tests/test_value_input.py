"""NumPy functions and arrays of Values; what is refused, and what the error says."""

import math

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value, _core

# --- NumPy ----------------------------------------------------------------------------------------

UFUNCS = [
    *("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "sin", "cos", "tan"),
    *("arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arctanh"),
    *("abs", "negative"),
]


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
            if name in ("arctan2", "hypot") and operands[0] is not x:
                continue  # NumPy asks the float for the method
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
    assert total.data == pytest.approx(13.0 + 10.0 + 2.5 + 32.0 + math.exp(2.0), rel=4e-16)
    total.backward()
    assert x.grad == pytest.approx(4.0 + 2.0 + 0.5 + 1.0 + math.exp(2.0), rel=1e-15)
    assert y.grad == pytest.approx(6.0 + 2.0 + 0.5 + 10.0, rel=1e-15)
    w = np.array([[x, y], [y, x]])
    out = np.tanh(w @ np.array([0.1, 0.2]))
    tanhs = [math.tanh(2.0 * 0.1 + 3.0 * 0.2), math.tanh(0.3 + 0.4)]
    assert [v.data for v in out] == pytest.approx(tanhs, rel=4e-16)
    assert [v.data for v in np.array([1.0, 2.0]) - x] == [-1.0, 0.0]
    assert [v.data for v in x - np.array([1.0, 2.0])] == [1.0, 0.0]
    assert (a > 2.5).tolist() == [False, True]


def test_functions_map_over_arrays():
    floats = gt.exp(np.array([0.0, 1.0]))
    assert floats.dtype == float
    assert floats.tolist() == pytest.approx([1.0, math.e], rel=4e-16)
    x = Value(3.0)
    values = gt.maximum(np.array([1.0, 5.0]), x)
    assert [v.data for v in values] == [3.0, 5.0]
    assert all(type(v) is Value for v in values)
    assert gt.softplus(np.array([[x]]))[0, 0].op == "softplus"
    assert gt.exp(np.array([1, 2])).dtype == float
    assert gt.exp(1) == pytest.approx(math.e, rel=4e-16)
    assert type(gt.pow(2, 3)) is float


# --- Bad input ------------------------------------------------------------------------------------

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
    (lambda: V + np.datetime64("2020-01-01"), "date"),
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
    (lambda: gt.exp(np.array([1j])), "exp.*(complex|ndarray)"),
    (lambda: gt.exp(np.array(["x"])), "exp.*(U1|ndarray)"),
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
    (lambda: pow(V, 2, 3), "unsupported operand"),
    (lambda: V // 2, "unsupported operand"),
    (lambda: V % 2, "unsupported operand"),
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
    assert gt.leaky_relu(x).data == x.leaky_relu(0.01).data == -0.02
    assert gt.elu(x).data == x.elu(1.0).data == pytest.approx(math.expm1(-2.0), rel=1e-15)
