"""Works 2 and 3: a training step of a 4-10-5-3 relu network on iris's 112 training rows, in ms.

Every contender starts from the same parameters and must come to the same loss.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

import peers
import timing
from report import Row, faster, slower

SIZES = (4, 10, 5, 3)
RATE = 0.01

Step = Callable[[], float]


def data() -> tuple[list[list[float]], list[int]]:
    """Give three quarters of the flowers, standardised, and their classes."""
    from gradtape.data import load_iris, standardise, train_test_split

    iris = load_iris()
    train, _, targets, _ = train_test_split(iris.rows, iris.targets, seed=42)
    (rows,) = standardise(train)
    return rows, targets


def start() -> list[float]:
    """Draw the parameters, neuron by neuron: the weights, then the bias."""
    random = Random(7)
    numbers: list[float] = []
    for n, k in pairwise(SIZES):
        for _ in range(k):
            numbers += [random.gauss(0.0, math.sqrt(2.0 / n)) for _ in range(n)] + [0.1]
    return numbers


def shaped(flat: list[Any]) -> list[list[tuple[list[Any], Any]]]:
    """Arrange parameters as layers of neurons."""
    values = iter(flat)
    return [
        [([next(values) for _ in range(n)], next(values)) for _ in range(k)]
        for n, k in pairwise(SIZES)
    ]


def operators(name: str) -> Step:
    """Make the step in plain operators; for floats the forward pass alone."""
    texts, its = timing.private("texts"), peers.functions()[name]
    rows, targets = data()
    made = [its.value(number) for number in start()]
    layers = shaped(made)
    loss = partial(texts.loss, rows=rows, targets=targets, relu=its.relu, exp=its.exp, log=its.log)

    def floats() -> float:
        return float(loss(layers))

    def by_hand() -> float:
        out = loss(layers)
        out.backward()
        texts.update(made, RATE)
        return float(out.data)

    def torch() -> float:
        out = loss(layers)
        out.backward()
        for p in made:
            p.data.sub_(RATE * p.grad)
            p.grad = None
        return float(out.detach())

    numbers = start()

    def xad() -> float:
        with peers.XadTape(*numbers) as tape:
            out = loss(shaped(tape.inputs))
            tape.sweep(out)
            numbers[:] = [
                x - RATE * p.derivative for x, p in zip(numbers, tape.inputs, strict=True)
            ]
            return float(out.value)

    return {"floats": floats, "torch": torch, "xad": xad}.get(name, by_hand)


def native() -> Step:
    """Make the step with gradtape's own network, loss and optimizer."""
    from gradtape.losses import categorical_cross_entropy
    from gradtape.nn import MLP
    from gradtape.optim import SGD

    rows, targets = data()
    model = MLP(SIZES, activations=["relu", "relu", "softmax"])
    parameters = model.parameters()
    for p, number in zip(parameters, start(), strict=True):
        p.data = number
    optimizer = SGD(parameters, learning_rate=RATE)

    def step() -> float:
        out = categorical_cross_entropy(model.batch(rows, logits=True), targets)
        optimizer.zero_grad()
        out.backward()
        optimizer.step()
        return float(out.data)

    return step


def agree(steps: dict[str, Step]) -> None:
    """Hold every contender to the loss before its first update, and after it."""
    want = steps["floats"]()
    got = {name: (step(), step()) for name, step in steps.items() if name != "floats"}
    after = got["gradtape"][1]
    for name, (first, second) in got.items():
        same = math.isclose(first, want, rel_tol=1e-9) and math.isclose(second, after, rel_tol=1e-9)
        if not same:
            raise AssertionError(f"{name} has the losses {first}, {second}, not {want}, {after}")


def milliseconds(times: dict[str, float]) -> dict[str, float]:
    """Convert from seconds."""
    return {name: seconds * 1e3 for name, seconds in times.items()}


def run(quick: bool) -> list[Row]:
    """Measure the step in plain operators and through the network, in the same rounds.

    micrograd's nodes lie in cycles that only the collector frees. Without it micrograd pays for no
    memory at all: so there is one row without and one with the collector, as a program has it.
    """
    steps = {name: operators(name) for name in peers.functions()}
    steps["network"] = native()
    agree(steps)
    rounds, budget = (60, 1.0) if quick else (400, 4.0)
    best = milliseconds(timing.minima(steps, rounds, budget))
    network = best | {"gradtape": best.pop("network")}
    del steps["network"]
    collected = milliseconds(timing.minima(steps, rounds, budget, collector=True))
    claims = slower(best, "floats", 1.25) + faster(best, "micrograd", 130) + faster(best, "xad", 8)
    return [
        Row("iris, operators (floats: forward)", "ms", best, claims),
        Row("  the same, collector on", "ms", collected, faster(collected, "micrograd", 130)),
        Row("iris, MLP and SGD", "ms", network, slower(network, "floats", 0.12)),
    ]
