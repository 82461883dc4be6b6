"""The table of operations, with the formulas of values and derivatives."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gradtape import _core

__all__ = ["RUNS", "Formula", "Row", "Run", "row_of", "table"]


@dataclass(frozen=True)
class Formula:
    """A formula as text and as LaTeX: ``$x`` stands for an operand, ``$r`` for the result."""

    text: str
    latex: str


@dataclass(frozen=True)
class Run:
    """How an operation of any number of operands is a sum of terms.

    Parameters
    ----------
    paired : bool
        Whether a term is a product: of an operand of the first half and its partner in the second.
    biased : bool
        Whether one operand more, the last, is a term by itself.
    each, whole : str
        The rows that are applied to each term and to the sum; empty for none.
    share : Formula or None
        The derivative by a term's operand where that is not its partner, or 1.
    """

    paired: bool = False
    biased: bool = False
    each: str = ""
    whole: str = ""
    share: Formula | None = None

    def terms(self, count: int) -> int:
        """How many terms so many operands make, besides a bias."""
        return count // 2 if self.paired else count

    def term(self, count: int, k: int) -> tuple[int, ...]:
        """The operands of the k-th term, by their places among so many."""
        return (k, k + count // 2) if self.paired else (k,)

    def partner(self, count: int, k: int) -> int | None:
        """The operand by which the k-th of so many is multiplied; None for a term by itself."""
        half = count // 2
        if not self.paired or k == 2 * half:
            return None
        return k + half if k < half else k - half

    def arguments(self, operands: Sequence[Any]) -> tuple[Any, ...]:
        """The operands as the operation's function takes them.

        Examples
        --------
        >>> row_of("affine").run.arguments([1, 2, 3, 4, 5])
        ([1, 2], [3, 4], 5)
        """
        if not self.paired:
            return (operands,)
        half = len(operands) // 2
        return (operands[:half], operands[half : 2 * half], *operands[2 * half :])


# The names are the table's: a test holds that these are all, and that they are computed so.
RUNS = {
    "sum": Run(),
    "dot": Run(paired=True),
    "affine": Run(paired=True, biased=True),
    "logsumexp": Run(each="exp", whole="log", share=Formula("exp($x - $r)", "e^{$x - $r}")),
}


@dataclass(frozen=True)
class Row:
    """A row of the table of operations.

    Parameters
    ----------
    name : str
    operands : tuple of str
        Their names in the formulas; none for an operation of any number of operands.
    symbol : str
        For drawings.
    summary : str
    value : Formula
    partials : tuple of Formula
        One for each operand.
    run : Run or None
        Of an operation of any number of operands, what it makes of them.
    """

    name: str
    operands: tuple[str, ...]
    symbol: str
    summary: str
    value: Formula
    partials: tuple[Formula, ...]
    run: Run | None = None


@lru_cache(maxsize=1)
def table() -> tuple[Row, ...]:
    """All rows, in the order of the numbers that a graph has for its operations."""
    rows = []
    for name, operands, symbol, latex, summary in _core.operations():
        if operands:
            value, partials = _core.formulas(name)
        else:
            value, partials = (f"{name}(…)", latex), []
        formulas = tuple(Formula(*partial) for partial in partials)
        written = (symbol, summary, Formula(*value), formulas)
        rows.append(Row(name, tuple(operands), *written, RUNS.get(name)))
    return tuple(rows)


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Row]:
    return {row.name: row for row in table()}


def row_of(name: str) -> Row:
    """The row of an operation, by its name as in `Value.op`.

    Raises
    ------
    KeyError
        If there is no such operation.

    Examples
    --------
    >>> row_of("tanh").partials[0].text
    '1 - $r * $r'
    """
    return _by_name()[name]
