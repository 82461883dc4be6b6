"""Compiled functions against their peers: ``python benches/replay.py [--only NAME] [--slow]``.

Value and gradient in 64 bits, on one thread and on two. Prints one table a work: the least time of
many rounds in which the contenders take turns, its ratio to gradtape's, and what it took from the
function to the first gradient over that. All agree to nine digits before any is timed. A peer that
is not installed is left out; ``requirements-replay.txt`` names them.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import timing
from replay_works import CASES, Case
from report import Row, short

Figures = dict[str, dict[str, float]]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="compiled functions against their peers")
    works = list(dict.fromkeys(case.work for case in CASES))
    parser.add_argument("--only", metavar="NAME", action="append", choices=works, help="one work")
    parser.add_argument("--threads", default="1,2", help="thread counts, with commas between")
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


def measured(case: Case, threads: int, quick: bool, slow: bool) -> dict[str, Any]:
    """Run a work in a process of its own."""
    print(f"{case.work}, {case.rows:,} rows, {threads} threads", file=sys.stderr, flush=True)
    effort = ["--rounds", 10, "--budget", 0.5] if quick else []
    options = [*effort, *(["--slow"] if slow else [])]
    found: dict[str, Any] = timing.child("replay_child.py", case.work, case.rows, threads, *options)
    return found


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
    head, names = ["contender"], list[str]()
    columns = []
    for threads, result in found.items():
        head += [
            f"{case.unit[0]}, {threads} thread{'s' * (threads > 1)}",
            "× gradtape",
            "compile ms",
        ]
        each = numbers(case, result["figures"], threads)
        names += [name for name in each if name not in names]
        columns.append(each)
    lines = []
    for name in names:
        line = [name]
        for each in columns:
            if name not in each:
                line += ["–"] * 3
                continue
            time, before = each[name]
            ratio = short(time / each["gradtape"][0]) if "gradtape" in each else "–"
            line += [short(time), ratio, short(before)]
        lines.append(line)
    return "\n".join([case.title, aligned([head, *lines])])


def run(quick: bool) -> list[Row]:
    """Measure every work for `bench.py`, on one thread, with the ratio to the fastest peer."""
    rows = []
    for case in CASES:
        figures = measured(case, 1, quick, False)["figures"]
        times = {name: time for name, (time, _) in numbers(case, figures, 1).items()}
        peers = {name: time for name, time in times.items() if not name.startswith("gradtape")}
        fastest = min(peers, key=peers.__getitem__)
        note = f"fastest peer: {fastest}, {short(peers[fastest])}"
        if "gradtape" in times:
            note += f", {short(peers[fastest] / times['gradtape'])} ×"
        shown = {name.lower(): time for name, time in times.items()}
        rows.append(Row(f"{case.work}, {case.rows:,} rows", case.unit[0], shown, note=note))
    return rows


def main() -> int:
    """Run the works that were asked for."""
    options = arguments()
    counts = [int(count) for count in options.threads.split(",")]
    results, versions = [], dict[str, str]()
    for case in chosen(options.only, options.rows):
        found = {n: measured(case, n, options.quick, options.slow) for n in counts}
        versions = next(iter(found.values()))["versions"]
        print(table(case, found), end="\n\n", flush=True)
        for threads, result in found.items():
            results.append(asdict(case) | {"threads": threads, "figures": result["figures"]})
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    if options.json:
        report = {"versions": versions, "slow": options.slow, "works": results}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
