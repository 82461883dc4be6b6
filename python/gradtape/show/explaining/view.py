"""A graph with short names and numbers, and what large graphs are asked without being walked."""

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from gradtape import _core
from gradtape._core import Value
from gradtape.show.explaining.writing import atomic, clean, name, number
from gradtape.show.graph import Formula, Graph, Row, row_of

__all__ = ["Indices", "View", "contribution"]

Indices = NDArray[np.int64]

# Of a sum with more terms the first and the last are written.
MOST_TERMS = 6


# A name that a graph gives.
_GIVEN = re.compile("[xv][1-9][0-9]*")


def contribution(adjoint: float, partial: float) -> float:
    """What a use adds to an adjoint: nothing where a factor is exactly zero, as in the sweep."""
    return 0.0 if adjoint == 0.0 or partial == 0.0 else adjoint * partial


@lru_cache(maxsize=1)
def _table() -> list[Row]:
    return [row_of(name) for name, *_ in _core.operations()]


class View(Graph):
    """A graph as it is written for people.

    Parameters
    ----------
    value : Value
    marks : sequence of Value, optional
        Values whose numbers are asked for.
    digits : int, optional
        How many significant digits numbers get.
    """

    def __init__(self, value: Value, marks: Sequence[Value] = (), digits: int = 4) -> None:
        super().__init__(value, marks)
        self.digits = digits
        self._shown: dict[int, Formula] = {}
        self._seen: dict[str, int] = {}

    @classmethod
    def asked(
        cls, who: str, value: Value, marks: Sequence[Value], limit: int | None, digits: int
    ) -> "View":
        """Look at what a user handed to a function.

        Raises
        ------
        TypeError
            If `value` is no Value.
        ValueError
            If `limit` or `digits` is out of range.
        """
        if not isinstance(value, Value):
            raise TypeError(f"{who}() takes a Value, not {type(value).__name__}")
        if limit is not None and limit < 3:
            raise ValueError(f"limit must be at least 3, or None, not {limit}")
        if not 1 <= digits <= 17:
            raise ValueError(f"digits must be from 1 to 17, not {digits}")
        return cls(value, marks, digits)

    @property
    def root(self) -> int:
        """The number of the value itself."""
        return len(self) - 1

    def row(self, index: int) -> Row | None:
        """A node's operation; None for a leaf."""
        op = int(self._ops[index])
        return None if op < 0 else _table()[op]

    def activation(self, index: int) -> Row | None:
        """What an affine node applies."""
        op = int(self._activations[index])
        return None if op < 0 else _table()[op]

    @cached_property
    def kinds(self) -> Indices:
        """A number of each node that tells operation, activation and number of operands."""
        counts = np.diff(self.starts)
        ops, activations = self._ops.astype(np.int64), self._activations.astype(np.int64)
        return np.asarray((ops + 1) + 1000 * (activations + 1) + 1_000_000 * counts)

    def count(self, index: int) -> int:
        """How many operands a node has."""
        return int(self.starts[index + 1] - self.starts[index])

    def number(self, x: float) -> Formula:
        """A number, in the view's digits."""
        return number(float(x), self.digits)

    @cached_property
    def _ranks(self) -> Indices:
        """Of each node how many without a label come up to it among leaves, or among the others."""
        given = np.ones(len(self), dtype=np.int64)
        given[np.fromiter(self.labels, np.int64, len(self.labels))] = 0
        leaves = given * (self._ops < 0)
        return np.asarray(np.where(self._ops < 0, leaves.cumsum(), (given - leaves).cumsum()))

    @cached_property
    def _reserved(self) -> dict[str, list[int]]:
        """The numbers of given names that are labels already."""
        likely = [label for label in self.labels.values() if label[0] in "xv" and len(label) < 20]
        names = {(x[0], int(x[1:])) for x in likely if _GIVEN.fullmatch(x)}
        return {letter: sorted(k for x, k in names if x == letter) for letter in "xv"}

    def name(self, index: int) -> str:
        """What a node is called, without a look at all others."""
        label = self.labels.get(index)
        if label is not None:
            return label
        letter = "x" if self._ops[index] < 0 else "v"
        number = int(self._ranks[index])
        for k in self._reserved[letter]:
            number += k <= number
        return f"{letter}{number}"

    def named(self, index: int) -> Formula:
        """What a node is called where it is shown.

        Of several that read the same all but the first that is asked for get a number.
        """
        if index not in self._shown:
            text = first = clean(self.name(index))
            count = self._seen.get(first, 0) + 1
            while text in self._seen:
                text = f"{first}#{count}"
                count += 1
            self._seen[first] = count - 1 if text != first else 1
            self._seen.setdefault(text, 1)
            self._shown[index] = name(text)
        return self._shown[index]

    def inner(self, index: int) -> Formula:
        """What the sum inside an affine node is called, before its activation."""
        outer = self.named(index)
        return Formula(f"z({outer.text})", rf"z_{{{outer.latex}}}")

    def derivative(self, by: Formula, of: Formula | None = None) -> Formula:
        """The derivative of the value, or of something else, by what has this name."""
        of = self.named(self.root) if of is None else of
        above, below = (x.text if atomic(x.text) else f"({x.text})" for x in (of, by))
        return Formula(
            f"d{above}/d{below}", rf"\frac{{\partial {of.latex}}}{{\partial {by.latex}}}"
        )

    def operand(self, index: int, k: int) -> int | None:
        """The number of a node's operand; None for a constant."""
        node = int(self.operands[self.starts[index] + k])
        return None if node < 0 else node

    def operand_value(self, index: int, k: int) -> float:
        """The value of a node's operand."""
        at = int(self.starts[index]) + k
        node = int(self.operands[at])
        return float(self.constants[at] if node < 0 else self.values[node])

    def operand_name(self, index: int, k: int) -> Formula:
        """The name of a node's operand; a constant's is its number."""
        node = self.operand(index, k)
        return self.number(self.operand_value(index, k)) if node is None else self.named(node)

    def partial(self, index: int, k: int) -> float:
        """A node's derivative by an operand."""
        return float(self.partials[int(self.starts[index]) + k])

    def sum_inside(self, index: int) -> float:
        """What an affine node gives its activation."""
        start, end = int(self.starts[index]), int(self.starts[index + 1])
        nodes = self.operands[start:end]
        found = np.where(nodes < 0, self.constants[start:end], self.values[nodes])
        half = len(found) // 2
        return float(found[:half] @ found[half:-1] + found[-1])

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
        owners = np.repeat(np.arange(len(self)), np.diff(self.starts)).tolist()
        for owner, node in zip(owners, self.operands.tolist(), strict=True):
            if reached[node]:
                reached[owner] = 1
        return np.flatnonzero(np.frombuffer(reached, dtype=np.uint8)[:-1])
