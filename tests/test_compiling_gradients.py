"""Gradients of compiled functions against the tape's, and how they are asked for."""

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value
from hypothesis import given, settings
from hypothesis import strategies as st

steady = settings(deadline=None, derandomize=True, database=None)
numbers = st.lists(st.floats(-2, 2), min_size=1, max_size=6)


def close(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


@steady
@given(numbers, st.sampled_from(["sum", "mean"]), st.floats(-3, 3))
def test_backward_is_that_of_the_eager_loss(xs, reduce, seed):
    def model():
        w, b = Value(0.7, label="w"), Value(-0.2, label="b")
        inner = gt.exp(w) * b  # a captured node: its adjoint goes on to w and b

        def loss(x):
            h = gt.tanh(w * x + b)
            return h * inner if h > 0 else (h - x) ** 2

        return loss, w, b, inner

    loss, w, b, _ = model()
    total = gt.sum([loss(x) for x in xs]) / (len(xs) if reduce == "mean" else 1)
    total.backward(seed)
    plain, v, c, node = model()
    compiled = gt.compile(plain)
    v.grad = 10.0  # gradients are added
    close(compiled.backward(np.array(xs), reduce=reduce, seed=seed), total.data)
    close([v.grad - 10.0, c.grad], [w.grad, b.grad])
    assert {id(p) for p in compiled.parameters} <= {id(v), id(c), id(node)}


def test_parameters_are_read_anew_at_every_call():
    w = Value(2.0, label="w")
    f = gt.compile(lambda x: w * x)
    x = np.arange(3.0)
    np.testing.assert_array_equal(f(x), 2 * x)
    w.data = 5.0
    np.testing.assert_array_equal(f(x), 5 * x)
    assert len(f.paths) == 1
    assert f.parameters == [w]


def test_training_goes_as_with_the_eager_loop():
    xs = np.random.default_rng(0).normal(size=(20, 3))
    ts = (xs.sum(axis=1) > 0).astype(float)

    def fitted(step):
        model = gt.MLP([3, 4, 1], "tanh", seed=1)
        loss = step(model)
        for _ in range(5):
            for p in model.parameters():
                p.grad = 0.0
            loss()
            for p in model.parameters():
                p.data -= 0.1 * p.grad
        return [p.data for p in model.parameters()]

    def eager(model):
        def loss():
            rows = zip(xs.tolist(), ts.tolist(), strict=True)
            (gt.sum([(model(x)[0] - t) ** 2 for x, t in rows]) / 20).backward()

        return loss

    def replayed(model):
        f = gt.compile(lambda x, t: (model(x)[0] - t) ** 2, signature="(n),()->()")
        return lambda: f.backward(xs, ts, reduce="mean")

    close(fitted(replayed), fitted(eager))


def test_reductions():
    f = gt.compile(lambda x, a: a * x**2)
    x = np.array([1.0, 2.0, 3.0])
    value, (dx, da) = f.value_and_grad(x, 2.0)
    close(value, 2 * x**2)
    close(dx, 4 * x)
    close(da, 14.0)
    value, (dx, da) = f.value_and_grad(x, 2.0, reduce="sum")
    assert (type(value), value, da) == (float, 28.0, 14.0)
    close(dx, 4 * x)
    value, (dx, da) = f.value_and_grad(x, 2.0, reduce="mean")
    close([value, da], [28 / 3, 14 / 3])
    close(dx, 4 * x / 3)
    close(f.grad(x, 2.0, reduce="mean")[0], 4 * x / 3)
    assert f.value_and_grad(3.0, 2.0, reduce="mean") == (18.0, (12.0, 9.0))


def test_wrt_selects_by_place_and_name():
    f = gt.compile(lambda x, y, *rest, scale=1.0: (x + 2 * y + 3 * rest[0]) * scale)
    assert f.grad(1.0, 1.0, 1.0, scale=2.0) == (2.0, 4.0, 6.0, 6.0)
    assert f.grad(1.0, 1.0, 1.0, scale=2.0, wrt="scale") == 6.0
    assert f.grad(1.0, 1.0, 1.0, scale=2.0, wrt=-1) == 6.0
    assert f.grad(1.0, 1.0, 1.0, wrt=("rest[0]", 0)) == (3.0, 1.0)
    assert f.grad(1.0, 1.0, 1.0, wrt=[1]) == (2.0,)
    assert f.grad(1.0, 1.0, 1.0, wrt=()) == ()


def test_gradients_are_nested_as_the_arguments():
    f = gt.compile(lambda curve, n: curve["k"][0] * curve["k"][1] * n + curve["s"] ** 2)
    curve = {"k": (2.0, np.array([3.0, 4.0])), "s": 5.0}
    value, (got, n) = f.value_and_grad(curve, 10.0)
    close(value, [85.0, 105.0])
    assert (got["k"][0], got["s"], n) == (70.0, 20.0, 14.0)
    close(got["k"][1], [20.0, 20.0])
    got = f.grad(curve, 10.0, wrt="curve")
    assert list(got) == ["k", "s"]


def test_captured_values_are_left_alone_by_value_and_grad():
    w = Value(2.0)
    f = gt.compile(lambda x: w * x)
    assert f.value_and_grad(3.0) == (6.0, (2.0,))
    assert w.grad == 0.0


def test_jacobian_of_several_results():
    f = gt.compile(lambda r, t: (r * gt.cos(t), [r * gt.sin(t)]))
    r, t = np.array([1.0, 2.0, 3.0]), 0.5
    (x, (y,)) = f.jacobian(r, t)
    close(x[0], np.full(3, np.cos(t)))
    close(x[1], -r * np.sin(t))  # each row's own, though t is shared
    close(y[0], np.full(3, np.sin(t)))
    close(y[1], r * np.cos(t))
    (x, (y,)) = f.jacobian(1.0, t, wrt="t")
    close([x, y], [-np.sin(t), np.cos(t)])


@steady
@given(st.integers(1, 3), st.integers(1, 3), st.lists(st.integers(1, 3), max_size=2))
def test_jacobian_of_vectors(m, n, loop):
    rng = np.random.default_rng(m * 100 + n * 10 + len(loop))
    a, x = rng.normal(size=(*loop, m, n)), rng.normal(size=n)
    f = gt.compile(lambda a, x: a @ x, signature="(m,n),(n)->(m)")
    da, dx = f.jacobian(a, x)
    assert da.shape == (*loop, m, m, n)
    close(dx, a)
    close(da, np.broadcast_to(np.einsum("ij,k->ijk", np.eye(m), x), da.shape))
    close(f.jacobian(a, x, wrt=1), a)


def test_a_result_that_depends_on_nothing():
    f = gt.compile(lambda x: 3.0)
    value, (dx,) = f.value_and_grad(np.arange(3.0))
    close(value, [3.0, 3.0, 3.0])
    close(dx, [0.0, 0.0, 0.0])
    assert gt.compile(lambda: 2.0)() == 2.0
    assert gt.compile(lambda: 2.0).value_and_grad() == (2.0, ())


def test_the_same_argument_as_result():
    f = gt.compile(lambda x, y: (x, x, y))
    np.testing.assert_array_equal(f(np.arange(2.0), 7.0), [[0, 1], [0, 1], [7, 7]])


def test_mean_of_no_rows_is_refused():
    f = gt.compile(lambda x: x)
    with pytest.raises(ValueError, match=r"there are no rows to take the mean of"):
        f.grad(np.ones(0), reduce="mean")
