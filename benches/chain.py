"""Work 4: a chain of a million operations and one of ten million: record, sweep, free, bytes.

Run as a script it is the fresh process in which the bytes are counted.
"""

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from time import perf_counter
from typing import Any

import peers
import timing
from report import Claim, Row

MILLION = 1_000_000
SIZES = {"micrograd": 10_000, "torch": 100_000}  # the others take the million
TEXTS = {"chain": "x = x*a + b", "powers": "x = x*a"}


def once(name: str, text: Callable[..., Any], operations: int) -> timing.Phases:
    """Record, sweep and free a chain; in ns an operation."""
    numbers = (0.7, 0.9999999, 1e-8)
    with peers.XadTape(*numbers) if name == "xad" else nullcontext() as tape:
        its = peers.functions()[name]
        x, a, b = tape.inputs if tape else map(its.value, numbers)
        begin = perf_counter()
        x = text(x, a, b, operations)
        recorded = perf_counter()
        if tape:
            tape.sweep(x)
        elif name != "floats":
            x.backward()
        swept = perf_counter()
        del x, a, b
        freed = perf_counter()
    times = {"record": recorded - begin}
    if name != "floats":
        times["sweep"] = swept - recorded
    # XAD keeps its tape, and micrograd's nodes wait for the collector.
    if name not in ("floats", "xad", "micrograd"):
        times["free"] = freed - swept
    return {phase: seconds / operations * 1e9 for phase, seconds in times.items()}


def contender(name: str, text: str) -> Callable[[], timing.Phases]:
    """Make one round of a contender."""
    function = getattr(timing.private("texts"), text)
    return lambda: once(name, function, SIZES.get(name, MILLION))


def bytes_an_operation(name: str, text: str, operations: int) -> dict[str, float]:
    """Count, in this process, what recording and sweeping adds to its peak; with the times."""
    function = getattr(timing.private("texts"), text)
    once(name, function, 1000)
    before = timing.resident()
    times = once(name, function, operations)
    return times | {"bytes": (timing.peak() - before) / operations}


def rows(text: str, quick: bool) -> list[Row]:
    """Measure one of the chains."""
    contenders = {name: contender(name, text) for name in peers.functions()}
    best = timing.phases(contenders, 5 if quick else 20, 1.0 if quick else 4.0)
    title = f"1,000,000 × {TEXTS[text]}"
    made = []
    for phase in ("record", "sweep", "free"):
        numbers = {name: times[phase] for name, times in best.items() if phase in times}
        claims = [Claim(numbers["gradtape"], 6.0)] if phase == "sweep" else []
        note = "micrograd 10,000, torch 100,000" if phase == "record" else ""
        made.append(Row(f"{title}: {phase}", "ns", numbers, claims, note))
    numbers = {
        name: timing.child("chain.py", name, text, SIZES.get(name, MILLION))["bytes"]
        for name in best
        if name != "floats"
    }
    made.append(Row(f"{title}: peak", "bytes", numbers, [Claim(numbers["gradtape"], 40.0)]))
    return made


def run(quick: bool) -> list[Row]:
    """Measure both chains, and the long one in a process of its own."""
    made = rows("chain", quick) + rows("powers", quick)
    long = timing.child("chain.py", "gradtape", "chain", 10 * MILLION)
    for phase in ("record", "sweep", "free"):
        made.append(Row(f"10,000,000, cold: {phase}", "ns", {"gradtape": long[phase]}))
    made.append(Row("10,000,000, cold: peak", "bytes", {"gradtape": long["bytes"]}))
    return made


if __name__ == "__main__":
    print(json.dumps(bytes_an_operation(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
