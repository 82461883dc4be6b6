"""Optimizers: from gradients to better parameters; and schedules of their learning rate.

The arithmetic is native and the same for ``step()`` and for training that runs natively; each
optimizer takes the steps that PyTorch's of the same name takes.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import gradtape._core as _core
from gradtape._core import Value

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "cosine", "step_decay"]

Schedule = Callable[[int], float]


def _setting(name: str, number: Any, *, most: float = math.inf) -> float:
    try:
        setting = float(number)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be a real number, not {type(number).__name__} {number!r}"
        ) from None
    if not (math.isfinite(setting) and 0.0 <= setting < most):
        limit = "" if most == math.inf else f" and less than {most:g}"
        raise ValueError(
            f"{name} must be a finite number that is not negative{limit}, not {number}"
        )
    return setting


class _Setting:
    """A number that an optimizer is told, and that may be changed between steps."""

    def __init__(self, doc: str, most: float = math.inf, *, optional: bool = False) -> None:
        self.__doc__ = doc
        self.most, self.optional = most, optional

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else optimizer._settings[self.name]

    def __set__(self, optimizer: "Optimizer", number: Any) -> None:
        if number is None and self.optional:
            optimizer._settings[self.name] = None
        elif isinstance(number, bool):
            optimizer._settings[self.name] = number
        else:
            optimizer._settings[self.name] = _setting(self.name, number, most=self.most)


def _checked_parameters(parameters: Iterable[Value]) -> list[Value]:
    try:
        checked = list(parameters)
    except TypeError:
        raise TypeError(
            "parameters must be an iterable of Values, as model.parameters() gives, "
            f"not {type(parameters).__name__}"
        ) from None
    if not checked:
        raise ValueError("there is no parameter to optimize")
    for i, parameter in enumerate(checked):
        if not isinstance(parameter, Value):
            raise TypeError(f"parameters[{i}] must be a Value, not {type(parameter).__name__}")
        if parameter.op:
            raise ValueError(
                f"parameters[{i}] must be a leaf, not the result of {parameter.op!r}: "
                "assigning to it would not change what it was computed from"
            )
    return checked


class Optimizer:
    """What all optimizers share.

    Parameters
    ----------
    parameters : iterable of Value
        Leaves.
    learning_rate : float or callable
        Finite and not negative; or a schedule, which gives the rate of the step with a number,
        counted from 0.
    settings : dict
        Of the method; and ``weight_decay``, ``l1`` (half the squares, or the absolute values, of
        the parameters times this number are in the loss), ``clip_norm`` and ``clip_value`` (the
        gradient's norm, or each number of it, is cut to this; None: is not).

    Raises
    ------
    TypeError
        If a parameter is no Value or a setting no number.
    ValueError
        If there is no parameter, one is no leaf, or a setting is out of its range.
    """

    method: ClassVar[str]
    weight_decay = _Setting("How strongly parameters are pulled towards 0.")
    l1 = _Setting("The same by their absolute values.")
    clip_norm = _Setting("The gradient's norm is cut to this.", optional=True)
    clip_value = _Setting("Each number of the gradient is cut to this.", optional=True)

    def __init__(
        self, parameters: Iterable[Value], learning_rate: float | Schedule, **settings: Any
    ) -> None:
        self.parameters = _checked_parameters(parameters)
        self._settings: dict[str, Any] = {}
        self._native = _core.Optimizer(self.method, self.parameters, 0.0)
        self.learning_rate = learning_rate
        for name, number in settings.items():
            setattr(self, name, number)

    @property
    def learning_rate(self) -> float:
        """How far the next step goes."""
        return self._rate if self._schedule is None else self._scheduled(self.steps)

    @learning_rate.setter
    def learning_rate(self, number: float | Schedule) -> None:
        self._schedule: Schedule | None = None
        if callable(number):
            self._schedule, self._rate = number, 0.0
            self._scheduled(0)
        else:
            self._rate = _setting("learning_rate", number)

    def _scheduled(self, step: int) -> float:
        assert self._schedule is not None
        return _setting(f"learning_rate({step})", self._schedule(step))

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self._native.state()[0]

    def rates(self, count: int) -> list[float]:
        """The learning rates of the next steps."""
        if self._schedule is None:
            return [self._rate] * count
        first = self.steps
        return [self._scheduled(first + k) for k in range(count)]

    def native(self) -> "_core.Optimizer":
        """What does the arithmetic, with the settings as they are now."""
        settings = {k: math.inf if x is None else float(x) for k, x in self._settings.items()}
        self._native.set(self.method, rate=self.learning_rate, **settings)
        return self._native

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        _core.zero_grad(self.parameters)

    def step(self) -> None:
        """Update every parameter from its gradient; on an error nothing changes.

        Raises
        ------
        ValueError
            If a gradient is nan or infinite, or a parameter would become so.
        """
        self.native().step()

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in vars(self).items() if k != "_native"}
        return {**state, "native": self._native.state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        steps, remembered = state.pop("native")
        vars(self).update(state)
        self._native = _core.Optimizer(self.method, self.parameters, 0.0)
        self._native.restore(steps, remembered)

    def __repr__(self) -> str:
        rate = self._rate if self._schedule is None else self._schedule
        given = {k: v for k, v in self._settings.items() if v}
        shown = "".join(f", {name}={value}" for name, value in given.items())
        return (
            f"{type(self).__name__}({len(self.parameters)} parameters, learning_rate={rate}{shown})"
        )


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
    momentum = _Setting("How much of the velocity is kept.")
    nesterov = _Setting("Whether a step looks ahead.")

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.01,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        *,
        nesterov: bool = False,
        l1: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        super().__init__(
            parameters,
            learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            nesterov=bool(nesterov),
            l1=l1,
            clip_norm=clip_norm,
            clip_value=clip_value,
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
    smoothing = _Setting("How much of the mean square is kept.", 1.0)
    epsilon = _Setting("Added to the root.")
    momentum = _Setting("How much of the velocity is kept.")
    centred = _Setting("Whether the running mean is taken off.")

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
        l1: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        super().__init__(
            parameters,
            learning_rate,
            smoothing=smoothing,
            epsilon=epsilon,
            weight_decay=weight_decay,
            momentum=momentum,
            centred=bool(centred),
            l1=l1,
            clip_norm=clip_norm,
            clip_value=clip_value,
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
    decay = _Setting("How fast the rate shrinks.")
    epsilon = _Setting("Added to the root.")

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.01,
        decay: float = 0.0,
        weight_decay: float = 0.0,
        epsilon: float = 1e-10,
        *,
        l1: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        super().__init__(
            parameters,
            learning_rate,
            decay=decay,
            weight_decay=weight_decay,
            epsilon=epsilon,
            l1=l1,
            clip_norm=clip_norm,
            clip_value=clip_value,
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
    beta1 = _Setting("How much of the mean is kept.", 1.0)
    beta2 = _Setting("How much of the mean square is kept.", 1.0)
    epsilon = _Setting("Added to the root.")

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        l1: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        super().__init__(
            parameters,
            learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            l1=l1,
            clip_norm=clip_norm,
            clip_value=clip_value,
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


def step_decay(rate: float, every: int, factor: float = 0.1) -> Schedule:
    """A schedule that multiplies the rate by a factor every so many steps.

    Examples
    --------
    >>> schedule = step_decay(1.0, every=10, factor=0.5)
    >>> [schedule(0), schedule(9), schedule(10), schedule(25)]
    [1.0, 1.0, 0.5, 0.25]
    """
    if not isinstance(every, int) or every < 1:
        raise ValueError(f"every must be a whole number from 1, not {every!r}")
    rate, factor = _setting("rate", rate), _setting("factor", factor)
    return lambda step: rate * factor ** (step // every)


def cosine(rate: float, steps: int, *, warm_up: int = 0, least: float = 0.0) -> Schedule:
    """A schedule that rises for `warm_up` steps and then falls along half a cosine.

    Parameters
    ----------
    rate : float
        The highest.
    steps : int
        The step at which, and after which, the rate is `least`.
    warm_up : int
    least : float

    Examples
    --------
    >>> schedule = cosine(1.0, 110, warm_up=10)
    >>> [round(schedule(step), 3) for step in (0, 4, 10, 60, 110)]
    [0.1, 0.5, 1.0, 0.5, 0.0]
    """
    rate, least = _setting("rate", rate), _setting("least", least)
    if not 0 <= warm_up < steps:
        raise ValueError(f"warm_up must be from 0 and less than steps, not {warm_up!r}")

    def schedule(step: int) -> float:
        if step < warm_up:
            return rate * (step + 1) / warm_up
        share = min(1.0, (step - warm_up) / (steps - warm_up))
        return least + (rate - least) * (1.0 + math.cos(math.pi * share)) / 2.0

    return schedule
