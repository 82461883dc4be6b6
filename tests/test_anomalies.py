"""The first nan or inf is found, told with its line, and nothing is left behind."""

import contextlib
import inspect
import itertools
import math
import sys
import threading

import gradtape as gt
import pytest
from gradtape import Value, _core
from gradtape.show.anomalies import hints
from gradtape.show.anomalies.hints import advised, backward_hint, forward_hint
from hypothesis import given, settings
from hypothesis import strategies as st

steady = settings(deadline=None, derandomize=True, database=None)


def found(function, *arguments):
    """What is said of the first nan or inf of a call; empty if there is none."""
    before = sys.gettrace(), Value.__dict__["backward"], sys._getframe().f_trace
    error = ""
    try:
        with gt.detect_anomaly():
            function(*arguments)
    except FloatingPointError as caught:
        error = str(caught)
    assert (sys.gettrace(), Value.__dict__["backward"], sys._getframe().f_trace) == before
    return error


SAFE = {
    "add": lambda x, y: x + y,
    "mul": lambda x, y: gt.tanh(x) * y,
    "dead": lambda x, y: [gt.sigmoid(x) * y, x][1],
    "sum": lambda x, y: gt.sum([x, y, 0.5]) * 0.1,
    "swept": lambda x, y: [(x * y).backward(), y][1],
    "loop": lambda x, y: [x * i for i in range(5)][-1],
}
BAD = {
    "log": (lambda x: gt.log(x - x), "-inf"),
    "div": (lambda x: 1.0 / (x - x), "inf"),
    "exp": (lambda x: gt.exp(x * 0.0 + 1000.0), "inf"),
    "sqrt": (lambda x: gt.sqrt(x * 0.0 - 1.0), "nan"),
}


def run(steps, bad, at, xs):
    values = list(xs)
    for number, (name, i, j) in enumerate(steps):
        if number == at:
            values.append(BAD[bad][0](values[-1]))  # here
        values.append(gt.tanh(SAFE[name](values[i % len(values)], values[j % len(values)])))
    return values


names = st.sampled_from(sorted(SAFE))
programs = st.lists(st.tuples(names, st.integers(0, 99), st.integers(0, 99)), min_size=1)


@settings(steady, max_examples=100)
@given(programs, st.sampled_from(sorted(BAD)), st.integers(0, 99), st.booleans())
def test_the_first_is_found_wherever_it_is(steps, bad, at, planted):
    at = at % len(steps) if planted else -1
    error = found(run, steps, bad, at, [Value(0.5, "a"), Value(-1.5, "b")])
    if not planted:
        assert error == ""
        return
    assert error.startswith(f"{bad} gave {BAD[bad][1]}")
    lines = inspect.getsource(sys.modules[__name__]).splitlines()
    line = 1 + next(i for i, text in enumerate(lines) if text.lstrip().startswith(f'"{bad}": ('))
    assert f"{__file__}:{line}, in <lambda>" in error


def test_nothing_is_left_on_the_tape_or_in_force():
    x = Value(2.0, "x")
    y = x * 3
    before = _core.tape_size()
    for _ in range(3):
        assert found(lambda: gt.log(x - 2.0)) != ""
        assert found(lambda: (gt.exp(x) + y).backward()) == ""
    assert _core.tape_size() == before
    y.backward()
    assert x.grad == 3.0 + 3 * (3.0 + math.exp(2.0))


def test_a_result_that_is_dropped_is_seen():
    x = Value(0.0, "x")
    assert "log gave -inf" in found(lambda: gt.log(x))
    assert "log gave -inf" in found(lambda: gt.log(x).data)


def test_inside_a_finite_result_too():
    x = Value(1000.0, "x")
    error = found(lambda: 1 / (1 + gt.exp(x)))
    assert error.startswith("exp gave inf")
    assert "sigmoid(x)" in error


def test_what_was_there_before_is_not_told():
    x = Value(0.0, "x")
    y = gt.log(x)
    assert found(lambda: x + 1) == ""
    assert found(lambda: y + 1).startswith("add gave -inf")
    assert y.data == -math.inf


