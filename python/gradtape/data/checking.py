"""Refusing rows and targets that nothing can be learned from, before it is tried."""

import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class _Array(Protocol):
    """A NumPy array, told apart without importing NumPy."""

    dtype: Any
    ndim: int
    size: int
    shape: tuple[int, ...]

    def astype(self, dtype: type) -> Any: ...
    def tolist(self) -> Any: ...


def _finite(x: Any, where: str) -> float:
    try:
        number = float(x)
    except (TypeError, ValueError):
        raise TypeError(
            f"{where}: a real number is expected, not {type(x).__name__} {x!r}"
        ) from None
    if not math.isfinite(number):
        raise ValueError(f"{where}: a finite number is expected, not {number}")
    return number


def _fine(array: Any) -> bool:
    """Whether an array holds real numbers that are all finite: these need no look at each."""
    import numpy as np

    return array.dtype.kind in "fiub" and bool(np.isfinite(array).all())


def _axes(x: Any) -> tuple[int, ...]:
    """How long `x` is, and the first element of it, and so on."""
    if isinstance(x, str) or not hasattr(x, "__len__"):
        return ()
    return (len(x), *(_axes(x[0]) if len(x) else ()))


def _checked(x: Any, shape: tuple[int | None, ...], where: str, place: tuple[int, ...]) -> Any:
    """Nested lists of finite floats of this shape; the first axis may have any length."""
    if not shape:
        told = f"column {place[0]}" if len(place) == 1 else f"place {list(place)}"
        return _finite(x, f"{where}, {told}")
    if isinstance(x, str) or not hasattr(x, "__iter__"):
        told = f", place {list(place)}" if place else ""
        raise TypeError(
            f"{where}{told}: a sequence of numbers is expected, not {type(x).__name__} {x!r}"
        )
    found = [_checked(part, shape[1:], where, (*place, i)) for i, part in enumerate(x)]
    if shape[0] is not None and len(found) != shape[0]:
        raise ValueError(
            f"{where}, place {list(place)} has {len(found)} numbers or lists where the first "
            f"such place of row 0 has {shape[0]}"
        )
    return found


def checked_rows(rows: Sequence[Any], what: str, *, sequences: bool = False) -> list[list[Any]]:
    """The rows as lists of floats, or lists in lists, all finite and of one shape.

    Parameters
    ----------
    rows : m rows of n numbers
        Lists, tuples, NumPy arrays. Where a row has lists in it (an image, the steps of a
        sequence), rows may have different numbers of those.
    what : str
        What the rows are, for the errors.
    sequences : bool
        Whether rows of numbers may also differ in length.

    Raises
    ------
    TypeError
        If a cell is no real number, or a row no sequence.
    ValueError
        If a cell is nan or infinite, the rows differ in shape, or there is none. Rows and
        columns are counted from 0.

    Examples
    --------
    >>> checked_rows([(1, 2.5)], "the data")
    [[1.0, 2.5]]
    >>> checked_rows([[[1, 2]], [[3, 4], [5, 6]]], "the data")
    [[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]]
    """
    if isinstance(rows, _Array) and _fine(rows) and rows.ndim >= 2 and rows.size:
        return rows.astype(float).tolist()  # type: ignore[no-any-return]
    checked: list[list[Any]] = []
    shape: tuple[int | None, ...] = ()
    for i, row in enumerate(rows):
        if not checked:
            shape = (None, *_axes(row)[1:])
        found = _checked(row, shape, f"{what}, row {i}", ())
        if len(shape) == 1 and not sequences and checked and len(found) != len(checked[0]):
            raise ValueError(
                f"{what}, row {i} has {len(found)} columns where row 0 has {len(checked[0])}"
            )
        if not found and (sequences or len(shape) > 1):
            raise ValueError(f"{what}, row {i}: at least one step is expected, not none")
        checked.append(found)
    if not checked:
        raise ValueError(f"{what}: at least one row is expected, not none")
    return checked


def checked_targets(targets: Sequence[Any], rows: int, what: str) -> list[Any]:
    """The targets, one a row, no number among them nan or infinite.

    Parameters
    ----------
    targets : m targets
        Numbers or rows of numbers.
    rows : int
        How many there should be.
    what : str
        Whose targets they are, for the errors.

    Raises
    ------
    TypeError, ValueError
        As for `checked_rows`.

    Examples
    --------
    >>> checked_targets([0, [1.0, 2.0]], 2, "the data")
    [0, [1.0, 2.0]]
    """
    if isinstance(targets, _Array) and _fine(targets) and targets.shape[:1] == (rows,):
        return targets.tolist()  # type: ignore[no-any-return]
    checked = list(targets)
    if len(checked) != rows:
        raise ValueError(f"{what}: {rows} rows take as many targets, not {len(checked)}")
    for i, target in enumerate(checked):
        if hasattr(target, "__len__") and not isinstance(target, str):
            for j, x in enumerate(target):
                _finite(x, f"{what}, target of row {i}, column {j}")
        else:
            _finite(target, f"{what}, target of row {i}")
    return checked
