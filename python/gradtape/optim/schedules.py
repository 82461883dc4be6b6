"""Schedules: from the number of a step to its learning rate."""

import math

from gradtape.optim.optimizer import Schedule, checked_setting

__all__ = ["cosine", "step_decay"]


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
    rate, factor = checked_setting("rate", rate), checked_setting("factor", factor)
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
    rate, least = checked_setting("rate", rate), checked_setting("least", least)
    if not 0 <= warm_up < steps:
        raise ValueError(f"warm_up must be from 0 and less than steps, not {warm_up!r}")

    def schedule(step: int) -> float:
        if step < warm_up:
            return rate * (step + 1) / warm_up
        share = min(1.0, (step - warm_up) / (steps - warm_up))
        return least + (rate - least) * (1.0 + math.cos(math.pi * share)) / 2.0

    return schedule
