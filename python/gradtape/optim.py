"""Optimizers: from gradients to better parameters."""

import math
from collections.abc import Iterable

import gradtape._core as _core
from gradtape._core import Value


def _setting(name: str, number: float) -> float:
    try:
        setting = float(number)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be a real number, not {type(number).__name__} {number!r}"
        ) from None
    if not (math.isfinite(setting) and setting >= 0.0):
        raise ValueError(f"{name} must be a finite number that is not negative, not {number}")
    return setting


class SGD:
    """Stochastic gradient descent with momentum and weight decay.

    A step takes each parameter p with gradient g and velocity v (0 at first) to::

        v = momentum * v + g + weight_decay * p
        p = p - learning_rate * v

    which is what PyTorch's ``SGD`` does.

    Parameters
    ----------
    parameters : iterable of Value
        Leaves.
    learning_rate, momentum, weight_decay : float
        Finite and not negative. They may be changed between steps.

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

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        try:
            self.parameters = list(parameters)
        except TypeError:
            raise TypeError(
                "parameters must be an iterable of Values, as model.parameters() gives, "
                f"not {type(parameters).__name__}"
            ) from None
        if not self.parameters:
            raise ValueError("there is no parameter to optimize")
        for i, parameter in enumerate(self.parameters):
            if not isinstance(parameter, Value):
                raise TypeError(f"parameters[{i}] must be a Value, not {type(parameter).__name__}")
            if parameter.op:
                raise ValueError(
                    f"parameters[{i}] must be a leaf, not the result of {parameter.op!r}: "
                    "assigning to it would not change what it was computed from"
                )
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self._velocity = [0.0] * len(self.parameters)

    @property
    def learning_rate(self) -> float:
        """How far a step goes along the velocity."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, number: float) -> None:
        self._learning_rate = _setting("learning_rate", number)

    @property
    def momentum(self) -> float:
        """How much of the velocity is kept."""
        return self._momentum

    @momentum.setter
    def momentum(self, number: float) -> None:
        self._momentum = _setting("momentum", number)

    @property
    def weight_decay(self) -> float:
        """How strongly parameters are pulled towards 0."""
        return self._weight_decay

    @weight_decay.setter
    def weight_decay(self, number: float) -> None:
        self._weight_decay = _setting("weight_decay", number)

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
        rate, keep, decay = self._learning_rate, self._momentum, self._weight_decay
        data, velocity = _core.data(self.parameters), _core.grads(self.parameters)
        self._check(velocity, "the gradient of {} is {}")
        if decay:
            velocity = [g + decay * p for g, p in zip(velocity, data, strict=True)]
        if keep:
            velocity = [keep * v + g for v, g in zip(self._velocity, velocity, strict=True)]
        updated = [p - rate * v for p, v in zip(data, velocity, strict=True)]
        self._check(updated, "the step would make {} {}: a smaller learning_rate may help")
        _core.assign(self.parameters, updated)
        self._velocity = velocity

    def _check(self, numbers: list[float], message: str) -> None:
        """Refuse numbers that are not finite, naming the first one's parameter."""
        # One sum finds out whether to look closer; it may overflow where no number is to blame.
        if math.isfinite(sum(numbers)):
            return
        for i, number in enumerate(numbers):
            if not math.isfinite(number):
                name = self.parameters[i].label or f"parameters[{i}]"
                raise ValueError(f"{message.format(name, number)}; no parameter was changed")

    def __repr__(self) -> str:
        return (
            f"SGD({len(self.parameters)} parameters, learning_rate={self.learning_rate}, "
            f"momentum={self.momentum}, weight_decay={self.weight_decay})"
        )
