"""The one training loop, which everything else that trains calls."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

import gradtape._core as _core
from gradtape._core import Value
from gradtape.choosing import chosen_loss, chosen_optimizer
from gradtape.data.checking import checked_rows, checked_targets
from gradtape.errors import GradtapeError
from gradtape.functions import no_grad
from gradtape.history import History
from gradtape.losses import Loss, categorical_cross_entropy
from gradtape.nn.initial import generator, size
from gradtape.nn.noise import Noise
from gradtape.nn.parts import switches, training
from gradtape.progress import Progress
from gradtape.stepping import Epochs, native_epochs

__all__ = ["History", "Model", "Optimizer", "fit"]

# The outputs for each row of a batch.
Forward = Callable[[Sequence[Any]], Sequence[Sequence[Value]]]
# One pass over a batch that also updates the parameters: its mean loss, and the outputs that it
# was computed from.
Step = Callable[[list[Any], list[Any]], tuple[float, list[list[float]]]]
# How many of some rows' outputs are right for their targets.
Judge = Callable[[Any, Any], int]


class Model(Protocol):
    """What `fit` trains: called with a row, it gives the outputs."""

    def __call__(self, row: Any, /) -> Sequence[Value]:
        """The outputs for one row."""

    def parameters(self) -> list[Value]:
        """What the optimizer changes."""


class Optimizer(Protocol):
    """What changes the parameters."""

    def zero_grad(self) -> None:
        """Set every gradient to 0."""

    def step(self) -> None:
        """Update the parameters from their gradients."""


def _data(outputs: Sequence[Any]) -> list[float]:
    return [x.data if isinstance(x, Value) else float(x) for x in outputs]


def _checked_data(
    model: Any, loss: Loss, rows: Sequence[Any], targets: Sequence[Any], what: str
) -> tuple[list[list[float]], list[Any], int]:
    """Rows and targets that model and loss accept, and the number of outputs."""
    good_rows = checked_rows(rows, what, sequences=bool(getattr(model, "sequences", False)))
    good_targets = checked_targets(targets, len(good_rows), what)
    with no_grad():
        # One row shows what outputs look like; then the loss sees every target once, so that a
        # wrong one is found before anything is trained.
        forward = _forward(model, _on_logits(loss))
        outputs = _data(forward(good_rows[:1])[0])
        loss([outputs] * len(good_rows), good_targets)
    return good_rows, good_targets, len(outputs)


def _on_logits(loss: Loss) -> bool:
    return bool(getattr(loss, "on_logits", False))


def _forward(model: Model, logits: bool) -> Forward:
    """A batch in one call where the model has that, else row by row."""
    batch = getattr(model, "batch", None)
    if batch is not None:
        return lambda rows: batch(rows, logits=logits)
    one = getattr(model, "logits", model) if logits else model
    return lambda rows: [one(row) for row in rows]


def _judging(outputs: int, targets: list[Any], logits: bool) -> Judge | None:
    """How to tell whether outputs are right for a target; `None` if the targets are no classes."""
    if any(hasattr(target, "__len__") for target in targets):
        return None
    kinds = {float(target) for target in targets}
    if outputs > 1:
        if not all(kind.is_integer() for kind in kinds):
            return None
        return lambda rows, targets: int(np.sum(np.argmax(rows, axis=1) == np.asarray(targets)))
    if not (kinds <= {0.0, 1.0} or kinds <= {-1.0, 1.0}):
        return None
    # Scores are cut at 0, probabilities between the two targets.
    threshold = 0.5 if kinds <= {0.0, 1.0} and not logits else 0.0

    def judge(rows: Any, targets: Any) -> int:
        return int(np.sum((np.asarray(rows)[:, 0] > threshold) == (np.asarray(targets) > 0)))

    return judge


def _noisy(forward: Forward, noise: Noise) -> Forward:
    """The forward pass over pairs of a row and its noise."""

    def outputs(pairs: Sequence[Any]) -> list[Sequence[Value]]:
        found: list[Sequence[Value]] = []
        for row, columns in pairs:
            with noise.given(columns):
                found += forward([row])
        return found

    return outputs


def _eager_step(forward: Forward, loss: Loss, optimizer: Optimizer) -> Step:
    """A step that records each batch on the tape and sweeps it."""

    def step(rows: list[Any], targets: list[Any]) -> tuple[float, list[list[float]]]:
        outputs = forward(rows)
        total = loss(outputs, targets)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        return total.data, [_data(row) for row in outputs]

    return step


def _weighted(loss: Loss, weights: Sequence[float] | None) -> Loss:
    """The loss of rows whose targets stand beside their weights."""
    if weights is None:
        return loss

    def weighted(outputs: Sequence[Any], targets: Sequence[Any]) -> Value:
        pairs = zip(outputs, targets, strict=True)
        terms = [w * loss([row], [target]) for row, (target, w) in pairs]
        return _core.sum(terms) / len(terms)

    return weighted


def _checked_weights(weights: Sequence[float], rows: int) -> list[float]:
    """The weights, one a row and none negative, over their mean."""
    checked = checked_targets(weights, rows, "the sample weights")
    for i, weight in enumerate(checked):
        if hasattr(weight, "__len__") or weight < 0:
            raise ValueError(f"sample_weight of row {i} must be a number from 0, not {weight}")
    total = sum(checked)
    if not total > 0:
        raise ValueError("sample_weight must not be 0 in every row")
    return [weight * rows / total for weight in checked]


class _Pass(NamedTuple):
    """A pass over all rows: natively where that goes, else batch by batch on the tape."""

    step: Step
    native: Epochs | None
    judge: Judge | None
    rows: list[Any]
    targets: list[Any]
    batch: int
    weights: list[float] | None

    def __call__(self, history: History, order: NDArray[np.int64], noise: Any) -> None:
        done, total, outputs = 0, 0.0, np.empty(0)
        if self.native is not None and not self.native.given_up:
            steps, values = self.native(order, self.batch, noise)
            done = min(steps * self.batch, len(order))
            total, outputs = float(values[:done, 0].sum()), values[:done, 1:]
        # What went wrong in a native step is told by the same step on the tape.
        rest: list[list[float]] = []
        for start in range(done, len(order), self.batch):
            some = order[start : start + self.batch].tolist()
            rows = [self.rows[i] for i in some]
            if noise is not None:
                rows = list(zip(rows, noise[some].tolist(), strict=True))
            mean, found = self.step(rows, [self._target(i) for i in some])
            total += mean * len(some)
            rest += found
        history.loss.append(total / len(order))
        if self.judge is not None:
            targets = np.asarray(self.targets)[order]
            right = self.judge(outputs, targets[:done]) if done else 0
            right += self.judge(rest, targets[done:]) if rest else 0
            history.accuracy.append(right / len(order))

    def _target(self, i: int) -> Any:
        return self.targets[i] if self.weights is None else (self.targets[i], self.weights[i])


class _Look(NamedTuple):
    """A look at validation rows: natively where the steps are."""

    forward: Forward
    loss: Loss
    native: Epochs | None
    judge: Judge | None
    rows: list[list[float]]
    targets: list[Any]
    switched: list[Any]

    def __call__(self, history: History) -> None:
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
            outputs = list(map(_data, self.forward(self.rows)))
            # On numbers alone, a user's loss may well give a number.
            return _data([self.loss(outputs, self.targets)])[0], outputs


def _noise(forward: Forward, rows: list[Any]) -> Noise | None:
    """The random numbers that a row takes in training, if it takes any."""
    longest = max(rows, key=len)
    noise = Noise(lambda: forward([longest]))
    return noise or None


def _native(
    wanted: bool | None,
    forward: Forward,
    loss: Loss,
    optimizer: Optimizer,
    rows: list[Any],
    targets: list[Any],
    outputs: int,
    noise: Noise | None,
    padded: bool,
    weights: list[float] | None,
) -> Epochs | None:
    """The passes that run natively, if they should and can."""
    if wanted is False:
        return None
    found = native_epochs(
        forward,
        loss,
        optimizer,
        rows,
        targets,
        outputs,
        noise,
        padded=padded,
        must=bool(wanted),
        weights=weights,
    )
    if wanted and found is None:
        raise ValueError(
            "the steps cannot run natively: model, loss or optimizer cannot be recorded; "
            "native=False takes them on the tape"
        )
    return found


def fit(
    model: Model,
    rows: Sequence[Any],
    targets: Sequence[Any],
    *,
    loss: Loss | str = categorical_cross_entropy,
    optimizer: Optimizer | str | None = None,
    epochs: int = 50,
    batch_size: int | None = 16,
    shuffle: bool = True,
    seed: int = 0,
    sample_weight: Sequence[float] | None = None,
    validation: tuple[Sequence[Any], Sequence[Any]] | None = None,
    progress: bool | Progress = False,
    callback: Callable[[int, History], object] | None = None,
    native: bool | None = None,
    history: History | None = None,
) -> History:
    """Train a model on mini-batches.

    Parameters
    ----------
    model : Model
        An ``MLP`` or anything that gives outputs for a row and has ``parameters()``.
    rows : m rows of n numbers
        Lists, tuples or NumPy arrays. A row may be nested, such as an image or the steps of a
        sequence, and sequences may differ in length; rows of numbers may where the model has an
        attribute ``sequences`` that is true.
    targets : m targets
        As the loss takes them.
    loss : callable or str
        From `gradtape.losses`, also by its name; or your own on (rows of outputs, targets) that
        gives a Value. A cross-entropy or hinge loss gets ``model.logits(row)`` where the model has
        that; mark your own with `gradtape.losses.on_logits`.
    optimizer : Optimizer or str, optional
        ``SGD(model.parameters(), learning_rate=0.05, momentum=0.9)`` where none is given; a name
        stands for an optimizer of all parameters with its usual settings.
    epochs, batch_size : int
        Passes over the rows, and rows a step; ``None`` takes all rows in one step.
    shuffle, seed : bool, int
        Whether each epoch takes the rows in a new order, drawn from the seed. The same seed gives
        the same bits.
    sample_weight : m numbers, optional
        None negative, not all 0. They are divided by their mean, and each row's loss is multiplied
        by its own; the accuracy counts rows.
    validation : (rows, targets), optional
        Looked at after every epoch, never trained on.
    progress : bool or Progress
        Whether to print a line an epoch, and a bar; a `Progress` of your own shows it your way.
    callback : callable, optional
        Called after each epoch with (epoch, history), epochs counted from 1; training stops where
        it returns ``True``.
    native : bool, optional
        Whether steps run natively: one row is recorded and replayed over batches, so Python is
        entered once an epoch. By default they do where model, loss and optimizer can be recorded,
        until rows have taken too many paths through branches; ``True`` makes either an error,
        ``False`` takes every step on the tape. Both give the same parameters but for rounding.
    history : History, optional
        Is continued; also what there is after an interrupt, which leaves the model as it was after
        the last whole step.

    Returns
    -------
    History

    Raises
    ------
    TypeError, ValueError
        If the data, a target or a setting is wrong (rows and columns are counted from 0): before
        anything is trained. If a gradient becomes nan or infinite: the parameters stay as they
        were before that step.

    Examples
    --------
    >>> from gradtape.nn import MLP
    >>> model = MLP([2, 4, 2], "tanh", seed=1)
    >>> xor = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> history = fit(model, xor, [0, 1, 1, 0], epochs=200, batch_size=4)
    >>> model.predict(xor)
    [0, 1, 1, 0]
    """
    epochs, loss = size(epochs, "epochs"), chosen_loss(loss)
    logits = _on_logits(loss)
    forward, switched = _forward(model, logits), switches(model)
    good, wanted, outputs = _checked_data(model, loss, rows, targets, "the training data")
    batch = len(good) if batch_size is None else size(batch_size, "batch_size")
    judge = _judging(outputs, wanted, logits)
    weights = None if sample_weight is None else _checked_weights(sample_weight, len(good))
    stepper: Optimizer = chosen_optimizer(optimizer, model.parameters())
    padded = bool(getattr(model, "padding", False))
    with training(switched, True):
        noise = _noise(forward, good)
    look = None
    if validation is not None:
        seen = _checked_data(model, loss, *validation, "the validation data")
        native_look = None
        if native is not False and noise is None:
            with training(switched, False):
                native_look = native_epochs(
                    forward, loss, stepper, *seen, None, padded=padded, must=False
                )
        look = _Look(forward, loss, native_look, judge, seen[0], seen[1], switched)
    random = np.random.default_rng(generator(seed).getrandbits(64))
    order = np.arange(len(good))
    history = History() if history is None else history
    shown = Progress(epochs) if progress is True else progress or None
    with training(switched, True), shown if shown is not None else nullcontext() as bar:
        noisy = np.random.default_rng(random.integers(2**63) if noise else 0)
        one_pass = _Pass(
            _eager_step(
                _noisy(forward, noise) if noise else forward, _weighted(loss, weights), stepper
            ),
            _native(native, forward, loss, stepper, good, wanted, outputs, noise, padded, weights),
            judge,
            good,
            wanted,
            batch,
            weights,
        )
        for epoch in range(1, epochs + 1):
            if shuffle:
                random.shuffle(order)
            one_pass(history, order, noise and noise.columns(noisy, len(good)))
            if look is not None:
                look(history)
            if bar is not None:
                bar.show(history)
            if callback is not None and callback(epoch, history) is True:
                break
    return history
