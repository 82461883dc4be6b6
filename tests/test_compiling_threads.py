"""Compiled functions in many threads, and on many."""

import os
import signal
import threading

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value

pytestmark = pytest.mark.usefixtures("many_switches")


def steps(x):
    n = 0
    while x > 1:
        x = x / 2
        n += 1
    return x + n


def test_many_threads_record_one_function(together):
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

    together(*[work] * 8)
    assert len(f.paths) == len(xs)
    assert len(recorded) >= 2 * len(xs)  # each path twice, to compare; in whichever thread
    assert sum(path.rows for path in f.paths) == 8 * 20 * 2 * len(xs)


def test_many_threads_add_to_one_gradient(together):
    w = Value(2.0)
    f = gt.compile(lambda x: w * x)
    x = np.ones(10)

    def work():
        for _ in range(50):
            f.backward(x)

    together(*[work] * 8)
    assert w.grad == 8 * 50 * 10


@pytest.mark.parametrize("threads", [0, 2, 3, 7])
def test_the_number_of_threads_changes_no_bit(threads):
    w = Value(0.3)

    def model(x, k):
        return gt.tanh(x * w) * k if x < k else gt.exp(-x)

    def results(count):
        f = gt.compile(model, threads=count)
        value, gradients = f.value_and_grad(x, 0.5)
        mean, shared = f.value_and_grad(x, 0.5, reduce="mean")
        w.grad = 0.0
        total = f.backward(x, 0.5)
        return [f(x, 0.5), value, *gradients, mean, *shared, total, w.grad]

    x = np.random.default_rng(0).normal(size=40_000)
    for one, many in zip(results(1), results(threads), strict=True):
        np.testing.assert_array_equal(many, one)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer signals")
@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_ends_a_replay(threads):
    w = Value(0.3)

    def long(x):
        for _ in range(2000):
            x = gt.sin(x * w)
        return x

    f = gt.compile(long, threads=threads)
    f(1.0)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            f.backward(np.linspace(0.0, 1.0, 1_000_000))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert w.grad == 0.0  # nothing half done
    assert f(1.0) == long(Value(1.0)).data


def test_one_thread_assigns_while_others_call(together):
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

    together(assign, call, call, call)
    np.testing.assert_array_equal(f(x), x * rate)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_fork_while_another_thread_records():
    begun, go_on = threading.Event(), threading.Event()

    def slow(x):
        if threading.current_thread() is not threading.main_thread():
            begun.set()
            go_on.wait(20)
        return x if x > 0 else -x

    f = gt.compile(slow)
    thread = threading.Thread(target=f, args=(1.0,))
    thread.start()
    assert begun.wait(20)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if f(np.array([2.0, -3.0])).tolist() == [2.0, 3.0] else 1)
    go_on.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert f(-1.0) == 1.0
