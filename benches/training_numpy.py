"""Training by hand in NumPy: what the others are held to."""

from itertools import pairwise

import numpy as np
from training_works import (
    BETAS,
    EPSILON,
    Array,
    Classes,
    Contender,
    Tick,
    Work,
    data,
    orders,
    start,
)

Layers = list[tuple[Array, Array]]


def views(flat: Array, sizes: tuple[int, ...]) -> Layers:
    """Give weights and biases as views into one run of numbers."""
    layers, at = [], 0
    for n, k in pairwise(sizes):
        end = at + n * k
        layers.append((flat[at:end].reshape(k, n), flat[end : end + k]))
        at = end + k
    return layers


def gradient(layers: Layers, into: Layers, x: Array, classes: Classes) -> float:
    """Write the gradient of a batch's mean loss and give the sum of its losses."""
    seen = [x]
    for w, b in layers:
        y = seen[-1] @ w.T
        y += b
        seen.append(np.maximum(y, 0.0, out=y) if w is not layers[-1][0] else y)
    scores, rows = seen.pop(), np.arange(len(x))
    scores -= scores.max(axis=1, keepdims=True)
    right = scores[rows, classes].sum()
    adjoint = np.exp(scores, out=scores)
    total = adjoint.sum(axis=1, keepdims=True)
    adjoint /= total
    adjoint[rows, classes] -= 1.0
    adjoint /= len(x)
    for i in range(len(layers) - 1, -1, -1):
        np.matmul(adjoint.T, seen[i], out=into[i][0])
        adjoint.sum(axis=0, out=into[i][1])
        if i:
            adjoint = adjoint @ layers[i][0]
            adjoint *= seen[i] > 0.0
    return float(np.log(total).sum() - right)


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

    def train(epochs: int, tick: Tick) -> tuple[list[float], Layers]:
        p = np.concatenate([each.ravel() for layer in start(work) for each in layer])
        g = np.empty_like(p)
        layers, into = views(p, work.sizes), views(g, work.sizes)
        adam, shuffled, losses = Adam(p.size, work.rate), orders(work), []
        for _ in range(epochs):
            order = shuffled()
            x, classes, total = rows[order], all_classes[order], 0.0
            for at in range(0, work.rows, work.batch):
                batch = slice(at, at + work.batch)
                total += gradient(layers, into, x[batch], classes[batch])
                adam.step(p, g)
            losses.append(total / work.rows)
            tick()
        return losses, layers

    return {"NumPy by hand": Contender(train)}
