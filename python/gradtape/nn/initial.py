"""What a network starts from: its sizes and random weights, checked."""

import math
from collections.abc import Callable
from operator import index
from random import Random

from gradtape.errors import nearest

Draw = Callable[[Random, int, int, int], list[float]]


def _he(random: Random, inputs: int, outputs: int, count: int) -> list[float]:
    scale = math.sqrt(2.0 / inputs)
    return [random.gauss(0.0, 1.0) * scale for _ in range(count)]


def _glorot(random: Random, inputs: int, outputs: int, count: int) -> list[float]:
    bound = math.sqrt(6.0 / (inputs + outputs))
    # What random.uniform computes, to the last bit.
    return [-bound + (bound + bound) * random.random() for _ in range(count)]


def _small(random: Random, inputs: int, outputs: int, count: int) -> list[float]:
    return [random.gauss(0.0, 1.0) * 0.01 for _ in range(count)]


INITS: dict[str, Draw] = {"he": _he, "glorot": _glorot, "small": _small}


def drawing(init: str) -> Draw:
    """The way to draw weights from (random, inputs, outputs, count), by its name.

    Parameters
    ----------
    init : {"he", "glorot", "small"}
        ``he``: normal with variance 2 / inputs (He et al. 2015, for relu); ``glorot``: uniform with
        variance 2 / (inputs + outputs) (Glorot and Bengio 2010, for tanh and sigmoid); ``small``:
        0.01 times a standard normal.

    Raises
    ------
    ValueError
        If there is no such way.

    Examples
    --------
    >>> all(abs(weight) <= 1.0 for weight in drawing("glorot")(Random(0), 4, 2, 10))
    True
    """
    if not isinstance(init, str) or init not in INITS:
        raise ValueError(f"unknown init {init!r}; {nearest(init, INITS)}")
    return INITS[init]


class _Usual(int):
    """A size that nobody asked for."""


# How many rows a step takes where nobody says.
USUAL_BATCH = _Usual(16)


def generator(seed: int | Random) -> Random:
    """A generator of random numbers from a seed; one that is given already is shared.

    Raises
    ------
    TypeError
        If `seed` is neither an integer nor a ``random.Random``.

    Examples
    --------
    >>> generator(7).random() == generator(7).random()
    True
    """
    if isinstance(seed, Random):
        return seed
    try:
        return Random(index(seed))
    except TypeError:
        raise TypeError(
            f"seed must be an integer or a random.Random, not {type(seed).__name__} {seed!r}"
        ) from None


def size(count: int, what: str) -> int:
    """`count` as an int that is at least 1; `what` names it in the error.

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is smaller than 1.

    Examples
    --------
    >>> size(3, "inputs")
    3
    """
    if isinstance(count, bool) or not hasattr(count, "__index__"):
        raise TypeError(f"{what} must be an integer, not {type(count).__name__} {count!r}")
    if index(count) < 1:
        raise ValueError(f"{what} must be at least 1, not {count}")
    return index(count)
