"""Training by hand in NumPy: what the others are held to."""

from math import prod
from typing import Any

import numpy as np
from training_by_hand import gradients
from training_networks import Array, Network, Pairs, drawn
from training_works import BETAS, EPSILON, Classes, Contender, Tick, Work, data, orders


def views(flat: Array, network: Network) -> Pairs:
    """Give weights and biases as views into one run of numbers."""
    layers, at = [], 0
    for shape in network.shapes:
        end = at + prod(shape)
        layers.append((flat[at:end].reshape(shape), flat[end : end + shape[0]]))
        at = end + shape[0]
    return layers


def cross_entropy(scores: Array, classes: Classes) -> tuple[float, Array]:
    """Give the sum of a batch's losses, and the adjoint that their mean gives the scores."""
    rows = np.arange(len(scores))
    scores -= scores.max(axis=1, keepdims=True)
    right = scores[rows, classes].sum()
    adjoint = np.exp(scores, out=scores)
    total = adjoint.sum(axis=1, keepdims=True)
    adjoint /= total
    adjoint[rows, classes] -= 1.0
    adjoint /= len(scores)
    return float(np.log(total).sum() - right), adjoint


class Adam:
    """Adam in place on one run of numbers."""

    def __init__(self, size: int, rate: float) -> None:
        self.rate, self.steps = rate, 0
        self.mean, self.square, self.room = np.zeros((3, size))

    def step(self, p: Array, g: Array) -> None:
        self.steps += 1
        keep, keep_square = BETAS
        self.mean *= keep
        self.mean += np.multiply(g, 1.0 - keep, out=self.room)
        self.square *= keep_square
        np.multiply(g, g, out=self.room)
        self.room *= 1.0 - keep_square
        self.square += self.room
        np.sqrt(self.square, out=self.room)
        self.room /= (1.0 - keep_square**self.steps) ** 0.5
        self.room += EPSILON
        np.divide(self.mean, self.room, out=self.room)
        self.room *= self.rate / (1.0 - keep**self.steps)
        p -= self.room


def contenders(work: Work, threads: int) -> dict[str, Contender]:
    """Give the loop; the threads are set for its library of matrix products."""
    rows, all_classes = data(work.name)
    forward, reverse = gradients(work.network)

    def train(epochs: int, tick: Tick) -> tuple[list[float], Pairs]:
        p = np.concatenate([each.ravel() for layer in drawn(work.network) for each in layer])
        g = np.empty_like(p)
        layers, into = views(p, work.network), views(g, work.network)
        adam, shuffled, losses = Adam(p.size, work.rate), orders(work), []
        for _ in range(epochs):
            order = shuffled()
            x, classes, total = rows[order], all_classes[order], 0.0
            for at in range(0, work.rows, work.batch):
                batch = slice(at, at + work.batch)
                scores, seen = forward(layers, x[batch])
                some, adjoint = cross_entropy(scores, classes[batch])
                reverse(layers, into, adjoint, seen)
                total += some
                adam.step(p, g)
            losses.append(total / work.rows)
            tick()
        return losses, layers

    return {"NumPy by hand": Contender(train)}


def accuracy(work: Work, layers: Any) -> float:
    """Give the share of the rows whose class is right."""
    x, classes = data(work.name)
    scores, _ = gradients(work.network)[0](layers, x)
    return float(np.mean(np.argmax(scores, axis=1) == classes))
