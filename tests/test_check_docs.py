"""The guide's examples give what it says they give."""

import doctest
import re
from pathlib import Path

PAGE = (Path(__file__).parent.parent / "docs" / "verify.md").read_text(encoding="utf-8")


def failures(page: str) -> tuple[int, str]:
    """How many examples of a page were run, and what is wrong with them."""
    examples = "\n".join(re.findall(r"^```pycon\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "verify.md", None, 0)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=report.append)
    return len(test.examples), "".join(report)


def test_page_runs() -> None:
    count, report = failures(PAGE)
    assert count > 25
    assert not report, report


def test_page_would_be_found_wrong() -> None:
    _, report = failures(PAGE.replace("wrong  W1    the wrong sign", "right  W1"))
    assert "right  W1" in report
