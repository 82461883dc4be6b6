"""Compiled functions in many threads, and on many."""

import sys
import threading

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value


@pytest.fixture(autouse=True)
def _many_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def together(works):
    """Runs the functions in a thread each, started together; the first error is raised."""
    barrier, errors = threading.Barrier(len(works)), []

    def guarded(work):
        barrier.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def steps(x):
    n = 0
    while x > 1:
        x = x / 2
        n += 1
    return x + n


def test_many_threads_record_one_function():
    recorded = []

    def watched(x):
        recorded.append(threading.get_ident())
        return steps(x)

    f = gt.compile(watched)
    xs = np.exp2(np.arange(0.5, 12.0))
    want = [steps(x) for x in xs]

    def work():
        for n in range(20):
            np.testing.assert_array_equal(f(np.roll(xs, n)), np.roll(want, n))
            np.testing.assert_array_equal(f.grad(xs[:, None])[0].shape, (len(xs), 1))

    together([work] * 8)
    assert len(f.paths) == len(xs)
    assert len(recorded) >= 2 * len(xs)  # each path twice, to compare; in whichever thread
    assert sum(path.rows for path in f.paths) == 8 * 20 * 2 * len(xs)


def test_many_threads_add_to_one_gradient():
    w = Value(2.0)
    f = gt.compile(lambda x: w * x)
    x = np.ones(10)

    def work():
        for _ in range(50):
            f.backward(x)

    together([work] * 8)
    assert w.grad == 8 * 50 * 10


@pytest.mark.parametrize("threads", [0, 1, 2, 3, 7])
def test_the_number_of_threads_changes_nothing_but_the_last_digits(threads):
    w = Value(0.3)

    def model(x, k):
        return gt.tanh(x * w) * k if x < k else gt.exp(-x)

    x = np.random.default_rng(0).normal(size=20_000)
    alone, some = gt.compile(model, threads=1), gt.compile(model, threads=threads)
    np.testing.assert_array_equal(some(x, 0.5), alone(x, 0.5))
    value, (dx, dk) = some.value_and_grad(x, 0.5)
    want, (gx, gk) = alone.value_and_grad(x, 0.5)
    np.testing.assert_array_equal(value, want)
    np.testing.assert_array_equal(dx, gx)
    np.testing.assert_allclose(dk, gk, rtol=1e-12)
    adjoints = []
    for g in (some, alone):
        w.grad = 0.0
        g.backward(x, 0.5, threads=threads)
        adjoints.append(w.grad)
    np.testing.assert_allclose(*adjoints, rtol=1e-12)
    totals = [g.value_and_grad(x, 0.5, reduce="mean")[0] for g in (some, alone)]
    np.testing.assert_allclose(totals[0], totals[1], rtol=1e-12)


def test_one_thread_assigns_while_others_call():
    rate = 1.0

    def scaled(x):
        return x * rate

    f = gt.compile(scaled)
    x = np.arange(1.0, 4.0)
    done = threading.Event()

    def assign():
        nonlocal rate
        for n in range(200):
            rate = float(n % 3 + 1)
        done.set()

    def call():
        while not done.is_set():
            assert (f(x) / x).tolist()[0] in (1.0, 2.0, 3.0)

    together([assign, call, call, call])
    np.testing.assert_array_equal(f(x), x * rate)
