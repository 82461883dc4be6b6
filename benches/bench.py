"""gradtape against its peers and plain floats: ``python benches/bench.py [--quick] [--only NAME]``.

Prints one table and writes ``results.json`` beside this file. Only ratios within one run count:
every number is the least of many rounds in which the contenders take turns. A peer that is not
installed leaves its column empty; ``requirements*.txt`` name them. Compiled functions and training
have peers of their own: ``replay.py`` and ``training.py`` print a table a work, and here the
fastest is named.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from time import perf_counter

import chain
import far_end
import iris
import memory
import operators
import peers
import replay
import startup
import training
from report import Row, table

RESULTS = Path(__file__).parent / "results.json"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="gradtape against its peers and plain floats")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under a minute")
    parser.add_argument("--only", metavar="NAME", action="append", help="one work; may be repeated")
    parser.add_argument("--wheel", type=Path, help="weigh this one, not target/wheels' newest")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a number is missed")
    return parser.parse_args()


def versions() -> dict[str, str]:
    """Tell what took part."""
    names = ("gradtape", "micrograd", "xad", "torch", "numpy", "jax", "casadi", "scikit-learn")
    found = {d.metadata["Name"].lower(): d.version for d in metadata.distributions()}
    return {"python": platform.python_version()} | {n: found[n] for n in names if n in found}


def main() -> int:
    """Run the works that were asked for."""
    options = arguments()
    works: dict[str, Callable[[bool], list[Row]]] = {
        "operators": operators.run,
        "iris": iris.run,
        "chain": chain.run,
        "memory": memory.run,
        "far_end": far_end.run,
        "replay": replay.run,
        "training": training.run,
        "startup": partial(startup.run, path=options.wheel),
    }
    if unknown := set(options.only or ()) - set(works):
        sys.exit(f"no work is called {', '.join(sorted(unknown))}; there are {', '.join(works)}")
    if peers.gradtape is None:
        sys.exit("gradtape is not installed in this Python: pip install . first")
    rows: list[Row] = []
    for name in options.only or works:
        start = perf_counter()
        rows += works[name](options.quick)
        print(f"{name}: {perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    took_part = versions()
    print(", ".join(f"{name} {version}" for name, version in took_part.items()))
    print(table(rows))
    results = {"versions": took_part, "quick": options.quick, "rows": [row.plain() for row in rows]}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    missed = [claim for row in rows for claim in row.claims if not claim.met]
    asked = sum(len(row.claims) for row in rows)
    print(f"{asked - len(missed)} of {asked} numbers asked for are met")
    return 1 if missed and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
