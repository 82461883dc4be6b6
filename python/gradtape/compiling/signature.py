"""NumPy's notation for generalised ufuncs: ``(m,n),(n)->(m)``."""

import re
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Dimensions", "Signature", "Sizes", "parse"]

Dimension: TypeAlias = str | int
Dimensions: TypeAlias = tuple[Dimension, ...]
Sizes: TypeAlias = dict[str, tuple[int, str]]

_GROUP = re.compile(r"\s*\(([^()]*)\)\s*(,|$)")


@dataclass(frozen=True)
class Signature:
    """The core dimensions of a function's arguments and results.

    Parameters
    ----------
    inputs, outputs : tuple of tuples
        One tuple an argument or result; a letter (or word) that stands for a size, or a fixed size.
    """

    inputs: tuple[Dimensions, ...]
    outputs: tuple[Dimensions, ...]

    def __str__(self) -> str:
        sides = [",".join(written(x) for x in side) for side in (self.inputs, self.outputs)]
        return "->".join(sides)


def written(dimensions: Dimensions) -> str:
    """Dimensions as they stand in a signature.

    Examples
    --------
    >>> written(("m", 3))
    '(m,3)'
    """
    return f"({','.join(map(str, dimensions))})"


def parse(text: str) -> Signature:
    """Read a signature.

    Parameters
    ----------
    text : str
        As for ``numpy.vectorize``, and fixed sizes: ``"(n),(3)->()"``.

    Raises
    ------
    TypeError
        If it is no string.
    ValueError
        If it is no signature; the part that cannot be read is named.

    Examples
    --------
    >>> parse(" (m, n), (3) -> () ").inputs
    (('m', 'n'), (3,))
    """
    if not isinstance(text, str):
        raise TypeError(f"signature must be a string such as '(n),()->()', not {text!r}")
    sides = text.split("->")
    if len(sides) != 2:
        raise ValueError(
            f"signature {text!r}: one '->' is expected between arguments and results, "
            "as in '(n),()->()'"
        )
    inputs, outputs = (_groups(side, text) for side in sides)
    if not outputs:
        raise ValueError(f"signature {text!r} names no result; a scalar one is '->()'")
    return Signature(inputs, outputs)


def _groups(side: str, text: str) -> tuple[Dimensions, ...]:
    groups, rest = [], side
    more = bool(side.strip())
    while more:
        match = _GROUP.match(rest)
        if match is None:
            raise ValueError(
                f"signature {text!r}: {rest.strip()!r} cannot be read; dimensions in parentheses, "
                "separated by commas, are expected, as in '(n),()->()'"
            )
        groups.append(_dimensions(match[1], text))
        rest, more = rest[match.end() :], match[2] == ","
    return tuple(groups)


def _dimensions(group: str, text: str) -> Dimensions:
    if not group.strip():
        return ()
    return tuple(_dimension(part.strip(), text) for part in group.split(","))


def _dimension(name: str, text: str) -> Dimension:
    if name.isascii() and name.isdigit():
        return int(name)
    if not name.isidentifier():
        raise ValueError(
            f"signature {text!r}: {name!r} is no dimension; a name (n) or a size (3) is expected"
        )
    return name


def check(
    function: str, what: str, shape: tuple[int, ...], dimensions: Dimensions, sizes: Sizes
) -> tuple[int, ...]:
    """The core shape of an array, whose last dimensions the signature names.

    Parameters
    ----------
    function, what : str
        The function, and which of its arguments or results this is, for the errors.
    shape : tuple of int
        Of the whole array.
    dimensions : tuple
        What the signature says.
    sizes : dict
        Size of each letter and where it was first seen; new ones are added.

    Raises
    ------
    ValueError
        If there are too few dimensions, or sizes do not agree.

    Examples
    --------
    >>> check("f", "argument 'x'", (10, 4), ("n",), {})
    (4,)
    """
    count = len(dimensions)
    if len(shape) < count:
        raise ValueError(
            f"{function}(): {what} has shape {shape}, where the signature's {written(dimensions)} "
            f"asks for {count} dimension{'s' * (count > 1)} or more"
        )
    core = shape[len(shape) - count :]
    for dimension, size in zip(dimensions, core, strict=True):
        if isinstance(dimension, int):
            if size != dimension:
                raise ValueError(
                    f"{function}(): {what} has shape {shape}, where the signature's "
                    f"{written(dimensions)} asks for {dimension} instead of {size}"
                )
            continue
        known, where = sizes.setdefault(dimension, (size, what))
        if known != size:
            raise ValueError(
                f"{function}(): {what} has shape {shape}: its {dimension} of "
                f"{written(dimensions)} is {size}, but {known} in {where}"
            )
    return core
