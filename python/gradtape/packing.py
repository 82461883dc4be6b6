"""Rows of any shape as the columns of one array, which programs read."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradtape._core import greater_equal
from gradtape.nn.nested import Steps

__all__ = ["Packing"]


def _shape(x: Any) -> tuple[int, ...]:
    if isinstance(x, np.ndarray):
        return tuple(x.shape)
    return (len(x), *_shape(x[0])) if isinstance(x, list) else ()


def _folded(numbers: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Lists in lists of this shape, which has one axis at least."""
    for count in reversed(shape[1:]):
        numbers = [numbers[i : i + count] for i in range(0, len(numbers), count)]
    return numbers


def _grouped(lengths: list[int]) -> list[int]:
    """The longest of each group of lengths, none of which is less than half of it."""
    tops: list[int] = []
    for length in reversed(lengths):
        if not tops or 2 * length < tops[-1]:
            tops.append(length)
    return tops[::-1]


class Packing:
    """How rows become columns, and columns rows again.

    Rows of one shape become their numbers, one after the other. Where rows differ in their first
    axis (sequences), the first column is its length, and zeros follow what a row has. When such a
    row is recorded, questions for its length make each length a path of its own: no row is
    computed beyond its end, and a model sees no padding. A batch then has few rows a path, which
    costs as much as full ones. So a model that knows padding gets `Steps` padded to at most twice
    their length, and a path for each of those few lengths.

    Parameters
    ----------
    rows : numpy.ndarray or sequence of nested lists
        As `gradtape.data.checking.checked_rows` gives them.
    padded : bool
        Whether rows may be given as `gradtape.nn.nested.Steps`.

    Attributes
    ----------
    columns : numpy.ndarray
        (m, n).
    lengths : list of int
        Of the first axis, in increasing order: those that are given.

    Examples
    --------
    >>> packing = Packing([[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]])
    >>> packing.columns
    array([[1., 1., 2., 0., 0.],
           [2., 3., 4., 5., 6.]])
    >>> packing.row(packing.columns[0].tolist())
    [[1.0, 2.0]]
    """

    def __init__(
        self, rows: NDArray[np.float64] | Sequence[list[Any]], *, padded: bool = False
    ) -> None:
        one = isinstance(rows, np.ndarray)
        known = [len(rows[0])] if one else sorted(set(map(len, rows)))
        self._step, self._padded = _shape(rows[0])[1:], padded
        self._vary = len(known) > 1
        self.lengths = _grouped(known) if padded else known
        # Of the rows that are given with a length, the shortest.
        self._shortest = {
            top: min(n for n in known if below < n <= top)
            for below, top in zip([0, *self.lengths], self.lengths, strict=False)
        }
        if not self._vary:
            # Row by row in memory, as batches are gathered.
            self.columns = np.ascontiguousarray(rows, dtype=np.float64).reshape(len(rows), -1)
            return
        size = prod(self._step)
        self.columns = np.zeros((len(rows), 1 + known[-1] * size))
        for columns, row in zip(self.columns, rows, strict=True):
            columns[0] = len(row)
            columns[1 : 1 + len(row) * size] = np.array(row, dtype=np.float64).reshape(-1)

    @property
    def key(self) -> tuple[Any, ...]:
        """What another packing must have in common for a program of this one to read its rows."""
        return self._step, self._padded, self._vary, tuple(self._shortest.items())

    def _length(self, number: Any) -> int:
        low, high = 0, len(self.lengths) - 1
        while low < high:
            middle = (low + high) // 2
            if number <= self.lengths[middle]:
                high = middle
            else:
                low = middle + 1
        return self.lengths[low]

    def row(self, columns: Sequence[Any]) -> list[Any]:
        """The row that has these columns, numbers or Values."""
        numbers: list[Any] = list(columns)
        if not self._vary:
            return _folded(numbers, (self.lengths[0], *self._step))
        length = self._length(numbers[0])
        row = _folded(numbers[1 : 1 + length * prod(self._step)], (length, *self._step))
        if not self._padded:
            return row
        always = self._shortest[length]
        present = [
            None if i < always else greater_equal(numbers[0], i + 1.0) for i in range(length)
        ]
        return Steps(row, present)
