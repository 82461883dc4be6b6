"""Every check that scikit-learn has for its own estimators."""

import gradtape as gt
import pytest
from gradtape.estimators import MLPClassifier, MLPRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks


def bent(x):
    """An activation of somebody's own."""
    return gt.where(gt.greater(x, 0.0), x, 0.1 * gt.tanh(x))


QUICK = {"max_iter": 60, "learning_rate_init": 0.02}
ESTIMATORS = [
    MLPClassifier(),
    MLPClassifier((12, 6), ["tanh", "gelu"], solver="adamw", **QUICK),
    MLPClassifier(10, "logistic", solver="sgd", learning_rate="adaptive", max_iter=100),
    MLPClassifier(10, loss="hinge", solver="rmsprop", alpha=0.01, **QUICK),
    MLPClassifier(8, bent, solver="adagrad", learning_rate_init=0.1, max_iter=60),
    MLPClassifier(10, class_weight="balanced", learning_rate="cosine", **QUICK),
    MLPClassifier(6, solver="lbfgs", max_iter=100),
    MLPClassifier((12, 6), dropout=[0.2, 0.1], dtype="float32", solver="sgd", **QUICK),
    MLPRegressor(),
    MLPRegressor((12, 6), ["tanh", "gelu"], solver="adamw", **QUICK),
    MLPRegressor(10, "tanh", solver="sgd", learning_rate="invscaling", learning_rate_init=0.1),
    MLPRegressor(10, bent, loss="absolute_error", solver="rmsprop", **QUICK),
    MLPRegressor(6, "tanh", solver="lbfgs", max_iter=100),
    MLPRegressor(10, "tanh", dropout=0.1, early_stopping=True, **QUICK),
    MLPRegressor((), solver="adagrad", learning_rate_init=0.5, max_iter=100),
]


def not_exact(estimator):
    """The check that asks for seven digits, and what takes them away."""
    if not estimator.dropout:
        return {}
    return {
        "check_sample_weight_equivalence_on_dense_data": "a row that stands there twice is dropped "
        "from twice, one of weight 2 once"
    }


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=not_exact)
def test_check(estimator, check):
    check(estimator)
