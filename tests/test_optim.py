import math

import pytest
from gradtape import Value, _core
from gradtape.optim import SGD
from hypothesis import given, settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=80)
numbers = st.floats(-100, 100)
shares = st.floats(0, 1)


@quick
@given(
    st.lists(st.tuples(numbers, st.lists(numbers, min_size=4, max_size=4)), min_size=1, max_size=4),
    shares,
    shares,
    shares,
)
def test_steps_are_those_of_the_recurrence(cases, rate, momentum, decay):
    parameters = [Value(start) for start, _ in cases]
    optimizer = SGD(parameters, rate, momentum, decay)
    want, velocity = [start for start, _ in cases], [0.0] * len(cases)
    for k in range(4):
        for i, (_, gradients) in enumerate(cases):
            parameters[i].grad = gradients[k]
            velocity[i] = momentum * velocity[i] + gradients[k] + decay * want[i]
            want[i] -= rate * velocity[i]
        optimizer.step()
        assert _core.data(parameters) == pytest.approx(want, rel=1e-12, abs=1e-12)


def test_three_steps_with_everything():
    # By hand in fractions, on x**2: v = 0.9 v + 2 x + 0.01 x, then x = x - 0.1 v.
    x = Value(3.0)
    optimizer = SGD([x], 0.1, 0.9, 0.01)
    seen = []
    for _ in range(3):
        optimizer.zero_grad()
        (x * x).backward()
        optimizer.step()
        seen.append(x.data)
    assert seen == pytest.approx([2.397, 1.372503, 0.174582597], rel=1e-12)


@quick
@given(
    st.lists(numbers, min_size=2, max_size=5),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.data(),
)
def test_a_gradient_that_is_not_finite_changes_nothing(starts, bad, data):
    guilty = data.draw(st.integers(0, len(starts) - 1))
    parameters = [Value(x, label=f"p{i}") for i, x in enumerate(starts)]
    optimizer, twin_values = SGD(parameters, 0.1, 0.9), [Value(x) for x in starts]
    twin = SGD(twin_values, 0.1, 0.9)
    for group in (parameters, twin_values):
        for p in group:
            p.grad = 1.0
    optimizer.step()
    twin.step()
    before = _core.data(parameters)
    parameters[guilty].grad = bad
    with pytest.raises(ValueError, match=f"the gradient of p{guilty} is {bad}; no parameter"):
        optimizer.step()
    assert _core.data(parameters) == before
    # The velocity is untouched as well: the next step is that of one who never failed.
    parameters[guilty].grad = 1.0
    optimizer.step()
    twin.step()
    assert _core.data(parameters) == _core.data(twin_values)


def test_a_step_that_would_overflow_changes_nothing():
    a, b = Value(1.0, label="a"), Value(-1e308)
    optimizer = SGD([a, b], learning_rate=1.0)
    a.grad, b.grad = 0.5, 1e308
    with pytest.raises(ValueError, match=r"make parameters\[1\] -inf"):
        optimizer.step()
    assert (a.data, b.data) == (1.0, -1e308)


def test_huge_gradients_of_which_only_the_sum_overflows_are_fine():
    a, b = Value(0.0), Value(0.0)
    a.grad = b.grad = 1.5e308
    SGD([a, b], learning_rate=1e-308).step()
    assert (a.data, b.data) == pytest.approx((-1.5, -1.5))


def test_zero_grad_and_settings_between_steps():
    x = Value(1.0)
    optimizer = SGD([x], 0.5)
    x.grad = 1.0
    optimizer.learning_rate *= 0.5
    optimizer.step()
    assert x.data == 0.75
    optimizer.zero_grad()
    assert x.grad == 0.0
    with pytest.raises(ValueError, match="learning_rate"):
        optimizer.learning_rate = -1.0
    assert optimizer.learning_rate == 0.25
    assert repr(optimizer) == "SGD(1 parameters, learning_rate=0.25)"


@pytest.mark.parametrize("setting", ["learning_rate", "momentum", "weight_decay"])
@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf, -math.inf])
def test_settings_that_are_no_size(setting, bad):
    with pytest.raises(ValueError, match=f"{setting} must be a finite number.*not {bad}"):
        SGD([Value(1.0)], **{setting: bad})


@pytest.mark.parametrize("bad", ["fast", None, 1j, Value(0.1)])
def test_settings_that_are_no_number(bad):
    with pytest.raises(TypeError, match=f"learning_rate must be a real.*{type(bad).__name__}"):
        SGD([Value(1.0)], bad)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ([], ValueError, "no parameter"),
        (3.0, TypeError, "iterable of Values.*not float"),
        ([Value(1.0), 2.0], TypeError, r"parameters\[1\] must be a Value, not float"),
        ([Value(1.0) + 1.0], ValueError, r"parameters\[0\] must be a leaf, not the result of '\+'"),
    ],
)
def test_what_cannot_be_optimized(parameters, error, message):
    with pytest.raises(error, match=message):
        SGD(parameters)
