"""L-BFGS: scipy's search on natively computed losses and gradients."""

import math
import pickle
import sys
import warnings

import gradtape as gt
import numpy as np
import pytest
from gradtape import _core, losses
from gradtape.estimators import MLPClassifier, MLPRegressor
from gradtape.nn import MLP
from gradtape.optim import LBFGS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as Theirs

quick = settings(deadline=None, max_examples=15)
X, CLASSES = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
NUMBERS = X[:, 0] * X[:, 1]


def made():
    return MLP([4, 10, 3], "tanh", seed=1)


def by_hand(model, iterations, decay=0.0, weights=None):
    """The search on losses of the tape."""
    parameters = model.parameters()
    weights = np.ones(len(X)) if weights is None else weights * len(X) / weights.sum()

    def loss(x):
        _core.assign(parameters, x.tolist())
        pairs = zip(weights, model.batch(X.tolist()), CLASSES.tolist(), strict=True)
        terms = [w * losses.categorical_cross_entropy([row], [t]) for w, row, t in pairs]
        total = gt.sum(terms) / len(terms)
        _core.zero_grad(parameters)
        total.backward()
        gradient = np.array(_core.grads(parameters)) + decay * x
        return total.data + decay / 2 * x @ x, gradient

    options = {"maxiter": iterations, "gtol": 1e-5, "maxfun": 10**6}
    start = np.array(_core.data(parameters))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    return found.x, found.fun


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_same_search_as_by_hand(native, weighted):
    weights = np.arange(150.0) % 4 if weighted else None
    want, loss = by_hand(made(), 12, 0.01, weights)
    model = made()
    optimizer = LBFGS(model.parameters(), weight_decay=0.01)
    history = gt.fit(
        model,
        X,
        CLASSES,
        optimizer=optimizer,
        epochs=12,
        native=native,
        sample_weight=weights,
    )
    found = np.array(_core.data(model.parameters()))
    assert found == pytest.approx(want, rel=1e-6, abs=1e-6)
    assert history.loss[-1] + 0.005 * float(found @ found) == pytest.approx(loss, abs=1e-9)
    assert len(history.loss) == 12


@pytest.mark.parametrize("activation", ["tanh", "relu", "logistic"])
@pytest.mark.parametrize("iterations", [1, 20])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_loss_of_scikit_learn_from_the_same_start(activation, iterations):
    settings = {
        "hidden_layer_sizes": (10,),
        "activation": activation,
        "solver": "lbfgs",
        "alpha": 0.0,
        "max_iter": iterations,
        "random_state": 0,
    }
    start = MLPClassifier(**settings | {"solver": "sgd", "max_iter": 1, "learning_rate_init": 0.0})
    start.fit(X, CLASSES)
    theirs = Theirs(**settings | {"max_iter": 1}, warm_start=True).fit(X, CLASSES)
    theirs.coefs_ = [w.copy() for w in start.coefs_]
    theirs.intercepts_ = [b.copy() for b in start.intercepts_]
    theirs.set_params(max_iter=iterations).fit(X, CLASSES)
    ours = MLPClassifier(**settings).fit(X, CLASSES)
    assert ours.loss_ == pytest.approx(theirs.loss_, abs=1e-6)
    assert ours.n_iter_ == len(ours.loss_curve_) == iterations
    assert (ours.predict(X) == theirs.predict(X)).all()


def test_a_search_ends_where_the_gradient_does():
    model = made()
    optimizer = LBFGS(model.parameters(), tolerance=1e-6, least=0.0, weight_decay=0.01)
    history = gt.fit(model, X, CLASSES, optimizer=optimizer, epochs=1000)
    assert optimizer.converged
    assert "CONVERGENCE" in optimizer.message
    assert len(history.loss) < 1000
    for p in model.parameters():
        p.grad = 0.0
    losses.categorical_cross_entropy(model.batch(X.tolist()), CLASSES.tolist()).backward()
    steepest = max(abs(p.grad + 0.01 * p.data) for p in model.parameters())
    assert steepest <= 1e-6
    # From there, it is at its end at once.
    again = gt.fit(model, X, CLASSES, optimizer=optimizer)
    assert again.loss == pytest.approx(history.loss[-1:])


