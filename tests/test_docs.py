"""What the documentation states is what the code does."""

import importlib.util
import math
import re
from pathlib import Path
from types import ModuleType

import gradtape
import pytest
from gradtape import Value

ROOT = Path(__file__).parent.parent
LINE = re.compile(r"^\| `(.+?)` \| (.+?) \| (.+?) \| (.+?) \|", re.MULTILINE)
CONVENTIONS = LINE.findall((ROOT / "docs" / "conventions.md").read_text(encoding="utf-8"))


def script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def same(got: float, want: float) -> bool:
    return got == want or (math.isnan(got) and math.isnan(want))


def test_conventions_are_found() -> None:
    assert len(CONVENTIONS) > 30


@pytest.mark.parametrize(("expression", "at", "value", "gradient"), CONVENTIONS)
def test_convention(expression: str, at: str, value: str, gradient: str) -> None:
    leaves = [Value(float(x)) for x in at.split(", ")]
    names = dict(zip("xyz", leaves, strict=False))
    result = eval(expression, {**vars(gradtape), **names})
    result.backward()
    assert same(result.data, float(value))
    got = [leaf.grad for leaf in leaves]
    want = [float(x) for x in gradient.split(", ")]
    assert all(map(same, got, want)), f"{got}, not {want}"


def test_operations_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert script(ROOT / "docs" / "table.py").page() == page, "run: make docs"


def test_stubs_are_up_to_date() -> None:
    stubs = script(ROOT / "tests" / "stubs.py")
    assert stubs.stub() == stubs.TARGET.read_text(encoding="utf-8"), "run: make stubs"


def test_every_function_is_exported() -> None:
    rows = [name for name, *_ in gradtape._core.operations()]
    assert set(rows) <= set(gradtape.functions.__all__)


def test_readme_examples_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
