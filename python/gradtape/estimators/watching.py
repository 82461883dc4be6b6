"""What an estimator does after each epoch: scores, callbacks, and when it is enough."""

from collections.abc import Callable, Sequence
from typing import Any

import gradtape._core as _core
from gradtape._core import Value
from gradtape.history import History
from gradtape.optim import LBFGS, Optimizer

Callback = Callable[[int, History], object]
# An adaptive rate is divided by the first, and training ends below the second, as in scikit-learn.
FACTOR, LEAST_RATE = 5.0, 1e-6


def callbacks_of(given: Any) -> list[Callback]:
    """The callbacks as a list.

    Examples
    --------
    >>> callbacks_of(None), callbacks_of(print) == [print]
    ([], True)
    """
    if given is None:
        return []
    found = [given] if callable(given) else list(given)
    for i, callback in enumerate(found):
        if not callable(callback):
            raise TypeError(f"callbacks[{i}] must be callable, not {type(callback).__name__}")
    return found


class Watch:
    """Stops a training that does not get better.

    Parameters
    ----------
    parameters : list of Value
    optimizer : Optimizer
        Its rate shrinks instead while `adaptive`.
    tol, patience : float, int
        After more than `patience` epochs that are not better by `tol`, it is enough.
    score : callable, optional
        Of the validation rows.
    score_decides : bool
        Whether it is the score that gets better, and whose best parameters are kept; else it is
        the training loss.
    adaptive : bool
    callbacks : sequence of callable
    """

    def __init__(
        self,
        parameters: list[Value],
        optimizer: Optimizer | LBFGS,
        tol: float,
        patience: int,
        score: Callable[[], float] | None,
        score_decides: bool,
        adaptive: bool,
        callbacks: Sequence[Callback],
    ) -> None:
        self._parameters, self._optimizer = parameters, optimizer
        self._tol, self._patience, self._stale = tol, patience, 0
        self._score, self._decides = score, score_decides
        self._adaptive, self._callbacks = adaptive, callbacks
        self.scores: list[float] = []
        self._best, self.best_score, self.enough = -float("inf"), -float("inf"), False
        self._best_parameters: list[float] | None = None

    def __call__(self, epoch: int, history: History) -> bool:
        """Look at an epoch; whether training ends."""
        measure = -history.loss[-1]
        if self._score is not None:
            self.scores.append(self._score())
            # A score of nan is no best.
            self.best_score = max(self.best_score, self.scores[-1])
            measure = self.scores[-1] if self._decides else measure
        # `not >` and not `<`: a score of nan is no progress.
        self._stale = 0 if measure >= self._best + self._tol else self._stale + 1
        if measure > self._best:
            self._best = measure
            if self._decides:
                self._best_parameters = _core.data(self._parameters)
        ends = [callback(epoch, history) is True for callback in self._callbacks]
        if self._stale > self._patience:
            optimizer = self._optimizer if self._adaptive else None
            if isinstance(optimizer, Optimizer) and optimizer.learning_rate > LEAST_RATE:
                optimizer.learning_rate /= FACTOR
                self._stale = 0
            else:
                self.enough = True
        return self.enough or any(ends)

    def restore(self) -> None:
        """Go back to the parameters of the best score."""
        if self._best_parameters is not None:
            _core.assign(self._parameters, self._best_parameters)
