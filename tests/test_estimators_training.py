"""Dropout, 32 bits and validation data of the estimators."""

import pickle

import numpy as np
import pytest
import sklearn
from gradtape.estimators import MLPClassifier, MLPRegressor
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
quick = settings(deadline=None, max_examples=20, derandomize=True, database=None)
random = np.random.default_rng(0)
X, SEEN = random.normal(size=(90, 3)), random.normal(size=(40, 3))


def classes(rows):
    return np.array(["low", "middle", "high"])[(rows[:, 0] > 0).astype(int) + (rows[:, 0] > 0.7)]


def heights(rows):
    return np.tanh(rows @ [0.5, 0.5, -1.0])


BOTH = [(MLPClassifier, classes), (MLPRegressor, heights)]
QUICK = {"hidden_layer_sizes": 5, "max_iter": 6, "learning_rate_init": 0.02, "random_state": 0}


def numbers(estimator):
    """All weights and biases in one array."""
    return np.concatenate([a.ravel() for a in (*estimator.coefs_, *estimator.intercepts_)])


def same(one, other):
    return (numbers(one) == numbers(other)).all()


@quick
@given(st.integers(0, 1), st.floats(0.3, 0.8), st.integers(1, 4), st.integers(0, 9))
def test_losses_spread_by_what_is_dropped(place, rate, outputs, seed):
    """Where all is linear, dropping adds to the mean loss the variance of what is dropped.

    Each number h times a mask, 0 with probability p and else 1 / (1 − p), has the mean h and the
    variance h² p / (1 − p); masks are independent of each other.
    """
    rows = np.random.default_rng(seed).normal(size=(300, 3))
    rates = [rate if i == place else 0.0 for i in range(2)]
    estimator = MLPRegressor(
        (8, 6), "identity", dropout=rates, learning_rate_init=0.0, max_iter=100, alpha=0.0,
        n_iter_no_change=100, random_state=seed,
    )  # fmt: skip
    estimator.fit(rows, np.zeros((300, outputs) if outputs > 1 else 300))
    first, second, third = estimator.coefs_
    h = rows @ first if place == 0 else rows @ first @ second
    after = second @ third if place == 0 else third
    variance = (h**2 @ after**2).sum(axis=1) * rate / (1 - rate)
    squares = ((h @ after) ** 2).sum(axis=1)
    wanted = (squares + variance).mean() / 2
    assert np.mean(estimator.loss_curve_) == pytest.approx(wanted, rel=0.04)
    assert wanted > 1.08 * squares.mean() / 2
    # New numbers are drawn every epoch.
    assert len(set(estimator.loss_curve_)) == estimator.n_iter_ == 100
    # Nothing is dropped from a prediction.
    assert estimator.predict(rows).reshape(300, -1) == pytest.approx(h @ after)
    assert (estimator.predict(rows) == estimator.predict(rows)).all()


@quick
@given(st.sampled_from(BOTH), st.floats(0.05, 0.9), st.integers(1, 90), st.integers(0, 9))
def test_a_seed_drops_the_same_bits(both, rate, batch, seed):
    make, targets = both
    y = targets(X)
    one = make(**{**QUICK, "random_state": seed}, dropout=rate, batch_size=batch).fit(X, y)
    assert same(one, clone(one).fit(X, y))
    assert not same(one, clone(one).set_params(dropout=0.0).fit(X, y))
    # The weights are the same at first: only what is dropped may differ.
    still = clone(one).set_params(learning_rate_init=0.0, alpha=0.0, tol=0.0)
    assert same(still.fit(X, y), clone(still).set_params(dropout=0.0).fit(X, y))


@pytest.mark.parametrize(("make", "targets"), BOTH)
@pytest.mark.parametrize("activation", ["tanh", np.square])
def test_a_rate_of_0_changes_no_bit(make, targets, activation):
    plain = make(**{**QUICK, "hidden_layer_sizes": (5, 4)}, activation=activation)
    plain.fit(X, targets(X))
    for rates in (0, [0.0, 0], np.zeros(2)):
        assert same(plain, clone(plain).set_params(dropout=rates).fit(X, targets(X)))


