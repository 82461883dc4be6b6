"""Compiled functions against their peers: ``python benches/replay.py [--only NAME] [--slow]``.

Value and gradient in 64 bits, on one thread and on two. Prints one table a work: the least time of
many rounds in which the contenders take turns, its ratio to gradtape's, and what it took from the
function to the first gradient over that. All agree to nine digits before any is timed. A peer that
is not installed is named and left out; ``requirements-replay.txt`` names them all. What is written
out by hand in NumPy and SciPy is what the others are held to: these two are needed.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import timing
from replay_child import PEERS, Figures
from replay_works import CASES, Case
from report import Row, short


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="compiled functions against their peers")
    works = list(dict.fromkeys(case.work for case in CASES))
    parser.add_argument("--only", metavar="NAME", action="append", choices=works, help="one work")
    parser.add_argument("--threads", default="1,2", help="thread counts, with commas between")
    parser.add_argument(
        "--peers", nargs="*", choices=[*PEERS], help="no other libraries' than these"
    )
    parser.add_argument("--rows", type=int, help="that many, not the work's own numbers of rows")
    parser.add_argument("--slow", action="store_true", help="compilers that take minutes, too")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


def chosen(only: list[str] | None, rows: int | None) -> list[Case]:
    """Give the cases that were asked for, each work once if the rows were."""
    cases = [case for case in CASES if not only or case.work in only]
    if rows is None:
        return cases
    each = {case.work: case for case in reversed(cases)}
    return [
        case if case.work == "lotka" else Case(case.work, rows, case.quantity)
        for case in reversed(each.values())
    ]


def measured(case: Case, threads: int, quick: bool, *options: str) -> dict[str, Any]:
    """Run a work in a process of its own."""
    print(f"{case.work}, {case.rows:,} rows, {counted(threads)}", file=sys.stderr, flush=True)
    effort = ["--rounds", 10, "--budget", 0.5] if quick else []
    size = (case.work, case.rows, threads)
    found: dict[str, Any] = timing.child("replay_child.py", *size, *effort, *options)
    return found


def counted(threads: int) -> str:
    """Name a number of threads."""
    return f"{threads} thread{'s' * (threads > 1)}"


def numbers(case: Case, figures: Figures, threads: int) -> dict[str, tuple[float, float]]:
    """Give each contender's time in the work's unit, and the milliseconds before.

    One thread has a core to itself but what else runs there: its time is the processor's.
    """
    clock, factor = "processor" if threads == 1 else "wall", case.unit[1]
    return {
        name: (
            each[clock] * case.rows / each["rows"] * factor,
            max(0.0, each[f"first_{clock}"] - each[clock]) * 1e3,
        )
        for name, each in figures.items()
    }


def aligned(cells: list[list[str]]) -> str:
    """Align columns of cells: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    )


def table(case: Case, found: dict[int, dict[str, Any]]) -> str:
    """Make the table of a work: a line a contender, three columns a thread count."""
    cells = {"contender": ["contender"]}
    for threads, result in found.items():
        each = numbers(case, result["figures"], threads)
        cells["contender"] += [f"{case.unit[0]}, {counted(threads)}", "× gradtape", "compile ms"]
        for name, (time, before) in each.items():
            ratio = time / each["gradtape"][0]
            cells.setdefault(name, [name]).extend(map(short, (time, ratio, before)))
    missing = next(iter(found.values()))["missing"]
    without = f" (not installed: {', '.join(missing)})" if missing else ""
    return f"{case.title}{without}\n{aligned(list(cells.values()))}"


def compared(case: Case, counts: list[int], quick: bool, *options: str) -> dict[int, Any]:
    """Measure a work on each number of threads and print its table."""
    found = {threads: measured(case, threads, quick, *options) for threads in counts}
    print(table(case, found), end="\n\n", flush=True)
    return found


def summary(case: Case, threads: int, figures: Figures) -> Row:
    """Give a work's line in the table of `bench.py`: it names the fastest peer."""
    times = {name: time for name, (time, _) in numbers(case, figures, threads).items()}
    peers = {name: time for name, time in times.items() if not name.startswith("gradtape")}
    fastest = min(peers, key=peers.__getitem__)
    ratio = peers[fastest] / times["gradtape"]
    note = f"fastest peer: {fastest}, {short(peers[fastest])}, {short(ratio)} ×"
    shown = {name.lower(): time for name, time in times.items()}
    name = f"{case.work}, {case.rows:,} row{'s' * (case.rows > 1)}, {counted(threads)}"
    return Row(name, case.unit[0], shown, note=note)


def run(quick: bool) -> list[Row]:
    """Measure every work for `bench.py`, on one thread and on two."""
    return [
        summary(case, threads, result["figures"])
        for case in CASES
        for threads, result in compared(case, [1, 2], quick).items()
    ]


def main() -> int:
    """Run the works that were asked for."""
    options = arguments()
    counts = [int(count) for count in options.threads.split(",")]
    passed = ["--slow"] if options.slow else []
    passed += ["--peers", *options.peers] if options.peers is not None else []
    results, shared = [], dict[str, Any]()
    for case in chosen(options.only, options.rows):
        found = compared(case, counts, options.quick, *passed)
        for threads, result in found.items():
            results.append(asdict(case) | {"threads": threads, "figures": result["figures"]})
            shared = {name: result[name] for name in ("versions", "missing")}
    print(", ".join(f"{name} {version}" for name, version in shared["versions"].items()))
    if options.json:
        report = shared | {"slow": options.slow, "works": results}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
