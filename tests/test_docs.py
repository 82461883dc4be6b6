"""What the documentation states is what the code does."""

import doctest
import importlib.util
import math
import re
from pathlib import Path
from types import ModuleType

import gradtape
import numpy as np
import pytest
from gradtape import Value
from gradtape.choosing import OPTIMIZERS

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


def test_readme_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


COMPILE = (ROOT / "docs" / "compile.md").read_text(encoding="utf-8")


def interactive(page: str) -> str:
    """The interactive examples of a page, each on its line, and nothing else."""
    kept, inside = [], False
    for line in page.splitlines():
        if line.startswith("```"):
            inside = line == "```pycon"
        kept.append(line if inside and not line.startswith("```") else "")
    return "\n".join(kept) + "\n"


def failures(page: str) -> tuple[int, str]:
    """How many examples of a page were run, and what is wrong with them."""
    test = doctest.DocTestParser().get_doctest(interactive(page), {}, "a page", None, 0)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    report: list[str] = []
    doctest.DocTestRunner(optionflags=flags).run(test, out=report.append)
    return len(test.examples), "".join(report)


def test_compile_page_runs() -> None:
    count, report = failures(COMPILE)
    assert count > 60
    assert not report, report


def test_layers_page_runs() -> None:
    count, report = failures((ROOT / "docs" / "layers.md").read_text(encoding="utf-8"))
    assert count > 10
    assert not report, report


def test_compile_page_would_be_found_wrong() -> None:
    count, report = failures(COMPILE.replace("(6.0, 4.0)", "(6.0, 5.0)"))
    assert count > 60
    assert "(6.0, 5.0)" in report


def test_debugging_page_runs() -> None:
    page = (ROOT / "docs" / "debugging.md").read_text(encoding="utf-8")
    count, report = failures(page)
    assert count > 15
    assert not report, report
    count, report = failures(page.replace("dW2 = dZ2 @ A1.T", "dW2 = dZ2 @ A1"))
    assert "dZ2 @ A1.T" in report


TRAINING = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def test_training_page_runs() -> None:
    count, report = failures(TRAINING)
    assert count > 40
    assert not report, report


def test_training_page_would_be_found_wrong() -> None:
    _, report = failures(TRAINING.replace("83 parameters", "84 parameters"))
    assert "84 parameters" in report


def test_training_page_names_every_loss_and_optimizer() -> None:
    known = {name for name in gradtape.losses.__all__ if not name[0].isupper()}
    for name in known - {"named"} | set(OPTIMIZERS):
        assert re.search(rf'[`".]{name}[`"(]', TRAINING), name


COMPILED = {
    "f(x, y)": gradtape.compile(lambda x, y: x * y),
    "(n),()->()": gradtape.compile(lambda x, y: x.sum() * y, signature="(n),()->()"),
    "(m,n),(n)->(m)": gradtape.compile(lambda x, y: x @ y, signature="(m,n),(n)->(m)"),
    "(n)->(),(k)": gradtape.compile(lambda x: (x.sum(), x[:2]), signature="(n)->(),(k)"),
}
SHAPE = re.compile(r"`(\(.*?\))`|(float)")


def shapes(cell: str, **sizes: int) -> list[tuple[int, ...]]:
    """The shapes in a cell of the table; a float's is ()."""
    return [eval(shape or "()", {}, sizes) for shape, _ in SHAPE.findall(cell)]


def table() -> list[tuple[str, ...]]:
    """The lines of the table of shapes, with the function that each is about."""
    lines, name = [], ""
    after = COMPILE.split("What comes in and goes out:", 1)[1].split("**Results**", 1)[0]
    for line in after.strip().splitlines()[2:]:
        function, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        name = function.strip('`"') or name
        lines.append((name, *cells))
    return lines


@pytest.mark.parametrize(("name", "arguments", "result", "gradients"), table())
def test_table_of_shapes(name: str, arguments: str, result: str, gradients: str) -> None:
    function = COMPILED[name]
    given = [np.ones(shape) if shape else 1.0 for shape in shapes(arguments)]
    found = function(*given)
    found = found if isinstance(found, tuple) else (found,)
    assert [np.shape(x) for x in found] == shapes(result, k=2)
    if gradients == "use `jacobian`":
        with pytest.raises(ValueError, match="jacobian"):
            function.grad(*given)
        function.jacobian(*given)
    else:
        assert [np.shape(x) for x in function.grad(*given)] == shapes(gradients)


def test_table_of_shapes_is_found() -> None:
    assert {name for name, *_ in table()} == set(COMPILED)
