"""What losses share: rows of predictions with their targets, and marks for `fit`."""

from collections.abc import Callable, Sequence
from operator import index
from typing import Any, TypeVar

import gradtape._core as _core
from gradtape._core import Value

Loss = Callable[[Sequence[Any], Sequence[Any]], Value]
F = TypeVar("F", bound=Callable[..., Any])


def on_logits(loss: F) -> F:
    """Mark a loss that takes logits: ``fit`` then gives it ``model.logits(row)``.

    Examples
    --------
    >>> from gradtape.losses import categorical_cross_entropy
    >>> @on_logits
    ... def my_loss(predictions, targets):
    ...     return 1.1 * categorical_cross_entropy(predictions, targets)
    """
    loss.__dict__["on_logits"] = True
    return loss


def pairs(predictions: Sequence[Any], targets: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Each row of predictions with its target; both must be as many, and at least one."""
    if len(predictions) != len(targets):
        raise ValueError(
            f"{len(predictions)} rows of predictions take as many targets, not {len(targets)}"
        )
    if len(predictions) == 0:
        raise ValueError("a loss takes at least one row, not none")
    return list(zip(predictions, targets, strict=True))


def number(target: Any) -> Any:
    """A target as a float; a Value while a loss is recorded for its targets as arguments."""
    return target if isinstance(target, Value) else float(target)


def as_row(row: Any) -> Any:
    """A row; a single number or Value stands for a row of one."""
    return row if hasattr(row, "__len__") else [row]


def mean(terms: Sequence[Value | float], count: int) -> Value:
    """The sum of the terms over `count`, a Value also where no term is one."""
    total = _core.sum(terms) / count
    return total if isinstance(total, Value) else Value(total)


def class_index(target: Any, i: int, classes: int) -> int:
    """`target` as an index; row `i` and the number of classes are named in the error."""
    try:
        place = index(target)
    except TypeError:
        raise TypeError(
            f"row {i}: the target must be a class index, an integer from 0 to {classes - 1}, "
            f"not {type(target).__name__} {target!r}"
        ) from None
    if not 0 <= place < classes:
        raise ValueError(
            f"row {i}: target {place} is outside the {classes} classes 0 to {classes - 1}"
        )
    return place


def check_lengths(row: Any, target: Any, i: int, what: str = "predictions") -> None:
    """Refuse a target of another length than its row of predictions, the `i`-th."""
    if len(row) != len(target):
        one = "; classes of rows are given flat, as by .ravel()" if len(target) == 1 else ""
        raise ValueError(f"row {i}: {len(row)} {what} take as many targets, not {len(target)}{one}")


def differences(predictions: Sequence[Any], targets: Sequence[Any]) -> list[list[Any]]:
    """Rows of prediction − target, of rows of the same lengths."""
    rows = []
    for i, (row, target) in enumerate(pairs(predictions, targets)):
        row, target = as_row(row), as_row(target)
        check_lengths(row, target, i)
        rows.append([p - number(t) for p, t in zip(row, target, strict=True)])
    return rows