@pytest.mark.parametrize(("make", "targets"), BOTH)
@pytest.mark.parametrize("how", [{"dropout": 0.3}, {"dtype": "float32"}])
def test_what_is_set_between_calls_holds_from_then_on(make, targets, how):
    y = targets(X)
    names = {"classes": np.unique(y)} if make is MLPClassifier else {}
    plain = make(**QUICK).partial_fit(X, y, **names)
    other = pickle.loads(pickle.dumps(plain)).set_params(**how)
    third = pickle.loads(pickle.dumps(other))
    for estimator in (plain, other, third):
        estimator.partial_fit(X, y)
    assert same(other, third)
    assert not same(plain, other)


@quick
@given(st.sampled_from(BOTH), st.sampled_from(["adam", "sgd"]), st.sampled_from([0.0, 0.4]))
def test_32_bits_are_near_64(both, solver, dropout):
    make, targets = both
    wide = make(**QUICK, solver=solver, activation="tanh", dropout=dropout).fit(X, targets(X))
    for dtype in ("float32", np.float32):
        narrow = clone(wide).set_params(dtype=dtype).fit(X, targets(X))
        assert not same(wide, narrow)
        assert numbers(narrow) == pytest.approx(numbers(wide), abs=1e-4)
        assert narrow.loss_curve_ == pytest.approx(wide.loss_curve_, rel=1e-4)
        assert narrow.predict(SEEN).dtype == wide.predict(SEEN).dtype


@quick
@given(
    st.sampled_from(BOTH),
    st.integers(1, 8),
    st.sampled_from([{}, {"dropout": 0.5}, {"dtype": "float32"}, {"solver": "lbfgs"}]),
    st.integers(1, 40),
)
def test_curves_are_those_of_the_validation_data(both, epochs, how, rows):
    """After any number of epochs, loss and score are what the fitted network gives."""
    make, targets = both
    y, seen, wanted = targets(X), SEEN[:rows], targets(SEEN)[:rows]
    plain = make(**{**QUICK, "max_iter": epochs}, **how).fit(X, y)
    estimator = clone(plain).fit(X, y, validation_data=(seen, wanted))
    # Looking on changes nothing, and no row is held back.
    assert same(estimator, plain)
    assert estimator.t_ == 90 * estimator.n_iter_
    scores, losses = estimator.validation_scores_, estimator.validation_loss_curve_
    assert len(scores) == len(losses) == estimator.n_iter_
    assert estimator.best_validation_score_ == max(scores)
    if make is MLPClassifier:
        found = estimator.predict_proba(seen)
        loss = log_loss(wanted, found, labels=estimator.classes_)
        score = estimator.score(seen, wanted)
    else:
        error = np.mean((estimator.predict(seen) - wanted) ** 2)
        loss, score = error / 2, estimator.score(seen, wanted) if rows > 1 else -error
    assert losses[-1] == pytest.approx(loss)
    assert scores[-1] == pytest.approx(score, abs=1e-12)
    assert plain.validation_scores_ is plain.validation_loss_curve_ is None


@pytest.mark.parametrize(("make", "targets"), BOTH)
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_early_stopping_goes_by_the_validation_data(make, targets, dropout):
    estimator = make(
        **{**QUICK, "max_iter": 400, "learning_rate_init": 0.2},
        early_stopping=True,
        n_iter_no_change=5,
        dropout=dropout,
        batch_size=10,
    ).fit(X, targets(X), validation_data=(SEEN, targets(SEEN)))
    scores = estimator.validation_scores_
    assert len(scores) == estimator.n_iter_ < 400
    assert estimator.t_ == 90 * estimator.n_iter_
    assert estimator.score(SEEN, targets(SEEN)) == pytest.approx(max(scores), abs=1e-12)
    assert max(scores[-5:]) < max(scores) + 1e-4
    # Without it, the end is not for the score to tell, and the last weights stay.
    other = clone(estimator).set_params(early_stopping=False, max_iter=estimator.n_iter_)
    other.fit(X, targets(X), validation_data=(SEEN, targets(SEEN)))
    assert other.validation_scores_ == scores[: other.n_iter_]
    assert not same(other, estimator)


