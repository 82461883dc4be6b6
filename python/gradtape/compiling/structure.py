"""Nested arguments and results: which leaves they have, and how these are put together."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

import numpy as np

from gradtape._core import Value

__all__ = ["Branch", "Leaf", "Tree", "build", "holds_values", "leaves_of", "names_of", "vector"]


@dataclass(frozen=True)
class Leaf:
    """A number, or an array of them, that every row has.

    Parameters
    ----------
    shape : tuple of int
        The shape within a row; ``()`` is a scalar.
    """

    shape: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """How many numbers it is."""
        return prod(self.shape)


@dataclass(frozen=True)
class Branch:
    """A list, tuple, named tuple or dict of trees.

    Parameters
    ----------
    kind : str
        ``"list"``, ``"tuple"``, ``"dict"``, or the name of a named tuple.
    keys : tuple
        The keys of a dict or the fields of a named tuple, in order.
    children : tuple of Leaf or Branch
    make : callable
        Makes the object from a list of its children's objects. No part of the comparison: a named
        tuple is told by its name and fields, so that a saved program knows it again.
    """

    kind: str
    keys: tuple[Any, ...]
    children: "tuple[Tree, ...]"
    make: Callable[[list[Any]], Any] = field(compare=False, repr=False)


Tree: TypeAlias = Leaf | Branch


def opened(x: Any) -> tuple[str, tuple[Any, ...], list[Any], Callable[[list[Any]], Any]] | None:
    """Kind, keys, children and maker of a list, tuple or dict; None for anything else."""
    fields = getattr(x, "_fields", None)
    if isinstance(x, tuple) and fields is not None:
        make: Callable[[list[Any]], Any] = getattr(type(x), "_make")  # noqa: B009
        return type(x).__name__, tuple(fields), list(x), make
    if isinstance(x, (list, tuple)):
        kind = list if isinstance(x, list) else tuple
        return kind.__name__, (), list(x), kind
    if isinstance(x, dict):
        return "dict", tuple(x), list(x.values()), DictOf(tuple(x))
    return None


@dataclass(frozen=True)
class DictOf:
    """Makes a dict with these keys from the list of its values."""

    keys: tuple[Any, ...]

    def __call__(self, children: list[Any]) -> dict[Any, Any]:
        """The dict."""
        return dict(zip(self.keys, children, strict=True))


def leaves_of(
    x: Any, name: str, read: Callable[[Any, str], tuple[Leaf, Any]]
) -> tuple[Tree, list[Any]]:
    """The tree of a nested object, and what `read` makes of each of its leaves.

    Parameters
    ----------
    x : object
        Lists, tuples and dicts of leaves, however deep.
    name : str
        What the object is called; its leaves are ``name[0]``, ``name['key']``, ``name.field``.
    read : callable
        From a leaf and its name to its `Leaf` and what stands for it in the list.

    Examples
    --------
    >>> tree, leaves = leaves_of([1.0, {"a": 2.0}], "x", lambda leaf, name: (Leaf(), name))
    >>> leaves
    ['x[0]', "x[1]['a']"]
    """
    node = opened(x)
    if node is None:
        leaf, found = read(x, name)
        return leaf, [found]
    kind, keys, parts, make = node
    children, leaves = [], []
    for child, child_name in zip(parts, child_names(name, kind, keys, len(parts)), strict=True):
        tree, more = leaves_of(child, child_name, read)
        children.append(tree)
        leaves += more
    return Branch(kind, keys, tuple(children), make), leaves


def child_names(name: str, kind: str, keys: tuple[Any, ...], count: int) -> list[str]:
    """What the children of an object of this name are called."""
    if kind == "dict":
        return [f"{name}[{key!r}]" for key in keys]
    if keys:
        return [f"{name}.{key}" for key in keys]
    return [f"{name}[{i}]" for i in range(count)]


def build(tree: Tree, leaves: Iterator[Any]) -> Any:
    """Put an object together from its leaves: the next ones of an iterator.

    Examples
    --------
    >>> tree, _ = leaves_of({"a": 0.0, "b": (0.0,)}, "x", lambda leaf, name: (Leaf(), leaf))
    >>> build(tree, iter([1.0, 2.0]))
    {'a': 1.0, 'b': (2.0,)}
    """
    if isinstance(tree, Leaf):
        return next(leaves)
    return tree.make([build(child, leaves) for child in tree.children])


def flat(tree: Tree) -> Iterator[Leaf]:
    """Every leaf of a tree, in order."""
    if isinstance(tree, Leaf):
        yield tree
    else:
        for child in tree.children:
            yield from flat(child)


def names_of(tree: Tree, name: str) -> Iterator[str]:
    """What every number of a tree is called, in order.

    Examples
    --------
    >>> list(names_of(Leaf((2, 1)), "w"))
    ['w[0,0]', 'w[1,0]']
    """
    if isinstance(tree, Leaf):
        if not tree.shape:
            yield name
        else:
            for index in np.ndindex(*tree.shape):
                yield f"{name}[{','.join(map(str, index))}]"
        return
    names = child_names(name, tree.kind, tree.keys, len(tree.children))
    for child, child_name in zip(tree.children, names, strict=True):
        yield from names_of(child, child_name)


def holds_values(objects: Iterable[Any]) -> bool:
    """Whether a ``Value`` is among nested objects, or in an array of objects there."""
    for x in objects:
        if isinstance(x, Value):
            return True
        if isinstance(x, np.ndarray):
            if x.dtype == object and holds_values(x.flat):
                return True
        elif isinstance(x, (list, tuple)):
            if holds_values(x):
                return True
        elif isinstance(x, dict) and holds_values(x.values()):
            return True
    return False


def vector(values: list[Any], shape: tuple[int, ...]) -> Any:
    """Values as an array of objects of this shape."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)
