"""Splitting rows into two parts, and bringing columns to one scale."""

import math
from collections.abc import Sequence
from typing import TypeVar

R = TypeVar("R")
T = TypeVar("T")


def train_test_split(
    rows: Sequence[R],
    targets: Sequence[T],
    test_size: float = 0.25,
    seed: int = 42,
) -> tuple[list[R], list[R], list[T], list[T]]:
    """Split rows and targets at random; the same split as scikit-learn's for the same seed.

    Parameters
    ----------
    rows, targets : sequences of length m
    test_size : float
        The share of the rows that is kept for the test, between 0 and 1; it is rounded up.
    seed : int
        scikit-learn's ``random_state``, from 0 to 2³² − 1.

    Returns
    -------
    train_rows, test_rows, train_targets, test_targets : lists

    Raises
    ------
    ValueError
        If the lengths differ, `test_size` is not between 0 and 1, a part would be empty, or the
        seed is out of range.

    Examples
    --------
    >>> train_test_split([[0], [1], [2], [3]], "abcd")
    ([[3], [0], [2]], [[1]], ['d', 'a', 'c'], ['b'])
    """
    if len(rows) != len(targets):
        raise ValueError(f"{len(rows)} rows take as many targets, not {len(targets)}")
    if not 0.0 < test_size < 1.0:
        raise ValueError(f"test_size must be between 0 and 1, not {test_size}")
    count = math.ceil(test_size * len(rows))
    if not 0 < count < len(rows):
        raise ValueError(
            f"{len(rows)} row{'s' * (len(rows) != 1)} cannot be split with test_size {test_size}: "
            "both parts need at least one row"
        )
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be from 0 to 2**32 - 1, not {seed}")
    # NumPy's old generator, because scikit-learn's random_state means exactly this one.
    from numpy.random import RandomState

    order = [int(i) for i in RandomState(seed).permutation(len(rows))]
    test, train = order[:count], order[count:]
    return (
        [rows[i] for i in train],
        [rows[i] for i in test],
        [targets[i] for i in train],
        [targets[i] for i in test],
    )


def _scale(column: Sequence[float]) -> tuple[float, float, float]:
    """A unit, and the column's mean and standard deviation in that unit."""
    if min(column) == max(column):
        return 1.0, 0.0, 0.0
    # A power of two near the largest number: dividing by it is exact, and no square overflows.
    unit = math.ldexp(1.0, math.frexp(max(map(abs, column)))[1] - 1)
    shares = [x / unit for x in column]
    mean = math.fsum(shares) / len(shares)
    return unit, mean, math.sqrt(math.fsum((x - mean) ** 2 for x in shares) / len(shares))


def standardise(
    train: Sequence[Sequence[float]], *others: Sequence[Sequence[float]]
) -> tuple[list[list[float]], ...]:
    """Shift and scale each column to mean 0 and standard deviation 1 over the rows of `train`.

    The other rows get the same shift and scale, so that a test learns nothing from its own rows.
    A column that is constant in `train` becomes 0 everywhere.

    Parameters
    ----------
    train : m rows of n numbers
    *others : rows of n numbers

    Returns
    -------
    tuple of lists of rows
        One for `train` and one for each of the others.

    Raises
    ------
    ValueError
        If `train` has no row or the rows differ in length.

    Examples
    --------
    >>> standardise([[1.0], [3.0]], [[4.0]])
    ([[-1.0], [1.0]], [[2.0]])
    """
    if not train:
        raise ValueError("there is no row to standardise")
    width = len(train[0])
    for rows in (train, *others):
        for i, row in enumerate(rows):
            if len(row) != width:
                raise ValueError(f"row {i} has {len(row)} numbers where the first has {width}")
    scales = [_scale(column) for column in zip(*train, strict=True)]

    def scaled(row: Sequence[float]) -> list[float]:
        columns = zip(row, scales, strict=True)
        return [
            (float(x) / unit - mean) / deviation if deviation else 0.0
            for x, (unit, mean, deviation) in columns
        ]

    return tuple([scaled(row) for row in rows] for rows in (train, *others))
