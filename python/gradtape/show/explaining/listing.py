"""The Wengert list of a value as a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import overload

import numpy as np

from gradtape._core import Value
from gradtape.show.explaining.folding import Fold, folded
from gradtape.show.named import NamedGraph
from gradtape.show.texts import numeral, width

__all__ = ["Entry", "Listing", "tape"]

LIMIT = 60
# Of a node with more operands the first and the last are listed in the table.
MOST_OPERANDS = 6
HEADINGS = ("", "label", "operation", "operands", "value", "partials", "adjoint")


@dataclass(frozen=True)
class Entry:
    """A row of the list.

    Parameters
    ----------
    index : int
        Its place: operands come before what is computed from them.
    label : str
        Its label, or the name that the list gives it.
    operation : str
        Empty for a leaf.
    operands : tuple of str or float
        Labels of the operands; a constant is its number.
    value : float
    partials : tuple of float or None
        Its derivative by each operand; None for a constant.
    adjoint : float
        The derivative of the list's value by it.
    """

    index: int
    label: str
    operation: str
    operands: tuple[str | float, ...]
    value: float
    partials: tuple[float | None, ...]
    adjoint: float


class _Rows(Sequence[Entry]):
    """The rows, each made when it is asked for: a list of millions shall cost nothing."""

    def __init__(self, graph: NamedGraph) -> None:
        self._graph = graph

    def __len__(self) -> int:
        return len(self._graph)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        places = range(len(self))[index]
        if isinstance(places, range):
            return [self[place] for place in places]
        graph, node = self._graph, self._graph[places]
        operands = (x.value if x.node is None else graph.name(x.node) for x in node.operands)
        return Entry(
            places,
            node.name,
            _operation(graph, places),
            tuple(operands),
            node.value,
            tuple(None if x.node is None else x.partial for x in node.operands),
            node.adjoint,
        )

    def __iter__(self) -> Iterator[Entry]:
        return (self[place] for place in range(len(self)))

    def __repr__(self) -> str:
        return f"<{len(self)} rows>"


def _operation(graph: NamedGraph, index: int) -> str:
    row, activation = graph.row(index), graph.activation(index)
    if row is None:
        return ""
    return row.name if activation is None else f"{row.name} {activation.name}"


class Listing:
    """The Wengert list of a value; print it, or let a notebook show it.

    Parameters
    ----------
    graph : NamedGraph
    limit : int or None, optional
        About how many rows are printed.

    Attributes
    ----------
    rows : sequence of Entry
        All of them, leaves first, then the nodes in the order of the tape.
    """

    def __init__(self, graph: NamedGraph, limit: int | None = LIMIT) -> None:
        self._graph, self._limit = graph, limit
        self.rows: Sequence[Entry] = _Rows(graph)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def _cells(self) -> list[tuple[str, ...]]:
        """The cells of each printed line; a fold has one."""
        graph = self._graph
        found: list[tuple[str, ...]] = []
        for line in folded(graph, np.arange(len(graph)), self._limit):
            if isinstance(line, Fold):
                first, last = (graph.named(int(line.nodes[k])).text for k in (0, -1))
                found.append((f"… {line.what}: {first} … {last}",))
            else:
                found.append(self._line(line))
        return found

    def _line(self, index: int) -> tuple[str, ...]:
        graph = self._graph
        count = graph.count(index)
        shown: list[int | None] = list(range(count))
        if count > MOST_OPERANDS:
            shown[MOST_OPERANDS // 2 : -1] = [None]
        names = ["…" if k is None else graph.operand_name(index, k).text for k in shown]
        partials = ["…" if k is None else self._partial(index, k) for k in shown]
        return (
            str(index),
            graph.named(index).text,
            _operation(graph, index),
            ", ".join(names),
            self._number(graph.values[index]),
            ", ".join(partials),
            self._number(graph.adjoints[index]),
        )

    def _partial(self, index: int, k: int) -> str:
        if self._graph.operand(index, k) is None:
            return "-"
        return self._number(self._graph.partial(index, k))

    def _number(self, x: float) -> str:
        return numeral(float(x), self._graph.digits)

    def __str__(self) -> str:
        full = [HEADINGS, *(cells for cells in self._cells if len(cells) > 1)]
        columns = [max(width(cells[k]) for cells in full) for k in range(len(HEADINGS))]
        lines = []
        for cells in (HEADINGS, *self._cells):
            gaps = [columns[k] - width(cell) for k, cell in enumerate(cells)]
            # Numbers of rows to the right, as they are read.
            padded = [cell + " " * gap for cell, gap in zip(cells, gaps, strict=True)]
            padded[0] = " " * gaps[0] + cells[0]
            lines.append("  ".join(padded).rstrip() if len(cells) > 1 else cells[0])
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
        rows = []
        for cells in self._cells:
            span = f' colspan="{len(HEADINGS)}"' if len(cells) == 1 else ""
            rows.append("".join(f"<td{span}>{escape(cell)}</td>" for cell in cells))
        body = "\n".join(f"<tr>{row}</tr>" for row in rows)
        return (
            '<table style="font-family:ui-monospace,monospace;font-size:90%">'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
        )


def tape(value: Value, *, limit: int | None = LIMIT, digits: int = 4) -> Listing:
    """List all that a value was computed from, in the order of the tape.

    Parameters
    ----------
    value : Value
    limit : int or None, optional
        About how many rows are printed; of more, those alike are told in one line. None prints
        all.
    digits : int, optional
        Significant digits of printed numbers.

    Returns
    -------
    Listing
        Its `rows` are all rows, in full precision.

    Raises
    ------
    TypeError
        If `value` is no Value.
    ValueError
        If `limit` or `digits` is out of range.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Value(0.5, "x")
    >>> print(gt.tape(gt.tanh(2 * x)))
       label  operation  operands  value   partials  adjoint
    0  x                           0.5               0.8399
    1  v1     mul        2, x      1       -, 2      0.42
    2  v2     tanh       v1        0.7616  0.42      1
    >>> gt.tape(x * x).rows[1].partials
    (0.5, 0.5)
    """
    graph = NamedGraph.asked("tape", value, (), limit, digits)
    return Listing(graph, limit)
