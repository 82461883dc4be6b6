"""Training by gradtape's `fit`."""

from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import gradtape as gt
import numpy as np
from gradtape.losses import categorical_cross_entropy
from gradtape.nn import LSTM, Conv2d, Flatten, Linear, MaxPool, Sequential
from gradtape.optim import Adam
from training_networks import Array, Images, Network, Pairs, Sequences, drawn
from training_works import BETAS, EPSILON, Contender, Tick, Work, data


def model(network: Network) -> Any:
    """Make the model."""
    if isinstance(network, Images):
        (one, two), k, last = network.channels, network.kernel, network.shapes[-1]
        return Sequential(
            Conv2d(1, one, k, "relu", padding=k // 2),
            MaxPool(2),
            Conv2d(one, two, k, "relu", padding=k // 2),
            Flatten(),
            Linear(last[1], last[0], "softmax"),
        )
    if isinstance(network, Sequences):
        return Sequential(
            LSTM(network.features, network.states),
            Linear(network.states, network.classes, "softmax"),
        )
    return gt.MLP(network.sizes, ["relu"] * (len(network.sizes) - 2) + ["softmax"])


def lines(network: Network) -> list[Array]:
    """Give the order in which a layer's neurons stand: the new state comes after all gates."""
    orders = [np.arange(shape[0]) for shape in network.shapes]
    if isinstance(network, Sequences):
        inputs, forget, new, output = np.split(orders[0], 4)
        orders[0] = np.concatenate([inputs, forget, output, new])
    return orders


def numbers(network: Network, pairs: Pairs) -> Iterable[float]:
    """Give weights and bias, neuron by neuron."""
    for (w, b), order in zip(pairs, lines(network), strict=True):
        for i in order:
            yield from map(float, (*w[i].ravel(), b[i]))


def layers(network: Network, numbers: Array) -> Pairs:
    """Give the layers that have these numbers."""
    sizes = [(shape[0], 1 + int(np.prod(shape[1:]))) for shape in network.shapes]
    ends = np.cumsum([0] + [k * n for k, n in sizes])
    found = []
    for (at, end), size, shape, order in zip(
        pairwise(ends), sizes, network.shapes, lines(network), strict=True
    ):
        layer = np.empty(size)
        layer[order] = numbers[at:end].reshape(size)
        found.append((layer[:, :-1].reshape(shape), layer[:, -1]))
    return found


def contenders(work: Work, threads: int) -> dict[str, Contender]:
    """Give `fit`; it takes as many threads as the process has cores."""
    x, classes = data(work.name)

    def train(epochs: int, tick: Tick, dtype: str = "float64") -> tuple[list[float], Pairs]:
        network = model(work.network)
        parameters = network.parameters()
        for parameter, number in zip(
            parameters, numbers(work.network, drawn(work.network)), strict=True
        ):
            parameter.data = number
        history = gt.fit(
            network,
            x,
            classes,
            loss=categorical_cross_entropy,
            optimizer=Adam(parameters, work.rate, *BETAS, EPSILON),
            epochs=epochs,
            batch_size=work.batch,
            dtype=dtype,
            native=True,
            callback=lambda *_: tick(),
        )
        return history.loss, layers(work.network, np.array([p.data for p in parameters]))

    return {
        "gradtape": Contender(train),
        "gradtape, 32 bits": Contender(partial(train, dtype="float32"), exact=False),
    }
