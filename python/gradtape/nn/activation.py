"""Activations: rows of the table by their name, or a plain Python function of one number."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gradtape._core as _core
from gradtape._core import Value
from gradtape.errors import nearest
from gradtape.nn.nested import innermost, mapped

Scalar = Callable[[Any], Any]
# What follows the sums of a layer where one native call does not do it.
After = Callable[[list[Any]], list[Any]]


def checked_activation(which: str | Scalar, where: str, *, softmax: bool) -> str | Scalar:
    """`which` if it is an activation; ``""`` is ``"linear"``. `where` names the place in the error.

    Parameters
    ----------
    which : str or callable
        A name, or a plain function of one number.
    where : str
    softmax : bool
        Whether ``"softmax"`` has a meaning here.

    Raises
    ------
    TypeError
        If `which` is neither a string nor callable.
    ValueError
        If there is no such activation, or if it is softmax where that has no meaning.

    Examples
    --------
    >>> checked_activation("", "layer1", softmax=True)
    'linear'
    """
    if not isinstance(which, str):
        if callable(which):
            return which
        raise TypeError(
            f"the activation of {where} must be a name or a function of one number, "
            f"not {type(which).__name__} {which!r}"
        )
    if which == "softmax" and softmax:
        return which
    if which == "softmax":
        raise ValueError(f"{where} cannot have the activation softmax: that takes a whole layer")
    if which and which not in _core.activations():
        hint = nearest(which, [*_core.activations(), *(["softmax"] if softmax else [])])
        raise ValueError(f"{where} has the unknown activation {which!r}; {hint}")
    return which or "linear"


def called(activation: str | Scalar) -> str:
    """The name of an activation.

    Examples
    --------
    >>> called("relu"), called(abs)
    ('relu', 'abs')
    """
    if isinstance(activation, str):
        return activation
    return getattr(activation, "__name__", type(activation).__name__)


def _value(function: Scalar, z: Any) -> Value:
    out = function(z)
    return out if isinstance(out, Value) else Value(out)


def _each(function: Scalar, zs: list[Any]) -> list[Any]:
    return [_value(function, z) for z in zs]


def split(activation: str | Scalar) -> tuple[str, After | None]:
    """The activation that the native call does, and what follows it.

    Examples
    --------
    >>> split("tanh")
    ('tanh', None)
    >>> split("softmax")[1]([0.0, 0.0])
    [0.5, 0.5]
    """
    if activation == "softmax":
        return "linear", _core.softmax
    if isinstance(activation, str):
        return activation, None
    return "linear", partial(_each, activation)


def applied(activation: str | Scalar, x: Any) -> Any:
    """The activation of every number in nested lists; softmax of every innermost list.

    Examples
    --------
    >>> applied("relu", [[1.0, -2.0], [3.0, 4.0]])
    [[1.0, 0.0], [3.0, 4.0]]
    """
    if activation == "linear":
        return x
    if activation == "softmax":
        return innermost(_core.softmax, x)
    if isinstance(activation, str):
        return mapped(getattr(_core, activation), x)
    return mapped(partial(_value, activation), x)
