"""What the classifier and the regressor share."""

import warnings
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from gradtape._core import Value
from gradtape.estimators import settings
from gradtape.estimators.network import Dropping, Forward, Numbers, coefficients, network
from gradtape.estimators.watching import Watch, callbacks_of
from gradtape.history import History
from gradtape.optim import LBFGS
from gradtape.progress import Progress
from gradtape.stepping import Programs
from gradtape.training import fit
from gradtape.training_data import told

# Seeds are drawn below this.
SEEDS = 2**31 - 1
# Rows, their targets as the network takes them, and their weights.
Held = tuple[Numbers, NDArray[Any], Numbers | None]


class Network(BaseEstimator):  # type: ignore[misc]
    """The parameters that both have, and the training.

    A fitted estimator holds the model, its optimizer, its history and the generator of random
    numbers, so that `partial_fit` and `warm_start` go on where they stopped, also after a pickle.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        loss: Any = "squared_error",
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
        dropout: Any = 0.0,
        dtype: Any = "float64",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.dropout = dropout
        self.dtype = dtype

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__().copy()
        # A program is made again from the model it belongs to, where it is next asked for.
        state.pop("_forward", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_model" in state:
            self._model.programs = Programs()
            self._forward = Forward(self._model, self._on_logits())

    def _on_logits(self) -> bool:
        return bool(getattr(settings.loss_of(self), "on_logits", False))

    def _steps_on_batches(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError("solver='lbfgs' looks at all rows at once: use fit")
        return True

    def _goes_on(self) -> bool:
        return bool(self.warm_start) and hasattr(self, "_model")

    def _weighted(
        self, X: Numbers, y: NDArray[Any], sample_weight: Any
    ) -> tuple[Numbers, NDArray[Any], Numbers | None]:
        """The rows that have a weight, and the weights."""
        if sample_weight is None:
            return X, y, None
        weights: Numbers = _check_sample_weight(sample_weight, X, dtype=np.float64)
        if (weights < 0).any():
            row = int(np.argmax(weights < 0))
            raise ValueError(
                f"sample_weight must not be negative: row {row} has {weights[row]:g} "
                "(Negative values in data passed to `sample_weight`)"
            )
        if not (weights > 0).any():
            raise ValueError("sample_weight must not be 0 in every row")
        # Before batches are cut, so that a row of weight 0 is as none.
        kept = weights > 0
        return X[kept], y[kept], weights[kept]

    def _rows(self, X: Any, y: Any, reset: bool) -> tuple[Numbers, NDArray[Any]]:
        """Rows and targets, checked; with `reset`, their columns are those from now on."""
        raise NotImplementedError

    def _seen(self, validation_data: Any) -> tuple[Numbers, NDArray[Any]] | None:
        """The rows to look at after each epoch, checked as those to train on were before."""
        if validation_data is None:
            return None
        pair = isinstance(validation_data, (tuple, list))
        if not pair or len(validation_data) != 2:
            count = f" of {len(validation_data)}" if pair else ""
            raise TypeError(
                "validation_data must be a pair (X, y), "
                f"not a {type(validation_data).__name__}{count}"
            )
        X, y = validation_data
        with told("validation_data: "):
            return self._rows(X, y, reset=False)

    def _check_parameters(self) -> None:
        """Refuse wrong parameters before anything is changed."""
        settings.layer_activations(self.activation, len(settings.hidden(self)) + 1)
        settings.loss_of(self)
        settings.optimizer_of(self, [Value(0.0)], 1)
        settings.batch_of(self, 1)
        for name in ("max_iter", "n_iter_no_change"):
            settings.whole(self, name)
        for name in ("alpha", "tol"):
            settings.number(self, name, 0.0)
        share = settings.number(self, "validation_fraction", 0.0, 1.0)
        if not 0.0 < share < 1.0:
            raise ValueError(f"validation_fraction must lie between 0 and 1, not {share:g}")
        settings.dropouts(self)
        settings.dtype_of(self)
        callbacks_of(self.callbacks)

    def _start(self, inputs: int, outputs: int) -> None:
        """A new model. Its weights are drawn before anything that depends on the rows."""
        self._random = check_random_state(self.random_state)
        sizes = [inputs, *settings.hidden(self), outputs]
        activations = settings.layer_activations(self.activation, len(sizes) - 1)
        self._model = network(sizes, activations, int(self._random.randint(SEEDS)))
        # What training recorded is kept for the next: partial_fit and warm_start go on with it.
        self._model.programs = Programs()
        self._forward = Forward(self._model, self._on_logits())
        self._history = History()
        self.n_outputs_, self.n_layers_ = outputs, len(sizes)
        self.t_ = self.n_iter_ = 0
        # A model is fitted when it has a curve.
        for name in ("_optimizer", "loss_curve_"):
            self.__dict__.pop(name, None)

    def _train(
        self,
        X: Numbers,
        y: NDArray[Any],
        weights: Numbers | None,
        *,
        partial: bool = False,
        seen: tuple[Numbers, NDArray[Any]] | None = None,
    ) -> None:
        """Train the model that is there: one epoch, or until it is enough.

        After each epoch, it looks at the rows `seen`; without such at some that are held back, if
        they are to tell when it is enough.
        """
        stopping = bool(self.early_stopping) and not partial
        epochs = 1 if partial else int(self.max_iter)
        seed = int(self._random.randint(SEEDS))
        held: Held | None = None if seen is None else (*seen, None)
        if stopping and held is None:
            X, y, weights, held = self._split(X, y, weights)
        batch = settings.batch_of(self, len(X))
        steps = -(-len(X) // batch)
        parameters = self._model.parameters()
        if not (partial and hasattr(self, "_optimizer")):
            self._optimizer = settings.optimizer_of(self, parameters, epochs * steps)
        # alpha is divided by the weight of a batch, as each row's loss is.
        total = float(len(X) if weights is None else weights.sum())
        self._optimizer.weight_decay = self.alpha * steps / total
        # A search over all rows tells by itself when it is enough.
        searches = isinstance(self._optimizer, LBFGS)
        watch = Watch(
            parameters,
            self._optimizer,
            tol=self.tol,
            patience=epochs if searches and not stopping else self.n_iter_no_change,
            score=None if held is None else lambda: self._validation_score(*held),
            score_decides=stopping,
            adaptive=self.learning_rate == "adaptive",
            callbacks=callbacks_of(self.callbacks),
        )
        before, seen_before = len(self._history.loss), len(self._history.validation_loss)
        rates = settings.dropouts(self)
        try:
            fit(
                Dropping(self._model, rates) if any(rates) else self._model,
                cast(Any, X),
                cast(Any, y),
                loss=settings.loss_of(self),
                optimizer=self._optimizer,
                epochs=epochs,
                batch_size=None if searches else batch,
                dtype=settings.dtype_of(self),
                # The order within one batch makes no difference but for rounding.
                shuffle=bool(self.shuffle) and steps > 1,
                seed=seed,
                sample_weight=cast(Any, weights),
                validation=cast(Any, None if held is None else held[:2]),
                progress=Progress(before + epochs) if self.verbose else False,
                callback=watch,
                history=self._history,
            )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=3)
        self._keep(watch, before, seen_before, len(X))
        ended = watch.enough or (isinstance(self._optimizer, LBFGS) and self._optimizer.converged)
        if not (partial or ended) and len(self._history.loss) - before == epochs:
            warnings.warn(
                f"max_iter={epochs} epochs were trained and the network still got better by more "
                "than tol",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _keep(self, watch: Watch, before: int, seen_before: int, rows: int) -> None:
        """What is known after training."""
        watch.restore()
        done = len(self._history.loss) - before
        self.n_iter_ += done
        self.t_ += done * rows
        self.loss_curve_ = list(self._history.loss)
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else float("nan")
        self.best_loss_ = min(self.loss_curve_, default=float("nan"))
        looked = bool(watch.scores)
        self.validation_scores_ = watch.scores if looked else None
        curve = self._history.validation_loss[seen_before:]
        self.validation_loss_curve_ = curve if looked else None
        self.best_validation_score_ = watch.best_score if looked else None

    def _split(
        self, X: Numbers, y: NDArray[Any], weights: Numbers | None
    ) -> tuple[Numbers, NDArray[Any], Numbers | None, Held]:
        """The rows to train on, and those held back."""
        held = max(1, round(self.validation_fraction * len(X)))
        if len(X) - held < 1:
            raise ValueError(
                f"early_stopping holds rows back and needs at least 2, got n_samples = {len(X)}"
            )
        train, seen = train_test_split(
            np.arange(len(X)),
            test_size=held,
            stratify=self._strata(y, held),
            random_state=self._random,
        )
        some = None if weights is None else weights[train]
        other = None if weights is None else weights[seen]
        return X[train], y[train], some, (X[seen], y[seen], other)

    def _strata(self, y: NDArray[Any], held: int) -> NDArray[Any] | None:
        """What held-back rows are balanced by."""
        return None

    def _validation_score(self, X: Numbers, y: NDArray[Any], weights: Numbers | None) -> float:
        raise NotImplementedError

    def _outputs(self, X: Any) -> Numbers:
        """The network's outputs; logits where the loss takes these."""
        check_is_fitted(self, "loss_curve_")
        rows = validate_data(self, X, reset=False, dtype=np.float64)
        outputs: Numbers = self._forward(rows)
        return outputs

    @property
    def coefs_(self) -> list[Numbers]:
        """The weights of each layer, (inputs, outputs)."""
        check_is_fitted(self, "loss_curve_")
        return coefficients(self._model)[0]

    @property
    def intercepts_(self) -> list[Numbers]:
        """The biases of each layer."""
        check_is_fitted(self, "loss_curve_")
        return coefficients(self._model)[1]
