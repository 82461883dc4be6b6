"""A network that gives numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d, validate_data

from gradtape.estimators.base import Network
from gradtape.estimators.network import Numbers


def _width(y: NDArray[Any]) -> int:
    """How many numbers a row has."""
    return 1 if y.ndim == 1 else int(y.shape[1])


class MLPRegressor(RegressorMixin, Network):  # type: ignore[misc]
    """A multilayer perceptron for one or several numbers a row, trained natively.

    Parameters
    ----------
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, \
power_t, max_iter, shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, \
early_stopping, validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, callbacks, \
dropout, dtype
        As in `MLPClassifier`.
    loss : str or callable
        ``"squared_error"`` (half of it, as in scikit-learn), ``"absolute_error"``, any other of
        `gradtape.losses`, or your own on (rows of outputs, targets) that gives the mean as a
        Value.

    Attributes
    ----------
    coefs_, intercepts_, loss_curve_, loss_, best_loss_, validation_scores_, \
validation_loss_curve_, best_validation_score_, n_iter_, t_, n_layers_, n_outputs_, \
n_features_in_, feature_names_in_
        As in `MLPClassifier`; scores are coefficients of determination.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
    >>> y = np.sin(3 * X[:, 0])
    >>> network = MLPRegressor((20, 20), "tanh", batch_size=20, random_state=0)
    >>> bool(network.fit(X, y).score(X, y) > 0.95)
    True
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None
    ) -> "MLPRegressor":
        """Train on rows and their numbers.

        Parameters
        ----------
        X : (m, n) array-like
        y : (m,) or (m, k) array-like
        sample_weight : (m,) array-like, optional
            None negative. A row of weight 0 is as none; one of weight 2 as two.
        validation_data : (X, y), optional
            As in `MLPClassifier.fit`.

        Returns
        -------
        MLPRegressor
            Itself.

        Raises
        ------
        TypeError, ValueError
            If the data or a parameter is wrong, before anything is trained.
        """
        return self._fit(X, y, sample_weight, validation_data, goes_on=self._goes_on())

    @available_if(Network._steps_on_batches)  # type: ignore[untyped-decorator, unused-ignore]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPRegressor":
        """Train one epoch on these rows, going on from what was trained before.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        MLPRegressor
            Itself.
        """
        return self._fit(X, y, sample_weight, goes_on=hasattr(self, "_model"), partial=True)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: Any = None,
        *,
        goes_on: bool,
        partial: bool = False,
    ) -> "MLPRegressor":
        self._check_parameters()
        X, y, weights = self._weighted(*self._rows(X, y, reset=not goes_on), sample_weight)
        outputs = _width(y)
        if goes_on and outputs != self.n_outputs_:
            raise ValueError(
                f"y has {outputs} numbers a row, the network was trained for {self.n_outputs_}"
            )
        seen = self._seen(validation_data)
        if seen is not None and _width(seen[1]) != outputs:
            raise ValueError(
                f"validation_data: y has {_width(seen[1])} numbers a row, that of the training "
                f"{outputs}"
            )
        if not goes_on:
            self._start(X.shape[1], outputs)
        self._train(X, y, weights, partial=partial, seen=seen)
        return self

    def _rows(self, X: Any, y: Any, reset: bool) -> tuple[Numbers, NDArray[Any]]:
        X, y = validate_data(
            self, X, y, reset=reset, dtype=np.float64, multi_output=True, y_numeric=True
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y.astype(np.float64, copy=False)

    def _validation_score(self, X: Numbers, y: NDArray[Any], weights: Numbers | None) -> float:
        outputs = self._forward(X)
        if len(y) < 2:
            # One row has no variance that could be explained.
            return -float(np.mean((outputs.reshape(y.shape) - y) ** 2))
        return float(r2_score(y, outputs.reshape(y.shape), sample_weight=weights))

    def predict(self, X: Any) -> Numbers:
        """The numbers of each row.

        Parameters
        ----------
        X : (m, n) array-like

        Returns
        -------
        (m,) or (m, k) ndarray
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if self.n_outputs_ == 1 else outputs
