"""The works by XAD's operators: a few rows, since each records its own tape."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import replay_texts as texts
import xad.math as xm
from peers import XadTape
from replay_works import LOTKA, Contender, flat, flowers, layered, one_hot, options, shaped

FEW = {"network": 20, "blackscholes": 500}

m = SimpleNamespace(
    exp=xm.exp,
    log=xm.log,
    sqrt=xm.sqrt,
    norm_cdf=lambda x: 0.5 * xm.erfc(x * -(0.5**0.5)),
    relu=lambda x: x if x > 0.0 else 0.0,
)


def network(rows: int) -> Contender:
    x, classes = flowers(rows)
    features, hot = x.tolist(), one_hot(classes).tolist()
    numbers = flat()

    def run() -> Any:
        with XadTape(*numbers) as tape:
            layers = shaped(tape.inputs)
            losses = [texts.loss(m, layers, xi, ti) for xi, ti in zip(features, hot, strict=True)]
            value: Any = sum(losses, 0.0) / len(losses)
            tape.sweep(value)
            return value.value, [p.derivative for p in tape.inputs]

    return Contender(lambda: run, lambda found: layered(*found), len(x))


def blackscholes(rows: int) -> Contender:
    lines = list(zip(*(a.tolist() for a in options(rows)), strict=True))

    def row(line: tuple[float, ...]) -> list[float]:
        # A function of its own: a Real that dies while the next tape is active spoils that.
        with XadTape(*line) as tape:
            value = texts.price(m, *tape.inputs)
            tape.sweep(value)
            return [value.value, *(p.derivative for p in tape.inputs)]

    def run() -> Any:
        return [row(line) for line in lines]

    return Contender(lambda: run, lambda found: list(np.array(found).T), len(lines))


def lotka() -> Contender:
    def run() -> Any:
        with XadTape(*LOTKA.values()) as tape:
            value = texts.lotka(*tape.inputs)
            tape.sweep(value)
            return [value.value, *(p.derivative for p in tape.inputs)]

    return Contender(lambda: run, lambda found: [np.array(found)])


def contenders(work: str, rows: int, threads: int, slow: bool) -> dict[str, Contender]:
    """Give XAD where a work is within its reach."""
    few = min(rows, FEW.get(work, rows))
    if work == "network":
        return {"XAD": network(few)}
    if work == "blackscholes":
        return {"XAD": blackscholes(few)}
    return {"XAD": lotka()} if work == "lotka" else {}
