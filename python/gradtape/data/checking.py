"""Refusing rows and targets that nothing can be learned from, before it is tried."""

import math
from collections.abc import Sequence
from typing import Any


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


def _fine_array(x: Any) -> Any:
    """An array of real numbers that are all finite: these need no look at each. Else None."""
    if not hasattr(x, "dtype"):
        return None
    import numpy as np

    return x if x.dtype.kind in "fiub" and np.isfinite(x).all() else None


def checked_rows(rows: Sequence[Any], what: str) -> list[list[float]]:
    """The rows as lists of floats, all finite and of one length.

    Parameters
    ----------
    rows : m rows of n numbers
        Lists, tuples, NumPy arrays.
    what : str
        What the rows are, for the errors.

    Raises
    ------
    TypeError
        If a cell is no real number, or a row no sequence.
    ValueError
        If a cell is nan or infinite, the rows differ in length, or there is none. Rows and
        columns are counted from 0.

    Examples
    --------
    >>> checked_rows([(1, 2.5)], "the data")
    [[1.0, 2.5]]
    """
    array = _fine_array(rows)
    if array is not None and array.ndim == 2 and len(array) > 0:
        return array.astype(float).tolist()  # type: ignore[no-any-return]
    checked: list[list[float]] = []
    for i, row in enumerate(rows):
        if isinstance(row, str) or not hasattr(row, "__iter__"):
            raise TypeError(
                f"{what}, row {i}: a sequence of numbers is expected, "
                f"not {type(row).__name__} {row!r}"
            )
        numbers = [_finite(x, f"{what}, row {i}, column {j}") for j, x in enumerate(row)]
        if checked and len(numbers) != len(checked[0]):
            raise ValueError(
                f"{what}, row {i} has {len(numbers)} columns where row 0 has {len(checked[0])}"
            )
        checked.append(numbers)
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
    array = _fine_array(targets)
    if array is not None and array.shape[:1] == (rows,):
        return array.tolist()  # type: ignore[no-any-return]
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
