"""One look at the graph of a value; whatever shows a graph reads this and nothing else."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gradtape import _core
from gradtape._core import Value
from gradtape.show.table import RUNS, Row, table

__all__ = ["Graph", "Indices", "Node", "Operand", "contribution"]

Indices = NDArray[np.int64]

# A name that a graph gives.
_GIVEN = re.compile("[xv][1-9][0-9]*")


def contribution(adjoint: float, partial: float) -> float:
    """What a use adds to an adjoint: nothing where a factor is exactly zero, as in the sweep."""
    return 0.0 if adjoint == 0.0 or partial == 0.0 else adjoint * partial


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
    ops, activations : numpy.ndarray
        Of each node the place of its operation, and of what an affine node applies, in the table of
        operations; -1 for none.
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
        self.ops: NDArray[np.int16] = found["ops"]
        self.activations: NDArray[np.int16] = found["activations"]

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Node]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Node:
        return Node(
            index=index,
            name=self.name(index),
            row=self.row(index),
            activation=self.activation(index),
            operands=tuple(self.operands_of(index)),
            value=float(self.values[index]),
            adjoint=float(self.adjoints[index]),
            grad=float(self.grads[index]),
        )

    @property
    def root(self) -> int:
        """The number of the value itself."""
        return len(self) - 1

    @cached_property
    def leaves(self) -> int:
        """How many leaves there are: they come first."""
        return int(np.count_nonzero(self.ops < 0))

    def row(self, index: int) -> Row | None:
        """A node's operation; None for a leaf."""
        op = int(self.ops[index])
        return None if op < 0 else table()[op]

    def activation(self, index: int) -> Row | None:
        """What an affine node applies."""
        op = int(self.activations[index])
        return None if op < 0 else table()[op]

    def sum_inside(self, index: int) -> float:
        """What an affine node gives its activation: to the last bit what the tape computed."""
        operands = [self.operand_value(index, k) for k in range(self.count(index))]
        return float(_core.affine(*RUNS["affine"].arguments(operands)))

    def partial_inside(self, index: int, k: int) -> float:
        """The derivative of the sum inside an affine node by an operand."""
        partner = RUNS["affine"].partner(self.count(index), k)
        return 1.0 if partner is None else self.operand_value(index, partner)

    @cached_property
    def kinds(self) -> Indices:
        """A number of each node that tells operation, activation and number of operands."""
        ops, activations = self.ops.astype(np.int64), self.activations.astype(np.int64)
        counts = np.diff(self.starts)
        return np.asarray((ops + 1) + 1000 * (activations + 1) + 1_000_000 * counts)

    @cached_property
    def owners(self) -> Indices:
        """Of each of all operands the node whose operand it is."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def count(self, index: int) -> int:
        """How many operands a node has."""
        return int(self.starts[index + 1] - self.starts[index])

    def operand(self, index: int, k: int) -> int | None:
        """The number of a node's operand; None for a constant."""
        node = int(self.operands[self.starts[index] + k])
        return None if node < 0 else node

    def operand_value(self, index: int, k: int) -> float:
        """The value of a node's operand."""
        at = int(self.starts[index]) + k
        node = int(self.operands[at])
        return float(self.constants[at] if node < 0 else self.values[node])

    def partial(self, index: int, k: int) -> float:
        """A node's derivative by an operand; nan for a constant."""
        return float(self.partials[int(self.starts[index]) + k])

    def operands_of(self, index: int) -> Iterator[Operand]:
        """The operands of a node, in their order."""
        for k in range(int(self.starts[index]), int(self.starts[index + 1])):
            node = int(self.operands[k])
            value = self.constants[k] if node < 0 else self.values[node]
            yield Operand(None if node < 0 else node, float(value), float(self.partials[k]))

    def name(self, index: int) -> str:
        """What a node is called: its label, else a letter and a number that is no label."""
        label = self.labels.get(index)
        if label is not None:
            return label
        letter = "x" if self.ops[index] < 0 else "v"
        number = int(self._ranks[index])
        for k in self._reserved[letter]:
            number += k <= number
        return f"{letter}{number}"

    @cached_property
    def _ranks(self) -> Indices:
        """Of each node how many without a label come up to it among leaves, or among the others."""
        given = np.ones(len(self), dtype=np.int64)
        given[np.fromiter(self.labels, np.int64, len(self.labels))] = 0
        leaves = given * (self.ops < 0)
        return np.asarray(np.where(self.ops < 0, leaves.cumsum(), (given - leaves).cumsum()))

    @cached_property
    def _reserved(self) -> dict[str, list[int]]:
        """The numbers of given names that are labels already."""
        likely = [label for label in self.labels.values() if label[0] in "xv" and len(label) < 20]
        names = {(x[0], int(x[1:])) for x in likely if _GIVEN.fullmatch(x)}
        return {letter: sorted(k for x, k in names if x == letter) for letter in "xv"}

    def uses_of(self, nodes: Indices) -> dict[int, list[tuple[int, int]]]:
        """Of these nodes the users and the operands' places in them, in the order of the tape."""
        wanted = np.zeros(len(self) + 1, dtype=bool)
        wanted[nodes] = True  # a constant's number, -1, asks for the last, which nobody wants
        edges = np.flatnonzero(wanted[self.operands])
        owners = np.searchsorted(self.starts, edges, side="right") - 1
        places = edges - self.starts[owners]
        used = self.operands[edges]
        order = np.argsort(used, kind="stable")
        bounds = np.searchsorted(used[order], [nodes, nodes + 1])
        return {
            int(node): list(zip(*(x[order[a:b]].tolist() for x in (owners, places)), strict=True))
            for node, a, b in zip(nodes, *bounds.tolist(), strict=True)
        }

    def between(self, leaves: Sequence[int]) -> Indices:
        """The nodes on the ways from these to the value, all of them included."""
        # A constant's number, -1, reads the last place, which stays false.
        reached = bytearray(len(self) + 1)
        for leaf in leaves:
            reached[leaf] = 1
        for owner, node in zip(self.owners.tolist(), self.operands.tolist(), strict=True):
            if reached[node]:
                reached[owner] = 1
        return np.flatnonzero(np.frombuffer(reached, dtype=np.uint8)[:-1])
