"""What a function reads by name outside itself: a recording holds while it stays what it was."""

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

__all__ = ["PLAIN", "Watch", "Wrapper", "names_read"]

PLAIN = (float, int, str, bool, bytes, complex, type(None))
_MISSING = object()


class Wrapper:
    """Stands before a Python function; whoever looks for what is read looks through it."""

    __wrapped__: Any


class Watch:
    """The globals, closure cells and attributes of ``self`` that a function names, as they were.

    A number is compared by its value, everything else by identity: a ``Value`` whose data changed
    is the same parameter. Modules are not watched, nor what stands inside lists and objects.

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
        self.attributes: list[tuple[weakref.ref[Any], str, Any]] = []
        for place in names_read(function):
            self._add(*place)

    def _add(self, holder: Any, name: str, value: Any) -> None:
        if isinstance(value, ModuleType):
            return
        if isinstance(holder, dict):
            self.names.append((holder, name, value))
        elif isinstance(holder, CellType):
            self.cells.append((holder, value))
        else:
            self._add_attribute(holder, name, value)

    def _add_attribute(self, owner: Any, name: str, value: Any) -> None:
        # The owner's numbers are kept, its objects only weakly: they may lead back to the owner,
        # which would then never die.
        try:
            held = value if isinstance(value, PLAIN) else weakref.ref(value)
            self.attributes.append((weakref.ref(owner), name, held))
        except TypeError:
            pass

    def changed(self) -> bool:
        """Whether one of them is another now."""
        for names, name, value in self.names:
            now = names.get(name, _MISSING)
            if now is not value and not _alike(now, value):
                return True
        for cell, value in self.cells:
            now = _contents(cell)
            if now is not value and not _alike(now, value):
                return True
        return bool(self.attributes) and self._attributes_changed()

    def _attributes_changed(self) -> bool:
        for owner, name, held in self.attributes:
            value = held() if isinstance(held, weakref.ref) else held
            now = getattr(owner(), "__dict__", {}).get(name, _MISSING)
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


def _alike(a: Any, b: Any) -> bool:
    return type(a) is type(b) and isinstance(a, PLAIN) and bool(a == b)


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _MISSING


def names_read(function: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """Every named thing that a function can read outside itself, and where it stands.

    Functions that it names are followed where they stand in the same module or in its closure, and
    so are the methods and properties of its ``self``.

    Yields
    ------
    holder : dict, cell or object
        Globals, a cell of the closure, or the object that a method belongs to.
    name : str
    value : object
    """
    todo: list[Any] = [function]
    seen: set[int] = set()
    home: dict[str, Any] | None = None
    while todo:
        plain, owner = _plain(todo.pop())
        if plain is None or id(plain) in seen:
            continue
        seen.add(id(plain))
        if home is None:
            home = plain.__globals__
        names = set(_names(plain.__code__))
        found = [
            (plain.__globals__, name, plain.__globals__[name])
            for name in sorted(names & plain.__globals__.keys())
        ]
        todo += [value for *_, value in found if _home(value) is home]
        cells = zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=True)
        closed = [(cell, name, _contents(cell)) for name, cell in cells]
        todo += [value for *_, value in closed]
        yield from found
        yield from closed
        if owner is not None:
            held = getattr(owner, "__dict__", {})
            yield from ((owner, name, held[name]) for name in sorted(names & held.keys()))
            todo += _methods(owner, names - held.keys())


def _methods(owner: Any, names: set[str]) -> Iterator[MethodType]:
    """The methods and properties of an object that have these names."""
    for name in sorted(names):
        found = inspect.getattr_static(type(owner), name, None)
        if isinstance(found, property):
            found = found.fget
        if isinstance(found, FunctionType):
            yield MethodType(found, owner)


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


def _home(x: Any) -> dict[str, Any] | None:
    plain, _ = _plain(x)
    return None if plain is None else plain.__globals__


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
