import math

import numpy as np
import pytest
from gradtape import Value, losses
from hypothesis import assume, given, settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=60)
numbers = st.floats(-20, 20)


def table(rows, columns):
    return st.lists(
        st.lists(numbers, min_size=columns, max_size=columns), min_size=rows, max_size=rows
    )


@st.composite
def regressions(draw):
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    return draw(table(rows, columns)), draw(table(rows, columns))


@st.composite
def classifications(draw):
    rows, classes = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    targets = st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows)
    return draw(table(rows, classes)), draw(targets)


def run(loss, predictions, targets):
    """Value and gradient of a loss."""
    values = [[Value(p) for p in row] for row in predictions]
    out = loss(values, targets)
    out.backward()
    return out.data, np.array([[v.grad for v in row] for row in values])


def check(loss, predictions, targets, value, gradient):
    data, grads = run(loss, predictions, targets)
    assert data == pytest.approx(value, rel=1e-11, abs=1e-11)
    np.testing.assert_allclose(grads, gradient, rtol=1e-11, atol=1e-12)
    # Numbers instead of Values: the same loss, and still a Value.
    plain = loss(predictions, targets)
    assert isinstance(plain, Value)
    assert plain.data == pytest.approx(data, rel=1e-14, abs=1e-14)


@quick
@given(regressions())
def test_squared_loss(case):
    p, t = map(np.array, case)
    check(
        losses.squared_loss,
        *case,
        np.mean(0.5 * np.linalg.norm(p - t, axis=1) ** 2),
        (p - t) / len(p),
    )


@quick
@given(regressions())
def test_mean_squared_error(case):
    p, t = map(np.array, case)
    check(losses.mean_squared_error, *case, np.mean((p - t) ** 2), 2 * (p - t) / p.size)


@quick
@given(classifications())
def test_categorical_cross_entropy(case):
    p, t = np.array(case[0]), case[1]
    shares = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
    right = np.eye(p.shape[1])[t]
    value = np.mean(np.log(np.exp(p).sum(axis=1)) - p[range(len(t)), t])
    check(losses.categorical_cross_entropy, *case, value, (shares - right) / len(t))


@quick
@given(regressions(), st.data())
def test_binary_cross_entropy(case, data):
    z = np.array(case[0])
    share = st.floats(0, 1)
    t = np.array([[data.draw(share) for _ in row] for row in case[0]])
    p = 1 / (1 + np.exp(-z))
    value = np.mean(np.logaddexp(0, z) - t * z)
    check(losses.binary_cross_entropy, case[0], t.tolist(), value, (p - t) / z.size)


@quick
@given(classifications())
def test_hinge_of_many_classes(case):
    s, t = np.array(case[0]), case[1]
    right = s[range(len(t)), t][:, None]
    margins = 1 + s - right
    margins[range(len(t)), t] = 0
    assume(np.all(np.abs(margins[margins != 0]) > 1e-9))
    slopes = (margins > 0).astype(float)
    slopes[range(len(t)), t] = -slopes.sum(axis=1)
    value = np.maximum(margins, 0).sum(axis=1).mean()
    check(losses.hinge, *case, value, slopes / len(t))


@quick
@given(st.lists(st.tuples(numbers, st.sampled_from([-1, 1])), min_size=1, max_size=5))
def test_hinge_of_two_classes(pairs):
    s, t = (np.array(x, dtype=float) for x in zip(*pairs, strict=True))
    assume(np.all(np.abs(1 - s * t) > 1e-9))
    value = np.maximum(1 - s * t, 0).mean()
    slopes = np.where(1 - s * t > 0, -t, 0) / len(s)
    rows = [[x] for x in s.tolist()]
    check(losses.hinge, rows, [y for _, y in pairs], value, slopes[:, None])


@quick
@given(regressions(), st.floats(0.01, 0.99))
def test_quantile(case, level):
    e = np.array(case[1]) - np.array(case[0])
    assume(np.all(np.abs(e) > 1e-9))
    value = np.where(e > 0, level * e, (level - 1) * e).mean()
    slopes = np.where(e > 0, -level, 1 - level) / e.size
    check(losses.tuned("quantile", level=level), *case, value, slopes)


def test_the_least_quantile_loss_is_at_the_quantile():
    targets = [float(t) for t in range(101)]
    for level in (0.1, 0.5, 0.9):
        loss = losses.tuned("quantile", level=level)
        best = min(range(101), key=lambda p: loss([float(p)] * 101, targets).data)
        assert best == pytest.approx(100 * level, abs=1)


@quick
@given(regressions(), st.floats(0.01, 30.0))
def test_huber(case, delta):
    e = np.array(case[0]) - np.array(case[1])
    far = np.abs(e)
    value = np.where(far <= delta, e**2 / 2, delta * (far - delta / 2)).mean()
    check(losses.tuned(losses.huber, delta=delta), *case, value, np.clip(e, -delta, delta) / e.size)


