"""What a function reads by name outside itself: a recording holds while it stays what it was."""

import functools
import weakref
from collections.abc import Callable, Iterator
from math import copysign
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

from gradtape.compiling.attributes import (
    MISSING,
    PLAIN,
    Wrapper,
    attribute,
    followed,
    inside,
    of_a_library,
)

__all__ = ["PLAIN", "Watch", "Wrapper", "names_read"]


class Watch:
    """The globals, closure cells and attributes that a function names, as they were.

    Attributes are watched of ``self`` and of every module, class and object that is named, and of
    the objects that these are. A number is compared by its value, everything else by identity: a
    ``Value`` whose data changed is the same parameter. What stands inside lists, dicts and arrays
    is not watched.

    Parameters
    ----------
    function : callable
        A function, method, partial or object with ``__call__``.

    Examples
    --------
    >>> def make():
    ...     rate = 0.5
    ...     def f(x):
    ...         return rate * x
    ...     def change():
    ...         nonlocal rate
    ...         rate = 0.25
    ...     return f, change
    >>> f, change = make()
    >>> watch = Watch(f)
    >>> watch.changed()
    False
    >>> change()
    >>> watch.changed()
    True
    """

    __slots__ = ("attributes", "cells", "names")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.names: list[tuple[dict[str, Any], str, Any]] = []
        self.cells: list[tuple[CellType, Any]] = []
        self.attributes: list[tuple[Any, str, Any]] = []
        for holder, name, value in names_read(function):
            if isinstance(holder, dict):
                self.names.append((holder, name, value))
            elif isinstance(holder, CellType):
                self.cells.append((holder, value))
            else:
                self.attributes.append((_weakly(holder, holder), name, _held(value)))

    def changed(self) -> bool:
        """Whether one of them is another now."""
        for names, name, value in self.names:
            now = names.get(name, MISSING)
            if now is not value and not _alike(now, value):
                return True
        for cell, value in self.cells:
            now = _contents(cell)
            if now is not value and not _alike(now, value):
                return True
        return bool(self.attributes) and self._attributes_changed()

    def _attributes_changed(self) -> bool:
        for owner, name, held in self.attributes:
            now = attribute(_known(owner), name)
            if isinstance(held, _Address):
                if id(now) != held:
                    return True
                continue
            value = _known(held)
            if now is not value and not _alike(now, value):
                return True
        return False

    def without_changes_since(self, before: "Watch") -> "Watch":
        """The same without what differs from an earlier look.

        What a function itself changed while it was recorded, such as a counter of its calls, is no
        reason to record it again.
        """
        self.names = [x for x in self.names if _unchanged(x, before.names)]
        self.cells = [x for x in self.cells if _unchanged(x, before.cells)]
        self.attributes = [x for x in self.attributes if _unchanged(x, before.attributes)]
        return self


def _unchanged(entry: tuple[Any, ...], before: list[Any]) -> bool:
    *place, value = entry
    for *other, known in before:
        if len(place) == len(other) and all(a is b for a, b in zip(place, other, strict=True)):
            return value is known or _alike(value, known)
    return True


class _Address(int):
    """Where an object stands that can be held neither weakly nor for good."""


def _held(value: Any) -> Any:
    """A value for keeping: plain ones as they are, objects weakly.

    They may lead back to their owner, which would then never die.
    """
    if isinstance(value, PLAIN):
        return value
    return _weakly(value, value if _is_plain(value) else _Address(id(value)))


def _weakly(x: Any, otherwise: Any) -> Any:
    try:
        return weakref.ref(x)
    except TypeError:
        return otherwise


def _known(x: Any) -> Any:
    return x() if type(x) is weakref.ref else x


def _is_plain(x: Any) -> bool:
    """Whether it is made of plain values alone."""
    if isinstance(x, (list, tuple)):
        return all(isinstance(part, PLAIN) for part in x)
    return isinstance(x, PLAIN)


def _alike(a: Any, b: Any) -> bool:
    if type(a) is not type(b) or not isinstance(a, PLAIN) or a != b:
        return False
    return not isinstance(a, float) or a != 0 or copysign(1.0, a) == copysign(1.0, b)


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def names_read(function: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """Every named thing that a function can read outside itself, and where it stands.

    Functions that it names are followed, and so are the methods and properties of objects; those
    of a library only where the function is of that library, or has them in its closure.

    Yields
    ------
    holder : dict, cell or object
        Globals, a cell of the closure, or the object that has an attribute.
    name : str
    value : object
    """
    todo: list[Any] = [function]
    seen: set[tuple[int, int]] = set()
    home: dict[str, Any] | None = None
    while todo:
        plain, owner = _plain(todo.pop())
        if plain is None or (id(plain), id(owner)) in seen:
            continue
        seen.add((id(plain), id(owner)))
        if home is None:
            home = plain.__globals__
        names = set(_names(plain.__code__))
        found = [
            (plain.__globals__, name, plain.__globals__[name])
            for name in sorted(names & plain.__globals__.keys())
        ]
        todo += [value for *_, value in found if _is_followed(value, home)]
        cells = zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=True)
        closed = [(cell, name, _contents(cell)) for name, cell in cells]
        todo += [value for *_, value in closed]
        yield from found
        yield from closed
        for name in ("__defaults__", "__kwdefaults__"):
            if getattr(plain, name) is not None:
                yield plain, name, getattr(plain, name)
        around = [value for *_, value in closed] + ([] if owner is None else [owner])
        own = {id(x) for x in around}
        for holder, name, value in inside([*around, *(x for *_, x in found)], names):
            yield holder, name, value
            method = followed(holder, value)
            todo += [method] if id(holder) in own or _is_followed(method, home) else []


def _plain(x: Any) -> tuple[FunctionType | None, Any]:
    """The Python function in a callable, and the object it is bound to."""
    while isinstance(x, functools.partial):
        x = x.func
    if isinstance(x, Wrapper):
        x = x.__wrapped__
    if isinstance(x, MethodType):
        return (x.__func__, x.__self__) if isinstance(x.__func__, FunctionType) else (None, None)
    if isinstance(x, FunctionType):
        return x, None
    call = getattr(type(x), "__call__", None)  # noqa: B004
    if isinstance(call, FunctionType) and hasattr(x, "__dict__"):
        return call, x
    return None, None


def _is_followed(x: Any, home: dict[str, Any]) -> bool:
    plain, _ = _plain(x)
    if plain is None:
        return False
    return plain.__globals__ is home or not of_a_library(plain.__module__)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
