"""Kinks: where a graph stands exactly at a point without a derivative, and what was taken there."""

import math
import re
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gradtape import _core
from gradtape._core import Value
from gradtape.show.anomalies.lines import Place, Watcher, places_of
from gradtape.show.graph import Graph, Node
from gradtape.show.source.writing import steps
from gradtape.show.table import Row
from gradtape.show.texts import clean

__all__ = ["Kink", "Kinks", "kinks"]

# Derivatives of neighbouring numbers that differ by more than this, relative to numbers of the size
# of 1, are those of two branches: within one they differ by rounding.
JUMP = 1e-6

_COMPARED = re.compile(r"(\$?[\w.]+) (?:==|>=|>) (\$?[\w.]+)")
_SIGN = re.compile(r"sign\((\$\w+)\)")


@dataclass(frozen=True)
class Kink:
    """A kink that was met.

    Parameters
    ----------
    operation : str
    at : tuple of float
        The numbers of its operands.
    sides : tuple of (str, float, float, float)
        An operand by which the derivative jumps: its label, else its name in the operation; the
        derivative just below, as taken, and just above. Of an operation whose derivatives are
        all 0, its value.
    convention : str
        What the operation does there, in words.
    place : Place or None
        The line that recorded it, where that is known.
    """

    operation: str
    at: tuple[float, ...]
    sides: tuple[tuple[str, float, float, float], ...]
    convention: str
    place: Place | None = None


@dataclass
class Kinks:
    """What `kinks` found.

    Attributes
    ----------
    counts : dict of Kink to int
        How often each was met.
    graphs : int
        How many graphs were looked at.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Value(0.0, "x")
    >>> report = gt.kinks(gt.relu(x) + gt.relu(x))
    >>> len(report), [(kink.operation, kink.sides) for kink in report.counts]
    (2, [('relu', (('x', 0.0, 0.0, 1.0),))])
    """

    counts: dict[Kink, int] = field(default_factory=dict)
    graphs: int = 0

    def __len__(self) -> int:
        return sum(self.counts.values())

    def __str__(self) -> str:
        met = f"{len(self) or 'no'} kink{'s' * (len(self) != 1)} met"
        lines = [f"{met} in {self.graphs} graph{'s' * (self.graphs != 1)}"]
        for kink, count in sorted(self.counts.items(), key=lambda pair: -pair[1]):
            at = ", ".join(map(repr, kink.at))
            lines.append(f"{count} × {kink.operation}({at})")
            for name, below, taken, above in kink.sides:
                lines.append(f"  by {clean(name)}: below {below}, taken {taken}, above {above}")
            lines.append(f"  {kink.convention}")
            if kink.place is not None:
                lines.append(f"  at {str(kink.place).replace(chr(10), chr(10) + '  ')}")
        return "\n".join(lines)

    def add(self, value: Value) -> None:
        """Look at the graph of a value."""
        self.graphs += 1
        graph = Graph(value)
        suspects = _suspects(graph).tolist()
        places = places_of(value) if suspects else None
        for index in suspects:
            kink = _kink_of(graph, graph[index], places(index) if places is not None else None)
            if kink is not None:
                self.counts[kink] = self.counts.get(kink, 0) + 1