@quick
@given(regressions())
def test_poisson(case):
    z, t = np.array(case[0]), np.floor(np.abs(np.array(case[1])))
    value = np.mean(np.exp(z) - t * z)
    check(losses.poisson, case[0], t.tolist(), value, (np.exp(z) - t) / z.size)


@quick
@given(classifications(), st.sampled_from([1.0, 1.5, 2.0, 5.0]), st.booleans())
def test_focal(case, focus, rows):
    p, t = np.array(case[0]), case[1]
    shares = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
    right = np.eye(p.shape[1])[t]
    q = shares[range(len(t)), t]
    # Near q = 1 the formula as it is written loses its digits; the loss does not.
    assume(np.all(q < 1 - 1e-3))
    value = np.mean(-((1 - q) ** focus) * np.log(q))
    slope = focus * (1 - q) ** (focus - 1) * np.log(q) - (1 - q) ** focus / q
    gradient = (slope * q)[:, None] * (right - shares) / len(t)
    loss = losses.tuned("focal", focus=focus)
    targets = right.tolist() if rows else t
    data, grads = run(loss, case[0], targets)
    assert data == pytest.approx(value, rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(grads, gradient, rtol=1e-9, atol=1e-12)


@quick
@given(classifications(), st.sampled_from([0.0, 1.0, 2.0]))
def test_focal_of_finite_differences(case, focus):
    loss, h = losses.tuned("focal", focus=focus), 1e-6
    _, grads = run(loss, *case)
    for i, row in enumerate(case[0]):
        for j in range(len(row)):
            ends = []
            for step in (h, -h):
                moved = [list(r) for r in case[0]]
                moved[i][j] += step
                ends.append(loss(moved, case[1]).data)
            assert grads[i][j] == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-6)


@quick
@given(classifications())
def test_focal_without_focus_is_cross_entropy(case):
    want = losses.categorical_cross_entropy(*case).data
    assert losses.focal(*case, focus=0.0).data == pytest.approx(want, rel=1e-12, abs=1e-12)


def test_the_new_losses_are_finite_far_out():
    data, grads = run(losses.focal, [[1000.0, -1000.0], [1000.0, -1000.0]], [0, 1])
    assert (data, grads.tolist()) == (1000.0, [[0.0, 0.0], [0.5, -0.5]])
    data, grads = run(losses.huber, [[1e200], [0.0]], [[0.0], [0.0]])
    assert (data, grads.tolist()) == (5e199, [[0.5], [0.0]])
    data, grads = run(losses.poisson, [[-1000.0]], [[0.0]])
    assert (data, grads.tolist()) == (0.0, [[0.0]])


@quick
@given(classifications(), st.floats(-500, 500))
def test_shifting_all_logits_changes_nothing(case, shift):
    shifted = [[x + shift for x in row] for row in case[0]]
    for loss in (losses.categorical_cross_entropy, losses.hinge):
        assert loss(shifted, case[1]).data == pytest.approx(
            loss(case[0], case[1]).data, rel=1e-9, abs=1e-9
        )


def test_one_output_is_binary_cross_entropy_of_two_logits():
    for z, t in [(0.3, 1), (-4.0, 0), (30.0, 0)]:
        pair = losses.categorical_cross_entropy([[0.0, z]], [t]).data
        assert losses.binary_cross_entropy([[z]], [t]).data == pytest.approx(pair, rel=1e-13)


def test_cross_entropies_stay_finite_and_exact_far_out():
    data, grads = run(losses.categorical_cross_entropy, [[1000.0, -1000.0]], [1])
    assert (data, grads.tolist()) == (2000.0, [[1.0, -1.0]])
    data, grads = run(losses.binary_cross_entropy, [[-1000.0], [1000.0]], [1, 0])
    assert (data, grads.tolist()) == (1000.0, [[-0.5], [0.5]])
    data, _ = run(losses.binary_cross_entropy, [[-50.0]], [0])
    assert data == pytest.approx(math.exp(-50.0), rel=1e-14, abs=0)


def test_a_row_of_one_may_be_a_single_number():
    for loss in (losses.squared_loss, losses.mean_squared_error, losses.binary_cross_entropy):
        single = loss([Value(0.25), 0.5], [1.0, 0.0])
        assert single.data == loss([[0.25], [0.5]], [[1.0], [0.0]]).data
    assert losses.hinge([Value(0.25)], [[1]]).data == 0.75


def test_targets_of_numpy():
    logits = [[0.1, 0.9], [2.0, -1.0]]
    want = losses.categorical_cross_entropy(logits, [1, 0]).data
    assert losses.categorical_cross_entropy(np.array(logits), np.array([1, 0])).data == want
    want = losses.squared_loss(logits, [[1.0, 0.0], [0.0, 1.0]]).data
    assert losses.squared_loss(np.array(logits), np.eye(2)).data == want