def test_curves_are_of_the_last_fit():
    estimator = MLPRegressor(**QUICK, warm_start=True)
    seen = SEEN, heights(SEEN)
    first = estimator.fit(X, heights(X), validation_data=seen).validation_loss_curve_
    second = estimator.fit(X, heights(X), validation_data=seen).validation_loss_curve_
    assert len(first) == len(second) == len(estimator.validation_scores_) == 6
    assert second[-1] < first[-1]
    assert estimator.fit(X, heights(X)).validation_loss_curve_ is None
    assert len(estimator.loss_curve_) == 18


Y = {MLPClassifier: classes(X), MLPRegressor: heights(X)}
PAIR = "validation_data must be a pair"


@pytest.mark.parametrize(
    ("make", "seen", "kind", "message"),
    [
        (MLPClassifier, SEEN, TypeError, f"{PAIR} .X, y., not a ndarray"),
        (MLPClassifier, (SEEN, SEEN, SEEN), TypeError, f"{PAIR} .X, y., not a tuple of 3"),
        (MLPClassifier, (SEEN[:, :2], classes(SEEN)), ValueError, "data: X has 2 features, but"),
        (MLPClassifier, (SEEN, classes(SEEN)[1:]), ValueError, "data: .* inconsistent numbers"),
        (MLPClassifier, (SEEN, ["huge"] * 40), ValueError, r"validation_data has .*\['huge'\]"),
        (MLPClassifier, (SEEN, [1] * 40), ValueError, r"validation_data has the classes \[1\]"),
        (MLPClassifier, (SEEN * np.nan, classes(SEEN)), ValueError, "data: Input X contains NaN"),
        (MLPRegressor, (SEEN, SEEN), ValueError, "y has 3 numbers a row, that of the training 1"),
        (MLPRegressor, (SEEN, heights(SEEN) + np.inf), ValueError, "data: Input y contains"),
        (MLPRegressor, (SEEN[:0], heights(SEEN)[:0]), ValueError, "data: Found array with 0"),
    ],
)
def test_wrong_validation_data_are_refused_by_name(make, seen, kind, message):
    estimator = make(**QUICK).fit(X, Y[make])
    before = numbers(estimator)
    with pytest.raises(kind, match=message):
        estimator.fit(X[:50], Y[make][:50], validation_data=seen)
    assert (numbers(estimator) == before).all()


def test_columns_of_the_validation_data_have_the_names_of_the_rows():
    scaler = StandardScaler().set_output(transform="pandas").fit(X)
    rows, seen = scaler.transform(X), scaler.transform(SEEN)
    estimator = MLPClassifier(**QUICK, dropout=0.2)
    estimator.fit(rows, classes(X), validation_data=(seen, classes(SEEN)))
    assert list(estimator.feature_names_in_) == ["x0", "x1", "x2"]
    assert estimator.validation_scores_[-1] == estimator.score(seen, classes(SEEN))
    with pytest.raises(ValueError, match="validation_data: The feature names should match"):
        estimator.fit(rows, classes(X), validation_data=(seen[["x1", "x0", "x2"]], classes(SEEN)))


def test_searches_over_dropouts_and_precisions():
    pipeline = make_pipeline(
        StandardScaler().set_output(transform="pandas"),
        MLPClassifier(**{**QUICK, "max_iter": 40}),
    )
    grid = {
        "mlpclassifier__dropout": [0.0, 0.3, (0.9,)],
        "mlpclassifier__dtype": ["float64", "float32"],
    }
    searches = [
        GridSearchCV(pipeline, grid, n_jobs=jobs, cv=3, error_score="raise").fit(X, classes(X))
        for jobs in (1, 2)
    ]
    one, two = (search.cv_results_["mean_test_score"] for search in searches)
    assert (one == two).all()
    assert len(set(one)) > 1
    assert same(searches[0].best_estimator_[-1], searches[1].best_estimator_[-1])


def test_validation_data_are_routed():
    scaler = StandardScaler().fit(X)
    seen = scaler.transform(SEEN), classes(SEEN)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = MLPClassifier(**QUICK, early_stopping=True)
        estimator.set_fit_request(validation_data=True)
        found = cross_validate(
            make_pipeline(StandardScaler(), estimator), X, classes(X), cv=3,
            params={"validation_data": seen}, return_estimator=True,
        )  # fmt: skip
    for fitted in found["estimator"]:
        last = fitted[-1]
        assert last.t_ == 60 * last.n_iter_
        assert last.best_validation_score_ == last.score(*seen)
