"""The one training loop, which everything else that trains calls."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

import numpy as np

from gradtape._core import Value
from gradtape.choosing import chosen_loss, chosen_optimizer
from gradtape.history import History
from gradtape.losses import Loss, categorical_cross_entropy
from gradtape.nn.initial import USUAL_BATCH, generator, size
from gradtape.nn.noise import Noise
from gradtape.nn.parts import switches, training
from gradtape.optim import LBFGS
from gradtape.passes import Look, Pass, Step, Whole, checked_loss, noisy, weighted
from gradtape.progress import Progress
from gradtape.stepping import Epochs, Programs, native_epochs
from gradtape.training_data import (
    Checked,
    Data,
    Forward,
    Judge,
    checked_data,
    checked_weights,
    data_of,
    forward_of,
    judging,
    on_logits,
)

__all__ = ["History", "Model", "Optimizer", "fit"]


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


def _eager_step(forward: Forward, loss: Loss, optimizer: Optimizer) -> Step:
    """A step that records each batch on the tape and sweeps it."""

    def step(rows: list[Any], targets: list[Any]) -> tuple[float, list[list[float]]]:
        outputs = forward(rows)
        total = checked_loss(loss(outputs, targets))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        return total.data, [data_of(row) for row in outputs]

    return step


def _check(model: Any, callback: Any, validation: Any) -> None:
    """Refuse what is no model, no callback and no pair."""
    if isinstance(model, type) or not callable(model) or not hasattr(model, "parameters"):
        what = f"the class {model.__name__}" if isinstance(model, type) else repr(model)
        raise TypeError(
            f"model must be a network such as MLP([4, 10, 3]), or anything that can be called with "
            f"a row and has parameters(), not {what}"
        )
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, not {type(callback).__name__} {callback!r}")
    if validation is not None and not (
        isinstance(validation, (tuple, list)) and len(validation) == 2
    ):
        raise TypeError("validation must be a pair (rows, targets)")


def _batch(batch_size: int | None, rows: int, optimizer: Any) -> int:
    """How many rows a step takes."""
    given = batch_size is not None and batch_size is not USUAL_BATCH
    if isinstance(optimizer, LBFGS):
        if given:
            raise ValueError(
                f"L-BFGS looks at all rows in every step: leave batch_size={batch_size!r} out"
            )
        return rows
    if isinstance(batch_size, str):
        raise TypeError(
            f"batch_size must be an integer, or None for all rows in one step, not {batch_size!r}"
        )
    return rows if batch_size is None else size(batch_size, "batch_size")


def _search(
    optimizer: LBFGS,
    whole: Whole,
    judge: Judge | None,
    noise: Noise | None,
    history: History,
    after: Callable[[int], bool],
    epochs: int,
) -> None:
    """Let an optimizer that looks at all rows at once run, an epoch an iteration."""
    if noise is not None:
        raise ValueError(
            "L-BFGS compares losses, which a model that draws random numbers in training (Dropout) "
            "does not let it: use another optimizer"
        )

    def note(epoch: int, loss: float, outputs: Any) -> bool:
        history.loss.append(loss)
        if judge is not None:
            history.accuracy.append(judge(outputs, whole.targets) / len(whole.targets))
        return after(epoch)

    optimizer.minimise(whole.__call__, note, epochs)


def _step_on_batches(
    one_pass: Pass,
    noise: Noise | None,
    history: History,
    after: Callable[[int], bool],
    epochs: int,
    shuffle: bool,
    seed: int,
) -> None:
    """Pass over all rows until there were as many epochs, or `after` one ends the training."""
    rows = len(one_pass.rows)
    order = np.arange(rows)
    random = np.random.default_rng(generator(seed).getrandbits(64))
    noisy_random = np.random.default_rng(random.integers(2**63) if noise else 0)
    for epoch in range(1, epochs + 1):
        if shuffle:
            random.shuffle(order)
        one_pass(history, order, noise and noise.columns(noisy_random, rows))
        if after(epoch):
            return


def _noise(forward: Forward, rows: Data) -> Noise | None:
    """The random numbers that a row takes in training, if it takes any."""
    longest = rows[0].tolist() if isinstance(rows, np.ndarray) else max(rows, key=len)
    noise = Noise(lambda: forward([longest]))
    return noise or None


def _single(dtype: Any, native: bool | None, optimizer: Optimizer | LBFGS) -> bool:
    """Whether rows are computed in 32 bits."""
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = ""
    if name not in ("float64", "float32"):
        raise ValueError(f"dtype must be 'float64' or 'float32', not {dtype!r}")
    if name == "float32" and native is False:
        raise ValueError("dtype='float32' is for native steps; the tape computes in 64 bits")
    if name == "float32" and isinstance(optimizer, LBFGS):
        raise ValueError("dtype='float32' is for steps on batches; LBFGS searches in 64 bits")
    return bool(name == "float32")


def fit(
    model: Model,
    rows: Sequence[Any],
    targets: Sequence[Any],
    *,
    loss: Loss | str = categorical_cross_entropy,
    optimizer: Optimizer | str | None = None,
    epochs: int = 50,
    batch_size: int | None = USUAL_BATCH,
    dtype: Any = "float64",
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
        Passes over the rows, and rows a step; ``None`` takes all rows in one step. With
        ``optimizer="lbfgs"``, which always does, an epoch is an iteration of it.
    dtype : {"float64", "float32"}
        What a step computes rows in. With ``"float32"``, which needs native steps, values and
        adjoints are rounded to 32 bits, so large layers take about half the time; parameters,
        optimizer and sums over a batch keep 64 bits, and so do validation and prediction.
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
    _check(model, callback, validation)
    epochs, loss = size(epochs, "epochs"), chosen_loss(loss)
    logits = on_logits(loss)
    forward, switched = forward_of(model, logits), switches(model)
    data = checked_data(model, loss, rows, targets, "the training data")
    good, wanted, outputs = data
    judge = judging(outputs, wanted, logits)
    weights = None if sample_weight is None else checked_weights(sample_weight, len(good))
    stepper = chosen_optimizer(optimizer, model.parameters())
    batch = _batch(batch_size, len(good), stepper)
    single = _single(dtype, native, stepper)
    # A model may keep its programs for the next training.
    programs: Programs = getattr(model, "programs", None) or Programs()

    def natively(data: Checked, flag: bool, noise: Noise | None, weights: Any) -> Epochs | None:
        if native is False:
            return None
        with training(switched, flag):
            return native_epochs(
                forward,
                loss,
                stepper,
                data,
                noise,
                padded=bool(getattr(model, "padding", False)),
                must=bool(native) and flag,
                weights=weights,
                programs=programs,
                mode=bool(switched) and flag,
                single=single and flag,
            )

    with training(switched, True):
        noise = _noise(forward, good)
    steps = natively(data, True, noise, weights)
    if (native or single) and steps is None:
        instead = "dtype='float64'" if single else "native=False"
        raise ValueError(
            "the steps cannot run natively: model, loss or optimizer cannot be recorded; "
            f"{instead} takes them on the tape"
        )
    look = None
    if validation is not None:
        seen = checked_data(model, loss, *validation, "the validation data")
        seen_natively = natively(seen, False, None, None) if noise is None else None
        look = Look(forward, loss, seen_natively, judge, seen.rows, seen.targets, switched)
    history = History() if history is None else history
    shown = Progress(epochs) if progress is True else progress or None

    def after(epoch: int) -> bool:
        if look is not None:
            look(history)
        if shown is not None:
            shown.show(history)
        return callback is not None and callback(epoch, history) is True

    with training(switched, True), shown if shown is not None else nullcontext():
        if isinstance(stepper, LBFGS):
            whole = Whole(forward, loss, stepper, steps, good, wanted, weights)
            _search(stepper, whole, judge, noise, history, after, epochs)
        else:
            step = _eager_step(
                noisy(forward, noise) if noise else forward, weighted(loss, weights), stepper
            )
            one_pass = Pass(step, steps, judge, good, wanted, batch, weights)
            _step_on_batches(one_pass, noise, history, after, epochs, shuffle, seed)
    return history
