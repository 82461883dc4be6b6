"""The networks of the training bench: their parameters, and how much there is to compute.

Each is a run of layers with weights and biases, two arrays a layer, in the shapes that PyTorch has.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pairs = list[tuple[Array, Array]]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Dense:
    """Dense layers with relu between them."""

    sizes: Shape

    @property
    def inputs(self) -> int:
        """Numbers of a row."""
        return self.sizes[0]

    @property
    def shapes(self) -> list[Shape]:
        """Of the weights."""
        return [(k, n) for n, k in pairwise(self.sizes)]

    @property
    def products(self) -> int:
        """Products of numbers a row; the first layer's inputs need no adjoint."""
        weights = [n * k for n, k in pairwise(self.sizes)]
        return 3 * sum(weights) - weights[0]

    def __str__(self) -> str:
        return "-".join(map(str, self.sizes))


@dataclass(frozen=True)
class Images:
    """Two convolutions that keep the size, with relu, the largest of 2 × 2 between; then dense."""

    side: int
    channels: tuple[int, int]
    kernel: int
    classes: int

    @property
    def inputs(self) -> int:
        """Numbers of a row."""
        return self.side**2

    @property
    def shapes(self) -> list[Shape]:
        """Of the weights."""
        one, two = self.channels
        k, last = self.kernel, two * (self.side // 2) ** 2
        return [(one, 1, k, k), (two, one, k, k), (self.classes, last)]

    @property
    def products(self) -> int:
        """Products of numbers a row, those with the zeros around an image too."""
        first, second, dense = map(prod, self.shapes)
        return 2 * self.side**2 * first + 3 * (self.side // 2) ** 2 * second + 3 * dense

    def __str__(self) -> str:
        one, two = (f"Conv2d {n} × {self.kernel}×{self.kernel}" for n in self.channels)
        return f"{one}, MaxPool 2, {two}, {self.shapes[-1][1]}-{self.classes}"


@dataclass(frozen=True)
class Sequences:
    """An LSTM, and a dense layer on its last state.

    The gates stand in the order of PyTorch: input, forget, new, output; their weights are those of
    the features, then those of the state. One bias a gate.
    """

    steps: int
    features: int
    states: int
    classes: int

    @property
    def inputs(self) -> int:
        """Numbers of a row."""
        return self.steps * self.features

    @property
    def shapes(self) -> list[Shape]:
        """Of the weights."""
        return [(4 * self.states, self.features + self.states), (self.classes, self.states)]

    @property
    def products(self) -> int:
        """Products of numbers a row: features need no adjoint, and the first state is 0."""
        gates, dense = 4 * self.states, 3 * self.classes * self.states
        return gates * (2 * self.inputs + 3 * (self.steps - 1) * self.states) + dense

    def __str__(self) -> str:
        return f"{self.steps} steps of {self.features}, LSTM {self.states}, dense {self.classes}"


Network = Dense | Images | Sequences


def drawn(network: Network) -> Pairs:
    """Draw weights, one line a neuron, and biases of 0, layer by layer."""
    random = np.random.default_rng(2)
    return [
        (random.normal(0.0, sqrt(2.0 / prod(shape[1:])), size=shape), np.zeros(shape[0]))
        for shape in network.shapes
    ]