def test_the_message():
    x, y = Value(2.0, "x"), Value(2.0, "y")

    def loss():
        difference = x - y
        difference.label = "difference"
        return gt.log(difference)

    error = found(loss).splitlines()
    first = inspect.getsourcelines(loss)[1]
    assert error[:6] == [
        "log gave -inf",
        "  v1 = log(difference) = -inf",
        "  difference = x - y = 0.0",
        "  dv1/ddifference = 1 / difference = inf",
        f"  at {__file__}:{first + 3}, in loss",
        "      return gt.log(difference)",
    ]
    assert error[6].startswith("  instead: ")


def test_backward():
    x = Value(0.0, "x")
    roots = []

    def norm():
        roots.append(gt.sqrt(x))
        (roots[0] * 3).backward(2.0)

    error = found(norm).splitlines()
    first = inspect.getsourcelines(norm)[1]
    assert error[:6] == [
        "the derivative of sqrt gave inf in the reverse sweep",
        "  dx += dv1 * (0.5 / v1)",
        "  inf = 6.0 * inf",
        "  v1 = sqrt(x) = 0.0",
        "  x = 0.0",
        "  dv1/dx = 0.5 / v1 = inf",
    ]
    assert error[6].startswith(f"  at {__file__}:{first + 1}, in norm")
    assert "hypot" in error[-1]


def test_an_adjoint_of_zero_is_no_anomaly():
    x = Value(0.0, "x")
    assert found(lambda: (gt.sqrt(x) * 0.0).backward()) == ""


def test_an_infinite_adjoint_is_one_even_where_the_gradient_is_finite():
    x = Value(0.0, "x")
    assert "sqrt gave inf" in found(lambda: gt.sqrt(x * x).backward())
    assert x.grad == 0.0


def test_adjoints_that_overflow_together():
    x = Value(1e-10, "x")

    def several():
        y = x * 1.0
        y.label = "y"
        (y * 1e308 + y * 1e308).backward()

    assert "the adjoint of y is inf" in found(several)


