"""What is said of a derivative that was compared with differences, and the report of all."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isinf, isnan

from gradtape.show.checking.differences import Difference
from gradtape.show.checking.report import Report
from gradtape.show.texts import ROOM, clean

__all__ = ["CheckReport", "Comparison", "compared"]

SHOWN = 40


@dataclass(frozen=True)
class Comparison:
    """A derivative and what differences make of it.

    Parameters
    ----------
    name : str
        The argument, or the node and its operand.
    claimed : float
        The derivative that is checked.
    measured : float
        The derivative by differences.
    error : float
        How far `measured` may be off.
    verdict : str
        ``"right"``, ``"wrong"``, ``"kink"`` (right by a convention: any slope between those of the
        two sides would be), ``"unsure"`` (differences tell nothing) or ``"undefined"`` (the
        function is not finite there).
    remark : str
        Why, in words; may be empty.
    """

    name: str
    claimed: float
    measured: float
    error: float
    verdict: str
    remark: str

    def __str__(self) -> str:
        line = f"{self.verdict:<9} {clean(self.name, ROOM):<14} {self.claimed: .10g}"
        if self.verdict == "wrong":
            line += f", differences {self.measured:.10g} (± {self.error:.1g})"
        return f"{line}  {self.remark}" if self.remark else line


def compared(name: str, claimed: float, found: Difference, where: str = "") -> Comparison:
    """Judge a derivative by what differences found.

    Parameters
    ----------
    name : str
    claimed : float
    found : Difference
    where : str
        The point, for the remark on a kink.
    """
    verdict, remark = _verdict(claimed, found, where)
    return Comparison(name, claimed, found.value, found.error, verdict, remark)


def _verdict(claimed: float, found: Difference, where: str) -> tuple[str, str]:
    left, right, kind = found.left, found.right, found.kind
    if kind == "undefined":
        return "undefined", "the function is not finite here"
    if isnan(claimed):
        return "wrong", "nan, where the function has a slope"
    if kind == "kink":
        low, high = min(left, right), max(left, right)
        slack = 1e-6 * max(abs(low), abs(high)) + found.error
        slopes = f"kink{where}: slope {left:.6g} on the left, {right:.6g} on the right"
        if low - slack <= claimed <= high + slack:
            return "kink", f"{slopes}; {claimed:.6g} by convention"
        return "wrong", f"{slopes}; {claimed:.6g} is not between them"
    if kind == "steep":
        return _at_steep(claimed, left, right, where)
    if isinf(claimed):
        return "wrong", "infinite, where the slope is not"
    off = abs(claimed - found.value)
    size = max(abs(claimed), abs(found.value))
    allowed = 4 * found.error + 2e-8 * size + sys.float_info.min
    if off > allowed:
        # Differences that are off by as much as they measure convict nobody.
        if found.error > 0.05 * size:
            return (
                "unsure",
                f"differences are too noisy here: {found.value:.3g} ± {found.error:.1g}",
            )
        return "wrong", _ratio(claimed, found.value)
    if found.error > 0.05 * size and size > 0 and kind == "noisy":
        return "unsure", f"differences are too noisy here: {found.value:.3g} ± {found.error:.1g}"
    if kind == "near a kink":
        return "right", f"near a kink{where}: a small step away the slope is another"
    if kind == "edge":
        return "right", "the edge of where the function is defined: slope of one side"
    return "right", ""


def _at_steep(claimed: float, left: float, right: float, where: str) -> tuple[str, str]:
    # A jump has one side where the slope grows without bound, the edge of a root its only side.
    flat = [side for side in (left, right) if abs(side) < 1e3]
    if isinf(claimed):
        return "right", "the slope grows without bound"
    if flat or claimed == 0:
        return "kink", f"a jump or an edge{where}: the slope grows without bound; by convention"
    return "unsure", f"the slope grows without bound{where}"


def _ratio(claimed: float, measured: float) -> str:
    if claimed == 0 or measured == 0:
        return "zero, where the slope is not" if claimed == 0 else "the slope is zero"
    ratio = claimed / measured
    if abs(ratio + 1) < 1e-4:
        return "the wrong sign"
    for number in (2, 3, 4):
        for factor, text in ((number, str(number)), (1 / number, f"1/{number}")):
            if abs(ratio / factor - 1) < 1e-4:
                return f"{text} times the right one"
            if abs(ratio / factor + 1) < 1e-4:
                return f"-{text} times the right one"
    return ""


@dataclass(frozen=True, repr=False)
class CheckReport(Report):
    """What `gradtape.check` found; true if nothing is wrong.

    Parameters
    ----------
    value : float
        Of the function.
    arguments : sequence of Comparison
        The derivative by each number among the arguments.
    nodes : sequence of Comparison
        Each node's derivatives by its operands.
    skipped : int
        How many nodes there are besides those that were checked.
    note : str
        What else is to be said.
    """

    value: float
    arguments: Sequence[Comparison]
    nodes: Sequence[Comparison] = ()
    skipped: int = 0
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, and the function finite at this point."""
        return abs(self.value) < inf and not self.wrong

    @property
    def wrong(self) -> list[Comparison]:
        """The derivatives that are wrong."""
        return [line for line in (*self.arguments, *self.nodes) if line.verdict == "wrong"]

    def __str__(self) -> str:
        lines = [self._headline(), *_folded(self.arguments)]
        if self.nodes:
            lines += ["nodes, by their operands:", *_folded(self.nodes)]
        if self.skipped:
            lines.append(f"({self.skipped:,} more nodes were not looked at)")
        return "\n".join([*lines, self.note] if self.note else lines)

    def _headline(self) -> str:
        if not abs(self.value) < inf:
            return f"the function is {self.value} here: there is nothing to compare"
        count = len(self.arguments) + len(self.nodes)
        if self.wrong:
            return f"{len(self.wrong)} of {count} derivatives wrong"
        for verdict, text in (("unsure", "could not be told"), ("undefined", "undefined")):
            many = sum(x.verdict == verdict for x in (*self.arguments, *self.nodes))
            if many:
                return f"no derivative wrong; {many} of {count} {text}"
        return f"{count} derivatives right" if count != 1 else "1 derivative right"


def _folded(lines: Sequence[Comparison]) -> list[str]:
    """The lines, those that are wrong first where they are too many."""
    if len(lines) > SHOWN:
        lines = sorted(lines, key=lambda line: line.verdict != "wrong")
        rest = len(lines) - SHOWN
        return [*("  " + str(line) for line in lines[:SHOWN]), f"  … and {rest:,} more"]
    return ["  " + str(line) for line in lines]
