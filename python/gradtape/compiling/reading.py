"""A call's arguments as leaves of numbers."""

import sys
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from gradtape._core import Value
from gradtape.compiling.signature import Dimensions, Sizes, check
from gradtape.compiling.structure import Leaf, Tree, leaves_of

__all__ = ["FLOAT", "SCALARS", "number_or_array", "read", "simple_shapes"]

FLOAT = np.dtype(np.float64)
SCALARS = frozenset([float, int, bool, np.float64])


def simple_shapes(arguments: Sequence[Any]) -> tuple[Any, ...] | None:
    """Shapes of arguments that are floats (None) and arrays of them; None if others are among them.

    Examples
    --------
    >>> simple_shapes([1.0, np.ones(3)]), simple_shapes(["a"])
    ((None, (3,)), None)
    """
    shapes: list[Any] = []
    for x in arguments:
        kind = type(x)
        if kind is np.ndarray:
            if x.dtype is not FLOAT or not x.flags.aligned:
                return None
            shapes.append(x.shape)
        elif kind in SCALARS:
            shapes.append(None)
        else:
            return None
    return tuple(shapes)


def number_or_array(x: Any, function: str, name: str) -> Any:
    """A leaf as a float or an array of floats.

    Raises
    ------
    TypeError
        If it is neither; the argument is named.
    """
    if isinstance(x, (float, int)):
        return float(x)
    if isinstance(x, Value):
        raise TypeError(
            f"{function}(): argument {name!r} is a Value where numbers are expected; pass its "
            "data, or let the function reach it by its name, as a parameter"
        )
    if hasattr(x, "__array__"):
        x = np.asanyarray(x)
    elif isinstance(x, Real):
        return float(x)
    if not isinstance(x, np.ndarray):
        raise TypeError(
            f"{function}(): argument {name!r} must be a real number, an array, or a list, tuple or "
            f"dict of them, not {_shown(x)}"
        )
    # Looked up and not imported: numpy.ma takes longer to load than a small training.
    masked = sys.modules.get("numpy.ma")
    if masked is not None and masked.is_masked(x):
        raise TypeError(f"{function}(): argument {name!r} has masked elements; fill or drop them")
    if x.dtype.kind not in "fiub":
        raise TypeError(
            f"{function}(): argument {name!r} must hold real numbers, not {x.dtype.name}"
        )
    x = np.asarray(x, dtype=FLOAT)
    return x if x.flags.aligned else x.copy()


def _shown(x: Any) -> str:
    if x is None:
        return "None"
    text = repr(x)
    return type(x).__name__ + (f" {text}" if len(text) <= 40 else "")


def read(
    function: str,
    names: Sequence[str],
    arguments: Sequence[Any],
    dimensions: Sequence[Dimensions] | None,
) -> tuple[tuple[Tree, ...], list[Any], Sizes]:
    """The structure of arguments and their leaves.

    Parameters
    ----------
    function : str
        For the errors.
    names : sequence of str
        One an argument.
    arguments : sequence of object
    dimensions : sequence of tuple, optional
        The core dimensions of each; without them every element is an argument of its own row.

    Returns
    -------
    trees : tuple of Leaf or Branch
    leaves : list of float or numpy.ndarray
    sizes : dict
        What the letters stand for.

    Raises
    ------
    TypeError
        If a leaf is no number and no array of real numbers.
    ValueError
        If sizes do not agree with the dimensions.
    """
    sizes: Sizes = {}
    trees: list[Tree] = []
    leaves: list[Any] = []
    for i, (argument, name) in enumerate(zip(arguments, names, strict=True)):
        core = dimensions[i] if dimensions else ()

        def leaf(x: Any, where: str, core: Dimensions = core) -> tuple[Leaf, Any]:
            found = number_or_array(x, function, where)
            if not core:
                return Leaf(), found
            return Leaf(check(function, f"argument {where!r}", np.shape(found), core, sizes)), found

        if core and isinstance(argument, (list, tuple)):
            argument = _array(argument, function, name)
        tree, more = leaves_of(argument, name, leaf)
        trees.append(tree)
        leaves += more
    return tuple(trees), leaves, sizes


def _array(x: Any, function: str, name: str) -> Any:
    try:
        return np.array(x)
    except ValueError:
        raise ValueError(f"{function}(): argument {name!r} has rows of different lengths") from None