CASES = {
    "log(sigmoid)": (lambda: gt.log(gt.sigmoid(Value(-1000.0))), "-softplus(-x)"),
    "log(exp)": (lambda: gt.log(gt.exp(Value(-1000.0))), "log(exp(x)) is x"),
    "log(sum)": (lambda: gt.log(gt.sum([gt.exp(Value(-1000.0))] * 2)), "logsumexp"),
    "log(softmax)": (lambda: gt.log(gt.exp(Value(-999.0)) / 2), "log_softmax"),
    "log(norm_cdf)": (lambda: gt.log(gt.norm_cdf(Value(-50.0))), "norm_cdf(x) is 0 below"),
    "log(-1)": (lambda: gt.log(Value(-1.0)), "above 0"),
    "log1p": (lambda: gt.log1p(Value(-1.0)), "log1p(x) needs"),
    "exp": (lambda: gt.exp(Value(1000.0)), "logsumexp"),
    "sinh": (lambda: gt.sinh(Value(-1000.0)), "logarithm"),
    "0/0": (lambda: Value(0.0) / Value(0.0), "limit"),
    "1/0": (lambda: 1 / Value(0.0), "where(y == 0"),
    "0**-1": (lambda: Value(0.0) ** -1, "negative power"),
    "-1**.5": (lambda: Value(-1.0) ** 0.5, "cbrt"),
    "big**big": (lambda: Value(1e200) ** 2, "y * log(x)"),
    "sqrt": (lambda: gt.sqrt(Value(-1e-16)), "maximum(x, 0)"),
    "asin": (lambda: gt.asin(Value(1.0000001)), "clip(x, -1, 1)"),
    "acosh": (lambda: gt.acosh(Value(0.9999999)), "maximum(x, 1)"),
    "norm_ppf": (lambda: gt.norm_ppf(Value(0.0)), "between 0 and 1"),
    "lgamma": (lambda: gt.lgamma(Value(0.0)), "pole"),
    "overflow": (lambda: Value(1e200) * Value(1e200), "1.8e308"),
    "affine": (lambda: gt.affine([Value(9e9)], [1.0], 0.0, "exp"), "logsumexp"),
    "infinite": (lambda: Value(math.inf) - Value(math.inf), "inf - inf"),
    "zero": (lambda: Value(math.inf) * Value(0.0), "where(condition"),
    "nan": (lambda: gt.tanh(Value(math.nan)), "already"),
    "d sqrt": (lambda: gt.sqrt(Value(0.0)).backward(), "hypot"),
    "d cbrt": (lambda: gt.cbrt(Value(0.0)).backward(), "leaves the point out"),
    "d pow": (lambda: (Value(0.0) ** 0.5).backward(), "below 1"),
    "d exponent": (lambda: (Value(-2.0) ** Value(2.0)).backward(), "detach()"),
    "d acos": (lambda: gt.acos(Value(1.0)).backward(), "atan2"),
    "d acosh": (lambda: gt.acosh(Value(1.0)).backward(), "1e-12"),
    "d atan2": (lambda: gt.atan2(Value(0.0), Value(0.0)).backward(), "origin"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_to_write_instead(name):
    case, hint = CASES[name]
    *_, last = found(case).splitlines()
    assert last.startswith("  instead: ")
    assert hint in last


# Where operations are likely to have no value or no derivative, and none is too large for any.
EDGES = [-50.5, -3.0, -2.5, -1.0, -0.5, 0.0, 0.5, 1.0, 2.5, 3.0, 50.5]
TABLE = {name: operands for name, operands, *_ in _core.operations()}


@pytest.mark.parametrize("name", [name for name, operands in TABLE.items() if operands])
def test_every_operation_of_the_table_that_has_an_edge_has_advice(name):
    forward, backward = advised()
    for at in itertools.product(EDGES, repeat=len(TABLE[name])):
        value, partials, _ = _core.derivatives(name, list(at))
        if not math.isfinite(value):
            assert name in forward, at
            assert forward_hint(name, at, [""] * len(at)), at
        elif not all(map(math.isfinite, partials)):
            assert name in backward, at
            assert backward_hint(name, at), at


def test_advice_is_on_operations_that_there_are():
    assert frozenset.union(*advised(), hints._LOG_OF) <= TABLE.keys()
    rows = [name for name, operands in TABLE.items() if len(operands) == 1]
    at_zero = {name for name in rows if _core.derivatives(name, [0.0])[0] == -math.inf}
    logarithms = {name for name in at_zero if math.isfinite(_core.derivatives(name, [2.0])[0])}
    assert "log" in logarithms
    for name in logarithms:
        assert forward_hint(name, [0.0], ["sigmoid"]) == "log(sigmoid(x)) is -softplus(-x)"


def test_lines_are_right_after_the_tape_was_cut_and_compacted():
    x = Value(1.0, "x")

    def grow():
        kept = [x * 2.0]
        root = gt.sqrt(x - 1.0)  # the line that is asked for
        for i in range(30_000):
            kept.append(gt.sin(kept[-1]))
            if i % 3 == 0:
                kept.append(kept.pop() * 0.5)
            if i % 1000 == 0:
                del kept[:-1]  # what is left moves down
        (root + kept[-1]).backward()

    line = inspect.getsourcelines(grow)[1] + 2
    assert f"{__file__}:{line}, in grow" in found(grow)


def test_a_tracer_that_was_there_sees_all_that_it_saw():
    x = Value(2.0, "x")

    def inner(n):
        return x * n

    def work(context):
        with context:
            total = inner(1)
            for n in range(2):
                total = total + inner(n)
        return total

    def traced(context):
        seen = []

        def trace(frame, event, argument):
            if frame.f_code in (work.__code__, inner.__code__):
                seen.append((frame.f_code.co_name, frame.f_lineno, event))
                return trace
            return None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            work(context)
            after = sys.gettrace()
        finally:
            sys.settrace(before)
        assert after is trace
        return seen

    plain = traced(gt.no_grad())
    assert len(plain) > 15
    assert traced(gt.detect_anomaly()) == plain


def test_a_tracer_that_puts_itself_in_force_again():
    """As those written in C do when they are called."""
    x = Value(0.0, "x")

    def trace(frame, event, argument):
        sys.settrace(trace)
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        error = found(lambda: gt.log(x))
    finally:
        sys.settrace(before)
    assert "log gave -inf" in error
    assert "in <lambda>" in error


def test_contexts_inside_contexts():
    x = Value(0.0, "x")

    def nested():
        with gt.detect_anomaly():
            y = x + 1
        return gt.log(y - 1)

    assert "in nested" in found(nested)


def test_as_a_decorator_and_by_an_exit_stack():
    x = Value(0.0, "x")

    @gt.detect_anomaly()
    def logarithm():
        return gt.log(x)

    for _ in range(2):
        with pytest.raises(FloatingPointError, match="in logarithm"):
            logarithm()

    def stacked():
        with contextlib.ExitStack() as stack:
            stack.enter_context(gt.detect_anomaly())
            gt.log(x)

    before = sys.gettrace()
    with pytest.raises(FloatingPointError, match="in stacked"):
        stacked()
    assert sys.gettrace() is before


def test_an_error_of_the_users_own_goes_through():
    def wrong():
        raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        found(wrong)


def test_other_threads_are_left_alone():
    x = Value(0.0, "x")
    errors = []

    def elsewhere():
        try:
            gt.sqrt(Value(0.0)).backward()
        except FloatingPointError as error:
            errors.append(error)

    def here():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return x + 1

    assert found(here) == ""
    assert errors == []


def test_subclasses_and_training():
    class Mine(Value):
        def backward(self, seed=1.0):
            super().backward(seed)

    x = Mine(0.0)
    assert "sqrt" in found(lambda: gt.sqrt(x).backward())
    model = gt.MLP([2, 3, 1], seed=1)
    assert found(lambda: model([1.0, 2.0])[0].backward()) == ""


@settings(steady, max_examples=100)
@given(st.text(max_size=100))
def test_a_label_stays_on_its_line(label):
    x = Value(0.0, label)
    plain = found(lambda: gt.log(Value(0.0, "x")))
    error = found(lambda: gt.log(x))
    assert len(error.splitlines()) == len(plain.splitlines())
    assert "\u202e" not in error


def test_what_must_be_closed_is_closed():
    """Whatever protects the line that went wrong still has its turn, and in its order."""
    x = Value(0.0, "x")
    events = []

    class Resource:
        def __enter__(self):
            events.append("open")

        def __exit__(self, *_):
            first = len(events)  # lines of its own, which are followed too
            events.insert(first, "closed")

    def last_of_with():
        with Resource():
            gt.log(x)

    def one_line():
        with Resource(): gt.log(x)  # fmt: skip  # noqa: E701  one line for both

    def last_of_try():
        events.append("open")
        try:
            gt.log(x)
        finally:
            first = len(events)
            events.insert(first, "closed")

    def returned():
        with Resource():
            return gt.log(x)

    def inside_the_context():
        with Resource(), gt.detect_anomaly(), Resource():
            gt.log(x)

    for function in (last_of_with, one_line, last_of_try, returned, inside_the_context):
        events.clear()
        assert f"in {function.__name__}" in found(function)
        assert events.count("open") == events.count("closed") > 0


def test_in_a_loop_it_is_raised_in_the_next_round_at_the_latest():
    x = Value(0.0, "x")
    rounds = []

    def endless():
        for _ in range(100):
            rounds.append(1)
            try:
                gt.log(x)
            finally:
                str(x)

    assert "in endless" in found(endless)
    assert len(rounds) <= 2


def test_caught_inside_the_context_it_is_over():
    x = Value(0.0, "x")

    def caught():
        try:
            gt.log(x)
            str(x)
        except FloatingPointError:
            return x + 1
        raise AssertionError("nothing was raised")

    assert found(caught) == ""
