"""One tape, many threads: values cross threads, long sweeps let the others run."""

import threading

import gradtape as gt
import pytest
from gradtape import Value, _core

THREADS = 8


pytestmark = pytest.mark.usefixtures("many_switches")


def long_chain(x, length=60_000):
    for _ in range(length // 2):
        x = -(x + 1.0)
    return x


def train(k, rounds=300):
    """Records, sweeps and frees on leaves of its own; looks at every number."""

    def work():
        x, y = Value(0.5 + k), Value(2.0)
        for n in range(rounds):
            h = x * y + n
            out = h * h + gt.sum([h, x, 1.0]) + _core.layer([h, 2.0], (x, y, y), "relu")[0]
            x.grad = y.grad = 0.0
            out.backward()
            a, b = x.data, y.data
            v = a * b + n
            assert h.data == v
            assert h.grad == 2 * v + 1 + a
            assert x.grad == pytest.approx((2 * v + 1 + a) * b + 1 + v, rel=1e-14)
            assert y.grad == pytest.approx((2 * v + 1 + a) * a + 2 + 1, rel=1e-14)
            assert out.prev[1].op == "affine"
            x.data = 0.5 + (n * 7 + k) % 3

    return work


def test_threads_record_and_sweep_at_once(together):
    together(*(train(k) for k in range(THREADS)))


def test_long_sweeps_let_others_record_and_free(together):
    leaf = Value(1.0)
    ballast = long_chain(leaf, 400_000)
    swept = 0

    def sweeps():
        nonlocal swept
        for _ in range(30):
            ballast.backward()
            swept += 1

    together(sweeps, *(train(k, 100) for k in range(THREADS - 1)))
    assert leaf.grad == swept == 30.0
    assert ballast.grad == 1.0
    assert ballast.data == 1.0


def test_many_long_sweeps_at_once_add_up(together):
    leaf = Value(1.0)
    roots = [long_chain(leaf) for _ in range(4)]

    def sweep(root):
        def work():
            for _ in range(20):
                root.backward()

        return work

    together(*(sweep(root) for root in roots for _ in range(2)))
    assert leaf.grad == 2 * 20 * 4
    assert [root.grad for root in roots] == [1.0] * 4


def test_values_of_one_thread_are_used_and_freed_in_another(together):
    x, ballast = Value(3.0), long_chain(Value(1.0))
    handed, condition = [], threading.Condition()

    def makes():
        for k in range(2000):
            value = (x * k + 1.0) * 2.0
            with condition:
                handed.append((k, value))
                condition.notify()

    def uses():
        for _ in range(1000):
            with condition:
                while not handed:
                    condition.wait()
                k, value = handed.pop()
            assert value.data == (3.0 * k + 1.0) * 2.0
            total = value + x
            total.backward()
            assert value.grad == 1.0
            assert value.prev[0].prev[0].prev[0] is x

    together(makes, uses, uses)
    _core.zero_grad([x])
    (ballast * x).backward()
    assert x.grad == ballast.data


def test_compaction_under_threads(together):
    x = Value(0.5)
    kept, lock = [], threading.Lock()

    def churn(seed):
        def work():
            mine = []
            for k in range(30_000):
                mine.append((k, x * float(k + seed)))
                if k % 50 == 49:
                    with lock:
                        kept.append(mine[k * 7 % len(mine)])
                    mine.clear()

        return work

    together(*(churn(0) for _ in range(4)), train(1, 200), train(2, 200))
    assert len(kept) == 4 * 600
    for k, value in kept:
        x.grad = 0.0
        value.backward()
        assert (value.data, x.grad, value.grad) == (0.5 * k, float(k), 1.0)


def test_looking_back_copying_and_pickling_under_threads(together):
    import copy
    import pickle

    x, y = Value(0.5), Value(2.0)
    out = gt.tanh(x * y + 1.0) * gt.sum([x * 3.0, y * 5.0])
    ballast = long_chain(Value(1.0), 200_000)
    want = out.data

    def looks():
        for _ in range(100):
            a, b = out.prev
            assert a.data * b.data == want
            assert a.prev[0].prev[0].prev[1] is y
            copied = pickle.loads(pickle.dumps(out)) if _ % 2 else copy.deepcopy(out)
            assert copied.data == want
            assert copied.prev[0].data == a.data

    def sweeps():
        for _ in range(20):
            ballast.backward()

    together(looks, looks, sweeps, train(1, 100))


def test_no_grad_holds_for_its_own_thread_only(together):
    x = Value(2.0)
    inside, looked = threading.Event(), threading.Event()
    seen = []

    def quiet():
        with gt.no_grad():
            inside.set()
            looked.wait()
            seen.append((x * 2).prev)

    def loud():
        inside.wait()
        try:
            seen.append((x * 3).prev)
        finally:
            looked.set()

    together(quiet, loud)
    assert len(seen[0]) == 1
    assert seen[1] == ()


def test_overlapping_no_grads_leave_recording_as_it_was(together):
    x = Value(2.0)
    first, second, third = (threading.Event() for _ in range(3))

    def a():
        with gt.no_grad():
            first.set()
            second.wait()
        third.set()

    def b():
        first.wait()
        with gt.no_grad():
            second.set()
            third.wait()

    try:
        together(a, b)
        assert len((x * 2).prev) == 1
    finally:
        _core.set_recording(True)
