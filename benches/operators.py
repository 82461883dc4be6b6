"""Work 1: one operator on two values, the result dropped, in ns."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from time import perf_counter

import peers
import timing
from report import Row, slower

EXPRESSIONS = ["a * b", "a + 1.0", "a - b", "a / b"]
UNROLL = 100
LENGTH = 300e-6  # seconds a round: short enough to fall between two disturbances


def contender(name: str, expression: str, stack: ExitStack) -> tuple[Callable[[], object], int]:
    """Make one round of a contender, and tell how many operators it holds."""
    loop = timing.private("texts").operator(expression, UNROLL)
    if name == "xad":  # records only what hangs on the inputs of an active tape
        a, b = stack.enter_context(peers.XadTape(1.25, 0.75)).inputs
    else:
        value = peers.functions()[name].value
        a, b = value(1.25), value(0.75)
    loop(a, b, 2)
    start = perf_counter()
    loop(a, b, 2)
    times = max(1, int(LENGTH / ((perf_counter() - start) / 2)))
    return partial(loop, a, b, times), times * UNROLL


def measure(expression: str, quick: bool) -> Row:
    """Time an expression on every contender."""
    with ExitStack() as stack:
        made = {name: contender(name, expression, stack) for name in peers.functions()}
        best = timing.minima(
            {name: run for name, (run, _) in made.items()}, 100 if quick else 1000, 0.5
        )
    numbers = {name: best[name] / made[name][1] * 1e9 for name in made}
    return Row(expression, "ns", numbers, slower(numbers, "floats", 1.8))


def run(quick: bool) -> list[Row]:
    """Measure all four operators."""
    return [measure(expression, quick) for expression in EXPRESSIONS]
