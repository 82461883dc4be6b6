"""The works of the training bench: their sizes, their data, and what a contender is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Classes = NDArray[np.int64]
Tick = Callable[[], None]
# Trains from `start` for a number of epochs and calls the tick at the end of each: gives the mean
# loss of each epoch, and the trained parameters, layer by layer.
Train = Callable[[int, Tick], tuple[list[float], list[tuple[Array, Array]]]]

BETAS, EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class Work:
    """A network, its data and how it is trained: relu, cross-entropy, Adam, in 64 bits.

    Accuracies are compared after `epochs`, and may differ by `noise`.
    """

    name: str
    sizes: tuple[int, ...]
    rows: int
    batch: int
    rate: float
    epochs: int
    noise: float

    @property
    def operations(self) -> int:
        """Multiplications and additions of an epoch's matrix products.

        Three products a layer; the first layer's inputs need no adjoint.
        """
        weights = [n * k for n, k in pairwise(self.sizes)]
        return 2 * self.rows * (3 * sum(weights) - weights[0])

    @property
    def title(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        return f"{self.name}: {self.rows:,} rows, {sizes}, batches of {self.batch}"


@dataclass(frozen=True)
class Contender:
    """One way to train; `exact` if it takes the rows in the order of `orders`."""

    train: Train
    exact: bool = True


WORKS = {
    work.name: work
    for work in (
        Work("iris", (4, 10, 5, 3), 150, 16, 0.01, 40, 0.04),
        Work("digits", (64, 128, 64, 10), 1797, 64, 0.001, 8, 0.02),
        Work("large", (50, 64, 32, 10), 100_000, 256, 0.001, 2, 0.03),
    )
}


def drawn(work: Work) -> tuple[Array, Classes]:
    """Draw rows, and as classes the largest of some waves along them."""
    random = np.random.default_rng(5)
    x = random.normal(size=(work.rows, work.sizes[0]))
    waves = random.normal(size=(work.sizes[0], work.sizes[-1]))
    return x, np.argmax(np.tanh(x @ waves / 2.0) + np.sin(x @ waves[:, ::-1] / 4.0), axis=1)


@lru_cache
def data(name: str) -> tuple[Array, Classes]:
    """Give a work's rows, standardised, and classes; digits are drawn without scikit-learn."""
    work = WORKS[name]
    if name == "iris":
        from gradtape.data import load_iris

        flowers = load_iris()
        x, classes = np.array(flowers.rows), np.array(flowers.targets)
    elif name == "digits":
        try:
            from sklearn.datasets import load_digits
        except ImportError:
            return drawn(work)
        x, classes = load_digits(return_X_y=True)
    else:
        return drawn(work)
    spread = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0), classes.astype(np.int64)


def start(work: Work) -> list[tuple[Array, Array]]:
    """Draw weights, one line a neuron, and biases, layer by layer."""
    random = np.random.default_rng(2)
    return [
        (random.normal(0.0, np.sqrt(2.0 / n), size=(k, n)), np.zeros(k))
        for n, k in pairwise(work.sizes)
    ]


def orders(work: Work) -> Callable[[], NDArray[np.int64]]:
    """Give what shuffles the rows for each epoch as gradtape's `fit` does with the seed 0."""
    from gradtape.nn.initial import generator

    random = np.random.default_rng(generator(0).getrandbits(64))
    order = np.arange(work.rows)

    def shuffled() -> NDArray[np.int64]:
        random.shuffle(order)
        return order

    return shuffled


def accuracy(name: str, layers: list[tuple[Any, Any]]) -> float:
    """Give the share of the rows whose class is right."""
    x, classes = data(name)
    for i, (w, b) in enumerate(layers):
        x = (np.maximum(x, 0.0) if i else x) @ np.asarray(w).T + np.asarray(b)
    return float(np.mean(np.argmax(x, axis=1) == classes))
