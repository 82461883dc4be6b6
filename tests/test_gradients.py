"""What a user may rely on: gradients, and the numbers at edges and kinks."""

import math

import gradtape as gt
import pytest
from gradtape import Value, _core

NAN, INF = math.nan, math.inf


def grads(function, *at):
    """Gradients of a function of Values at these numbers."""
    leaves = [Value(x) for x in at]
    function(*leaves).backward()
    return [leaf.grad for leaf in leaves]


# --- Gradients ------------------------------------------------------------------------------------


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
    w.backward()
    assert x.grad == 6.0


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


# --- Numbers --------------------------------------------------------------------------------------


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
    assert y.data == data or (math.isnan(y.data) and math.isnan(data))
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
