"""Recordings on a tape that others use: nesting, threads, exceptions, memory."""

import gc
import sys
import threading
import weakref

import gradtape as gt
import pytest
from gradtape import Value, _core

X = ("input", 0)
P = ("parameter", 0)


@pytest.fixture(autouse=True)
def _tape_as_it_was():
    """After each test the tape has what it had before: other tests may hold values."""
    gc.collect()
    before = _core.tape_size()
    yield
    gc.collect()
    assert _core.tape_size() == before


@pytest.fixture
def size():
    """The tape's size, less what other tests hold."""
    nodes, held = _core.tape_size()

    def relative():
        now = _core.tape_size()
        return now[0] - nodes, now[1] - held

    return relative


def steps_of(call, *point):
    (_, steps, *_), _ = _core._record(call, point)
    return steps


# --- what is outside stays as it is ----------------------------------------------------------


def test_nothing_changes_for_code_outside(size):
    x, w = Value(2.0), Value(3.0)
    y = x * w + x
    y.backward()
    before = (size(), x.grad, w.grad, y.grad, len(y.prev))
    _core._record(lambda a: [a[0] * y + w, a[0] > y], [5.0])
    assert (size(), x.grad, w.grad, y.grad, len(y.prev)) == before
    y.backward()
    assert (x.grad, w.grad) == (8.0, 4.0)


def test_values_that_leak_out_stay_values(size):
    kept = []
    w = Value(3.0)

    def call(a):
        x = a[0]
        with gt.no_grad():
            kept.append(x * w)
        kept.extend([x, x * w, Value(4.0), x.detach(), -(x * w) + 1])
        return []

    _core._record(call, [2.0])
    silent, x, y, c, d, z = kept
    assert [v.data for v in kept] == [6.0, 2.0, 6.0, 4.0, 2.0, -5.0]
    assert (silent.prev, y.op, d.prev, z.op) == ((), "*", (), "+")
    (y * c + z * d + silent).backward()
    assert (x.grad, w.grad, y.grad) == (12.0 - 6.0, 8.0 - 4.0, 4.0)
    assert (c.grad, d.grad, silent.grad) == (6.0, -5.0, 1.0)
    x.data = 7.0
    assert (x.data, y.data) == (7.0, 6.0)
    kept.clear()
    del silent, x, y, c, d, z
    assert size() == (0, 0)


def test_values_of_an_earlier_recording_are_captured():
    kept = []
    _core._record(lambda a: kept.extend([a[0], a[0] * 2]) or [], [2.0])
    (_, steps, *_), parameters = _core._record(lambda a: [a[0] * kept[0] + kept[1]], [5.0])
    assert steps == [("mul", "", (X, P)), ("add", "", (0, ("parameter", 1)))]
    assert [id(p) for p in parameters] == [id(v) for v in kept]


def test_the_dead_stay_until_the_recording_ends(size):
    """Nodes whose values died are cut only at the end, whoever holds the tape."""
    outer = Value(1.0) * 2
    sizes = []

    def call(a):
        for _ in range(100):
            a[0] * 2
            sizes.append(size())
        return [outer]

    _core._record(call, [2.0])
    assert sizes == [(k, 1) for k in range(2, 102)]
    assert size() == (1, 1)


# --- nesting ---------------------------------------------------------------------------------


def test_recordings_nest():
    w = Value(3.0)
    inner = []

    def call(a):
        y = a[0] * w

        def within(b):
            assert b[0] < y
            return [b[0] * y + w * Value(2.0)]

        inner.append(_core._record(within, [1.5]))
        return [y + 1 if y > 0 else y]

    (_, steps, guards, outputs, _), parameters = _core._record(call, [2.0])
    assert steps == [("mul", "", (X, P)), ("add", "", (0, 1.0))]
    assert [guard[:4] for guard in guards] == [("less", 0.0, 0, True)]
    assert (outputs, parameters) == ([1], [w])
    ((_, steps, guards, outputs, _), parameters) = inner[0]
    assert steps == [
        ("mul", "", (X, P)),
        ("mul", "", (("parameter", 1), 2.0)),
        ("add", "", (0, 1)),
    ]
    assert [guard[:4] for guard in guards] == [("less", X, P, True)]
    assert outputs == [2]
    assert [p.data for p in parameters] == [6.0, 3.0]
    assert parameters[1] is w


def test_an_inner_error_leaves_the_outer_recording_alone(size):
    def call(a):
        with pytest.raises(ZeroDivisionError):
            _core._record(lambda b: [1 / 0], [1.0])
        return [a[0] * 2 if a[0] > 1 else a[0]]

    (_, steps, guards, outputs, _), _ = _core._record(call, [2.0])
    assert (steps, len(guards), outputs) == ([("mul", "", (X, 2.0))], 1, [0])
    assert size() == (0, 0)


def test_deep_nesting(size):
    def call(depth):
        def within(a):
            if depth:
                _core._record(call(depth - 1), [1.0])
            return [a[0] * depth]

        return within

    assert steps_of(call(50), 2.0) == [("mul", "", (X, 50.0))]
    assert size() == (0, 0)


