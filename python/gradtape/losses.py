"""Losses: how far rows of predictions are from their targets, as one Value.

Each takes the predictions of several rows and as many targets, and gives the mean over the rows
(or over all numbers, where it says so). A row of predictions is a sequence of Values or numbers;
a single Value or number stands for a row of one.
"""

from collections.abc import Callable, Sequence
from operator import index
from typing import Any, TypeVar

import gradtape._core as _core
from gradtape._core import Value

Loss = Callable[[Sequence[Any], Sequence[Any]], Value]
F = TypeVar("F", bound=Callable[..., Any])

__all__ = [
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "hinge",
    "mean_squared_error",
    "on_logits",
    "squared_loss",
]


def on_logits(loss: F) -> F:
    """Mark a loss that takes logits: ``fit`` then gives it ``model.logits(row)``.

    Examples
    --------
    >>> @on_logits
    ... def my_loss(predictions, targets):
    ...     return 1.1 * categorical_cross_entropy(predictions, targets)
    """
    loss.__dict__["on_logits"] = True
    return loss


def _pairs(predictions: Sequence[Any], targets: Sequence[Any]) -> list[tuple[Any, Any]]:
    if len(predictions) != len(targets):
        raise ValueError(
            f"{len(predictions)} rows of predictions take as many targets, not {len(targets)}"
        )
    if len(predictions) == 0:
        raise ValueError("a loss takes at least one row, not none")
    return list(zip(predictions, targets, strict=True))


def _number(target: Any) -> Any:
    """A target as a float; a Value while a loss is recorded for its targets as arguments."""
    return target if isinstance(target, Value) else float(target)


def _row(row: Any) -> Any:
    return row if hasattr(row, "__len__") else [row]


def _mean(terms: Sequence[Value | float], count: int) -> Value:
    total = _core.sum(terms) / count
    return total if isinstance(total, Value) else Value(total)


def _class_index(target: Any, i: int, classes: int) -> int:
    """`target` as an index; row `i` and the number of classes are named in the error."""
    try:
        number = index(target)
    except TypeError:
        raise TypeError(
            f"row {i}: the target must be a class index, an integer from 0 to {classes - 1}, "
            f"not {type(target).__name__} {target!r}"
        ) from None
    if not 0 <= number < classes:
        raise ValueError(
            f"row {i}: target {number} is outside the {classes} classes 0 to {classes - 1}"
        )
    return number


def _differences(predictions: Sequence[Any], targets: Sequence[Any]) -> list[list[Any]]:
    rows = []
    for i, (row, target) in enumerate(_pairs(predictions, targets)):
        row, target = _row(row), _row(target)
        if len(row) != len(target):
            raise ValueError(
                f"row {i}: {len(row)} predictions take as many targets, not {len(target)}"
            )
        rows.append([p - _number(t) for p, t in zip(row, target, strict=True)])
    return rows


def squared_loss(predictions: Sequence[Any], targets: Sequence[Any]) -> Value:
    """Mean over the rows of ½‖p − t‖².

    Parameters
    ----------
    predictions : m rows of n Values or numbers
    targets : m rows of n numbers

    Returns
    -------
    Value

    Raises
    ------
    ValueError
        If the sizes do not fit or there is no row.

    Examples
    --------
    >>> squared_loss([[1.0, 2.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]])
    Value(data=1.0)
    """
    rows = _differences(predictions, targets)
    return _mean([_core.dot(row, row) for row in rows], 2 * len(rows))


def mean_squared_error(predictions: Sequence[Any], targets: Sequence[Any]) -> Value:
    """Mean over all numbers of (p − t)²; sizes and errors as for `squared_loss`.

    Examples
    --------
    >>> mean_squared_error([[1.0, 2.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]])
    Value(data=1.0)
    >>> mean_squared_error([3.0, 1.0], [1.0, 1.0])
    Value(data=2.0)
    """
    rows = _differences(predictions, targets)
    return _mean([_core.dot(row, row) for row in rows], sum(map(len, rows)))


