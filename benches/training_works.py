"""The works of the training bench: their sizes, their data, and what a contender is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from training_networks import Array, Dense, Images, Network, Pairs, Sequences

Classes = NDArray[np.int64]
Tick = Callable[[], None]
# Trains from `start` for a number of epochs and calls the tick at the end of each: gives the mean
# loss of each epoch, and the trained parameters, layer by layer.
Train = Callable[[int, Tick], tuple[list[float], Pairs]]

BETAS, EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class Work:
    """A network, its data and how it is trained: relu, cross-entropy, Adam, in 64 bits.

    Accuracies are compared after `epochs`, and may differ by `noise`.
    """

    name: str
    network: Network
    rows: int
    batch: int
    rate: float
    epochs: int
    noise: float

    @property
    def operations(self) -> int:
        """Multiplications and additions of an epoch's matrix products."""
        return 2 * self.rows * self.network.products

    @property
    def title(self) -> str:
        return f"{self.name}: {self.rows:,} rows, {self.network}, batches of {self.batch}"


@dataclass(frozen=True)
class Contender:
    """One way to train; `exact` if it takes the rows in the order of `orders`."""

    train: Train
    exact: bool = True


WORKS = {
    work.name: work
    for work in (
        Work("iris", Dense((4, 10, 5, 3)), 150, 16, 0.01, 40, 0.04),
        Work("digits", Dense((64, 128, 64, 10)), 1797, 64, 0.001, 8, 0.02),
        Work("large", Dense((50, 64, 32, 10)), 100_000, 256, 0.001, 2, 0.03),
        Work("images", Images(8, (8, 16), 3, 10), 1797, 64, 0.003, 8, 0.02),
        Work("sequences", Sequences(20, 4, 16, 2), 1000, 32, 0.01, 16, 0.03),
    )
}

# What both MLPClassifiers are fitted to, and for how many epochs.
ESTIMATED, EPOCHS = ("iris", "digits"), 20


def waves(rows: int, inputs: int, kinds: int) -> tuple[Array, Classes]:
    """Draw rows, and as classes the largest of some waves along them."""
    random = np.random.default_rng(5)
    x = random.normal(size=(rows, inputs))
    waves = random.normal(size=(inputs, kinds))
    return x, np.argmax(np.tanh(x @ waves / 2.0) + np.sin(x @ waves[:, ::-1] / 4.0), axis=1)


def gated(rows: int, network: Sequences) -> tuple[Array, Classes]:
    """Draw sequences: is the first feature's sum positive where the second is?"""
    x = np.random.default_rng(5).normal(size=(rows, network.steps, network.features))
    sums = np.sum(x[..., 0] * (x[..., 1] > 0.0), axis=1)
    return x, (sums > 0.0).astype(np.int64)


@lru_cache
def data(name: str) -> tuple[Array, Classes]:
    """Give a work's rows, standardised, and classes; digits are drawn without scikit-learn."""
    work = WORKS[name]
    network = work.network
    kinds = network.shapes[-1][0]
    if name == "iris":
        from gradtape.data import load_iris

        flowers = load_iris()
        x, classes = np.array(flowers.rows), np.array(flowers.targets)
    elif isinstance(network, Sequences):
        x, classes = gated(work.rows, network)
    elif name == "large":
        x, classes = waves(work.rows, network.inputs, kinds)
    else:
        try:
            from sklearn.datasets import load_digits
        except ImportError:
            x, classes = waves(work.rows, network.inputs, kinds)
        else:
            x, classes = load_digits(return_X_y=True)
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    if isinstance(network, Images):
        x = x.reshape(work.rows, 1, network.side, network.side)
    return x, classes.astype(np.int64)


def orders(work: Work) -> Callable[[], NDArray[np.int64]]:
    """Give what shuffles the rows for each epoch as gradtape's `fit` does with the seed 0."""
    from gradtape.nn.initial import generator

    random = np.random.default_rng(generator(0).getrandbits(64))
    order = np.arange(work.rows)

    def shuffled() -> NDArray[np.int64]:
        random.shuffle(order)
        return order

    return shuffled
