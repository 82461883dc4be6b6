"""What the estimators promise beyond scikit-learn's own checks."""

import pickle
import sys

import gradtape as gt
import numpy as np
import pandas as pd
import pytest
import sklearn
from gradtape import losses, stepping
from gradtape.estimators import MLPClassifier, MLPRegressor
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, get_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, cross_validate
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
quick = settings(deadline=None, max_examples=20, derandomize=True, database=None)
random = np.random.default_rng(0)
X = random.normal(size=(90, 3))
CLASSES = np.array(["low", "middle", "high"])[(X[:, 0] > 0).astype(int) + (X[:, 0] > 0.7)]
NUMBERS = np.tanh(X @ [0.5, 0.5, -1.0])
SOLVERS = ["sgd", "adam", "adamw", "rmsprop", "adagrad"]
BOTH = [(MLPClassifier, CLASSES), (MLPRegressor, NUMBERS)]
QUICK = {"hidden_layer_sizes": 5, "max_iter": 10, "learning_rate_init": 0.02, "random_state": 0}


def swish(x):
    """A plain Python activation."""
    return x * gt.sigmoid(x)


def leaky(x):
    """One that branches."""
    return x if x > 0 else 0.1 * x


def focal(predictions, targets):
    """A loss of somebody's own, on class indexes."""
    terms = []
    for row, target in zip(predictions, targets, strict=True):
        p = gt.exp(gt.log_softmax(row)[target])
        terms.append((1 - p) ** 2 * -gt.log(p))
    return gt.sum(terms) / len(terms)


losses.on_logits(focal)


def numbers(estimator):
    """All weights and biases in one array."""
    return np.concatenate([a.ravel() for a in (*estimator.coefs_, *estimator.intercepts_)])


def by_hand(estimator, rows, hidden):
    for i, (w, b) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        rows = rows @ w + b
        if i < len(estimator.coefs_) - 1:
            rows = hidden(rows)
    return rows


@quick
@given(
    st.lists(st.integers(1, 7), max_size=3),
    st.sampled_from([("tanh", np.tanh), ("relu", lambda z: np.maximum(z, 0))]),
    st.integers(0, 99),
)
def test_outputs_are_those_of_the_weights(hidden, activation, seed):
    name, function = activation
    rows = np.random.default_rng(seed).normal(size=(17, 3))
    settings = {**QUICK, "hidden_layer_sizes": hidden, "activation": name, "random_state": seed}
    regressor = MLPRegressor(**settings).fit(X, NUMBERS)
    assert regressor.predict(rows) == pytest.approx(by_hand(regressor, rows, function)[:, 0])
    classifier = MLPClassifier(**settings).fit(X, CLASSES)
    logits = by_hand(classifier, rows, function)
    assert classifier.decision_function(rows) == pytest.approx(logits, rel=1e-9, abs=1e-9)
    powers = np.exp(logits)
    wanted = powers / powers.sum(axis=1, keepdims=True)
    assert classifier.predict_proba(rows) == pytest.approx(wanted)
    assert classifier.predict_log_proba(rows) == pytest.approx(np.log(wanted))
    assert list(classifier.predict(rows)) == list(classifier.classes_[logits.argmax(axis=1)])


@quick
@given(
    st.sampled_from(BOTH),
    st.sampled_from(SOLVERS),
    st.lists(st.integers(0, 4), min_size=90, max_size=90).filter(any),
)
def test_a_weight_is_a_number_of_equal_rows(both, solver, times):
    make, y = both
    estimator = make(**QUICK, solver=solver, activation="tanh", batch_size=400, alpha=0.1)
    weighted = clone(estimator).fit(X, y, sample_weight=times)
    repeated = clone(estimator).fit(X.repeat(times, 0), y.repeat(times))
    assert numbers(weighted) == pytest.approx(numbers(repeated), rel=1e-6, abs=1e-6)
    assert weighted.loss_ == pytest.approx(repeated.loss_)


