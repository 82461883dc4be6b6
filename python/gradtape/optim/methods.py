"""Each optimizer's settings; its arithmetic is native."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gradtape._core import Value
from gradtape.optim.optimizer import Common, Optimizer, Schedule, Setting

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "RMSprop"]


class SGD(Optimizer):
    """Stochastic gradient descent with momentum and weight decay.

    A step takes each parameter p with gradient g and velocity v (0 at first) to::

        v = momentum * v + g + weight_decay * p
        p = p - learning_rate * v

    With ``nesterov`` it goes along ``g + weight_decay * p + momentum * v`` instead of v.

    Parameters
    ----------
    parameters : iterable of Value
        Leaves.
    learning_rate : float or callable
        Finite and not negative, or a schedule such as `cosine` gives.
    momentum, weight_decay : float
        Finite and not negative. They may be changed between steps.
    nesterov : bool
    l1, clip_norm, clip_value : float
        As `Optimizer` tells.

    Raises
    ------
    TypeError
        If a parameter is no Value or a setting no number.
    ValueError
        If there is no parameter, one is no leaf, or a setting is negative or not finite.

    Examples
    --------
    >>> from gradtape import Value
    >>> x = Value(3.0)
    >>> optimizer = SGD([x], learning_rate=0.1)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> round(x.data, 12)
    2.4
    """

    method = "sgd"
    momentum = Setting("How much of the velocity is kept.")
    nesterov = Setting("Whether a step looks ahead.")

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.01,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        *,
        nesterov: bool = False,
        **common: "Unpack[Common]",
    ) -> None:
        super().__init__(
            parameters,
            learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            nesterov=bool(nesterov),
            **common,
        )


class RMSprop(Optimizer):
    """Gradient over a running root mean square of it (Hinton's lecture 6).

    ::

        s = smoothing * s + (1 - smoothing) * g**2
        v = momentum * v + g / (sqrt(s) + epsilon)
        p = p - learning_rate * v

    Parameters
    ----------
    parameters, learning_rate, weight_decay, l1, clip_norm, clip_value
        As `Optimizer` tells.
    smoothing : float
        Less than 1.
    epsilon, momentum : float
    centred : bool
        Whether the square of the running mean is taken off s.

    Examples
    --------
    >>> from gradtape import Value
    >>> x = Value(3.0)
    >>> optimizer = RMSprop([x], 0.1)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> round(x.data, 6)
    2.0
    """

    method = "rmsprop"
    smoothing = Setting("How much of the mean square is kept.", 1.0)
    epsilon = Setting("Added to the root.")
    momentum = Setting("How much of the velocity is kept.")
    centred = Setting("Whether the running mean is taken off.")

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.01,
        smoothing: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        *,
        centred: bool = False,
        **common: "Unpack[Common]",
    ) -> None:
        super().__init__(
            parameters,
            learning_rate,
            smoothing=smoothing,
            epsilon=epsilon,
            weight_decay=weight_decay,
            momentum=momentum,
            centred=bool(centred),
            **common,
        )


class Adagrad(Optimizer):
    """Gradient over the root of the sum of its squares (Duchi, Hazan and Singer 2011).

    ::

        s = s + g**2
        p = p - learning_rate / (1 + steps * decay) * g / (sqrt(s) + epsilon)

    Parameters
    ----------
    parameters, learning_rate, weight_decay, l1, clip_norm, clip_value
        As `Optimizer` tells.
    decay, epsilon : float

    Examples
    --------
    >>> from gradtape import Value
    >>> x = Value(3.0)
    >>> optimizer = Adagrad([x], 0.1)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> round(x.data, 6)
    2.9
    """

    method = "adagrad"
    decay = Setting("How fast the rate shrinks.")
    epsilon = Setting("Added to the root.")

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.01,
        decay: float = 0.0,
        weight_decay: float = 0.0,
        epsilon: float = 1e-10,
        **common: "Unpack[Common]",
    ) -> None:
        super().__init__(
            parameters,
            learning_rate,
            decay=decay,
            weight_decay=weight_decay,
            epsilon=epsilon,
            **common,
        )


class Adam(Optimizer):
    """Running means of the gradient and its square, freed of their bias (Kingma and Ba 2015).

    ::

        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g**2
        p = p - learning_rate * (m / (1 - beta1**t)) / (sqrt(s / (1 - beta2**t)) + epsilon)

    Parameters
    ----------
    parameters, learning_rate, weight_decay, l1, clip_norm, clip_value
        As `Optimizer` tells.
    beta1, beta2 : float
        Less than 1.
    epsilon : float

    Examples
    --------
    >>> from gradtape import Value
    >>> x = Value(3.0)
    >>> optimizer = Adam([x], 0.1)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> round(x.data, 6)
    2.9
    """

    method = "adam"
    beta1 = Setting("How much of the mean is kept.", 1.0)
    beta2 = Setting("How much of the mean square is kept.", 1.0)
    epsilon = Setting("Added to the root.")

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        **common: "Unpack[Common]",
    ) -> None:
        super().__init__(
            parameters,
            learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            **common,
        )


class AdamW(Adam):
    """Adam whose weight decay goes past the means (Loshchilov and Hutter 2019).

    Before the step, ``p = p * (1 - learning_rate * weight_decay)``; 0.01 is usual, as in PyTorch.

    Examples
    --------
    >>> from gradtape import Value
    >>> x = Value(3.0)
    >>> optimizer = AdamW([x], 0.1, weight_decay=0.01)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> round(x.data, 6)
    2.897
    """

    method = "adamw"
