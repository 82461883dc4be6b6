"""The parameters of a user's network by name, and which returned gradient belongs to which."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradtape.show.checking.nested import leaves, rebuilt

__all__ = ["Array", "Parameters", "assigned"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Parameters:
    """A nest of arrays, and what its arrays are called.

    Parameters
    ----------
    given : object
        As the user has it; never written to.
    names : list of str
        Of its arrays of numbers, in order: a dict's keys, else W1, b1, … by their shapes.
    layers : list of int
        The layer that each belongs to, counted by the matrices.
    arrays : list of numpy.ndarray
    """

    given: Any
    names: list[str]
    layers: list[int]
    arrays: list[Array]

    @classmethod
    def of(cls, given: Any) -> "Parameters":
        """Read a user's parameters.

        Raises
        ------
        ValueError
            If there is no array of numbers among them.
        """
        found = [(name, np.asarray(x)) for name, x in leaves(given, "") if is_parameter(x)]
        if not found:
            raise ValueError("there is no array of numbers among the parameters")
        arrays = [array for _, array in found]
        roles, layers = _roles(arrays)
        plain = [re.fullmatch(r"\['([^']+)'\]", name) for name, _ in found]
        if all(plain):
            roles = [match[1] for match in plain if match]
        return cls(given, roles, layers, arrays)

    def filled(self, arrays: list[Array]) -> Any:
        """The nest with other arrays; every leaf is a copy."""
        rest = iter(arrays)

        def put(leaf: Any) -> Any:
            if not is_parameter(leaf):
                return leaf
            array = next(rest)
            return array.copy() if isinstance(leaf, np.ndarray) else array[()]

        return rebuilt(self.given, put)

    def backwards(self) -> list[int]:
        """Their numbers in the order of the backward pass."""
        return sorted(range(len(self.arrays)), key=lambda i: -self.layers[i])


def is_parameter(x: Any) -> bool:
    """Whether a leaf is a number or an array that can be differentiated by."""
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "fiu" and x.size > 0
    return isinstance(x, (float, np.floating))


def _roles(arrays: list[Array]) -> tuple[list[str], list[int]]:
    """W1, b1, W2 and so on, by the shapes: a matrix begins a layer, unless it is a bias column."""
    names: list[str] = []
    layers: list[int] = []
    layer, last = 0, ()  # type: int, tuple[int, ...]
    counts: dict[str, int] = {}
    for array in arrays:
        column = array.ndim == 2 and 1 in array.shape and bool(last)
        bias = array.ndim < 2 or (column and array.size in last)
        if not bias or layer == 0:
            layer += 1
        letter = "b" if bias else "W"
        last = () if bias else array.shape
        name = f"{letter}{layer}"
        counts[name] = counts.get(name, 0) + 1
        names.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
        layers.append(layer)
    return names, layers


def assigned(parameters: Parameters, returned: Any) -> tuple[list[Array | None], str]:
    """The gradient of each parameter, None where there is none, and what is odd about them.

    Examples
    --------
    >>> p = Parameters.of({"W": np.ones((2, 3)), "b": np.ones(2)})
    >>> found, note = assigned(p, {"db": np.zeros(2), "dW": np.zeros((2, 3))})
    >>> [x.shape for x in found], note
    ([(2, 3), (2,)], '')
    """
    count = len(parameters.arrays)
    if isinstance(returned, dict) and not any(
        isinstance(x, (dict, list, tuple)) for x in returned.values()
    ):
        keys = [_key(name, list(returned)) for name in parameters.names]
        if any(key is not None for key in keys):
            missing = [n for n, key in zip(parameters.names, keys, strict=True) if key is None]
            note = f"no gradient is returned for {', '.join(missing)}" if missing else ""
            return [None if key is None else _array(returned[key]) for key in keys], note
    flat = [_array(x) for _, x in leaves(returned, "")]
    if len(flat) == count:
        return list(flat), ""
    note = f"backward returned {len(flat)} gradients for {count} parameters"
    shapes = [None if x is None else x.shape for x in flat]
    # As long as each shape finds its parameter, in the same order, the rest can still be compared.
    found: list[Array | None] = []
    for array in parameters.arrays:
        if array.shape in shapes:
            place = shapes.index(array.shape)
            found.append(flat[place])
            del flat[: place + 1], shapes[: place + 1]
        else:
            found.append(None)
    return found, note


def _array(x: Any) -> Array | None:
    if x is None:
        return None
    array = np.asarray(x)
    return array if array.dtype.kind in "fiub" else None


def _key(name: str, keys: list[Any]) -> Any:
    """The key of a dict of gradients that belongs to a parameter: as W1, dW1 or dL_dW1."""
    if name in keys:
        return name
    ends = [key for key in keys if str(key).lower().endswith(name.lower())]
    starts = [key for key in keys if str(key).lower().startswith(name.lower() + "_")]
    found = ends or starts
    return min(found, key=lambda key: len(str(key))) if found else None