@quick
@given(st.sampled_from(BOTH), st.sampled_from(SOLVERS), st.integers(1, 90), st.integers(0, 9))
def test_a_seed_gives_the_same_bits(both, solver, batch, seed):
    make, y = both
    one = make(**{**QUICK, "random_state": seed}, solver=solver, batch_size=batch)
    assert (numbers(one.fit(X, y)) == numbers(clone(one).fit(X, y))).all()


@quick
@given(st.sampled_from(BOTH), st.integers(1, 90), st.integers(1, 4))
def test_partial_fit_goes_on_after_a_pickle(both, batch, epochs):
    make, y = both
    more = {"classes": np.unique(y)} if make is MLPClassifier else {}
    one = make(**QUICK, batch_size=batch, learning_rate="invscaling")
    other = clone(one)
    for _ in range(epochs):
        one.partial_fit(X, y, **more)
        other = pickle.loads(pickle.dumps(other.partial_fit(X, y, **more)))
    assert (numbers(one) == numbers(other)).all()
    assert (one.predict(X) == other.predict(X)).all()
    assert one.n_iter_ == len(one.loss_curve_) == epochs
    assert one.t_ == epochs * 90


def test_partial_fit_is_fit_epoch_by_epoch():
    whole = MLPRegressor(**QUICK, batch_size=90).fit(X, NUMBERS)
    parts = MLPRegressor(**QUICK, batch_size=90)
    for _ in range(10):
        parts.partial_fit(X, NUMBERS)
    assert numbers(parts) == pytest.approx(numbers(whole), rel=1e-12)


@pytest.mark.parametrize(("make", "y"), BOTH)
@quick
@given(st.lists(st.integers(1, 90), min_size=2, max_size=4), st.booleans(), st.booleans())
def test_what_is_kept_between_calls_changes_no_bit(make, y, sizes, weighted, pickled):
    kept, fresh = make(**QUICK), make(**QUICK)
    for size in sizes:
        names = {"classes": np.unique(y)} if make is MLPClassifier else {}
        weights = np.arange(1.0, size + 1) if weighted else None
        for estimator in (kept, fresh):
            estimator.partial_fit(X[:size], y[:size], sample_weight=weights, **names)
        fresh._model.programs = None
        if pickled:
            kept = pickle.loads(pickle.dumps(kept))
    assert (numbers(kept) == numbers(fresh)).all()


def test_partial_fit_records_once(monkeypatch):
    made = []
    original = stepping._program
    monkeypatch.setattr(stepping, "_program", lambda *a: made.append(a) or original(*a))
    estimator = MLPClassifier(**QUICK)
    for size in (90, 20, 50):
        estimator.partial_fit(X[:size], CLASSES[:size], classes=np.unique(CLASSES))
    assert len(made) == 1
    estimator.partial_fit(X, CLASSES, sample_weight=np.ones(90))
    assert len(made) == 2
    estimator.set_params(loss="focal").partial_fit(X, CLASSES)
    assert len(made) == 3
    estimator.set_params(loss="log_loss").partial_fit(X, CLASSES)
    assert len(made) == 3
    pickle.loads(pickle.dumps(estimator)).partial_fit(X, CLASSES)
    clone(estimator).fit(X, CLASSES)
    assert len(made) == 5


def test_class_weights_are_sample_weights():
    names, times = np.unique(CLASSES, return_counts=True)
    counts = dict(zip(names.tolist(), 30 / times, strict=True))
    by_row = MLPClassifier(**QUICK).fit(X, CLASSES, [counts[name] for name in CLASSES])
    for given_weights in ("balanced", counts):
        weighted = MLPClassifier(**QUICK, class_weight=given_weights).fit(X, CLASSES)
        assert numbers(weighted) == pytest.approx(numbers(by_row), rel=1e-9)