class _Watching(Watcher, Kinks):
    """A report that grows with every sweep inside its context."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other  # one of several contexts

    def swept(self, value: Value, seed: float) -> None:
        """Look at what was swept."""
        self.add(value)


def kinks(value: Value | None = None) -> Kinks:
    """Report where operations stand exactly at a kink, how often, and what was taken as derivative.

    At a kink (relu at 0, a tie in maximum, an end of clip) there is no derivative; a convention
    gives one, and a gradient that rests on it may not be what you mean. A comparison is at a kink
    where its sides are equal.

    Parameters
    ----------
    value : Value, optional
        The result of the graph to look at. Without it the report is a context that looks at every
        `backward` of the thread inside, and knows the lines.

    Returns
    -------
    Kinks

    Notes
    -----
    Kinks whose adjoint is exactly 0 are left out: nothing rests on them. A derivative that is
    infinite is no kink; `detect_anomaly` finds it. Inside the context every line is followed, so
    arithmetic runs up to a hundred times slower.

    Examples
    --------
    >>> import gradtape as gt
    >>> x, y = gt.Value(2.0, "x"), gt.Value(2.0, "y")
    >>> print(gt.kinks(gt.maximum(x, y)))
    1 kink met in 1 graph
    1 × maximum(2.0, 2.0)
      by x: below 0.0, taken 0.5, above 1.0
      by y: below 0.0, taken 0.5, above 1.0
      Larger operand; at ties each derivative is one half
    >>> with gt.kinks() as report:
    ...     gt.relu(x - y).backward()
    >>> len(report)
    1
    """
    if value is None:
        return _Watching()
    if not isinstance(value, Value):
        raise TypeError(f"kinks() takes a Value, not {type(value).__name__}")
    report = Kinks()
    report.add(value)
    return report


@cache
def _compared(row: Row) -> frozenset[tuple[str, str]]:
    """What a row compares, as its formulas have it: only where that is equal may it have a kink."""
    texts = [row.value.text, *(partial.text for partial in row.partials)]
    pairs = {pair for text in texts for pair in _COMPARED.findall(text)}
    return frozenset(pairs | {(x, "0") for text in texts for x in _SIGN.findall(text)})


def _constant(row: Row) -> bool:
    """Whether a row's derivatives are all 0: then it is its value that may jump."""
    return all(partial.text == "0" for partial in row.partials)


def _suspects(graph: Graph) -> NDArray[np.int64]:
    """The nodes that compare equal numbers, and those with an activation that compares."""
    found = np.zeros(len(graph), dtype=bool)
    for op in np.unique(graph.ops[graph.ops >= 0]):
        nodes = np.flatnonzero(graph.ops == op)
        row = graph[int(nodes[0])].row
        assert row is not None
        if not row.operands:
            for activation in np.unique(graph.activations[nodes]):
                same = nodes[graph.activations[nodes] == activation]
                inner = graph[int(same[0])].activation
                if inner is not None and steps(inner):
                    found[same] = graph.adjoints[same] != 0
            continue
        letters = {"r": graph.values[nodes]}
        for k, name in enumerate(row.operands):
            entry = graph.starts[nodes] + k
            at = graph.operands[entry]
            letters[name] = np.where(at < 0, graph.constants[entry], graph.values[at])
        for pair in _compared(row):
            left, right = (letters[x[1:]] if x[0] == "$" else float(x) for x in pair)
            found[nodes] |= np.asarray(left == right)
        if not _constant(row):
            found[nodes] &= graph.adjoints[nodes] != 0
    return np.flatnonzero(found)


def _kink_of(graph: Graph, node: Node, place: Place | None) -> Kink | None:
    row = node.row
    assert row is not None
    at = tuple(operand.value for operand in node.operands)
    names = [None if o.node is None else graph.labels.get(o.node, "") for o in node.operands]
    if node.activation is not None:
        row, at = node.activation, (graph.sum_inside(node.index),)
        names = [graph.labels.get(node.index, "")]
    constant = _constant(row)
    sides = []
    for k, name in enumerate(names):
        if name is None or (row.partials[k].text == "0" and not constant):
            continue  # it does not move, or moves nothing
        ends = (-math.inf, None, math.inf)
        left, taken, right = (_asked(row, at, k, end, constant) for end in ends)
        if _jumps(left, taken, right):
            sides.append((name or row.operands[k], left, taken, right))
    return Kink(row.name, at, tuple(sides), row.summary, place) if sides else None


def _asked(row: Row, at: tuple[float, ...], k: int, end: float | None, constant: bool) -> float:
    """The derivative by operand `k` (or the value), there or at the next number towards `end`."""
    moved = list(at)
    if end is not None:
        moved[k] = math.nextafter(at[k], end)
    value, partials, _ = _core.derivatives(row.name, moved)
    return value if constant else partials[k]


def _jumps(left: float, taken: float, right: float) -> bool:
    if not math.isfinite(taken) or math.isnan(left) or math.isnan(right):
        return False
    size = max(1.0, abs(taken))
    return abs(left - taken) > JUMP * size or abs(right - taken) > JUMP * size
