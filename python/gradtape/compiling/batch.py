"""Broadcasting: a call's leaves as arrays of rows, and gradients back in the leaves' shapes."""

from collections.abc import Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Plan"]

Numbers: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]


class _Piece:
    """Leaves that reach the program as one array of rows: one array, or neighbouring floats.

    `rows` is 1 where all rows share it. `axes` are those of the loop along which it is repeated
    though not along all of them, so that it must be copied; None where it need not.
    """

    __slots__ = ("as_is", "axes", "columns", "loop", "rows", "shape", "size", "start", "stop")

    def __init__(self, start: int, shape: Shape | None, loop: Shape, columns: Shape) -> None:
        self.start, self.stop = start, start + 1
        self.shape, self.columns, self.size = shape, columns, prod(columns)
        own: Shape = () if shape is None else shape[: len(shape) - len(columns)]
        rows = prod(own)
        self.axes: Shape | None = None
        self.rows = rows if rows == prod(loop) else 1
        self.loop = (1,) * (len(loop) - len(own)) + own
        if rows not in (1, self.rows):
            self.rows = prod(loop)
            self.axes = tuple(
                i for i, (a, b) in enumerate(zip(self.loop, loop, strict=True)) if a != b
            )
        self.as_is = self.axes is None and shape == (self.rows, self.size)

    def array(self, leaves: Sequence[Any], loop: Shape) -> Numbers:
        """The leaves as an array (rows, size) or (1, size); copied only where strides demand it."""
        x: Numbers = leaves[self.start]
        if self.as_is:
            return x
        if self.shape is None:
            return np.array(leaves[self.start : self.stop], dtype=np.float64, ndmin=2)
        if self.axes is not None:
            x = np.broadcast_to(x, loop + self.columns)
        return x.reshape(self.rows, self.size)

    def gradients(self, gradient: Numbers, loop: Shape) -> list[Any]:
        """The gradient of each leaf, in its shape."""
        if self.shape is None:
            numbers: list[Any] = gradient[0].tolist()
            return numbers
        if self.axes is not None:
            gradient = gradient.reshape(loop + self.columns).sum(axis=self.axes)
        return [gradient.reshape(self.shape) if self.shape else float(gradient.item())]


class Plan:
    """How leaves of certain shapes become rows.

    Parameters
    ----------
    loop : tuple of int
        The shape over which the leaves broadcast; its size is the number of rows.
    shapes : sequence of tuple of int or None
        The shape of each leaf; None is a Python float.
    cores : sequence of tuple of int
        The last dimensions of each that belong to one row.

    Attributes
    ----------
    rows : int
    scalar : bool
        No leaf has a dimension of the loop: results are numbers.

    Examples
    --------
    >>> import numpy as np
    >>> plan = Plan((2, 3), [(2, 3), None, (3,)], [(), (), ()])
    >>> [x.shape for x in plan.arrays([np.ones((2, 3)), 2.0, np.arange(3.0)])]
    [(6, 1), (1, 1), (6, 1)]
    """

    __slots__ = ("cores", "loop", "pieces", "places", "rows", "seeds", "shapes")

    def __init__(self, loop: Shape, shapes: Sequence[Shape | None], cores: Sequence[Shape]) -> None:
        self.loop, self.rows = loop, prod(loop)
        self.shapes, self.cores = shapes, cores
        self.seeds: dict[float, Numbers] = {}
        self.pieces: list[_Piece] = []
        self.places: list[int] = []
        for i, (shape, core) in enumerate(zip(shapes, cores, strict=True)):
            last = self.pieces[-1] if self.pieces else None
            if shape is None and last is not None and last.shape is None:
                last.stop, last.size = i + 1, last.size + 1
            else:
                self.pieces.append(_Piece(i, shape, loop, core))
            self.places.append(len(self.pieces) - 1)

    def arrays(self, leaves: Sequence[Any]) -> list[Numbers]:
        """What the program reads: arrays (rows, size), or (1, size) where all rows share them."""
        return [piece.array(leaves, self.loop) for piece in self.pieces]

    def repeated(self, leaves: Sequence[Any], wanted: set[int]) -> list[Numbers]:
        """The same with the wanted leaves repeated in every row: each row's own derivatives."""
        chosen = self.chosen(wanted)
        return [
            np.broadcast_to(array, (self.rows, array.shape[1])) if i in chosen else array
            for i, array in enumerate(self.arrays(leaves))
        ]

    def chosen(self, wanted: set[int]) -> set[int]:
        """The arrays that hold the wanted leaves."""
        return {self.places[leaf] for leaf in wanted}

    def room(self, arrays: Sequence[Numbers], wanted: set[int] | None) -> list[Numbers | None]:
        """Arrays for the gradients of the wanted leaves (None: of all)."""
        if wanted is None:
            return [np.empty(array.shape) for array in arrays]
        chosen = self.chosen(wanted)
        return [np.empty(x.shape) if i in chosen else None for i, x in enumerate(arrays)]

    def gradients(self, room: Sequence[Numbers | None]) -> list[Any]:
        """Gradients in the leaves' shapes, summed over what they were broadcast to.

        None for leaves that were not wanted; floats for floats and arrays without dimensions.
        """
        found: list[Any] = []
        for piece, gradient in zip(self.pieces, room, strict=True):
            if gradient is None:
                found += [None] * (piece.stop - piece.start)
            else:
                found += piece.gradients(gradient, self.loop)
        return found

    def columns(self, leaf: int) -> tuple[int, slice]:
        """Which array holds a leaf, and in which of its columns."""
        place = self.places[leaf]
        piece = self.pieces[place]
        if piece.shape is None:
            return place, slice(leaf - piece.start, leaf - piece.start + 1)
        return place, slice(0, piece.size)

    def seed(self, weight: float) -> Numbers:
        """The weight of the one result, as an array."""
        found = self.seeds.get(weight)
        if found is None:
            if len(self.seeds) > 8:
                self.seeds.clear()
            found = self.seeds[weight] = np.array([weight])
        return found

    def index(self, row: int) -> Shape:
        """Where a row stands in the loop."""
        return tuple(int(i) for i in np.unravel_index(row, self.loop))
