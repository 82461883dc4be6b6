"""A network that tells classes apart."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from gradtape import losses
from gradtape.estimators import settings
from gradtape.estimators.base import Network
from gradtape.estimators.network import Numbers


def _has_probabilities(estimator: Any) -> bool:
    if settings.loss_of(estimator) is losses.hinge:
        raise AttributeError("loss='hinge' gives scores, no probabilities: use decision_function")
    return True


def _codes(y: NDArray[Any], classes: NDArray[Any], whose: str) -> NDArray[np.int64]:
    """The place of each row's class among the classes."""
    places = {name: place for place, name in enumerate(classes.tolist())}
    kinds, which = np.unique(y, return_inverse=True)
    unseen = [name for name in kinds.tolist() if name not in places]
    if unseen:
        raise ValueError(f"{whose} the classes {unseen}, which are not among {list(places)}")
    return np.array([places[name] for name in kinds.tolist()], dtype=np.int64)[which]


class MLPClassifier(ClassifierMixin, Network):  # type: ignore[misc]
    """A multilayer perceptron for classes, trained natively.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        The number of neurons of each hidden layer.
    activation : str, callable or sequence of them
        Of the hidden layers; a sequence has one a layer, the outputs' last if it is given. Names
        are scikit-learn's or any operation of one operand, such as ``"gelu"``; a callable takes
        a Value and gives one, in plain Python; `gradtape.where` instead of ``if`` keeps all rows
        on one path, which is fast.
    loss : str or callable
        ``"log_loss"``, ``"hinge"``, any other of `gradtape.losses`, or your own on (rows of
        outputs, class indexes) that gives the mean as a Value; it gets outputs before a softmax
        where `gradtape.losses.on_logits` marks it.
    solver : {"adam", "sgd", "adamw", "rmsprop", "adagrad", "lbfgs"}
        ``"lbfgs"`` looks at all rows in each step: for small data. It needs scipy, and knows
        neither batches nor learning rates; an epoch is an iteration, and `tol` bounds the gradient.
    alpha : float
        Half the squares of all weights and biases times this number, over the weight of a batch's
        rows, are in the loss; ``"adamw"`` takes it past the means instead.
    batch_size : int or "auto"
        Rows a step; ``"auto"`` is 200.
    learning_rate : {"constant", "invscaling", "adaptive", "cosine"} or callable
        ``"invscaling"`` divides the rate by ``(step + 1) ** power_t``; ``"adaptive"`` by 5
        whenever training stalls; ``"cosine"`` lets it fall to 0 over `max_iter` epochs. A callable
        gives the rate of the step with a number, counted from 0.
    learning_rate_init, power_t : float
    max_iter : int
        The most epochs.
    shuffle : bool
        Whether each epoch takes the rows in a new order.
    random_state : int, RandomState or None
    tol, n_iter_no_change : float, int
        After more than so many epochs without getting better by `tol`, training ends.
    verbose : bool
        Whether to print a line an epoch, with a bar where a terminal has room for it: there is no
        `progress` beside it.
    warm_start : bool
        Whether `fit` goes on from the weights of the last one.
    momentum, nesterovs_momentum : float, bool
        Of ``"sgd"``.
    early_stopping, validation_fraction : bool, float
        Whether this share of the rows is held back, training ends when their score stalls, and
        the weights of the best score are kept.
    beta_1, beta_2, epsilon : float
        Of ``"adam"`` and ``"adamw"``; epsilon also of ``"rmsprop"`` and ``"adagrad"``.
    callbacks : callable or sequence of callable
        Called after each epoch with (epoch, history); training ends where one returns ``True``.
    class_weight : dict, "balanced" or None
        From class to weight, 1 where it is not told; ``"balanced"`` gives each class of the rows
        (in `partial_fit`: of these rows) the same weight in all.
    dropout : float or sequence of float
        The probability that training sets an output of a hidden layer to 0, less than 1; a
        sequence has one a hidden layer. What is dropped is drawn anew every epoch, from
        `random_state`. Predictions and scores drop nothing. Not with ``"lbfgs"``.
    dtype : {"float64", "float32"}
        What a training step computes rows in; see `gradtape.fit`. Not with ``"lbfgs"``.

    Attributes
    ----------
    classes_ : ndarray
    coefs_, intercepts_ : list of ndarray
        The weights (inputs, outputs) and the biases of each layer.
    loss_curve_, loss_, best_loss_ : list of float, float, float
        The mean loss of each epoch, of the last, and the smallest.
    validation_scores_, validation_loss_curve_, best_validation_score_
        Score and mean loss after each epoch of the last `fit`, and the best score, of the
        validation data or the rows held back; ``None`` where there were none.
    n_iter_, t_, n_layers_, n_outputs_, n_features_in_ : int
        Epochs, rows trained on, layers with that of the inputs, outputs, columns.
    feature_names_in_ : ndarray of str
        Where X had names.

    Examples
    --------
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]] * 10, ["same", "other", "other", "same"] * 10
    >>> network = MLPClassifier(8, "tanh", learning_rate_init=0.1, random_state=0).fit(X, y)
    >>> network.predict([[1, 0], [1, 1]]).tolist()
    ['other', 'same']
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        loss: Any = "log_loss",
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        callbacks: Any = None,
        class_weight: Any = None,
        dropout: Any = 0.0,
        dtype: Any = "float64",
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            activation,
            loss=loss,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            callbacks=callbacks,
            dropout=dropout,
            dtype=dtype,
        )
        self.class_weight = class_weight

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None
    ) -> "MLPClassifier":
        """Train on rows and their classes.

        Parameters
        ----------
        X : (m, n) array-like
        y : (m,) array-like
            Classes, numbers or strings.
        sample_weight : (m,) array-like, optional
            None negative. A row of weight 0 is as none; one of weight 2 as two.
        validation_data : (X, y), optional
            Looked at after each epoch, never trained on: `validation_loss_curve_` and
            `validation_scores_` tell what was seen. With ``early_stopping=True`` they take the
            place of rows held back. A pipeline does not scale them: give them as the network
            gets its rows.

        Returns
        -------
        MLPClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError
            If the data or a parameter is wrong, before anything is trained.
        """
        self._check_parameters()
        goes_on = self._goes_on()
        X, y, weights = self._weighted(*self._rows(X, y, reset=not goes_on), sample_weight)
        classes: NDArray[Any] = self.classes_ if goes_on else np.unique(y)
        codes = _codes(y, classes, "fit with warm_start=True got")
        seen = self._seen(validation_data)
        if seen is not None:
            seen = seen[0], _codes(seen[1], classes, "validation_data has")
        if not goes_on:
            self.classes_: NDArray[Any] = classes
            self._start(X.shape[1], max(2, len(classes)))
        self._train(X, codes, self._with_classes(codes, weights), seen=seen)
        return self

    @available_if(Network._steps_on_batches)  # type: ignore[untyped-decorator, unused-ignore]
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> "MLPClassifier":
        """Train one epoch on these rows, going on from what was trained before.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like
            All classes there will ever be; needed in the first call.

        Returns
        -------
        MLPClassifier
            Itself.

        Raises
        ------
        ValueError
            If a class was not among `classes`.
        """
        self._check_parameters()
        first = not hasattr(self, "_model")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        X, y, weights = self._weighted(*self._rows(X, y, reset=first), sample_weight)
        if first:
            self.classes_ = np.unique(classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes={list(classes)} is not the same as on last call to partial_fit, was: "
                f"{self.classes_.tolist()}"
            )
        codes = _codes(y, self.classes_, "partial_fit got")
        if first:
            self._start(X.shape[1], max(2, len(self.classes_)))
        self._train(X, codes, self._with_classes(codes, weights), partial=True)
        return self

    def _check_parameters(self) -> None:
        super()._check_parameters()
        given = self.class_weight
        if (isinstance(given, str) and given == "balanced") or given is None:
            return
        if not hasattr(given, "get"):
            raise ValueError(f"class_weight must be a dict or 'balanced', not {given!r}")
        for name, weight in given.items():
            if not (isinstance(weight, Real) and 0 <= float(weight) < np.inf):
                raise ValueError(
                    f"class_weight of {name!r} must be a finite number from 0, not {weight!r}"
                )

    def _rows(self, X: Any, y: Any, reset: bool) -> tuple[Numbers, NDArray[Any]]:
        X, y = validate_data(self, X, y, reset=reset, dtype=np.float64)
        check_classification_targets(y)
        return X, y

    def _with_classes(self, codes: NDArray[np.int64], weights: Numbers | None) -> Numbers | None:
        """The weights of the rows times those of their classes."""
        if self.class_weight is None:
            return weights
        count = len(self.classes_)
        rows = np.ones(len(codes)) if weights is None else weights
        if self.class_weight == "balanced":
            each = np.bincount(codes, weights=rows, minlength=count)
            factors = rows.sum() / (np.count_nonzero(each) * np.where(each > 0, each, 1.0))
        else:
            factors = np.array([self.class_weight.get(c, 1.0) for c in self.classes_.tolist()])
        weighted: Numbers = rows * factors[codes]
        return weighted

    def _strata(self, y: NDArray[Any], held: int) -> NDArray[Any] | None:
        counts = np.unique(y, return_counts=True)[1]
        fits = counts.min() > 1 and min(held, len(y) - held) >= len(counts)
        return y if fits else None

    def _validation_score(self, X: Numbers, y: NDArray[Any], weights: Numbers | None) -> float:
        if weights is None and len(self.classes_) > 1:
            # The look after the epoch has counted the same.
            return self._history.validation_accuracy[-1]
        right = np.argmax(self._scores(self._forward(X)), axis=1)
        return float(accuracy_score(y, right, sample_weight=weights))

    def _scores(self, outputs: Numbers) -> Numbers:
        # A single class has a second output, which no row has as its target.
        return outputs[:, : len(self.classes_)]

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row, the first among equals.

        Parameters
        ----------
        X : (m, n) array-like

        Returns
        -------
        (m,) ndarray
        """
        best = np.argmax(self._scores(self._outputs(X)), axis=1)
        classes: NDArray[Any] = self.classes_[best]
        return classes

    def decision_function(self, X: Any) -> Numbers:
        """The outputs, (m, classes); with two classes the second's over the first's, (m,)."""
        scores = self._scores(self._outputs(X))
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator, unused-ignore]
    def predict_proba(self, X: Any) -> Numbers:
        """The probability of each class, (m, classes); no such method with ``loss="hinge"``."""
        scores = self._scores(self._outputs(X))
        if not self._on_logits() and self._model.layers[-1].activation == "softmax":
            powers = scores
        else:
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities: Numbers = powers / powers.sum(axis=1, keepdims=True)
        return probabilities

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator, unused-ignore]
    def predict_log_proba(self, X: Any) -> Numbers:
        """The logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):
            logarithms: Numbers = np.log(self.predict_proba(X))
        return logarithms
