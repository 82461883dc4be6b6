"""The network by scikit-learn: the gradient that MLPClassifier computes for a batch."""

from typing import Any

import numpy as np
from replay_works import LAYERS, Array, Contender, flowers, one_hot, parameters
from sklearn.neural_network import MLPClassifier


def read(found: Any) -> list[Array]:
    """Turn its matrices, which stand the other way round, and its vectors into ours."""
    value, matrices, vectors = found
    pairs = zip(matrices, vectors, strict=True)
    return [np.asarray(value), *(each for w, b in pairs for each in (w.T, b))]


def contenders(work: str, rows: int, threads: int, slow: bool) -> dict[str, Contender]:
    """Give its private backward pass: `partial_fit` would check, convert and update besides."""
    if work != "network":
        return {}
    x, classes = flowers(rows)
    hot, count = one_hot(classes), len(LAYERS) - 1
    model: Any = MLPClassifier(hidden_layer_sizes=LAYERS[1:-1], activation="relu", alpha=0.0)
    model.n_layers_, model.out_activation_ = len(LAYERS), "softmax"
    model.coefs_ = [np.ascontiguousarray(w.T) for w, _ in parameters()]
    model.intercepts_ = [b for _, b in parameters()]

    def run() -> Any:
        blank = [None] * count
        return model._backprop(x, hot, None, [x, *blank], [*blank], [*blank], [*blank])

    return {"scikit-learn": Contender(lambda: run, read)}
