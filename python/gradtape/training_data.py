"""Rows, targets and weights as model and loss accept them, before anything is trained."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradtape._core import Value
from gradtape.compiling import compile
from gradtape.data.checking import check_kind, checked_rows, checked_targets, listed
from gradtape.functions import no_grad
from gradtape.losses import Loss

__all__ = [
    "Checked",
    "Data",
    "Forward",
    "Judge",
    "check_loss",
    "checked_data",
    "checked_weights",
    "data_of",
    "forward_of",
    "judging",
    "on_logits",
    "told",
]

# An array where all are of one kind.
Data = NDArray[Any] | list[Any]
# The outputs for each row of a batch.
Forward = Callable[[Sequence[Any]], Sequence[Sequence[Value]]]
# How many of some rows' outputs are right for their targets.
Judge = Callable[[Any, Any], int]
# So many targets are shown to a loss one by one; of more, each that is different.
FEW_TARGETS = 1000


class Checked(NamedTuple):
    """Rows and targets that model and loss accept, and the number of outputs."""

    rows: Data
    targets: Data
    outputs: int


def data_of(outputs: Sequence[Any]) -> list[float]:
    """The outputs of a row as plain numbers."""
    return [x.data if isinstance(x, Value) else float(x) for x in outputs]


def on_logits(loss: Loss) -> bool:
    """Whether a loss takes outputs before a final softmax."""
    return bool(getattr(loss, "on_logits", False))


def forward_of(model: Any, logits: bool) -> Forward:
    """A batch in one call where the model has that, else row by row."""
    batch = getattr(model, "batch", None)
    if batch is not None:
        return lambda rows: batch(rows, logits=logits)
    one = getattr(model, "logits", model) if logits else model
    return lambda rows: [one(row) for row in rows]


def checked_data(
    model: Any, loss: Loss, rows: Sequence[Any], targets: Sequence[Any], what: str
) -> Checked:
    """Rows and targets, looked at before anything is trained.

    Raises
    ------
    TypeError, ValueError
        As from `gradtape.fit`.
    """
    good_rows = checked_rows(rows, what, sequences=bool(getattr(model, "sequences", False)))
    good_targets = checked_targets(targets, len(good_rows), what)
    with no_grad():
        # One row shows what outputs look like; they are Values, as in training.
        with told(f"{what}, row 0: "):
            found = forward_of(model, on_logits(loss))(listed(good_rows[:1]))[0]
        outputs = [Value(number) for number in data_of(found)]
        with told(f"{what}, ", only="row "):
            _show_targets(loss, outputs, good_targets)
    return Checked(good_rows, good_targets, len(outputs))


@contextmanager
def told(where: str, only: str = "") -> Iterator[None]:
    """Tell in an error whose rows it is about, if its text starts with `only`."""
    try:
        yield
    except (TypeError, ValueError) as error:
        # Of kinds of their own, a text is not all that there is.
        if type(error) in (TypeError, ValueError) and str(error).startswith(only):
            raise type(error)(f"{where}{error}") from error
        raise


def check_loss(total: Any) -> Value:
    """A loss, if it can be differentiated.

    Raises
    ------
    TypeError
        If it is a plain number, or anything else.
    """
    if isinstance(total, Value):
        return total
    if isinstance(total, (int, float)):
        raise TypeError(
            f"the loss must give a Value, not {type(total).__name__} {total!r}, which has no "
            "gradient: compute it from the outputs themselves, not from their .data"
        )
    shown = "None" if total is None else f"a {type(total).__name__}"
    raise TypeError(f"the loss must give one Value, the mean over the rows, not {shown}")


def _show_targets(loss: Loss, outputs: list[Value], targets: Data) -> None:
    """Let the loss see every target once, so that a wrong one is found before the training."""
    if isinstance(targets, np.ndarray) and len(targets) > FEW_TARGETS:
        # What is wrong is told below, with the number of the row.
        with suppress(Exception):
            _show_kinds(loss, outputs, targets)
            return
    check_loss(loss([outputs] * len(targets), listed(targets)))


def _show_kinds(loss: Loss, outputs: list[Value], targets: NDArray[Any]) -> None:
    """Let the loss see those that are different or, of many, all in a replay."""
    if targets.ndim == 1:
        kinds = np.unique(targets)
        if len(kinds) <= FEW_TARGETS:
            check_loss(loss([outputs] * len(kinds), kinds.tolist()))
            return

    def one(t: Any) -> Any:
        return loss([outputs], [t[0] if targets.ndim == 1 else t.tolist()])

    compile(one, signature="(k)->()")(targets.reshape(len(targets), -1))


def judging(outputs: int, targets: Data, logits: bool) -> Judge | None:
    """How to tell whether outputs are right for a target; `None` if the targets are no classes."""
    if not isinstance(targets, np.ndarray):
        if any(hasattr(target, "__len__") for target in targets):
            return None
        targets = np.array(list(map(float, targets)))
    if targets.ndim > 1:
        return None
    if outputs > 1:
        if (targets != np.floor(targets)).any():
            return None
        return lambda rows, targets: int(np.sum(np.argmax(rows, axis=1) == np.asarray(targets)))
    kinds = set(np.unique(targets).tolist()[:3])
    if not (kinds <= {0.0, 1.0} or kinds <= {-1.0, 1.0}):
        return None
    # Scores are cut at 0, probabilities between the two targets.
    threshold = 0.5 if kinds <= {0.0, 1.0} and not logits else 0.0

    def judge(rows: Any, targets: Any) -> int:
        return int(np.sum((np.asarray(rows)[:, 0] > threshold) == (np.asarray(targets) > 0)))

    return judge


def checked_weights(weights: Sequence[float], rows: int) -> NDArray[np.float64]:
    """The weights, one a row and none negative, over their mean.

    Raises
    ------
    TypeError, ValueError
        If they are none.

    Examples
    --------
    >>> checked_weights([1.0, 3.0], 2)
    array([0.5, 1.5])
    """
    check_kind(weights, "sample_weight", "numbers, one a row,")
    given = list(weights)
    if len(given) != rows:
        raise ValueError(f"sample_weight: {rows} rows take as many weights, not {len(given)}")
    for i, weight in enumerate(given):
        number = isinstance(weight, Real) and math.isfinite(weight)
        if not number or weight < 0:
            raise ValueError(
                f"sample_weight of row {i} must be a finite number from 0, not {weight!r}"
            )
    found = np.array(given, dtype=np.float64)
    total = float(found.sum())
    if not total > 0:
        raise ValueError("sample_weight must not be 0 in every row")
    return found * rows / total
