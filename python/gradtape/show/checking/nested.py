"""Numbers in arrays, lists, tuples and dicts: taken out by name, and put back."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = ["indexed", "leaves", "rebuilt"]


def leaves(x: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The leaves of a nested object with their names: whatever is no list, tuple or dict.

    Examples
    --------
    >>> list(leaves({"a": [1.0, 2.0]}, "x"))
    [("x['a'][0]", 1.0), ("x['a'][1]", 2.0)]
    """
    if isinstance(x, dict):
        for key, child in x.items():
            yield from leaves(child, f"{name}[{key!r}]")
    elif isinstance(x, (list, tuple)):
        for i, child in enumerate(x):
            yield from leaves(child, f"{name}[{i}]")
    else:
        yield name, x


def rebuilt(x: Any, change: Callable[[Any], Any]) -> Any:
    """The nested object with each leaf changed, in the order of `leaves`.

    Examples
    --------
    >>> rebuilt(([1, 2], {"a": 3}), lambda leaf: leaf * 10)
    ([10, 20], {'a': 30})
    """
    if isinstance(x, dict):
        return {key: rebuilt(child, change) for key, child in x.items()}
    if isinstance(x, tuple) and hasattr(x, "_make"):
        return x._make(rebuilt(child, change) for child in x)
    if isinstance(x, (list, tuple)):
        return type(x)(rebuilt(child, change) for child in x)
    return change(x)


def indexed(name: str, shape: tuple[int, ...]) -> list[str]:
    """The names of an array's elements, in order.

    Examples
    --------
    >>> indexed("w", (1, 2)), indexed("x", ())
    (['w[0,0]', 'w[0,1]'], ['x'])
    """
    if not shape:
        return [name]
    return [f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(*shape)]
