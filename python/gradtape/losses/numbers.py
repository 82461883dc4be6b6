"""Losses of numbers that are to be hit."""

import math
from collections.abc import Sequence
from typing import Any

import gradtape._core as _core
from gradtape._core import Value
from gradtape.losses.rows import as_row, check_lengths, differences, mean, number, pairs


def squared_loss(predictions: Sequence[Any], targets: Sequence[Any]) -> Value:
    """Mean over the rows of ½‖p − t‖².

    Parameters
    ----------
    predictions : m rows of n Values or numbers
    targets : m rows of n numbers

    Examples
    --------
    >>> squared_loss([[1.0, 2.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]])
    Value(data=1.0)
    """
    rows = differences(predictions, targets)
    return mean([_core.dot(row, row) for row in rows], 2 * len(rows))


def mean_squared_error(predictions: Sequence[Any], targets: Sequence[Any]) -> Value:
    """Mean over all numbers of (p − t)²; sizes and errors as for `squared_loss`.

    Examples
    --------
    >>> mean_squared_error([[1.0, 2.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]])
    Value(data=1.0)
    >>> mean_squared_error([3.0, 1.0], [1.0, 1.0])
    Value(data=2.0)
    """
    rows = differences(predictions, targets)
    return mean([_core.dot(row, row) for row in rows], sum(map(len, rows)))


def quantile(predictions: Sequence[Any], targets: Sequence[Any], *, level: float = 0.5) -> Value:
    """Mean over all numbers of the pinball loss, whose least lies at a quantile of the targets.

    For e = t − p it is ``level * e`` where e is positive, else ``(level - 1) * e`` (Koenker and
    Bassett 1978). At e = 0 its derivative is that of `gradtape.maximum` of equals.

    Parameters
    ----------
    predictions, targets
        As for `squared_loss`.
    level : float
        Which quantile, between 0 and 1; 0.5 is the median.

    Raises
    ------
    ValueError
        If the level is not between 0 and 1.

    Examples
    --------
    >>> quantile([1.0, 1.0], [3.0, 0.0], level=0.75)
    Value(data=0.875)
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be between 0 and 1, not {level}")
    terms = [
        _core.maximum(-level * e, (1.0 - level) * e)
        for row in differences(predictions, targets)
        for e in row
    ]
    return mean(terms, len(terms))


def huber(predictions: Sequence[Any], targets: Sequence[Any], *, delta: float = 1.0) -> Value:
    """Mean over all numbers of a loss that is a parabola near 0 and straight far out.

    For e = p − t it is ``e**2 / 2`` up to ``|e| = delta`` and ``delta * (|e| - delta / 2)`` beyond
    (Huber 1964): a target that is far off pulls no harder than one at `delta`.

    Parameters
    ----------
    predictions, targets
        As for `squared_loss`.
    delta : float
        Positive and finite.

    Raises
    ------
    ValueError
        If delta is not positive and finite.

    Examples
    --------
    >>> huber([1.0, 1.0], [0.0, 4.0], delta=2.0)
    Value(data=2.25)
    """
    if not 0.0 < delta < math.inf:
        raise ValueError(f"delta must be positive and finite, not {delta}")
    terms = []
    for row in differences(predictions, targets):
        for e in row:
            # Both pieces in one formula: a branch would be a path for each number of a row.
            far = _core.abs(e)
            near = _core.minimum(far, delta)
            terms.append(near * (far - 0.5 * near))
    return mean(terms, len(terms))


def poisson(predictions: Sequence[Any], targets: Sequence[Any]) -> Value:
    """Mean over all numbers of exp(z) − t·z: counts t, whose rate has the logarithm z.

    The negative log-likelihood of a Poisson distribution, without log t!, which no prediction
    changes.

    Parameters
    ----------
    predictions : m rows of n Values or numbers
        Logarithms of rates.
    targets : m rows of n numbers
        Counts, none negative.

    Raises
    ------
    ValueError
        If a count is negative or nan.

    Examples
    --------
    >>> poisson([0.0, 0.0], [3, 0])
    Value(data=1.0)
    """
    terms: list[Any] = []
    for i, (row, target) in enumerate(pairs(predictions, targets)):
        row, target = as_row(row), as_row(target)
        check_lengths(row, target, i)
        for z, t in zip(row, target, strict=True):
            if not t >= 0:
                raise ValueError(f"row {i}: the count {t} is not a number from 0")
            terms.append(_core.exp(z) - number(t) * z)
    return mean(terms, len(terms))
