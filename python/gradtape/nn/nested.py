"""Lists in lists: what images and sequences are to layers."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any


class Steps(list[Any]):
    """The steps of a sequence that was padded to a common length.

    Parameters
    ----------
    steps : iterable
    present : sequence
        For each step None where every sequence has it, else a number: 1 where this one does, 0
        where the step is padding.

    Examples
    --------
    >>> mapped(lambda x: 2 * x, Steps([1.0, 0.0], [None, 0.0])).present
    [None, 0.0]
    """

    def __init__(self, steps: Iterable[Any], present: Sequence[Any]) -> None:
        super().__init__(steps)
        self.present = present


def like(x: Any, parts: list[Any]) -> list[Any]:
    """New parts in place of those of `x`, padded as `x` is.

    Examples
    --------
    >>> like([1.0], [2.0])
    [2.0]
    """
    return Steps(parts, x.present) if isinstance(x, Steps) else parts


def is_nested(x: Any) -> bool:
    """Whether `x` is a list, tuple or array, and no number.

    Examples
    --------
    >>> is_nested([1.0]), is_nested(1.0)
    (True, False)
    """
    return hasattr(x, "__len__")


def shape(x: Any) -> tuple[int, ...]:
    """How long `x` is, then its first element, and so on.

    Examples
    --------
    >>> shape([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), shape(7.0)
    ((2, 3), ())
    """
    found: list[int] = []
    while is_nested(x):
        found.append(len(x))
        if not found[-1]:
            break
        x = x[0]
    return tuple(found)


def flat(x: Any) -> list[Any]:
    """The numbers of `x` in their order, without the lists.

    Examples
    --------
    >>> flat([[1.0, 2.0], [[3.0]]])
    [1.0, 2.0, 3.0]
    """
    if not is_nested(x):
        return [x]
    if not len(x) or not is_nested(x[0]):
        return list(x)
    return [number for part in x for number in flat(part)]


def mapped(function: Callable[..., Any], *xs: Any) -> Any:
    """`function` of every number of `x`, or of the numbers at the same place of several.

    Examples
    --------
    >>> mapped(lambda a, b: a + b, [[1.0, 2.0]], [[10.0, 20.0]])
    [[11.0, 22.0]]
    """
    if is_nested(xs[0]):
        return like(xs[0], [mapped(function, *parts) for parts in zip(*xs, strict=True)])
    return function(*xs)


def innermost(function: Callable[[Any], Any], x: Any) -> Any:
    """`function` of every list of numbers in `x`.

    Examples
    --------
    >>> innermost(sum, [[1.0, 2.0], [3.0, 4.0]])
    [3.0, 7.0]
    """
    if len(x) and is_nested(x[0]):
        return like(x, [innermost(function, part) for part in x])
    return function(x)


def axes(x: Any, *counts: int | None, name: str, what: str) -> Sequence[Any]:
    """`x` if it has these axes, of any length where the count is None.

    Parameters
    ----------
    x : nested lists or array
    *counts : int or None
    name : str
        Who takes `x`, for the error.
    what : str
        The axes' names, for the error.

    Raises
    ------
    ValueError
        If it has others.

    Examples
    --------
    >>> axes([[1.0, 2.0]], None, 2, name="an LSTM", what="[steps][features]")
    [[1.0, 2.0]]
    """
    given = shape(x)
    fits = len(given) == len(counts) and all(
        want is None or have == want for have, want in zip(given, counts, strict=True)
    )
    if not fits or not all(given):
        wanted = ", ".join("any" if count is None else str(count) for count in counts)
        raise ValueError(f"{name} takes {what} of shape ({wanted}), not of shape {given}")
    return x  # type: ignore[no-any-return]
