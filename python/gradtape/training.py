"""The one training loop, which everything else that trains calls."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple, Protocol

from gradtape._core import Value
from gradtape.data.checking import checked_rows, checked_targets
from gradtape.functions import no_grad
from gradtape.history import History
from gradtape.losses import Loss, categorical_cross_entropy
from gradtape.nn.initial import generator, size
from gradtape.optim import SGD
from gradtape.progress import Progress

__all__ = ["History", "Model", "Optimizer", "fit"]

# The outputs for each row of a batch.
Forward = Callable[[Sequence[Any]], Sequence[Sequence[Value]]]
# One pass over a batch that also updates the parameters: its mean loss, and the outputs that it
# was computed from. What computes them is `fit`'s only use of the tape, so another engine can
# take its place.
Step = Callable[[list[Any], list[Any]], tuple[float, list[list[float]]]]
Judge = Callable[[list[float], Any], bool]


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
    forward: Forward, loss: Loss, rows: Sequence[Any], targets: Sequence[Any], what: str
) -> tuple[list[list[float]], list[Any], int]:
    """Rows and targets that model and loss accept, and the number of outputs."""
    good_rows = checked_rows(rows, what)
    good_targets = checked_targets(targets, len(good_rows), what)
    with no_grad():
        # One row shows what outputs look like; then the loss sees every target once, so that a
        # wrong one is found before anything is trained.
        outputs = _data(forward(good_rows[:1])[0])
        loss([outputs] * len(good_rows), good_targets)
    return good_rows, good_targets, len(outputs)


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
        return lambda row, target: bool(row.index(max(row)) == target)
    if not (kinds <= {0.0, 1.0} or kinds <= {-1.0, 1.0}):
        return None
    # Scores are cut at 0, probabilities between the two targets.
    threshold = 0.5 if kinds <= {0.0, 1.0} and not logits else 0.0
    return lambda row, target: (row[0] > threshold) == (target > 0)


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


def _right(judge: Judge | None, outputs: list[list[float]], targets: Sequence[Any]) -> int:
    if judge is None:
        return 0
    return sum(judge(row, target) for row, target in zip(outputs, targets, strict=True))


def _epoch(
    history: History, step: Step, judge: Judge | None, pairs: list[tuple[Any, Any]], batch: int
) -> None:
    """One pass over all (row, target) pairs."""
    total, right = 0.0, 0
    for start in range(0, len(pairs), batch):
        rows, targets = map(list, zip(*pairs[start : start + batch], strict=True))
        mean, outputs = step(rows, targets)
        total += mean * len(rows)
        right += _right(judge, outputs, targets)
    history.loss.append(total / len(pairs))
    if judge is not None:
        history.accuracy.append(right / len(pairs))


class _Look(NamedTuple):
    """A look at validation rows."""

    forward: Forward
    loss: Loss
    judge: Judge | None
    rows: list[list[float]]
    targets: list[Any]

    def __call__(self, history: History) -> None:
        with no_grad():
            outputs = list(map(_data, self.forward(self.rows)))
            history.validation_loss.append(self.loss(outputs, self.targets).data)
        if self.judge is not None:
            right = _right(self.judge, outputs, self.targets)
            history.validation_accuracy.append(right / len(outputs))


def fit(
    model: Model,
    rows: Sequence[Any],
    targets: Sequence[Any],
    *,
    loss: Loss = categorical_cross_entropy,
    optimizer: Optimizer | None = None,
    epochs: int = 50,
    batch_size: int | None = 16,
    shuffle: bool = True,
    seed: int = 0,
    validation: tuple[Sequence[Any], Sequence[Any]] | None = None,
    progress: bool | Progress = False,
    callback: Callable[[int, History], object] | None = None,
) -> History:
    """Train a model on mini-batches.

    Parameters
    ----------
    model : Model
        An ``MLP`` or anything that gives outputs for a row and has ``parameters()``.
    rows : m rows of n numbers
        Lists, tuples or NumPy arrays.
    targets : m targets
        As the loss takes them.
    loss : callable
        From `gradtape.losses`, or your own on (rows of outputs, targets) that gives a Value. A
        cross-entropy or hinge loss gets ``model.logits(row)`` where the model has that; mark your
        own with `gradtape.losses.on_logits`.
    optimizer : Optimizer, optional
        ``SGD(model.parameters(), learning_rate=0.05, momentum=0.9)`` where none is given.
    epochs, batch_size : int
        Passes over the rows, and rows a step; ``None`` takes all rows in one step.
    shuffle, seed : bool, int
        Whether each epoch takes the rows in a new order, drawn from the seed. The same seed gives
        the same bits.
    validation : (rows, targets), optional
        Looked at after every epoch, never trained on.
    progress : bool or Progress
        Whether to print a line an epoch, and a bar; a `Progress` of your own shows it your way.
    callback : callable, optional
        Called after each epoch with (epoch, history), epochs counted from 1; training stops where
        it returns ``True``.

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
    epochs = size(epochs, "epochs")
    logits = bool(getattr(loss, "on_logits", False))
    forward = _forward(model, logits)
    good, wanted, outputs = _checked_data(forward, loss, rows, targets, "the training data")
    batch = len(good) if batch_size is None else size(batch_size, "batch_size")
    judge = _judging(outputs, wanted, logits)
    look = None
    if validation is not None:
        seen = _checked_data(forward, loss, *validation, "the validation data")
        look = _Look(forward, loss, judge, seen[0], seen[1])
    if optimizer is None:
        optimizer = SGD(model.parameters(), learning_rate=0.05, momentum=0.9)
    step, random = _eager_step(forward, loss, optimizer), generator(seed)
    history, order = History(), list(range(len(good)))
    shown = Progress(epochs) if progress is True else progress or None
    with shown if shown is not None else nullcontext() as bar:
        for epoch in range(1, epochs + 1):
            if shuffle:
                random.shuffle(order)
            _epoch(history, step, judge, [(good[i], wanted[i]) for i in order], batch)
            if look is not None:
                look(history)
            if bar is not None:
                bar.show(history)
            if callback is not None and callback(epoch, history) is True:
                break
    return history