@pytest.mark.parametrize(("make", "y"), BOTH)
def test_alpha_is_half_the_squares_over_the_weights(make, y):
    """Without momentum the first steps with and without alpha differ by its gradient."""
    steps = []
    for alpha in (0.0, 3.0):
        estimator = make(
            **{**QUICK, "max_iter": 1, "warm_start": True},
            solver="sgd",
            momentum=0.0,
            batch_size=90,
            alpha=alpha,
        )
        rate = estimator.learning_rate_init
        estimator.set_params(learning_rate_init=0.0).fit(X, y)
        start = numbers(estimator)
        estimator.set_params(learning_rate_init=rate).fit(X, y, sample_weight=np.full(90, 2.0))
        steps.append(numbers(estimator) - start)
    assert steps[1] - steps[0] == pytest.approx(-rate * 3.0 / 180 * start, abs=1e-12)


@pytest.mark.parametrize(("make", "y"), BOTH)
def test_early_stopping_keeps_the_best_weights(make, y):
    estimator = make(
        **{**QUICK, "max_iter": 300, "learning_rate_init": 0.3},
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change=5,
        batch_size=8,
    ).fit(X, y)
    assert estimator.n_iter_ < 300
    scores = estimator.validation_scores_
    assert len(scores) == len(estimator.validation_loss_curve_) == estimator.n_iter_
    assert estimator.best_validation_score_ == max(scores)
    assert max(scores[-5:]) < max(scores) + 1e-4


def test_the_score_of_the_best_epoch_is_that_of_the_weights(monkeypatch):
    seen = []
    original = MLPClassifier._validation_score

    def score(self, rows, y, weights):
        seen.append((rows, y))
        return original(self, rows, y, weights)

    monkeypatch.setattr(MLPClassifier, "_validation_score", score)
    estimator = MLPClassifier(**QUICK, early_stopping=True, validation_fraction=0.3)
    estimator.fit(X, CLASSES)
    rows, codes = seen[0]
    assert len(rows) == 27
    found = accuracy_score(estimator.classes_[codes], estimator.predict(rows))
    assert found == estimator.best_validation_score_


@pytest.mark.parametrize(("make", "y"), BOTH)
def test_it_stops_where_nothing_gets_better(make, y):
    estimator = make(**{**QUICK, "max_iter": 500}, tol=0.1, n_iter_no_change=3).fit(X, y)
    curve = estimator.loss_curve_
    assert estimator.n_iter_ == len(curve) < 500
    assert estimator.best_loss_ == min(curve)
    assert estimator.loss_ == curve[-1]
    assert estimator.validation_scores_ is None


def test_an_end_before_convergence_is_told():
    with pytest.warns(ConvergenceWarning, match="max_iter=2 epochs"):
        MLPRegressor(5, max_iter=2).fit(X, NUMBERS)


def test_an_adaptive_rate_shrinks_until_the_end():
    rates = []
    estimator = MLPRegressor(
        **{**QUICK, "max_iter": 5000},
        solver="sgd",
        learning_rate="adaptive",
        tol=0.01,
        n_iter_no_change=1,
        callbacks=lambda epoch, history: rates.append(estimator._optimizer.learning_rate),
    )
    estimator.fit(X, NUMBERS)
    assert estimator.n_iter_ < 5000
    assert sorted(set(rates), reverse=True) == pytest.approx(
        [0.02 / 5**k for k in range(len(set(rates)))]
    )
    assert rates[-1] <= 1e-6


@pytest.mark.parametrize("rate", ["cosine", "invscaling", lambda step: 0.1 / (1 + step)])
def test_schedules_change_the_steps(rate):
    steady = MLPRegressor(**QUICK, solver="sgd").fit(X, NUMBERS)
    moved = MLPRegressor(**QUICK, solver="sgd", learning_rate=rate).fit(X, NUMBERS)
    assert np.abs(numbers(steady) - numbers(moved)).max() > 1e-4


def test_callbacks_see_each_epoch_and_may_end_training(capsys):
    epochs = []

    def stop(epoch, history):
        epochs.append((epoch, len(history.loss)))
        return epoch == 4

    estimator = MLPClassifier(**QUICK, callbacks=[stop, stop], verbose=True).fit(X, CLASSES)
    assert epochs == [(e, e) for e in (1, 2, 3, 4) for _ in range(2)]
    assert estimator.n_iter_ == 4
    assert "epoch  4/10  loss" in capsys.readouterr().out


