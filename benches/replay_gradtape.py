"""The works by gradtape's compiled functions."""

from collections.abc import Callable
from typing import Any

import gradtape as gt
import numpy as np
import replay_texts as texts
from replay_works import (
    HESTON,
    LAYERS,
    LOTKA,
    Array,
    Contender,
    Run,
    flat,
    flowers,
    layered,
    normals,
    one_hot,
    options,
    shaped,
)

Loss = Callable[[Any, Any], Any]


def network(rows: int, threads: int) -> dict[str, Contender]:
    """Give the loss in plain operators, and with the package's network and n-ary functions."""
    x, classes = flowers(rows)
    t = one_hot(classes)

    def trained(parameters: list[gt.Value], loss: Loss) -> Run:
        function = gt.compile(loss, signature="(n),(k)->()")

        def run() -> Any:
            for p in parameters:
                p.grad = 0.0
            return function.backward(x, t, reduce="mean", threads=threads), parameters

        return run

    def operators() -> Run:
        parameters = [gt.Value(number) for number in flat()]
        layers = shaped(parameters)
        return trained(parameters, lambda x, t: texts.loss(gt, layers, x, t))

    def native() -> Run:
        model = gt.MLP(LAYERS, ["relu", "relu", "softmax"])
        for p, number in zip(model.parameters(), flat(), strict=True):
            p.data = number

        def loss(x: Any, t: Any) -> Any:
            z = model.logits(x)
            return gt.logsumexp(z) - gt.dot(t, z)

        return trained(model.parameters(), loss)

    def read(found: Any) -> list[Array]:
        value, parameters = found
        return layered(value, [p.grad for p in parameters])

    return {
        "gradtape": Contender(native, read),
        "gradtape, operators": Contender(operators, read),
    }


def blackscholes(rows: int, threads: int) -> dict[str, Contender]:
    arguments = options(rows)

    def make() -> Run:
        def price(S: Any, K: Any, r: Any, sigma: Any, T: Any) -> Any:
            return texts.price(gt, S, K, r, sigma, T)

        function = gt.compile(price)
        return lambda: function.value_and_grad(*arguments, threads=threads)

    return {"gradtape": Contender(make, lambda found: [found[0], *found[1]])}


def joined(found: Any) -> list[Array]:
    """Read a value and scalar derivatives as one array."""
    value, gradient = found
    return [np.array([float(number) for number in (value, *gradient)])]


def heston(rows: int, threads: int) -> dict[str, Contender]:
    z, p = normals(rows), list(HESTON.values())
    wanted = tuple(range(len(p)))

    def make() -> Run:
        def path(S0: Any, v0: Any, kappa: Any, theta: Any, xi: Any, rho: Any, z: Any) -> Any:
            return texts.heston(gt, (S0, v0, kappa, theta, xi, rho), z)

        function = gt.compile(path, signature="(),(),(),(),(),(),(n)->()")
        return lambda: function.value_and_grad(*p, z, reduce="mean", wrt=wanted, threads=threads)

    return {"gradtape": Contender(make, joined)}


def lotka(threads: int) -> dict[str, Contender]:
    def make() -> Run:
        function = gt.compile(texts.lotka)
        return lambda: function.value_and_grad(*LOTKA.values(), threads=threads)

    return {"gradtape": Contender(make, joined)}


def contenders(work: str, rows: int, threads: int, slow: bool) -> dict[str, Contender]:
    """Give gradtape's ways to do a work."""
    if work == "network":
        return network(rows, threads)
    if work == "blackscholes":
        return blackscholes(rows, threads)
    return heston(rows, threads) if work == "heston" else lotka(threads)
