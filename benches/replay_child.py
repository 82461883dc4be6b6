"""The process in which all contenders do one work on a number of threads; `replay.py` starts it.

The thread count must stand before a library is loaded, and for one thread the process is bound to
one core: so each count has a process of its own. On one core the processor's time is what counts,
since nothing else on the machine adds to it; on more, the clock.
"""

import argparse
import json
import os
import resource
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from importlib import import_module, metadata
from time import perf_counter, process_time
from typing import Any

FLOOR = 5e-3  # seconds that one measurement takes at the least: shorter calls are repeated
FIRST = 3.0  # seconds to spend on a contender's repeated compilation
SAME = 1e-9

Figures = dict[str, dict[str, float]]

PEERS = {
    "jax": "jax",
    "torch": "torch",
    "casadi": "casadi",
    "scikit-learn": "sklearn",
    "xad": "xad",
}
MODULES = {"gradtape": "gradtape", "numpy": "numpy"} | PEERS


def bind(threads: int) -> None:
    """Set the number of threads for whatever is imported after."""
    for name in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{name}_NUM_THREADS"] = str(threads)
    os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-threads:])
    if threads == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )


def spent() -> float:
    """Seconds of the processor, those of compilers that were run included."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return process_time() + children.ru_utime + children.ru_stime


def timed(run: Callable[[], Any], times: int = 1) -> tuple[Any, dict[str, float]]:
    """Call; give the result and the seconds a call by both clocks."""
    wall, processor = perf_counter(), spent()
    for _ in range(times):
        result = run()
    return result, {
        "wall": (perf_counter() - wall) / times,
        "processor": (spent() - processor) / times,
    }


def clocked(run: Callable[[], Any], times: int) -> dict[str, float]:
    """Give the seconds alone."""
    return timed(run, times)[1]


def less(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Give the lesser of each clock."""
    return {clock: min(one[clock], other[clock]) for clock in one}


def prepared(contender: Any) -> tuple[Callable[[], Any], Any, dict[str, float]]:
    """Go from the function to the first gradient, several times while that is quick."""
    best: dict[str, float] = {}
    start, turns = perf_counter(), 0
    while turns < 1 or (turns < 3 and perf_counter() - start < FIRST / 2):
        made: list[Callable[[], Any]] = []

        def first(made: list[Callable[[], Any]] = made) -> Any:
            made.append(contender.make())
            return made[0]()

        result, seconds = timed(first)
        best = less(best, seconds) if best else seconds
        turns += 1
    return made[0], result, best


def found(options: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Collect the contenders of all libraries that are here, and name the peers that are not."""
    contenders: dict[str, Any] = {}
    missing = []
    for package, name in MODULES.items():
        if options.peers is not None and package in PEERS and package not in options.peers:
            continue
        try:
            module = import_module(f"replay_{name}")
        except (ImportError, OSError, ValueError):  # torch without its CUDA libraries: ValueError
            if package not in PEERS:
                raise
            missing.append(package)
            continue
        given = (options.work, options.rows, options.threads, options.slow)
        contenders |= module.contenders(*given)
    return contenders, missing


@lru_cache
def reference(work: str, rows: int) -> list[Any]:
    """Compute by hand what all others must come to."""
    by_hand = import_module("replay_numpy").contenders(work, rows, 1, False)
    contender = next(iter(by_hand.values()))
    return [each.copy() for each in contender.read(contender.make()())]


def agree(name: str, got: list[Any], want: list[Any]) -> None:
    """Hold value and gradient to the reference."""
    import numpy as np

    for i, (one, other) in enumerate(zip(got, want, strict=True)):
        allowed = SAME * np.abs(other).max()
        np.testing.assert_allclose(one, other, SAME, allowed, err_msg=f"{name}, array {i}")


def measure(options: argparse.Namespace, contenders: dict[str, Any]) -> Figures:
    """Prepare, compare and time the contenders."""
    import timing

    runs: dict[str, Callable[[], dict[str, float]]] = {}
    figures: Figures = {}
    for name, contender in contenders.items():
        run, result, first = prepared(contender)
        rows = contender.rows or options.rows
        agree(name, contender.read(result), reference(options.work, rows))
        figures[name] = {f"first_{clock}": seconds for clock, seconds in first.items()}
        figures[name]["rows"] = rows
        _, again = timed(run)
        times = max(1, round(FLOOR / max(again["wall"], 1e-6)))
        runs[name] = partial(clocked, run, times)
    best = timing.phases(runs, options.rounds, options.budget)
    return {name: figures[name] | best[name] for name in figures}


def versions() -> dict[str, str]:
    """Tell what took part."""
    here = {d.metadata["Name"].lower(): d.version for d in metadata.distributions()}
    return {name: here[name] for name in [*MODULES, "scipy"] if name in here}


def main() -> None:
    """Print the figures, in seconds a call."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("rows", type=int)
    parser.add_argument("threads", type=int)
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--peers", nargs="*", choices=[*PEERS])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--budget", type=float, default=2.0)
    options = parser.parse_args()
    bind(options.threads)
    sys.setrecursionlimit(1_000_000)  # torch.compile follows a long function by recursion
    contenders, missing = found(options)
    figures = measure(options, contenders)
    print(json.dumps({"versions": versions(), "missing": missing, "figures": figures}))


if __name__ == "__main__":
    main()
