"""Training whose rows are computed in 32 bits, and large layers as products of matrices."""

import numpy as np
import pytest
from gradtape import MLP, SGD, fit
from gradtape.optim import Adam
from hypothesis import given, settings
from hypothesis import strategies as st


def data(rows, inputs, outputs):
    random = np.random.default_rng(rows)
    x = random.normal(size=(rows, inputs))
    return x, np.argmax(x @ random.normal(size=(inputs, outputs)), axis=1)


def trained(sizes, optimizer=SGD, rows=90, epochs=3, **how):
    model = MLP(sizes, ["tanh"] * (len(sizes) - 2) + ["softmax"], seed=3)
    x, y = data(rows, sizes[0], sizes[-1])
    steps = optimizer(model.parameters(), 0.01)
    history = fit(model, x, y, optimizer=steps, epochs=epochs, batch_size=40, **how)
    return np.array([p.data for p in model.parameters()]), history


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.tuples(st.integers(6, 40), st.integers(10, 50), st.integers(8, 40), st.integers(2, 9)),
    optimizer=st.sampled_from([SGD, Adam]),
)
def test_layers_of_any_size_give_the_parameters_of_the_tape(sizes, optimizer):
    native, seen = trained(sizes, optimizer, epochs=1, native=True)
    tape, told = trained(sizes, optimizer, epochs=1, native=False)
    np.testing.assert_allclose(native, tape, rtol=0, atol=1e-10)
    np.testing.assert_allclose(seen.loss, told.loss, rtol=1e-12)
    assert seen.accuracy == told.accuracy


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 50), st.integers(2, 9)),
    name=st.sampled_from(["tanh", "exp", "norm_cdf", "gelu", "sin"]),
)
def test_32_bits_are_near_to_64(sizes, name):
    found = []
    for dtype in ("float64", "float32"):
        model = MLP(sizes, [name, "softmax"], seed=3)
        x, y = data(70, sizes[0], sizes[-1])
        optimizer = SGD(model.parameters(), 0.01)
        fit(model, x, y, optimizer=optimizer, epochs=2, batch_size=40, dtype=dtype)
        found.append(np.array([p.data for p in model.parameters()]))
    wide, narrow = found
    assert (wide != narrow).any()
    np.testing.assert_allclose(narrow, wide, rtol=0, atol=2e-5 * max(1.0, np.abs(wide).max()))


def test_the_number_of_threads_does_not_change_a_bit(monkeypatch):
    def bits(threads, dtype):
        monkeypatch.setenv("GRADTAPE_THREADS", threads)
        x, y = data(700, 20, 4)
        model = MLP([20, 40, 4], ["relu", "softmax"], seed=1)
        fit(model, x, y, optimizer="adam", epochs=2, batch_size=300, dtype=dtype)
        return [p.data for p in model.parameters()]

    for dtype in ("float64", "float32"):
        assert bits("1", dtype) == bits("2", dtype) == bits("3", dtype)


def test_branches_are_taken_in_32_bits_too():
    def kinked(z):
        return 0.1 * z if z < 0.0 else z

    x, y = data(80, 5, 3)
    found = []
    for dtype in ("float64", "float32"):
        model = MLP([5, 2, 3], [kinked, "softmax"], seed=1)
        fit(model, x, y, epochs=3, batch_size=16, dtype=dtype, native=True)
        found.append([p.data for p in model.parameters()])
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-5)


def test_a_diverging_run_in_32_bits_keeps_finite_parameters():
    model = MLP([3, 30, 1], ["exp", "linear"], seed=0)
    x, _ = data(64, 3, 2)
    with pytest.raises(ValueError, match=r"infinite|nan|inf|finite"):
        fit(
            model,
            x,
            x.sum(axis=1),
            loss="mean_squared_error",
            optimizer=SGD(model.parameters(), 1e6),
            dtype="float32",
        )
    assert all(np.isfinite(p.data) for p in model.parameters())


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"dtype": "float16"}, "dtype must be 'float64' or 'float32', not 'float16'"),
        ({"dtype": "double precision"}, "dtype must be 'float64' or 'float32'"),
        ({"dtype": 32}, "dtype must be 'float64' or 'float32'"),
        ({"dtype": "float32", "native": False}, "the tape computes in 64 bits"),
        ({"dtype": np.float32, "native": False}, "the tape computes in 64 bits"),
        ({"dtype": "float32", "loss": lambda p, t: float(p[0][0])}, "its gradient would be lost"),
    ],
)
def test_wrong_dtypes(how, message):
    model = MLP([2, 3, 2], "tanh")
    before = [p.data for p in model.parameters()]
    with pytest.raises((TypeError, ValueError), match=message):
        fit(model, [[0.0, 1.0]] * 4, [0, 1, 0, 1], **how)
    assert before == [p.data for p in model.parameters()]
