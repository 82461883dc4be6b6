"""The process in which all contenders train one network; `training.py` starts it.

As in `replay_child.py`, the thread count stands before a library is loaded.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, Any

from replay_child import bind, less, spent, versions

if TYPE_CHECKING:
    from training_works import Contender, Work

PEERS = {"jax": "jax", "torch": "torch", "scikit-learn": "sklearn"}
MODULES = {"gradtape": "gradtape", "numpy": "numpy"} | PEERS
FLOOR = 0.05  # seconds that a training takes at the least: shorter ones get more epochs
SAME = 1e-7
GEMM = 768

Figures = dict[str, dict[str, float]]


class Clock:
    """Both clocks at the start and at the end of each epoch."""

    def __init__(self) -> None:
        self.seen = [(perf_counter(), spent())]

    def tick(self) -> None:
        self.seen.append((perf_counter(), spent()))

    def epochs(self) -> list[dict[str, float]]:
        """Give the seconds of each epoch."""
        pairs = zip(self.seen[1:], self.seen, strict=False)
        return [{"wall": a[0] - b[0], "processor": a[1] - b[1]} for a, b in pairs]


def trained(contender: "Contender", epochs: int) -> dict[str, float]:
    """Train; give the first epoch's seconds and the least of the others'."""
    clock = Clock()
    contender.train(epochs, clock.tick)
    first, *rest = clock.epochs()
    best = rest[0]
    for each in rest[1:]:
        best = less(best, each)
    return best | {f"first_{name}": seconds for name, seconds in first.items()}


def found(work: "Work", threads: int, peers: list[str] | None) -> tuple[dict[str, Any], list[str]]:
    """Collect the contenders of all libraries that are here, and name the peers that are not."""
    contenders: dict[str, Any] = {}
    missing = []
    for package, name in MODULES.items():
        if peers is not None and package in PEERS and package not in peers:
            continue
        try:
            module = import_module(f"training_{name}")
        except (ImportError, OSError, ValueError):  # torch without its CUDA libraries: ValueError
            if package not in PEERS:
                raise
            missing.append(package)
            continue
        contenders |= module.contenders(work, threads)
    return contenders, missing


def agree(work: "Work", contenders: dict[str, Any]) -> dict[str, tuple[float, int]]:
    """Hold losses and accuracies to those by hand; give each accuracy, and epochs for a timing."""
    import numpy as np
    from training_numpy import accuracy

    results = {}
    for name, contender in contenders.items():
        clock = Clock()
        losses, layers = contender.train(work.epochs, clock.tick)
        shortest = min(each["wall"] for each in clock.epochs())
        results[name] = losses, accuracy(work, layers), 1 + max(2, round(FLOOR / shortest))
    want, reached, _ = results["NumPy by hand"]
    for name, (losses, share, _) in results.items():
        if contenders[name].exact:
            np.testing.assert_allclose(losses[:2], want[:2], SAME, err_msg=f"{name}: losses")
        if abs(share - reached) > work.noise:
            raise AssertionError(f"{name} has the accuracy {share}, by hand it is {reached}")
    return {name: (share, epochs) for name, (_, share, epochs) in results.items()}


def peak(rounds: int = 20) -> dict[str, float]:
    """Operations a second of NumPy's product of two square matrices."""
    import numpy as np
    import timing

    a, b = np.random.default_rng(0).normal(size=(2, GEMM, GEMM))
    out = np.empty_like(a)

    def product() -> dict[str, float]:
        clock = Clock()
        np.matmul(a, b, out=out)
        clock.tick()
        return clock.epochs()[0]

    best = timing.phases({"gemm": product}, rounds, 1.0)["gemm"]
    return {clock: 2 * GEMM**3 / seconds for clock, seconds in best.items()}


def measure(work: "Work", contenders: dict[str, Any], rounds: int, budget: float) -> Figures:
    """Compare and time the contenders."""
    import timing

    first = agree(work, contenders)
    runs: dict[str, Callable[[], dict[str, float]]] = {
        name: partial(trained, contender, first[name][1]) for name, contender in contenders.items()
    }
    best = timing.phases(runs, rounds, budget)
    return {name: best[name] | {"accuracy": first[name][0]} for name in contenders}


def main() -> None:
    """Print the figures, in seconds an epoch."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("threads", type=int)
    parser.add_argument("--peers", nargs="*", choices=[*PEERS])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--budget", type=float, default=4.0)
    options = parser.parse_args()
    bind(options.threads)
    from training_works import WORKS

    work = WORKS[options.work]
    contenders, missing = found(work, options.threads, options.peers)
    figures = measure(work, contenders, options.rounds, options.budget)
    shared = {"versions": versions(), "missing": missing, "peak": peak()}
    print(json.dumps(shared | {"figures": figures}))


if __name__ == "__main__":
    main()