EVERY = [
    losses.squared_loss,
    losses.mean_squared_error,
    losses.categorical_cross_entropy,
    losses.binary_cross_entropy,
    losses.hinge,
    losses.focal,
    losses.huber,
    losses.poisson,
    losses.quantile,
]


@pytest.mark.parametrize("loss", EVERY, ids=lambda loss: loss.__name__)
def test_rows_and_targets_must_be_as_many(loss):
    with pytest.raises(ValueError, match="2 rows of predictions take as many targets, not 1"):
        loss([[0.0, 1.0], [1.0, 0.0]], [1])
    with pytest.raises(ValueError, match="at least one row"):
        loss([], [])


def test_losses_on_logits_say_so():
    marked = {loss.__name__ for loss in EVERY if getattr(loss, "on_logits", False)}
    assert marked == {"categorical_cross_entropy", "binary_cross_entropy", "focal", "hinge"}


CROSS, BINARY = "categorical_cross_entropy", "binary_cross_entropy"


@pytest.mark.parametrize(
    ("loss", "predictions", "targets", "error", "message"),
    [
        (CROSS, [[0, 1, 2]] * 2, [0, 3], ValueError, "row 1: target 3 .* 3 classes"),
        (CROSS, [[0, 1]], [-1], ValueError, "row 0: target -1 .* 2 classes 0 to 1"),
        (CROSS, [[0, 1]], [1.0], TypeError, "row 0: .*not float 1.0"),
        (CROSS, [[0, 1]], ["a"], TypeError, "row 0: .*not str 'a'"),
        (BINARY, [[0], [0]], [0, 2], ValueError, r"row 1: target 2 is outside \[0, 1\]"),
        (BINARY, [[0]], [math.nan], ValueError, r"row 0: target nan is outside"),
        (BINARY, [[0, 1]], [[1]], ValueError, "row 0: 2 logits .* not 1"),
        ("hinge", [[0.5]], [0], ValueError, "row 0: with one score a target is -1 or 1, not 0"),
        ("hinge", [[0.5, 1.0]], [2], ValueError, "row 0: target 2 .* 2 classes"),
        ("squared_loss", [[0, 1]], [[1]], ValueError, "row 0: 2 predictions .* not 1"),
        ("mean_squared_error", [[0, 1]], [1], ValueError, "row 0: 2 predictions .* not 1"),
        ("huber", [[0, 1]], [1], ValueError, "row 0: 2 predictions .* not 1"),
        ("quantile", [[0, 1]], [1], ValueError, "row 0: 2 predictions .* not 1"),
        ("poisson", [[0, 1]], [1], ValueError, "row 0: 2 predictions .* not 1"),
        ("poisson", [[0], [0]], [1, -1], ValueError, "row 1: the count -1 is not"),
        ("poisson", [[0]], [math.nan], ValueError, "row 0: the count nan is not"),
        ("focal", [[0, 1]], [2], ValueError, "row 0: target 2 .* 2 classes"),
        ("focal", [[0, 1]], ["a"], TypeError, "row 0: .*not str 'a'"),
        ("focal", [[0, 1]], [[1]], ValueError, "row 0: 2 logits .* not 1"),
    ],
)
def test_targets_that_do_not_fit(loss, predictions, targets, error, message):
    with pytest.raises(error, match=message):
        getattr(losses, loss)(predictions, targets)


@pytest.mark.parametrize(
    ("loss", "settings_of_it", "message"),
    [
        ("quantile", {"level": 0.0}, "level must be between 0 and 1, not 0.0"),
        ("quantile", {"level": math.nan}, "level must be between 0 and 1, not nan"),
        ("huber", {"delta": 0.0}, "delta must be positive and finite, not 0.0"),
        ("huber", {"delta": math.inf}, "delta must be positive and finite, not inf"),
        ("focal", {"focus": 0.5}, "focus must be 0 or a finite number from 1, not 0.5"),
        ("focal", {"focus": -1.0}, "focus must be 0 or a finite number from 1, not -1.0"),
    ],
)
def test_settings_out_of_range(loss, settings_of_it, message):
    with pytest.raises(ValueError, match=message):
        losses.tuned(loss, **settings_of_it)([[0.0, 1.0]], [0] if loss == "focal" else [[0, 1]])


def test_losses_by_name():
    for loss in EVERY:
        assert losses.named(loss.__name__) is loss
    with pytest.raises(ValueError, match="did you mean 'categorical_cross_entropy'"):
        losses.named("categorical_crossentropy")
    with pytest.raises(ValueError, match=r"unknown loss 'zzz'; known are .*hinge"):
        losses.named("zzz")
    with pytest.raises(TypeError, match="huber has no setting 'level'; known are delta"):
        losses.tuned("huber", level=0.5)
    with pytest.raises(TypeError, match="hinge has no setting 'level'; it has none"):
        losses.tuned("hinge", level=0.5)
    tuned = losses.tuned("focal", focus=1.0)
    assert (tuned.on_logits, tuned.takes_probabilities) == (True, True)
