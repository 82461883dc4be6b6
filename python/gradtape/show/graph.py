"""One look at the graph of a value; whatever shows a graph reads this and nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from gradtape import _core
from gradtape._core import Value

__all__ = ["Formula", "Graph", "Node", "Operand", "Row", "row_of"]


@dataclass(frozen=True)
class Formula:
    """A formula as text and as LaTeX: ``$x`` stands for an operand, ``$r`` for the result."""

    text: str
    latex: str


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
    """

    name: str
    operands: tuple[str, ...]
    symbol: str
    summary: str
    value: Formula
    partials: tuple[Formula, ...]


@lru_cache(maxsize=1)
def _rows() -> list[Row]:
    rows = []
    for name, operands, symbol, latex, summary in _core.operations():
        if operands:
            value, partials = _core.formulas(name)
        else:
            value, partials = (f"{name}(…)", latex), []
        formulas = tuple(Formula(*partial) for partial in partials)
        rows.append(Row(name, tuple(operands), symbol, summary, Formula(*value), formulas))
    return rows


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
    for row in _rows():
        if row.name == name:
            return row
    raise KeyError(name)


@dataclass(frozen=True)
class Operand:
    """An operand of a node.

    Parameters
    ----------
    node : int or None
        The number of the node that it is; None for a constant.
    value : float
        Its value.
    partial : float
        The node's derivative by it; nan for a constant.
    """

    node: int | None
    value: float
    partial: float


@dataclass(frozen=True)
class Node:
    """A node of a graph, or a leaf.

    Parameters
    ----------
    index : int
        Its number in the graph.
    name : str
        Its label, or one that the graph gives it.
    row : Row or None
        Its operation; None for a leaf.
    activation : Row or None
        Of an affine node.
    operands : tuple of Operand
        In their order: an affine node has its inputs, its weights and its bias, a dot product its
        two runs.
    value : float
        As it was recorded.
    adjoint : float
        Derivative of the graph's value by this one.
    grad : float
        What the value's `grad` says.
    """

    index: int
    name: str
    row: Row | None
    activation: Row | None
    operands: tuple[Operand, ...]
    value: float
    adjoint: float
    grad: float

    @property
    def symbol(self) -> str:
        """The operation's symbol; empty for a leaf."""
        if self.row is None:
            return ""
        return self.row.symbol if self.activation is None else self.activation.symbol


class Graph:
    """All that a value was computed from.

    Leaves come in the order of their first use, then the nodes in the order of the tape; the value
    itself is the last.

    Parameters
    ----------
    value : Value
    marks : sequence of Value, optional
        Values whose numbers are asked for.

    Attributes
    ----------
    values, adjoints, grads : numpy.ndarray
        One number a node.
    starts, operands, constants, partials : numpy.ndarray
        The operands of node i are those from ``starts[i]`` to ``starts[i + 1]``: a node's number,
        or -1 and a constant; the node's derivative by it.
    labels : dict of int to str
        What users called them.
    marks : list of int
        The numbers of the marks; -1 for what is not in the graph.
    swept : bool
        Whether the last reverse sweep began at this value.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Value(3.0, "x")
    >>> graph = Graph(x * x)
    >>> [(node.name, node.value, node.adjoint) for node in graph]
    [('x', 3.0, 6.0), ('v1', 9.0, 1.0)]
    """

    def __init__(self, value: Value, marks: Sequence[Value] = ()) -> None:
        found = _core.snapshot(value, list(marks))
        self.values: NDArray[np.float64] = found["values"]
        self.adjoints: NDArray[np.float64] = found["adjoints"]
        self.grads: NDArray[np.float64] = found["grads"]
        self.starts: NDArray[np.int64] = found["starts"]
        self.operands: NDArray[np.int64] = found["operands"]
        self.constants: NDArray[np.float64] = found["constants"]
        self.partials: NDArray[np.float64] = found["partials"]
        self.labels: dict[int, str] = found["labels"]
        self.marks: list[int] = found["marks"]
        self.swept: bool = found["swept"]
        self._ops, self._activations = found["ops"], found["activations"]

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Node]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Node:
        op, activation = int(self._ops[index]), int(self._activations[index])
        return Node(
            index=index,
            name=self.name(index),
            row=None if op < 0 else _rows()[op],
            activation=None if activation < 0 else _rows()[activation],
            operands=tuple(self.operands_of(index)),
            value=float(self.values[index]),
            adjoint=float(self.adjoints[index]),
            grad=float(self.grads[index]),
        )

    def operands_of(self, index: int) -> Iterator[Operand]:
        """The operands of a node, in their order."""
        for k in range(int(self.starts[index]), int(self.starts[index + 1])):
            node = int(self.operands[k])
            value = self.constants[k] if node < 0 else self.values[node]
            yield Operand(None if node < 0 else node, float(value), float(self.partials[k]))

    @property
    def leaves(self) -> int:
        """How many leaves there are: they come first."""
        return int(np.count_nonzero(self._ops < 0))

    @cached_property
    def uses(self) -> list[list[tuple[int, int]]]:
        """Of each node the places where it is used: the number of the user, and of the operand."""
        uses: list[list[tuple[int, int]]] = [[] for _ in range(len(self))]
        starts, operands = self.starts.tolist(), self.operands.tolist()
        for owner in range(len(self)):
            for k, node in enumerate(operands[starts[owner] : starts[owner + 1]]):
                if node >= 0:
                    uses[node].append((owner, k))
        return uses

    def name(self, index: int) -> str:
        """What a node is called: its label, else a letter and a number."""
        label = self.labels.get(index)
        if label is not None:
            return label
        return self._given_names[index]

    @cached_property
    def _given_names(self) -> dict[int, str]:
        taken, names = set(self.labels.values()), {}
        counts: dict[str, int] = {"x": 0, "v": 0}
        for i, op in enumerate(self._ops.tolist()):
            if i not in self.labels:
                letter = "x" if op < 0 else "v"
                while True:
                    counts[letter] += 1
                    names[i] = f"{letter}{counts[letter]}"
                    if names[i] not in taken:
                        break
        return names

    def on_path(self, index: int) -> NDArray[np.bool_]:
        """Which nodes lie on a way from this one to the value, both among them."""
        from_it = np.zeros(len(self), dtype=bool)
        from_it[index] = True
        starts, operands = self.starts.tolist(), self.operands.tolist()
        for i in range(index + 1, len(self)):
            span = operands[starts[i] : starts[i + 1]]
            from_it[i] |= any(node >= 0 and from_it[node] for node in span)
        return from_it
