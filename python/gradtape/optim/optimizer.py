"""What all optimizers share: parameters, settings, a learning rate, and their native steps."""

import math
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypedDict

import gradtape._core as _core
from gradtape._core import Value
from gradtape.errors import nearest

__all__ = ["Common", "Optimizer", "Schedule", "Setting", "checked_parameters", "checked_setting"]

Schedule = Callable[[int], float]


def checked_setting(name: str, number: Any, *, most: float = math.inf) -> float:
    """A setting as a float from 0, less than `most`; an error names it.

    Examples
    --------
    >>> checked_setting("momentum", 1)
    1.0
    """
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


class Setting:
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
            optimizer._settings[self.name] = checked_setting(self.name, number, most=self.most)


def checked_parameters(parameters: Iterable[Value]) -> list[Value]:
    """The parameters as a list, all leaves.

    Raises
    ------
    TypeError, ValueError
        If one is none, or there is none.
    """
    try:
        checked = list(parameters)
    except TypeError:
        raise TypeError(
            "parameters must be an iterable of Values, as model.parameters() gives, "
            f"not {type(parameters).__name__}"
        ) from None
    if not checked:
        raise ValueError("there is no parameter to optimize")
    if set(map(type, checked)) == {Value} and not any(p.op for p in checked):
        return checked
    for i, parameter in enumerate(checked):
        if not isinstance(parameter, Value):
            raise TypeError(f"parameters[{i}] must be a Value, not {type(parameter).__name__}")
        if parameter.op:
            raise ValueError(
                f"parameters[{i}] must be a leaf, not the result of {parameter.op!r}: "
                "assigning to it would not change what it was computed from"
            )
    return checked


class Common(TypedDict, total=False):
    """Settings of all optimizers, which each hands on."""

    l1: float
    clip_norm: float | None
    clip_value: float | None


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
        If a parameter is no Value, or a setting no number or unknown.
    ValueError
        If there is no parameter, one is no leaf, or a setting is out of its range.
    """

    method: ClassVar[str]
    weight_decay = Setting("How strongly parameters are pulled towards 0.")
    l1 = Setting("The same by their absolute values.")
    clip_norm = Setting("The gradient's norm is cut to this.", optional=True)
    clip_value = Setting("Each number of the gradient is cut to this.", optional=True)

    def __init__(
        self, parameters: Iterable[Value], learning_rate: float | Schedule, **settings: Any
    ) -> None:
        self.parameters = checked_parameters(parameters)
        self._settings: dict[str, Any] = {}
        self._native = _core.Optimizer(self.method, self.parameters, 0.0)
        self.learning_rate = learning_rate
        for name, number in settings.items():
            if name not in self.settings():
                hint = nearest(name, self.settings())
                raise TypeError(f"{type(self).__name__} has no setting {name!r}; {hint}")
            setattr(self, name, number)
        for name in ("weight_decay", "l1", "clip_norm", "clip_value"):
            self._settings.setdefault(name, None if name.startswith("clip") else 0.0)

    @classmethod
    def settings(cls) -> list[str]:
        """The names of what may be set, besides the learning rate."""
        own = [name for kind in cls.__mro__ for name, x in vars(kind).items() if type(x) is Setting]
        return list(dict.fromkeys(own))

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
            self._rate = checked_setting("learning_rate", number)

    def _scheduled(self, step: int) -> float:
        assert self._schedule is not None
        return checked_setting(f"learning_rate({step})", self._schedule(step))

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
