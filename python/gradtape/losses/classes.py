"""Losses of classes that are to be told apart."""

import math
from collections.abc import Sequence
from typing import Any

import gradtape._core as _core
from gradtape._core import Value
from gradtape.losses.rows import as_row, check_lengths, class_index, mean, number, on_logits, pairs


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

    Raises
    ------
    TypeError
        If a target is no integer.
    ValueError
        If a target is outside the classes.

    Examples
    --------
    >>> categorical_cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [1, 0])
    Value(data=0.34657359027997264)
    >>> categorical_cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [[0, 1], [1, 0]])
    Value(data=0.34657359027997264)
    """
    terms = []
    for i, (row, target) in enumerate(pairs(predictions, targets)):
        # The usual case is told apart here, to save a call a row.
        if type(target) is int and 0 <= target < len(row):
            right = row[target]
        elif isinstance(target, str) or not hasattr(target, "__len__"):
            right = row[class_index(target, i, len(row))]
        else:
            check_lengths(row, target, i, "logits")
            right = _core.dot([number(t) for t in target], row)
        terms.append(_core.logsumexp(row) - right)
    return mean(terms, len(terms))


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

    Raises
    ------
    ValueError
        If a target is outside [0, 1].

    Examples
    --------
    >>> binary_cross_entropy([0.0, 1000.0], [1, 1])
    Value(data=0.34657359027997264)
    """
    terms: list[Value | float] = []
    for i, (row, target) in enumerate(pairs(predictions, targets)):
        row, target = as_row(row), as_row(target)
        check_lengths(row, target, i, "logits")
        for z, t in zip(row, target, strict=True):
            if not 0 <= t <= 1:
                raise ValueError(f"row {i}: target {t} is outside [0, 1]")
            terms.append(_core.softplus(z) - number(t) * z)
    return mean(terms, len(terms))


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

    Raises
    ------
    ValueError
        If a target is none of those.

    Examples
    --------
    >>> hinge([0.5, -3.0], [1, -1])
    Value(data=0.25)
    >>> hinge([[2.0, 1.5, -1.0]], [0])
    Value(data=0.5)
    """
    rows = pairs(predictions, targets)
    terms: list[Value | float] = []
    for i, (row, target) in enumerate(rows):
        row = as_row(row)
        if len(row) == 1:
            if hasattr(target, "__len__"):
                (target,) = target
            if target not in (-1, 1):
                raise ValueError(f"row {i}: with one score a target is -1 or 1, not {target!r}")
            terms.append(_core.relu(1.0 - int(target) * row[0]))
            continue
        right = class_index(target, i, len(row))
        score = row[right]
        terms += [_core.relu(1.0 + s - score) for j, s in enumerate(row) if j != right]
    return mean(terms, len(rows))


@on_logits
def focal(predictions: Sequence[Any], targets: Sequence[Any], *, focus: float = 2.0) -> Value:
    """Mean over the rows of −(1 − q)**focus · log q, where q = softmax(p)[t], from logits.

    A cross-entropy that counts rows less the surer they are right (Lin et al. 2017); with
    ``focus=0`` it is `categorical_cross_entropy`.

    Parameters
    ----------
    predictions : m rows of k Values or numbers
        Logits: outputs *before* a softmax.
    targets : m integers, or m rows of k numbers
        As for `categorical_cross_entropy`; with probabilities, the mean over the classes by them.
    focus : float
        0, or from 1.

    Raises
    ------
    TypeError
        If a target is no integer.
    ValueError
        If the focus is none of those, a target is outside the classes.

    Examples
    --------
    >>> round(focal([[0.0, 0.0]], [1]).data, 6)  # 0.25 * log(2)
    0.173287
    """
    if not (focus == 0.0 or 1.0 <= focus < math.inf):
        # Between them the slope of (1 - q)**focus is infinite where a row is surely right.
        raise ValueError(f"focus must be 0 or a finite number from 1, not {focus}")
    terms: list[Any] = []
    rows = pairs(predictions, targets)
    for i, (row, target) in enumerate(rows):
        total = _core.logsumexp(row)
        if isinstance(target, str) or not hasattr(target, "__len__"):
            terms.append(_focused(row[class_index(target, i, len(row))] - total, focus))
        else:
            check_lengths(row, target, i, "logits")
            each = [_focused(p - total, focus) for p in row]
            terms.append(_core.dot([number(t) for t in target], each))
    return mean(terms, len(rows))


def _focused(logarithm: Any, focus: float) -> Any:
    """−(1 − q)**focus · log q from log q."""
    if focus == 0.0:
        return -logarithm
    return _core.pow(-_core.expm1(logarithm), focus) * -logarithm


focal.__dict__["takes_probabilities"] = True
