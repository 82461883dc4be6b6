"""Networks as scikit-learn estimators, trained natively by `gradtape.fit`.

They need scikit-learn, which comes with ``gradtape[sklearn]``.

Examples
--------
>>> from gradtape.estimators import MLPClassifier
>>> from sklearn.datasets import load_iris
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> X, y = load_iris(return_X_y=True)
>>> network = MLPClassifier((10, 5), learning_rate_init=0.02, random_state=0)
>>> bool(make_pipeline(StandardScaler(), network).fit(X, y).score(X, y) > 0.95)
True
"""

try:
    import sklearn  # noqa: F401  (told here, once, where it is missing)
except ImportError:
    raise ImportError(
        "gradtape.estimators needs scikit-learn: python -m pip install 'gradtape[sklearn]'"
    ) from None

from gradtape.estimators.classifier import MLPClassifier
from gradtape.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
