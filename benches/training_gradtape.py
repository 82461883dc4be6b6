"""Training by gradtape's `fit`."""

import gradtape as gt
import numpy as np
from gradtape.losses import categorical_cross_entropy
from gradtape.optim import Adam
from training_works import BETAS, EPSILON, Array, Contender, Tick, Work, data, start


def contenders(work: Work, threads: int) -> dict[str, Contender]:
    """Give `fit`; it takes as many threads as the process has cores."""
    x, classes = data(work.name)
    hidden = len(work.sizes) - 2

    def train(epochs: int, tick: Tick) -> tuple[list[float], list[tuple[Array, Array]]]:
        model = gt.MLP(work.sizes, ["relu"] * hidden + ["softmax"])
        numbers = [
            p
            for w, b in start(work)
            for line, bias in zip(w, b, strict=True)
            for p in (*line, bias)
        ]
        for parameter, number in zip(model.parameters(), numbers, strict=True):
            parameter.data = float(number)
        history = gt.fit(
            model,
            x,
            classes,
            loss=categorical_cross_entropy,
            optimizer=Adam(model.parameters(), work.rate, *BETAS, EPSILON),
            epochs=epochs,
            batch_size=work.batch,
            native=True,
            callback=lambda *_: tick(),
        )
        layers = [
            np.array([[p.data for p in neuron.parameters()] for neuron in layer.neurons])
            for layer in model.layers
        ]
        return history.loss, [(layer[:, :-1], layer[:, -1]) for layer in layers]

    return {"gradtape": Contender(train)}
