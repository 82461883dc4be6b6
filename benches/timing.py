"""How everything here is timed: minima of many rounds in which the contenders take turns."""

import gc
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent

Phases = dict[str, float]


def private(name: str) -> ModuleType:
    """Load one of the modules here once more, with code objects of its own.

    CPython specialises each instruction for the types it has met: text shared between floats and
    Values would slow the floats down and flatter every ratio.
    """
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def phases(
    contenders: Mapping[str, Callable[[], Phases]],
    rounds: int,
    budget: float,
    collector: bool = False,
) -> dict[str, Phases]:
    """Call the contenders in turn and keep the least of each phase that they time themselves.

    A contender that has spent `budget` seconds sits out the rounds that are left; three it always
    gets, and the first, which warms up, does not count. Each begins without the garbage of the
    others; what was imported before is out of the `collector`'s sight, where that stays on.
    """
    best: dict[str, Phases] = {}
    spent = dict.fromkeys(contenders, 0.0)
    gc.collect()
    gc.freeze()
    try:
        for turn in range(rounds + 1):
            for name, run in contenders.items():
                if turn > 3 and spent[name] > budget:
                    continue
                gc.collect()
                if not collector:
                    gc.disable()
                start = perf_counter()
                times = run()
                spent[name] += perf_counter() - start
                gc.enable()
                if turn:
                    old = best.setdefault(name, times)
                    best[name] = {phase: min(old[phase], times[phase]) for phase in times}
    finally:
        gc.enable()
        gc.unfreeze()
    return best


def minima(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int,
    budget: float,
    collector: bool = False,
) -> dict[str, float]:
    """Time whole calls, in seconds; see `phases`."""

    def timed(run: Callable[[], object]) -> Callable[[], Phases]:
        def measure() -> Phases:
            start = perf_counter()
            run()
            return {"all": perf_counter() - start}

        return measure

    found = phases(
        {name: timed(run) for name, run in contenders.items()}, rounds, budget, collector
    )
    return {name: times["all"] for name, times in found.items()}


def child(script: str, *arguments: object) -> Any:
    """Run a module here as a fresh process and read the JSON that it prints."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} {arguments}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def _kilobytes(path: str, field: str) -> int:
    for line in Path(path).read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"{path} has no {field}")


def resident() -> int:
    """Bytes resident now; smaps_rollup counts exactly where status lags behind by some pages."""
    return 1024 * _kilobytes("/proc/self/smaps_rollup", "Rss")


def peak() -> int:
    """Bytes resident at the peak; getrusage would hand down the parent's peak to a child."""
    return 1024 * _kilobytes("/proc/self/status", "VmHWM")
