"""Every check that scikit-learn has for its own estimators.

None is excused. (Dropout and 32 bits have tests of their own: a row that stands there twice is
dropped from twice, one of weight 2 once, and the check of weights asks for seven digits.)
"""

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
    MLPRegressor(),
    MLPRegressor((12, 6), ["tanh", "gelu"], solver="adamw", **QUICK),
    MLPRegressor(10, "tanh", solver="sgd", learning_rate="invscaling", learning_rate_init=0.1),
    MLPRegressor(10, bent, loss="absolute_error", solver="rmsprop", **QUICK),
    MLPRegressor(6, "tanh", solver="lbfgs", max_iter=100),
    MLPRegressor((), solver="adagrad", learning_rate_init=0.5, max_iter=100),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_check(estimator, check):
    check(estimator)