# --- exceptions ------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, RecursionError])
def test_whatever_is_raised_ends_the_recording(error, size):
    def call(a):
        _core.set_recording(False)
        _ = [a[0] * k for k in range(100)]
        raise error("stop")

    with pytest.raises(error, match="stop"):
        _core._record(call, [1.0])
    gc.collect()
    assert size() == (0, 0)
    x = Value(2.0)
    y = x * 3
    assert y.op == "*"  # no_grad is over as well
    y.backward()
    x.data = 3.0
    assert (x.grad, x < 4, x.data) == (3.0, True, 3.0)
    assert steps_of(lambda a: [a[0] * 2], 1.0) == [("mul", "", (X, 2.0))]


def test_errors_while_the_results_are_read(size):
    def results(a):
        yield a[0] * 2
        raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        _core._record(results, [1.0])
    assert size() == (0, 0)


def test_a_generator_of_results_is_part_of_the_function():
    def results(a):
        for k in range(3):
            yield a[0] * k

    (_, steps, _, outputs, _), _ = _core._record(results, [1.0])
    assert (len(steps), outputs) == (3, [0, 1, 2])


# --- threads -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("many_switches")
def test_other_threads_compute_meanwhile(size):
    stop, errors, rounds = threading.Event(), [], [0]

    def others():
        x = Value(2.0)
        try:
            while not stop.is_set():
                y = sum((x * k for k in range(50)), Value(0.0))
                assert y > 0
                assert y.data == 2450.0
                y.backward()
                assert x.grad == 1225.0
                x.grad = 0.0
                x.data = 2.0
                rounds[0] += 1
        except BaseException as error:
            errors.append(error)

    def call(a):
        y = a[0]
        for _ in range(2000):
            y = y * 1.5 - y
        return [y if y < 0 else -y]

    threads = [threading.Thread(target=others) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            (_, steps, guards, outputs, _), parameters = _core._record(call, [2.0])
            assert len(steps) == 4001
            assert steps[0] == ("mul", "", (X, 1.5))
            assert steps[2] == ("mul", "", (1, 1.5))
            assert steps[4000] == ("neg", "", (3999,))
            assert [guard[:4] for guard in guards] == [("less", 3999, 0.0, False)]
            assert (outputs, parameters) == ([4000], [])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert rounds[0] > 0
    assert size() == (0, 0)


@pytest.mark.usefixtures("many_switches")
def test_threads_record_at_once(size):
    results = {}

    def work(k):
        def call(a):
            y = a[0]
            for _ in range(300):
                y = y + k
                if y < 0:
                    return [a[0]]
            return [y]

        results[k] = [_core._record(call, [1.0]) for _ in range(10)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(6):
        for (_, steps, guards, outputs, _), parameters in results[k]:
            number = float(k)
            assert steps == [("add", "", (i - 1 if i else X, number)) for i in range(300)]
            assert [guard[1] for guard in guards] == list(range(300))
            assert (outputs, parameters) == ([299], [])
    assert size() == (0, 0)


def test_work_of_another_thread_flows_but_asks_nothing():
    made = []

    def call(a):
        def work():
            made.append(a[0] * 2)
            assert made[0] > 1
            assert made[0].data == 6.0

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return [made[0] + 1]

    (_, steps, guards, *_), _ = _core._record(call, [3.0])
    assert steps == [("mul", "", (X, 2.0)), ("add", "", (0, 1.0))]
    assert guards == []


# --- memory --------------------------------------------------------------------------------------


def chain(a):
    x = a[0]
    for _ in range(100_000):
        x = x * 1.0001 + 0.1
    return [x]


def test_a_long_chain_is_recorded_and_forgotten(size):
    leaf = Value(1.0)
    held = leaf * 2  # so that the tape is not simply emptied
    (_, steps, _, outputs, _), _ = _core._record(chain, [1.0])
    assert (len(steps), outputs) == (200_000, [199_999])
    assert steps[-1] == ("add", "", (199_998, 0.1))
    assert size() == (1, 1)
    held.backward()
    assert leaf.grad == 2.0


def test_many_recordings_leave_nothing_behind(size):
    w = Value(3.0)

    def call(a):
        y = gt.exp(a[0] * w) * Value(2.0)
        z = gt.sum([y, *(v.detach() for v in a)])
        return [z if z > y.data else y, *gt.softmax(a)]

    def rounds(count):
        for _ in range(count):
            _core._record(call, [0.5, 1.0])
        gc.collect()
        return sys.getrefcount(w), size(), sys.getallocatedblocks()

    *first, blocks = rounds(200)
    *last, more = rounds(1000)
    assert first == last == [2, (0, 0)]
    assert more - blocks < 500  # one a recording would be 1000


def test_slots_come_back():
    """As many values can be alive after many recordings as before: slots are not lost."""
    resource = pytest.importorskip("resource")

    def call(a):
        return [gt.sum([Value(float(k)) for k in range(2_000)]) * a[0]]

    for _ in range(20):
        _core._record(call, [1.0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(300):
        _core._record(call, [1.0])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_096


def test_parameters_are_held_by_the_caller_alone():
    class Weight(Value):
        pass

    weight = Weight(2.0)
    gone = weakref.ref(weight)
    _, parameters = _core._record(lambda a, w=weight: [a[0] * w], [1.0])
    del weight
    assert gone() is parameters[0]
    parameters.clear()
    gc.collect()
    assert gone() is None
