"""Losses by their names, and with settings of their own."""

from functools import partial, update_wrapper
from inspect import signature
from typing import Any

from gradtape.errors import nearest
from gradtape.losses.classes import binary_cross_entropy, categorical_cross_entropy, focal, hinge
from gradtape.losses.numbers import huber, mean_squared_error, poisson, quantile, squared_loss
from gradtape.losses.rows import Loss

LOSSES: dict[str, Loss] = {
    loss.__name__: loss
    for loss in (
        binary_cross_entropy,
        categorical_cross_entropy,
        focal,
        hinge,
        huber,
        mean_squared_error,
        poisson,
        quantile,
        squared_loss,
    )
}


def named(name: str) -> Loss:
    """The loss with this name.

    Raises
    ------
    ValueError
        If there is none; the nearest name is suggested.

    Examples
    --------
    >>> named("hinge").__name__
    'hinge'
    >>> named("huberr")
    Traceback (most recent call last):
    ValueError: unknown loss 'huberr'; did you mean 'huber'?
    """
    if name in LOSSES:
        return LOSSES[name]
    raise ValueError(f"unknown loss {name!r}; {nearest(name, LOSSES)}")


def tuned(loss: Loss | str, **settings: Any) -> Loss:
    """A loss with settings, for `fit`.

    Parameters
    ----------
    loss : callable or str
        A loss with keyword settings, or its name.
    **settings
        Such as ``level`` of `quantile`, ``delta`` of `huber`, ``focus`` of `focal`.

    Returns
    -------
    callable
        On (rows of outputs, targets), with the marks of the loss.

    Raises
    ------
    TypeError
        If the loss has no such setting.
    ValueError
        If there is no such loss.

    Examples
    --------
    >>> upper = tuned("quantile", level=0.75)
    >>> upper([1.0, 1.0], [3.0, 0.0])
    Value(data=0.875)
    """
    function = named(loss) if isinstance(loss, str) else loss
    name = getattr(function, "__name__", repr(function))
    known = [p.name for p in signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for setting in settings:
        if setting not in known:
            hint = nearest(setting, known) if known else "it has none"
            raise TypeError(f"the loss {name} has no setting {setting!r}; {hint}")
    return update_wrapper(partial(function, **settings), function)
