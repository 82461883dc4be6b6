"""Write docs/operations.md from the table of operations: ``make docs``."""

import re
from pathlib import Path

from gradtape import _core

HEAD = """\
# Operations

Written by `docs/table.py` from the one table in `rust/core/op.rs`. Each is a function
(`gradtape.exp(x)`) and a method (`x.exp()`); operands are Values, numbers or arrays. What happens
at kinks and edges stands in [conventions.md](conventions.md).

| function | symbol | formula | |
| --- | --- | --- | --- |
"""


def line(name: str, operands: list[str], symbol: str, latex: str, summary: str) -> str:
    """One row of the page."""
    call = f"{name}({', '.join(operands)})" if operands else f"{name}(…)"
    formula = re.sub(r"\$(\w+)", lambda m: m[1] if len(m[1]) == 1 else rf"\text{{{m[1]}}}", latex)
    formula = formula.replace("|", r"\vert ")
    return f"| `{call}` | `{symbol}` | $`{formula}`$ | {summary} |\n"


def page() -> str:
    """The whole page."""
    return HEAD + "".join(line(*row) for row in _core.operations())


if __name__ == "__main__":
    Path(__file__).with_name("operations.md").write_text(page(), encoding="utf-8")