@on_logits
def categorical_cross_entropy(predictions: Sequence[Any], targets: Sequence[Any]) -> Value:
    """Mean over the rows of −log softmax(p)[t], from logits.

    Computed as ``logsumexp(p) - p[t]``, which neither overflows nor takes the logarithm of a
    probability that was rounded to 0.

    Parameters
    ----------
    predictions : m rows of k Values or numbers
        Logits: outputs *before* a softmax.
    targets : m integers, or m rows of k numbers
        The class of each row, from 0 to k − 1; or the probability of each class, of which a row
        has k that add up to 1.

    Returns
    -------
    Value

    Raises
    ------
    TypeError
        If a target is no integer.
    ValueError
        If a target is outside the classes, the lengths differ or there is no row.

    Examples
    --------
    >>> categorical_cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [1, 0])
    Value(data=0.34657359027997264)
    >>> categorical_cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [[0, 1], [1, 0]])
    Value(data=0.34657359027997264)
    """
    terms = []
    for i, (row, target) in enumerate(_pairs(predictions, targets)):
        # The usual case is told apart here, to save a call a row.
        if type(target) is int and 0 <= target < len(row):
            right = row[target]
        elif isinstance(target, str) or not hasattr(target, "__len__"):
            right = row[_class_index(target, i, len(row))]
        elif len(target) != len(row):
            raise ValueError(f"row {i}: {len(row)} logits take as many targets, not {len(target)}")
        else:
            right = _core.dot([_number(t) for t in target], row)
        terms.append(_core.logsumexp(row) - right)
    return _mean(terms, len(terms))


categorical_cross_entropy.__dict__["takes_probabilities"] = True


@on_logits
def binary_cross_entropy(predictions: Sequence[Any], targets: Sequence[Any]) -> Value:
    """Mean over all numbers of −t·log σ(z) − (1 − t)·log(1 − σ(z)), from logits z.

    Computed as ``softplus(z) - t * z``, which is the same and neither overflows nor loses a
    probability that is near 0 or 1.

    Parameters
    ----------
    predictions : m rows of n Values or numbers
        Logits: outputs *before* a sigmoid. Several in a row are independent labels.
    targets : m rows of n numbers
        Probabilities, mostly 0 or 1.

    Returns
    -------
    Value

    Raises
    ------
    ValueError
        If a target is outside [0, 1], the sizes do not fit or there is no row.

    Examples
    --------
    >>> binary_cross_entropy([0.0, 1000.0], [1, 1])
    Value(data=0.34657359027997264)
    """
    terms: list[Value | float] = []
    for i, (row, target) in enumerate(_pairs(predictions, targets)):
        row, target = _row(row), _row(target)
        if len(row) != len(target):
            raise ValueError(f"row {i}: {len(row)} logits take as many targets, not {len(target)}")
        for z, t in zip(row, target, strict=True):
            if not 0 <= t <= 1:
                raise ValueError(f"row {i}: target {t} is outside [0, 1]")
            terms.append(_core.softplus(z) - _number(t) * z)
    return _mean(terms, len(terms))


@on_logits
def hinge(predictions: Sequence[Any], targets: Sequence[Any]) -> Value:
    """Mean over the rows of the hinge loss with margin 1.

    With one score a row: max(0, 1 − t·s) for a target t of −1 or 1. With several: the sum over
    the wrong classes j of max(0, 1 + s[j] − s[t]) for a class index t (Weston and Watkins 1999).

    Parameters
    ----------
    predictions : m rows of k Values or numbers
        Scores.
    targets : m integers
        −1 or 1 with one score a row; else the class of each row, from 0 to k − 1.

    Returns
    -------
    Value

    Raises
    ------
    ValueError
        If a target is none of those, the lengths differ or there is no row.

    Examples
    --------
    >>> hinge([0.5, -3.0], [1, -1])
    Value(data=0.25)
    >>> hinge([[2.0, 1.5, -1.0]], [0])
    Value(data=0.5)
    """
    pairs = _pairs(predictions, targets)
    terms: list[Value | float] = []
    for i, (row, target) in enumerate(pairs):
        row = _row(row)
        if len(row) == 1:
            if hasattr(target, "__len__"):
                (target,) = target
            if target not in (-1, 1):
                raise ValueError(f"row {i}: with one score a target is -1 or 1, not {target!r}")
            terms.append(_core.relu(1.0 - int(target) * row[0]))
            continue
        right = _class_index(target, i, len(row))
        score = row[right]
        terms += [_core.relu(1.0 + s - score) for j, s in enumerate(row) if j != right]
    return _mean(terms, len(pairs))
