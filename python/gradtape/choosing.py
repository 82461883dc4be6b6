"""Losses and optimizers as users give them: objects, classes or names."""

from collections.abc import Callable
from typing import Any

from gradtape._core import Value
from gradtape.errors import nearest
from gradtape.losses import Loss, named
from gradtape.optim import LBFGS, SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

__all__ = ["OPTIMIZERS", "chosen_loss", "chosen_optimizer"]

OPTIMIZERS: dict[str, type[Optimizer] | type[LBFGS]] = {
    "adagrad": Adagrad,
    "adam": Adam,
    "adamw": AdamW,
    "lbfgs": LBFGS,
    "rmsprop": RMSprop,
    "sgd": SGD,
}


def chosen_loss(loss: Loss | str) -> Loss:
    """A loss, which may be given by its name.

    Raises
    ------
    TypeError
        If it is neither callable nor a name.
    ValueError
        If there is no loss of that name; the nearest is suggested.

    Examples
    --------
    >>> chosen_loss("hinge").__name__
    'hinge'
    """
    if isinstance(loss, str):
        return named(loss)
    if not callable(loss):
        raise TypeError(f"loss must be a callable or a name, not {type(loss).__name__} {loss!r}")
    return loss


def chosen_optimizer(
    optimizer: Any,
    parameters: list[Value],
    learning_rate: float | Callable[[int], float] | None = None,
) -> Any:
    """An optimizer of these parameters, which may be given by name or class.

    Parameters
    ----------
    optimizer : str, class, optimizer or None
        A name in letters of either case; a class, called with the parameters; an object, which is
        given back; None: SGD with momentum 0.9.
    parameters : list of Value
    learning_rate : float or callable, optional
        What the optimizer starts from where it is not an object already; its own usual rate by
        default, 0.05 where no optimizer is given.

    Raises
    ------
    TypeError
        If an object comes with a learning rate, which it has already, or L-BFGS, which needs none;
        or if it is no optimizer.
    ValueError
        If there is no optimizer of that name; the nearest is suggested.

    Examples
    --------
    >>> chosen_optimizer("adam", [Value(1.0)], 0.1)
    Adam(1 parameters, learning_rate=0.1, beta1=0.9, beta2=0.999, epsilon=1e-08)
    >>> chosen_optimizer("adamm", [Value(1.0)])
    Traceback (most recent call last):
    ValueError: unknown optimizer 'adamm'; did you mean 'adam'?
    """
    if optimizer is None:
        return SGD(parameters, 0.05 if learning_rate is None else learning_rate, momentum=0.9)
    if isinstance(optimizer, str):
        optimizer = _named(optimizer)
    if isinstance(optimizer, type):
        if learning_rate is None:
            return optimizer(parameters)
        if issubclass(optimizer, LBFGS):
            raise TypeError("L-BFGS finds how far each step goes: leave learning_rate out")
        made: Any = optimizer
        return made(parameters, learning_rate)
    if not hasattr(optimizer, "step") or not hasattr(optimizer, "zero_grad"):
        raise TypeError(
            f"optimizer must be a name ({', '.join(OPTIMIZERS)}), a class or an object of "
            f"gradtape.optim, not {type(optimizer).__name__} {optimizer!r}"
        )
    if learning_rate is not None:
        raise TypeError(
            "learning_rate goes with an optimizer's name or class; "
            f"this {type(optimizer).__name__} has its own"
        )
    return optimizer


def _named(name: str) -> type[Optimizer] | type[LBFGS]:
    key = name.lower().replace("-", "")
    if key in OPTIMIZERS:
        return OPTIMIZERS[key]
    raise ValueError(f"unknown optimizer {name!r}; {nearest(key, OPTIMIZERS)}")
