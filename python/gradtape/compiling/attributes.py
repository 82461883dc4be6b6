"""Attributes that code names, of modules, classes and objects; found without running any code."""

import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from types import FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np

from gradtape._core import Value

__all__ = ["MISSING", "PLAIN", "Wrapper", "attribute", "followed", "inside", "of_a_library"]

PLAIN = (float, int, str, bool, bytes, complex, type(None))
MISSING = object()


class Wrapper:
    """Stands before a Python function; whoever looks for what is read looks through it."""

    __wrapped__: Any


# What stands in them under a name stays what it is while a program runs.
_LIBRARIES = frozenset([*sys.stdlib_module_names, "gradtape", "numpy"])

# Their attributes are methods, or are read each time that a program runs.
_CLOSED = (*PLAIN, Value, Wrapper, np.ndarray, list, tuple, dict, set, frozenset, property)


def of_a_library(module: str | None) -> bool:
    """Whether a module belongs to Python, NumPy or gradtape.

    Examples
    --------
    >>> of_a_library("numpy.linalg"), of_a_library("pricing")
    (True, False)
    """
    return module is None or module.partition(".")[0] in _LIBRARIES


def attribute(x: Any, name: str) -> Any:
    """What an object or its class holds under a name; `MISSING` where they hold nothing.

    A property is itself, not what it gives.

    Examples
    --------
    >>> class Scheme:
    ...     rate = 0.5
    >>> attribute(Scheme(), "rate"), attribute(Scheme(), "order") is MISSING
    (0.5, True)
    """
    if isinstance(x, FunctionType):
        return getattr(x, name, MISSING)
    if isinstance(x, type):
        classes = x.__mro__
    else:
        held = getattr(x, "__dict__", None)
        if held is not None and name in held:
            return held[name]
        classes = type(x).__mro__
    for base in classes:
        found = base.__dict__.get(name, MISSING)
        if found is not MISSING:
            if isinstance(found, MemberDescriptorType) and not isinstance(x, type):
                try:
                    return found.__get__(x, type(x))
                except AttributeError:
                    return MISSING
            return found
    return MISSING


def inside(objects: Iterable[Any], names: Iterable[str]) -> Iterator[tuple[Any, str, Any]]:
    """The attributes of these names that objects hold, and the objects among them in turn.

    Modules of libraries are passed over: following them would never end.

    Yields
    ------
    holder : object
    name : str
    value : object
    """
    todo, seen, ordered = list(objects), set(), sorted(names)
    while todo:
        x = todo.pop()
        if id(x) in seen or isinstance(x, (*_CLOSED, FunctionType, MethodType)):
            continue
        seen.add(id(x))
        module = isinstance(x, ModuleType)
        if module and of_a_library(x.__name__):
            continue
        for name in ordered:
            value = attribute(x, name)
            if value is not MISSING:
                todo.append(value)
                yield (x.__dict__ if module else x), name, value


def followed(owner: Any, value: Any) -> Any:
    """What runs when an object's attribute is read or called, bound to the object."""
    if isinstance(value, Wrapper):
        value = value.__wrapped__
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, cached_property):
        value = value.func
    elif isinstance(value, (staticmethod, classmethod)):
        return value.__func__
    return MethodType(value, owner) if isinstance(value, FunctionType) else value
