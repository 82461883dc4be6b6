"""The works of the replay bench: their sizes, their inputs, and what a contender is."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Run = Callable[[], Any]

LAYERS = (4, 10, 5, 3)
STEPS_HESTON = 252
HESTON = {"S0": 100.0, "v0": 0.04, "kappa": 2.0, "theta": 0.05, "xi": 0.4, "rho": -0.7}
LOTKA = {"a": 1.1, "b": 0.4, "c": 0.4, "d": 0.1, "x": 10.0, "y": 5.0}
STEPS_LOTKA = 1000


@dataclass(frozen=True)
class Contender:
    """One way to do a work.

    `make` goes from the function to a call that gives value and gradient, compiling included if
    that is done beforehand; inputs in the contender's own form are ready before. `read` turns what
    the call gives into arrays, for the comparison only. `rows` is told where it is less than the
    work's: by operators in Python, a million rows would take minutes.
    """

    make: Callable[[], Run]
    read: Callable[[Any], list[Array]]
    rows: int | None = None


@dataclass(frozen=True)
class Case:
    """A work at a number of rows."""

    work: str
    rows: int
    quantity: str

    @property
    def unit(self) -> tuple[str, float]:
        """The unit of a number, and how many of them a second has for the whole work."""
        if self.rows == 1 or self.work == "heston":
            return "ms", 1e3
        return ("µs", 1e6) if self.rows < 1000 else ("ns a row", 1e9 / self.rows)

    @property
    def title(self) -> str:
        return f"{self.work}, {self.rows:,} row{'s' * (self.rows > 1)}: {self.quantity}"


CASES = [
    Case("network", 100_000, "mean cross-entropy of 4-10-5-3, gradient for 123 shared parameters"),
    Case("network", 112, "the same"),
    Case("blackscholes", 1_000_000, "price and 5 Greeks a row"),
    Case("heston", 10_000, f"{STEPS_HESTON} Euler steps a path, mean pay-off, 6 sensitivities"),
    Case("lotka", 1, f"{STEPS_LOTKA} Runge-Kutta steps, 6 sensitivities of the last state's sum"),
]


def flowers(rows: int) -> tuple[Array, NDArray[np.int64]]:
    """Draw standardised features and classes for the network."""
    random = np.random.default_rng(1)
    return random.normal(size=(rows, LAYERS[0])), random.integers(0, LAYERS[-1], rows)


def one_hot(classes: NDArray[np.int64]) -> Array:
    """Turn classes into rows of one 1."""
    hot: Array = np.eye(LAYERS[-1])[classes]
    return hot


def parameters() -> list[tuple[Array, Array]]:
    """Draw weights, one line a neuron, and biases, layer by layer."""
    random = np.random.default_rng(2)
    return [
        (random.normal(0.0, np.sqrt(2.0 / n), size=(k, n)), random.normal(0.0, 0.1, size=k))
        for n, k in pairwise(LAYERS)
    ]


def flat() -> list[float]:
    """Give the same parameters neuron by neuron: the weights, then the bias."""
    neurons = [neuron for w, b in parameters() for neuron in zip(w, b, strict=True)]
    return [float(p) for line, bias in neurons for p in (*line, bias)]


def shaped(values: Any) -> list[list[tuple[list[Any], Any]]]:
    """Arrange flat parameters as layers of neurons."""
    each = iter(values)
    return [
        [([next(each) for _ in range(n)], next(each)) for _ in range(k)]
        for n, k in pairwise(LAYERS)
    ]


def layered(value: Any, gradient: Any) -> list[Array]:
    """Read a value and a flat gradient as the value and a matrix and a vector a layer."""
    found, numbers = [np.asarray(value, float)], np.asarray(gradient, float).ravel()
    for n, k in pairwise(LAYERS):
        layer, numbers = numbers[: k * (n + 1)].reshape(k, n + 1), numbers[k * (n + 1) :]
        found += [layer[:, :n], layer[:, n]]
    return found


def options(rows: int) -> list[Array]:
    """Draw S, K, r, sigma and T for the Black-Scholes price."""
    random = np.random.default_rng(3)
    bounds = [(80.0, 120.0), (80.0, 120.0), (0.0, 0.05), (0.1, 0.5), (0.2, 2.0)]
    return [random.uniform(low, high, rows) for low, high in bounds]


def normals(paths: int) -> Array:
    """Draw two normals a step for each path."""
    return np.random.default_rng(4).normal(size=(paths, 2 * STEPS_HESTON))