@pytest.mark.parametrize("activation", ["gelu", "logistic", swish, leaky, ["softmax"]])
@pytest.mark.parametrize("loss", ["log_loss", "hinge", focal])
def test_losses_and_activations(loss, activation):
    sizes = () if isinstance(activation, list) else (8,)
    estimator = MLPClassifier(sizes, activation, loss=loss, max_iter=150, random_state=0)
    estimator.set_params(learning_rate_init=0.05).fit(X, CLASSES)
    assert estimator.score(X, CLASSES) > 0.9
    assert hasattr(estimator, "predict_proba") == (loss != "hinge")
    copy = pickle.loads(pickle.dumps(estimator))
    assert (copy.decision_function(X) == estimator.decision_function(X)).all()


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", losses.mean_squared_error])
def test_regressions_of_several_numbers(loss):
    y = np.stack([NUMBERS, X[:, 0], -NUMBERS], axis=1)
    estimator = MLPRegressor(12, "tanh", loss=loss, learning_rate_init=0.03, random_state=0)
    estimator.fit(X, y)
    assert estimator.predict(X).shape == (90, 3)
    assert estimator.score(X, y) > 0.95
    with pytest.raises(ValueError, match="2 numbers a row, the network was trained for 3"):
        estimator.partial_fit(X, y[:, :2])


def test_warm_start_goes_on():
    cold = MLPRegressor(**QUICK).fit(X, NUMBERS)
    warm = MLPRegressor(**QUICK, warm_start=True)
    first = warm.fit(X, NUMBERS).loss_
    assert warm.fit(X, NUMBERS).loss_ < first
    assert warm.n_iter_ == len(warm.loss_curve_) == 20
    assert cold.fit(X, NUMBERS).loss_ == first
    with pytest.raises(ValueError, match=r"warm_start=True got the classes \['new'\]"):
        MLPClassifier(**QUICK, warm_start=True).fit(X, CLASSES).fit(X, ["new"] * 90)


def test_what_is_not_known_is_refused_by_name():
    estimator = MLPClassifier(**QUICK).partial_fit(X, CLASSES, classes=["low", "middle", "high"])
    with pytest.raises(ValueError, match=r"partial_fit got the classes \['huge'\]"):
        estimator.partial_fit(X, ["huge"] * 90)
    with pytest.raises(ValueError, match="not the same as on last call"):
        estimator.partial_fit(X, CLASSES, classes=["low", "high"])
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    named = MLPClassifier(**QUICK).fit(table, CLASSES)
    assert list(named.feature_names_in_) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="same order"):
        named.predict(table[["b", "a", "c"]])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"solver": "adm"}, "unknown solver 'adm' of MLPClassifier; did you mean 'adam'"),
        ({"activation": "reulu"}, "unknown activation 'reulu'; did you mean 'relu'"),
        ({"activation": ["relu"] * 4}, "activation must be one for all hidden layers"),
        ({"loss": "log_los"}, "unknown loss 'log_los' of MLPClassifier; did you mean 'log_loss'"),
        ({"hidden_layer_sizes": [3, 0]}, "layer 2, must be at least 1, not 0"),
        ({"alpha": -1}, "alpha of MLPClassifier must be a finite number from 0, not -1"),
        ({"max_iter": 0}, "max_iter of MLPClassifier must be at least 1"),
        ({"learning_rate": "slow"}, "unknown learning_rate 'slow' .* known are constant"),
        ({"batch_size": -3}, "batch_size of MLPClassifier must be at least 1"),
        ({"class_weight": "even"}, "class_weight must be a dict or 'balanced'"),
        ({"class_weight": {"low": -1}}, "class_weight of 'low' must be a finite number from 0"),
        ({"early_stopping": True, "validation_fraction": 1.0}, "must lie between 0 and 1"),
        ({"dropout": 1.0}, "dropout of MLPClassifier must be from 0 on and less than 1, not 1.0"),
        ({"dropout": [-0.1]}, "dropout of MLPClassifier, layer 1, must be from 0 on"),
        ({"dropout": float("nan")}, "must be from 0 on and less than 1, not nan"),
        ({"dropout": [0.1, 0.1]}, "one rate for all hidden layers, or 1, one for each, not 2"),
        ({"hidden_layer_sizes": (), "dropout": 2}, "must be from 0 on and less than 1, not 2"),
        ({"dropout": 0.1, "solver": "lbfgs"}, "must be 0 with solver='lbfgs'"),
        ({"dtype": "float23"}, "unknown dtype of MLPClassifier 'float23'; did you mean 'float32'"),
        ({"dtype": int}, "unknown dtype of MLPClassifier .* known are float64, float32"),
        ({"dtype": "float32", "solver": "lbfgs"}, "must be 'float64' with solver='lbfgs'"),
    ],
)
def test_a_wrong_parameter_is_told(changed, message):
    estimator = MLPClassifier(**QUICK).fit(X, CLASSES)
    before = numbers(estimator)
    estimator.set_params(**changed)
    # There is no partial_fit with solver="lbfgs".
    for train in filter(None, (estimator.fit, getattr(estimator, "partial_fit", None))):
        with pytest.raises(ValueError, match=message):
            train(X, CLASSES)
    assert (numbers(estimator) == before).all()


