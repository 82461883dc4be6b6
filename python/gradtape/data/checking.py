"""Refusing rows and targets that nothing can be learned from, before it is tried."""

import math
from collections.abc import Sequence
from itertools import chain
from numbers import Complex, Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["check_kind", "checked_rows", "checked_targets", "listed"]


def _finite(x: Any, where: str) -> float:
    try:
        if isinstance(x, Complex) and not isinstance(x, Real):
            raise TypeError
        number = float(x)
    except (TypeError, ValueError):
        raise TypeError(
            f"{where}: a real number is expected, not {type(x).__name__} {x!r}"
        ) from None
    if not math.isfinite(number):
        raise ValueError(f"{where}: a finite number is expected, not {number}")
    return number


def _numbers(given: Any) -> "NDArray[Any] | None":
    """Real numbers that are all finite, as an array: these need no look at each; else None."""
    import numpy as np

    if not isinstance(given, np.ndarray):
        if not _plain(given):
            return None
        try:
            given = np.array(given)
        except ValueError:
            return None
    if given.dtype.kind == "f" and given.dtype.itemsize > 8:
        given = given.astype(np.float64)  # where a long double may become infinite
    masked = np.any(getattr(given, "mask", False))
    fine = given.size and given.dtype.kind in "fiub" and not masked and np.isfinite(given).all()
    return np.asarray(given) if fine else None


def _plain(given: Any) -> bool:
    """Whether lists may hold nothing but numbers, by the first of them.

    What else stands among them is found in the array that is made of them; a first look saves
    making one of texts.
    """
    while isinstance(given, (list, tuple)) and len(given):
        given = given[0]
    return isinstance(given, (int, float)) or hasattr(given, "__array__")


def listed(data: "Sequence[Any] | NDArray[Any]", places: Sequence[int] | None = None) -> list[Any]:
    """Rows or targets as lists of Python's numbers, as the tape takes them; some or all.

    Examples
    --------
    >>> import numpy as np
    >>> listed(np.array([[1.0, 2.0], [3.0, 4.0]]), [1])
    [[3.0, 4.0]]
    """
    if hasattr(data, "tolist"):
        return (data if places is None else data[places]).tolist()  # type: ignore[no-any-return, call-overload]
    return list(data) if places is None else [data[i] for i in places]


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


def check_kind(given: Any, what: str, wanted: str) -> None:
    """Refuse what is no collection, and sparse ones; `what` it is and what is `wanted` are told.

    Raises
    ------
    TypeError
        Then.

    Examples
    --------
    >>> check_kind("abc", "the training data", "rows of numbers")
    Traceback (most recent call last):
    TypeError: the training data: rows of numbers are expected, not str 'abc'
    """
    if hasattr(given, "toarray"):
        raise TypeError(
            f"{what}: a {type(given).__name__} is sparse, which no network takes; "
            "make it dense with .toarray()"
        )
    if isinstance(given, (str, bytes, dict)) or not hasattr(given, "__iter__"):
        shown = "None" if given is None else f"{type(given).__name__} {given!r}"
        raise TypeError(f"{what}: {wanted} are expected, not {shown}")


def checked_rows(
    rows: Sequence[Any], what: str, *, sequences: bool = False
) -> "NDArray[np.float64] | list[list[Any]]":
    """The rows, all numbers finite: one array where they are of one shape, else lists in lists.

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
    array([[1. , 2.5]])
    >>> checked_rows([[[1, 2]], [[3, 4], [5, 6]]], "the data")
    [[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]]
    """
    import numpy as np

    check_kind(rows, what, "rows of numbers")
    array = _numbers(rows)
    if array is not None and array.ndim >= 2:
        return array.astype(np.float64, copy=False)
    if array is not None and isinstance(rows, np.ndarray):
        raise TypeError(
            f"{what}: an array (rows, columns) is expected, not one of the shape {array.shape}; "
            ".reshape(-1, 1) makes rows of one number, .reshape(1, -1) one row"
        )
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
    alike = len(set(map(len, checked))) == 1
    return np.array(checked, dtype=np.float64) if alike else checked


def checked_targets(targets: Sequence[Any], rows: int, what: str) -> "NDArray[Any] | list[Any]":
    """The targets, one a row, no number among them nan or infinite.

    Parameters
    ----------
    targets : m targets
        Numbers or rows of numbers.
    rows : int
        How many there should be.
    what : str
        Whose targets they are, for the errors.

    Returns
    -------
    numpy.ndarray or list
        An array where all are of one kind: what was an integer stays one.

    Raises
    ------
    TypeError, ValueError
        As for `checked_rows`.

    Examples
    --------
    >>> checked_targets([0, 1], 2, "the data")
    array([0, 1])
    >>> checked_targets([0, [1.0, 2.0]], 2, "the data")
    [0, [1.0, 2.0]]
    """
    import numpy as np

    check_kind(targets, what, "targets")
    if isinstance(targets, np.ndarray) or _of_one_kind(targets):
        array = _numbers(targets)
        if array is not None and array.shape[:1] == (rows,):
            return array
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


def _of_one_kind(targets: Any) -> bool:
    """Whether they are all Python's integers, or all its floats; or lists of such."""
    if not isinstance(targets, (list, tuple)):
        return False
    kinds = set(map(type, targets))
    if kinds <= {list, tuple}:
        kinds = set(map(type, chain.from_iterable(targets)))
    return kinds in ({int}, {float}, {bool})
