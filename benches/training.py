"""Training against its peers: ``python benches/training.py [--only NAME] [--threads 1,2]``.

Dense layers, convolutions and an LSTM with cross-entropy by Adam, in 64 bits, and gradtape and
JAX's scan in 32 too: the same data, start, batches and order (scikit-learn draws its own). Prints
one table a work: the least time of an epoch over many rounds in which the contenders take turns,
its ratio to gradtape's in the same precision, the first epoch's with what goes before it
(conversion, recording, compiling), operations a second in the matrix products, and the accuracy.
Then a table of both MLPClassifiers: a whole fit, and the classes of all rows. A peer that is not
installed is named and left out.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import timing
from replay import aligned, counted
from report import Row, short
from training_child import PEERS
from training_works import EPOCHS, ESTIMATED, WORKS, Work

ESTIMATORS = "estimators"
SHORT = "32 bits"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="training against its peers")
    names = [*WORKS, ESTIMATORS]
    parser.add_argument("--only", metavar="NAME", action="append", choices=names, help="a work")
    parser.add_argument("--threads", default="1,2", help="thread counts, with commas between")
    parser.add_argument(
        "--peers", nargs="*", choices=[*PEERS], help="no other libraries' than these"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


def measured(script: str, work: Work, threads: int, quick: bool, *options: str) -> dict[str, Any]:
    """Train in a process of its own."""
    print(f"{work.name}, {counted(threads)}", file=sys.stderr, flush=True)
    effort = ["--rounds", 4, "--budget", 1.0] if quick else []
    found: dict[str, Any] = timing.child(script, work.name, threads, *effort, *options)
    return found


def clock(threads: int) -> str:
    """One thread has a core to itself but what else runs there: the processor's time counts."""
    return "processor" if threads == 1 else "wall"


def own(name: str) -> str:
    """Give the contender of gradtape's that computes in the same precision."""
    return f"gradtape, {SHORT}" if name.endswith(SHORT) else "gradtape"


def table(work: Work, found: dict[int, dict[str, Any]]) -> str:
    """Make the table of a work: a line a contender, four columns a thread count."""
    cells = {"contender": ["contender"]}
    for threads, result in found.items():
        which, figures = clock(threads), result["figures"]
        cells["contender"] += [f"ms, {counted(threads)}", "× gradtape", "first ms", "GFLOP/s"]
        for name, each in figures.items():
            ratio = each[which] / figures[own(name)][which]
            speed = work.operations / each[which] / 1e9
            numbers = (each[which] * 1e3, ratio, each[f"first_{which}"] * 1e3, speed)
            cells.setdefault(name, [name]).extend(map(short, numbers))
    any_of = next(iter(found.values()))
    cells["contender"].append("accuracy %")
    for name, each in any_of["figures"].items():
        cells[name].append(short(each["accuracy"] * 100))
    without = f" (not installed: {', '.join(any_of['missing'])})" if any_of["missing"] else ""
    shown = aligned(list(cells.values()))
    return f"{work.title}{without}\n{shown}\n{peaks(found)}"


def peaks(found: dict[int, dict[str, Any]]) -> str:
    """Tell the speed of a matrix product, and where it shows that cores were not free.

    Libraries whose threads wait for each other lose most then, by factors.
    """
    speeds = {threads: result["peak"][clock(threads)] / 1e9 for threads, result in found.items()}
    each = [f"{short(speed)} GFLOP/s on {counted(threads)}" for threads, speed in speeds.items()]
    text = f"NumPy's matrix product: {', '.join(each)}"
    busy = [n for n, speed in speeds.items() if speed < 0.6 * n * speeds.get(1, 0.0)]
    if busy:
        text += f"; the cores were not free: no comparison on {', '.join(map(counted, busy))}"
    return text


def compared(work: Work, counts: list[int], quick: bool, *options: str) -> dict[int, Any]:
    """Measure a work on each number of threads and print its table."""
    script = "training_child.py"
    found = {threads: measured(script, work, threads, quick, *options) for threads in counts}
    print(table(work, found), end="\n\n", flush=True)
    return found


def estimated(work: Work, counts: list[int], quick: bool) -> dict[int, Any]:
    """Measure both MLPClassifiers on each number of threads and print their table."""
    script = "training_estimators.py"
    found = {threads: measured(script, work, threads, quick) for threads in counts}
    if any(result["missing"] for result in found.values()):
        print("MLPClassifier: scikit-learn is not installed", end="\n\n")
        return {}
    cells = {"classifier": ["classifier"]}
    for threads, result in found.items():
        figures = result["figures"]
        for part in ("fit", "predict"):
            cells["classifier"] += [f"{part} ms, {counted(threads)}", "× gradtape"]
            key = f"{part}_{clock(threads)}"
            for name, each in figures.items():
                ratio = each[key] / figures["gradtape"][key]
                cells.setdefault(name, [name]).extend(map(short, (each[key] * 1e3, ratio)))
    cells["classifier"].append("accuracy %")
    for name, each in figures.items():
        cells[name].append(short(each["accuracy"] * 100))
    title = f"MLPClassifier, {work.name}: {EPOCHS} epochs, batches of {work.batch}"
    print(f"{title}\n{aligned(list(cells.values()))}", end="\n\n", flush=True)
    return found


def summary(what: str, unit: str, key: str, figures: dict[str, dict[str, float]]) -> Row:
    """Give a line in the table of `bench.py`: it names the fastest peer."""
    times = {name: each[key] * 1e3 for name, each in figures.items()}
    notes = []
    for ours in [name for name in times if name.startswith("gradtape")]:
        peers = [name for name in times if own(name) == ours != name]
        if peers:
            fastest = min(peers, key=times.__getitem__)
            ratio = short(times[fastest] / times[ours])
            notes.append(f"fastest peer: {fastest}, {short(times[fastest])}, {ratio} ×")
    note = "; ".join(notes)
    torch = [time for name, time in times.items() if name.startswith("PyTorch")]
    shown = times | ({"torch": min(torch)} if torch else {})
    return Row(what, unit, shown, note=note)


def run(quick: bool) -> list[Row]:
    """Measure everything for `bench.py`, on one thread and on two."""
    rows = []
    for work in WORKS.values():
        for threads, result in compared(work, [1, 2], quick).items():
            what = f"training {work.name}, {counted(threads)}"
            rows.append(summary(what, "ms an epoch", clock(threads), result["figures"]))
    for name in ESTIMATED:
        for threads, result in estimated(WORKS[name], [1, 2], quick).items():
            for part in ("fit", "predict"):
                what = f"MLPClassifier {name}, {part}, {counted(threads)}"
                key = f"{part}_{clock(threads)}"
                rows.append(summary(what, "ms", key, result["figures"]))
    return rows


def main() -> int:
    """Run the works that were asked for."""
    options = arguments()
    counts = [int(count) for count in options.threads.split(",")]
    passed = ["--peers", *options.peers] if options.peers is not None else []
    results, shared = [], dict[str, Any]()
    for name in options.only or [*WORKS, ESTIMATORS]:
        if name == ESTIMATORS:
            tables = {
                f"MLPClassifier {each}": estimated(WORKS[each], counts, options.quick)
                for each in ESTIMATED
            }
        else:
            tables = {name: compared(WORKS[name], counts, options.quick, *passed)}
        for each, found in tables.items():
            for threads, result in found.items():
                shared = {key: result.pop(key) for key in ("versions", "missing")}
                results.append({"work": each, "threads": threads} | result)
    print(", ".join(f"{name} {version}" for name, version in shared["versions"].items()))
    if options.json:
        report = shared | {"works": results}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