@quick
@given(st.integers(1, 6), st.integers(0, 5))
def test_history_callbacks_and_what_is_kept(stop, seed):
    model, seen = MLP([4, 5, 3], "tanh", seed=seed), []

    def callback(epoch, history):
        seen.append((epoch, len(history.loss), _core.data(model.parameters())))
        return epoch == stop

    history = gt.fit(
        model,
        X,
        CLASSES,
        optimizer="lbfgs",
        callback=callback,
        validation=(X[:30], CLASSES[:30]),
    )
    assert [pair[:2] for pair in seen] == [(i, i) for i in range(1, stop + 1)]
    assert _core.data(model.parameters()) == seen[-1][2]
    outputs = model.batch(X.tolist())
    now = losses.categorical_cross_entropy(outputs, CLASSES.tolist()).data
    assert history.loss[-1] == pytest.approx(now, rel=1e-12)
    assert history.accuracy[-1] == model.score(X, CLASSES)
    assert history.validation_accuracy[-1] == model.score(X[:30], CLASSES[:30])
    assert all(b <= a for a, b in zip(history.loss, history.loss[1:], strict=False))


def test_early_stopping_keeps_the_best():
    random = np.random.default_rng(0)
    rows, noise = random.normal(size=(40, 4)), random.normal(size=40)
    model = MLP([4, 30, 1], "tanh")
    history = model.fit(
        rows[:25],
        noise[:25],
        optimizer="l-bfgs",
        epochs=500,
        validation_data=(rows[25:], noise[25:]),
        patience=5,
    )
    line = history.validation_loss
    assert history.best_epoch == line.index(min(line)) + 1 == len(line) - 5
    outputs = model.outputs_of(rows[25:])[:, 0]
    assert np.mean((outputs - noise[25:]) ** 2) == pytest.approx(min(line))


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ({"batch_size": 16}, ValueError, "all rows in every step: leave batch_size=16 out"),
        ({"learning_rate": 0.1}, TypeError, "finds how far each step goes: leave learning_rate"),
        ({"optimizer": "lbgfs"}, ValueError, "did you mean 'lbfgs'"),
    ],
)
def test_settings_that_make_no_sense(setting, error, message):
    model = made()
    before = _core.data(model.parameters())
    with pytest.raises(error, match=message):
        model.fit(X, CLASSES, **{"optimizer": "lbfgs", **setting})
    assert _core.data(model.parameters()) == before
    assert model.fit(X, CLASSES, optimizer="lbfgs", batch_size=None, epochs=1).loss


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"l1": 0.1}, "without kinks"),
        ({"clip_norm": 1.0}, "nothing to clip"),
        ({"memroy": 3}, "has no setting 'memroy'; did you mean 'memory'"),
        ({"memory": 0}, "memory must be a whole number from 1"),
        ({"tolerance": -1.0}, "tolerance must be a finite number that is not negative"),
    ],
)
def test_settings_of_its_own(setting, message):
    with pytest.raises((TypeError, ValueError), match=message):
        LBFGS(made().parameters(), **setting)
    with pytest.raises(TypeError, match="looks at the loss several times"):
        LBFGS(made().parameters()).step()


def test_a_loss_that_is_not_finite_keeps_the_last_iteration():
    w = gt.Value(1.0)

    class Model:
        def __call__(self, row):
            return [gt.log(w) + row[0] * w]

        def parameters(self):
            return [w]

    seen = []
    with pytest.raises(ValueError, match="the loss is not finite in iteration"):
        gt.fit(
            Model(),
            [[0.1], [0.2]],
            [-9.0, -9.0],
            loss="mean_squared_error",
            optimizer="lbfgs",
            callback=lambda *_: seen.append(w.data),
        )
    assert w.data == ([1.0, *seen])[-1]
    assert math.isfinite(w.data)


def test_without_scipy_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    model = made()
    before = _core.data(model.parameters())
    with pytest.raises(ImportError, match=r"pip install 'gradtape\[lbfgs\]'"):
        model.fit(X, CLASSES, optimizer="lbfgs")
    assert _core.data(model.parameters()) == before


@pytest.mark.parametrize(("make", "y"), [(MLPClassifier, CLASSES), (MLPRegressor, NUMBERS)])
def test_estimators_search(make, y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator = make(8, "tanh", solver="lbfgs", alpha=0.1, max_iter=2000, random_state=0)
        estimator.fit(X, y)
    assert estimator.score(X, y) > 0.95
    assert estimator.n_iter_ < 2000
    assert not hasattr(estimator, "partial_fit")
    twin = pickle.loads(pickle.dumps(estimator))
    assert (twin.predict(X) == estimator.predict(X)).all()
    with pytest.warns(ConvergenceWarning, match="max_iter=2 epochs"):
        make(8, solver="lbfgs", max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="must be 'auto' with solver='lbfgs'"):
        make(8, solver="lbfgs", batch_size=20).fit(X, y)
    stopped = make(8, solver="lbfgs", early_stopping=True, random_state=0, n_iter_no_change=3)
    assert len(stopped.fit(X, y).validation_scores_) == stopped.n_iter_
