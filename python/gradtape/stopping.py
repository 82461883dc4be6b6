"""Stopping when nothing gets better, with the parameters that were best."""

import math
from typing import Any

import gradtape._core as _core
from gradtape.history import History
from gradtape.nn.initial import size

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """A callback of `fit` that stops after some epochs without a better loss.

    Parameters
    ----------
    model : object
        With ``parameters()``.
    patience : int
        How many epochs may pass without a better one.
    least : float
        By how much a loss must be less to be better.

    Attributes
    ----------
    best : float
        The least validation loss; the least training loss where there are no validation rows.
    epoch : int or None
        When it was reached, counted from 1 in this training.

    Raises
    ------
    TypeError, ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> import gradtape as gt
    >>> model = gt.MLP([1, 1])
    >>> stop = EarlyStopping(model, patience=3)
    >>> history = gt.fit(
    ...     model, [[0.0], [1.0]], [1.0, 3.0], loss="squared_loss", epochs=5000, callback=stop
    ... )
    >>> stop.restore()
    >>> len(history.loss) < 5000
    True
    """

    def __init__(self, model: Any, patience: int, least: float = 0.0) -> None:
        self.patience, self.least = size(patience, "patience"), float(least)
        if not 0.0 <= self.least < math.inf:
            raise ValueError(f"least must be a finite number that is not negative, not {least}")
        self.best, self.epoch = math.inf, None
        self._model = model
        self._kept: list[float] | None = None

    best: float
    epoch: int | None

    def __call__(self, epoch: int, history: History) -> bool:
        """Whether the training shall stop after this epoch."""
        line = history.validation_loss or history.loss
        if line[-1] < self.best - self.least:
            self.best, self.epoch = line[-1], epoch
            self._kept = _core.data(self._model.parameters())
        return epoch - (self.epoch or 0) >= self.patience

    def restore(self) -> None:
        """Put back the parameters of the best epoch; nothing happens where there was none."""
        if self._kept is not None:
            _core.assign(self._model.parameters(), self._kept)