def test_a_fit_that_failed_is_none():
    def broken(predictions, targets):
        raise ZeroDivisionError("on purpose")

    estimator = MLPRegressor(**QUICK).fit(X, NUMBERS)
    with pytest.raises(ZeroDivisionError):
        estimator.set_params(loss=broken).fit(X, NUMBERS)
    with pytest.raises(NotFittedError):
        estimator.predict(X)


def test_an_interrupt_keeps_what_was_trained():
    def interrupt(epoch, history):
        if epoch == 3:
            raise KeyboardInterrupt

    estimator = MLPRegressor(**QUICK, callbacks=interrupt)
    with pytest.warns(UserWarning, match="interrupted by user"):
        estimator.fit(X, NUMBERS)
    assert estimator.n_iter_ == 3
    assert estimator.predict(X).shape == (90,)


def test_grids_pipelines_and_workers():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**{**QUICK, "max_iter": 60}))
    grid = {"mlpclassifier__hidden_layer_sizes": [(3,), (8,)], "mlpclassifier__alpha": [0, 0.1]}
    search = GridSearchCV(pipeline, grid, n_jobs=2, cv=3, error_score="raise").fit(X, CLASSES)
    assert search.best_score_ > 0.8
    one = GridSearchCV(pipeline, grid, cv=3).fit(X, CLASSES)
    assert (one.cv_results_["mean_test_score"] == search.cv_results_["mean_test_score"]).all()


def test_weights_are_routed():
    weights = random.uniform(0.1, 2.0, size=90)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = MLPClassifier(**QUICK).set_fit_request(sample_weight=True)
        scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
        found = cross_validate(
            make_pipeline(StandardScaler().set_fit_request(sample_weight=False), estimator),
            X,
            CLASSES,
            params={"sample_weight": weights},
            scoring=scorer,
            cv=3,
            return_estimator=True,
        )
    weighted, (train, _) = found["estimator"][0][-1], next(StratifiedKFold(3).split(X, CLASSES))
    rows = StandardScaler().fit_transform(X[train])
    direct = MLPClassifier(**QUICK).fit(rows, CLASSES[train], weights[train])
    assert numbers(weighted) == pytest.approx(numbers(direct))


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer, load_digits])
def test_as_accurate_as_theirs(load):
    rows, y = load(return_X_y=True)
    settings = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.01, "max_iter": 60}
    means = [
        cross_val_score(
            make_pipeline(StandardScaler(), make(**settings, random_state=0)), rows, y, cv=5
        ).mean()
        for make in (MLPClassifier, Theirs)
    ]
    assert means[0] > means[1] - 0.02


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for name in [name for name in sys.modules if name.startswith("gradtape.estimators")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match=r"pip install 'gradtape\[sklearn\]'"):
        gt.__getattr__("estimators")
