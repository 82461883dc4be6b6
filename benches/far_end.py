"""Work 6: sweep fifty nodes at the far end of a tape of a million live nodes, in µs."""

from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter
from typing import Any

import peers
import timing
from report import Claim, Row

LIVE = 1_000_000


def contender(
    name: str, old: bool, live: list[Any], stack: ExitStack
) -> Callable[[], timing.Phases]:
    """Make one round: hang fifty nodes on an old node or on a new leaf, and sweep from their end.

    micrograd and torch have no tape: for them there is nothing but the fifty nodes.
    """
    texts, its = timing.private("texts"), peers.functions()[name]
    numbers = (0.7, 0.9999999, 1e-8)
    tape = stack.enter_context(peers.XadTape(*numbers)) if name == "xad" else None
    x, a, b = tape.inputs if tape else map(its.value, numbers)
    early = texts.chain(x, a, b, 10)
    options = {"retain_graph": True} if name == "torch" else {}
    if name in ("gradtape", "xad"):
        live.append(texts.chain(early, a, b, LIVE))

    def sweep() -> float:
        if old:
            end = texts.fifty(early, a)
        else:
            end = texts.fifty(its.value(0.7), a if tape else its.value(0.9))
        start = perf_counter()
        if tape:
            tape.sweep(end)
        else:
            end.backward(**options)
        return perf_counter() - start

    # The best of ten in a row: the other contenders' turns have emptied the caches.
    def measure() -> timing.Phases:
        return {"sweep": min(sweep() for _ in range(10))}

    return measure


def run(quick: bool) -> list[Row]:
    """Measure both places where the fifty nodes can hang."""
    made = []
    for old, place in ((True, "off an old node"), (False, "off new leaves")):
        live: list[Any] = []
        with ExitStack() as stack:
            contenders = {
                name: contender(name, old, live, stack)
                for name in peers.functions()
                if name != "floats"
            }
            best = timing.phases(contenders, 50 if quick else 300, 0.5)
        numbers = {name: times["sweep"] * 1e6 for name, times in best.items()}
        title = f"50 nodes {place}, {LIVE:,} live"
        made.append(Row(title, "µs", numbers, [Claim(numbers["gradtape"], 10.0)]))
    return made
