"""Passes over all rows of a training, and looks at rows that are not trained on."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import gradtape._core as _core
from gradtape._core import Value
from gradtape.data.checking import listed
from gradtape.errors import GradtapeError
from gradtape.functions import no_grad
from gradtape.history import History
from gradtape.losses import Loss
from gradtape.nn.noise import Noise
from gradtape.nn.parts import training
from gradtape.optim import LBFGS
from gradtape.stepping import Epochs
from gradtape.training_data import Data, Forward, Judge, check_loss, data_of

__all__ = ["Diverged", "Look", "Pass", "Step", "Whole", "checked_loss", "noisy", "weighted"]

# One pass over a batch that also updates the parameters: its mean loss, and the outputs that it
# was computed from.
Step = Callable[[list[Any], list[Any]], tuple[float, list[list[float]]]]


class Diverged(ValueError):
    """A loss that is nan or infinite, before anything was changed."""

    def __init__(self, loss: float) -> None:
        self.loss = loss


def checked_loss(total: Any) -> Value:
    """The loss of a batch, if it can be differentiated and is finite.

    Raises
    ------
    TypeError
        If it is no Value.
    Diverged
        If it is nan or infinite.
    """
    if not math.isfinite(check_loss(total).data):
        raise Diverged(total.data)
    return total  # type: ignore[no-any-return]


def noisy(forward: Forward, noise: Noise) -> Forward:
    """The forward pass over pairs of a row and its noise."""

    def outputs(pairs: Sequence[Any]) -> list[Sequence[Value]]:
        found: list[Sequence[Value]] = []
        for row, columns in pairs:
            with noise.given(columns):
                found += forward([row])
        return found

    return outputs


def weighted(loss: Loss, weights: Any) -> Loss:
    """The loss of rows whose targets stand beside their weights, if there are such."""
    if weights is None:
        return loss

    def mean(outputs: Sequence[Any], targets: Sequence[Any]) -> Value:
        pairs = zip(outputs, targets, strict=True)
        terms = [w * loss([row], [target]) for row, (target, w) in pairs]
        return _core.sum(terms) / len(terms)

    return mean


def with_weights(targets: list[Any], weights: NDArray[np.float64] | None) -> list[Any]:
    """The targets as `weighted` takes them."""
    return targets if weights is None else list(zip(targets, weights.tolist(), strict=True))


class Pass(NamedTuple):
    """A pass over all rows: natively where that goes, else batch by batch on the tape."""

    step: Step
    native: Epochs | None
    judge: Judge | None
    rows: Data
    targets: Data
    batch: int
    weights: NDArray[np.float64] | None

    def __call__(self, history: History, order: NDArray[np.int64], noise: Any) -> None:
        """Step after each batch, and note what the rows' losses were."""
        done, total, outputs = 0, 0.0, np.empty(0)
        if self.native is not None and not self.native.given_up:
            steps, values = self.native(order, self.batch, noise)
            done = min(steps * self.batch, len(order))
            total, outputs = float(values[:done, 0].sum()), values[:done, 1:]
        # What went wrong in a native step is told by the same step on the tape.
        rest: list[list[float]] = []
        for start in range(done, len(order), self.batch):
            some = order[start : start + self.batch].tolist()
            rows = listed(self.rows, some)
            weights = None if self.weights is None else self.weights[some]
            if noise is not None:
                rows = list(zip(rows, noise[some].tolist(), strict=True))
            try:
                mean, found = self.step(rows, with_weights(listed(self.targets, some), weights))
            except Diverged as error:
                raise ValueError(
                    f"the loss became {error.loss} in epoch {len(history.loss) + 1}; a smaller "
                    "learning_rate, clip_norm, or columns of one scale may help; no parameter was "
                    "changed"
                ) from None
            total += mean * len(some)
            rest += found
        if self.judge is not None:
            targets = np.asarray(self.targets)[order]
            right = self.judge(outputs, targets[:done]) if done else 0
            right += self.judge(rest, targets[done:]) if rest else 0
            history.accuracy.append(right / len(order))
        history.loss.append(total / len(order))


class Whole(NamedTuple):
    """All rows at once, for an optimizer that takes its steps by itself."""

    forward: Forward
    loss: Loss
    optimizer: LBFGS
    native: Epochs | None
    rows: Data
    targets: Data
    weights: NDArray[np.float64] | None

    def __call__(self) -> tuple[float, Any, list[float]]:
        """The mean loss, the outputs for each row, and the gradient."""
        parameters = self.optimizer.parameters
        self.optimizer.zero_grad()
        if self.native is not None and not self.native.given_up:
            values = self.native.gradient()
            if values is not None:
                return float(values[:, 0].mean()), values[:, 1:], _core.grads(parameters)
        outputs = self.forward(listed(self.rows))
        targets = with_weights(listed(self.targets), self.weights)
        try:
            total = checked_loss(weighted(self.loss, self.weights)(outputs, targets))
        except Diverged as error:
            return error.loss, None, []
        total.backward()
        return total.data, list(map(data_of, outputs)), _core.grads(parameters)


class Look(NamedTuple):
    """A look at validation rows: natively where the steps are."""

    forward: Forward
    loss: Loss
    native: Epochs | None
    judge: Judge | None
    rows: Data
    targets: Data
    switched: list[Any]

    def __call__(self, history: History) -> None:
        """Note what loss and accuracy are now."""
        with training(self.switched, False):
            mean, outputs = self._values()
        history.validation_loss.append(mean)
        if self.judge is not None:
            right = self.judge(outputs, self.targets)
            history.validation_accuracy.append(right / len(outputs))

    def _values(self) -> tuple[float, Any]:
        """The mean loss, and the outputs for each row."""
        if self.native is not None:
            # A row may need a path that cannot be recorded; the tape needs none.
            with suppress(GradtapeError):
                values = self.native.values()
                return float(values[:, 0].mean()), values[:, 1:]
        with no_grad():
            outputs = list(map(data_of, self.forward(listed(self.rows))))
            # On numbers alone, a user's loss may well give a number.
            return data_of([self.loss(outputs, listed(self.targets))])[0], outputs
