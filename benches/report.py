"""What a work reports, and the one table that all of them make."""

from dataclasses import asdict, dataclass, field
from typing import Any

CONTENDERS = ["gradtape", "floats", "micrograd", "xad", "torch"]


@dataclass(frozen=True)
class Claim:
    """A number that is asked for: a ratio to a contender, or absolute if none is named."""

    number: float
    asked: float
    against: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.number >= self.asked if self.at_least else self.number <= self.asked

    def text(self) -> tuple[str, str]:
        sign = "≥" if self.at_least else "≤"
        number = short(self.number) + (f" × {self.against}" if self.against else "")
        return number, f"{sign} {self.asked:g}" + ("" if self.met else "  MISSED")


@dataclass(frozen=True)
class Row:
    """One line of the table: a work, its unit, and a number for each contender that took part."""

    work: str
    unit: str
    numbers: dict[str, float]
    claims: list[Claim] = field(default_factory=list)
    note: str = ""

    def plain(self) -> dict[str, Any]:
        return asdict(self) | {"met": all(claim.met for claim in self.claims)}


def slower(numbers: dict[str, float], than: str, asked: float) -> list[Claim]:
    """Claim that gradtape takes at most `asked` times what `than` takes."""
    return [Claim(numbers["gradtape"] / numbers[than], asked, than)] if than in numbers else []


def faster(numbers: dict[str, float], than: str, asked: float) -> list[Claim]:
    """Claim that `than` takes at least `asked` times what gradtape takes."""
    if than not in numbers:
        return []
    return [Claim(numbers[than] / numbers["gradtape"], asked, than, at_least=True)]


def short(number: float) -> str:
    """Three significant digits, without an exponent."""
    if number == 0:
        return "0"
    digits = 2 if abs(number) < 10 else 1 if abs(number) < 100 else 0
    return f"{number:,.{digits}f}"


def lines(row: Row) -> list[list[str]]:
    """Give the cells of a row: one line a claim, the numbers on the first."""
    first = [row.work, row.unit]
    first += [short(row.numbers[name]) if name in row.numbers else "–" for name in CONTENDERS]
    claims = [claim.text() for claim in row.claims] or [(row.note, "")]
    blank = [""] * len(first)
    return [[*(blank if i else first), *claim] for i, claim in enumerate(claims)]


def table(rows: list[Row]) -> str:
    """Align the rows under one head."""
    head = ["work", "unit", *CONTENDERS, "ratio", "asked"]
    cells = [head, *(line for row in rows for line in lines(row))]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    left = {0, 1, len(head) - 2, len(head) - 1}

    def text(line: list[str]) -> str:
        aligned = (
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([text(head), "-" * sum(w + 2 for w in widths), *map(text, cells[1:])])
