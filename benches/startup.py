"""Work 7: the import over bare Python, in ms, and the size of the wheel."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import peers
import timing
from report import Claim, Row

IMPORTS = {
    "floats": "pass",
    "gradtape": "import gradtape",
    "micrograd": "import micrograd.engine",
    "xad": "import xad.adj_1st",
    "torch": "import torch",
}


def start(statement: str, folder: str) -> None:
    """Run a statement in a new interpreter, away from the sources."""
    subprocess.run([sys.executable, "-c", statement], cwd=folder, check=True)


def imports(quick: bool) -> Row:
    """Time the imports of all contenders, less what Python itself takes."""
    with tempfile.TemporaryDirectory() as folder:
        runs: dict[str, Callable[[], None]] = {
            name: partial(start, IMPORTS[name], folder) for name in peers.functions()
        }
        best = timing.minima(runs, 10 if quick else 40, 2.0)
    bare = best.pop("floats")
    numbers = {name: (seconds - bare) * 1e3 for name, seconds in best.items()}
    return Row("import, over bare Python", "ms", numbers, [Claim(numbers["gradtape"], 25.0)])


def wheel(path: Path | None) -> Row:
    """Weigh the wheel: the one given, or the newest that was built here."""
    if path is None:
        built = Path(__file__).parent.parent.glob("target/wheels/gradtape-*.whl")
        path = max(built, key=lambda wheel: wheel.stat().st_mtime, default=None)
    if path is None:
        return Row("wheel", "MB", {}, note="no wheel in target/wheels")
    size = path.stat().st_size / 1e6
    return Row("wheel", "MB", {"gradtape": size}, [Claim(size, 1.5)])


def run(quick: bool, path: Path | None = None) -> list[Row]:
    """Measure both."""
    return [imports(quick), wheel(path)]
