"""A graph's reverse sweep as lines of Python."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from gradtape.show.graph import Graph, Node, Operand
from gradtape.show.source.naming import Names
from gradtape.show.source.writing import (
    Template,
    contribution,
    imports,
    steps,
    templates,
    with_constants,
)
from gradtape.show.table import Row

__all__ = ["SweepWriter"]

# So many terms stand on a line; a longer sum goes on with `+=`.
TERMS = 6

# A graph of more nodes is shown with its middle folded.
SHOWN = 400
EDGE = 50

_WORD = re.compile(r"\w+")


def _number(x: float) -> str:
    """A constant as an atom: safe behind any operator."""
    text = repr(x)
    if not np.isfinite(x):
        return f"float('{text}')"
    return f"({text})" if x < 0 or text.startswith("-") else text


class SweepWriter:
    """Writes the forward and the reverse lines of a graph.

    Parameters
    ----------
    graph : Graph
    first : sequence of (str, int, float)
        The parameters that come first: label, number in the graph or -1, value.

    Attributes
    ----------
    parameters : dict of str to str
        The label of each parameter, by its name in the code.
    values : dict of str to float
        Its value.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Value(3.0, "x")
    >>> writer = SweepWriter(Graph(x * x), [])
    >>> list(writer.forward(range(len(writer.graph))))
    ['v1 = x * x']
    >>> list(writer.reverse(range(len(writer.graph))))
    ['dx += dv1 * x', 'dx += dv1 * x']
    """

    def __init__(self, graph: Graph, first: Iterable[tuple[str, int, float]]) -> None:
        self.graph = graph
        self.names: dict[int | tuple[int, str], str] = {}
        self.parameters: dict[str, str] = {}
        self.values: dict[str, float] = {}
        self._givers = Names(["gradient", "gradtape"])
        for label, index, value in first:
            self._parameter(label, index, value)
        for index in range(graph.leaves):
            if index not in self.names:
                self._parameter(graph.name(index), index, float(graph.values[index]))
        for index in sorted(graph.labels):
            self.name(index)

    def _parameter(self, label: str, index: int, value: float) -> None:
        name = self._givers.take(label, "x")
        self.parameters[name] = label
        self.values[name] = value
        if index >= 0:
            self.names[index] = name

    def name(self, index: int, part: str = "") -> str:
        """The name of a node, or of a part of it: given out when it is first asked for."""
        key = (index, part) if part else index
        if key not in self.names:
            label = f"{self.name(index)}{part}" if part else self.graph.name(index)
            self.names[key] = self._givers.take(label, "v")
        return self.names[key]

    def _entries(self, asked: Callable[[Template | None], bool]) -> NDArray[np.bool_]:
        """Which of all operands have a contribution of which that is true."""
        graph = self.graph
        found = np.zeros(len(graph.operands), dtype=bool)
        for kind in self._kinds:
            row = kind.row
            for k, part in enumerate(templates(row)[1] if row is not None else ()):
                if asked(part):
                    found[graph.starts[:-1][graph.ops == graph.ops[kind.index]] + k] = True
        return found

    @cached_property
    def _never(self) -> NDArray[np.bool_]:
        """Which of all operands get nothing: constants, and those whose derivative is always 0."""
        return self._entries(lambda part: part is None) | (self.graph.operands < 0)

    @cached_property
    def _passes(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """Of each node: whether its adjoint is written, may be exactly 0, or is a branch's."""
        graph, never = self.graph, self._never
        jumps = self._entries(lambda part: part is None or part.steps)
        branches = np.zeros(len(graph.operands), dtype=bool)
        for kind in self._kinds:
            same = graph.ops[graph.owners] == graph.ops[kind.index]
            if kind.activation is not None and steps(kind.activation):
                same &= graph.activations[graph.owners] == graph.activations[kind.index]
                jumps |= same
            elif kind.row is not None and templates(kind.row)[0].chooses:
                branches |= same & ~never
        reached = np.zeros(len(graph), dtype=bool)
        reached[-1] = True
        passed, branch = graph.adjoints == 0, np.zeros(len(graph), dtype=bool)
        if not jumps.any():
            reached[graph.operands[~never]] = True
            return reached, passed, branch
        # Now it matters by which way a node is reached.
        flags = list(zip(reached.tolist(), passed.tolist(), branch.tolist(), strict=True))
        entries = [never.tolist(), jumps.tolist(), branches.tolist(), graph.operands.tolist()]
        owners = graph.owners.tolist()
        for e in range(len(owners) - 1, -1, -1):
            nothing, jump, chosen, j = (entry[e] for entry in entries)
            if j >= 0:
                r, p, b = flags[owners[e]]
                was = flags[j]
                flags[j] = (
                    was[0] or (r and not nothing),
                    was[1] or p or jump,
                    was[2] or b or chosen,
                )
        reached, passed, branch = np.array(flags, dtype=bool).T
        return reached, passed, branch

    def _operand(self, operand: Operand) -> str:
        return _number(operand.value) if operand.node is None else self.name(operand.node)

    def forward(self, indices: Iterable[int]) -> Iterator[str]:
        """The lines that compute these nodes."""
        for i in indices:
            node = self.graph[i]
            if node.row is None:
                continue
            if node.row.operands:
                yield f"{self.name(i)} = {self._value(node, node.row)}"
            else:
                yield from self._run(node, node.row)

    def _value(self, node: Node, row: Row) -> str:
        value = templates(row)[0]
        operands = [self._operand(operand) for operand in node.operands]
        if self._passes[2][node.index] and value.risky:
            return f"gradtape.{row.name}({', '.join(operands)})"
        return value.text.format(**dict(zip(row.operands, operands, strict=True)))

    def _run(self, node: Node, row: Row) -> Iterator[str]:
        name = self.name(node.index)
        operands = [self._operand(operand) for operand in node.operands]
        run, count = row.run, len(operands)
        assert run is not None
        terms = [
            " * ".join(operands[i] for i in run.term(count, k)) for k in range(run.terms(count))
        ]
        terms += operands[-1:] if run.biased else []
        if run.whole:
            # The largest is taken out of the sum, so that nothing overflows.
            top, total = self.name(node.index, "_top"), self.name(node.index, "_sum")
            most = f"max({', '.join(terms)})" if count > 1 else terms[0]
            yield f"{top} = {most}"
            yield from _total(total, [f"{run.each}({x} - {top})" for x in terms])
            yield f"{name} = {top} + {run.whole}({total})"
            return
        if node.activation is None:
            yield from _total(name, terms)
            return
        inside = self.name(node.index, "_in")
        yield from _total(inside, terms)
        operand = {node.activation.operands[0]: inside}
        yield f"{name} = {templates(node.activation)[0].text.format(**operand)}"

    def reverse(self, indices: Iterable[int]) -> Iterator[str]:
        """The lines that give the adjoints of these nodes to their operands."""
        reached = self._passes[0]
        for i in reversed(list(indices)):
            node = self.graph[i]
            if node.row is None or not reached[i]:
                continue
            if node.row.operands:
                yield from self._contributions(node, node.row)
            else:
                yield from self._run_contributions(node, node.row)

    def _contributions(self, node: Node, row: Row) -> Iterator[str]:
        name = self.name(node.index)
        given = zip(row.operands, map(self._operand, node.operands), strict=True)
        letters = dict(given) | {"r": name, "a": f"d{name}"}
        constants = tuple(
            (letter, letters[letter])
            for letter, operand in zip(row.operands, node.operands, strict=True)
            if operand.node is None and np.isfinite(operand.value)
        )
        for k, (operand, part) in enumerate(zip(node.operands, templates(row)[1], strict=True)):
            if operand.node is None or part is None:
                continue
            part = with_constants(part, constants) if constants else part
            text = part.text.format(**letters)
            if part.risky and self._passes[1][node.index]:
                text = f"{text} if d{name} else 0.0"
            yield self._add(node, k, text)

    def _run_contributions(self, node: Node, row: Row) -> Iterator[str]:
        name = self.name(node.index)
        adjoint = f"d{name}"
        operands = [self._operand(operand) for operand in node.operands]
        if node.activation is not None:
            part = templates(node.activation)[1][0]
            inside = self.name(node.index, "_in")
            letters = {node.activation.operands[0]: inside, "r": name, "a": adjoint}
            adjoint = f"d{inside}"
            yield f"{adjoint} = {'0.0' if part is None else part.text.format(**letters)}"
        run = row.run
        assert run is not None
        share = contribution(run.share) if run.share is not None else None
        for k, operand in enumerate(node.operands):
            if operand.node is None:
                continue
            partner = run.partner(len(operands), k)
            text = adjoint if partner is None else f"{adjoint} * {operands[partner]}"
            if share is not None:
                text = share.text.format(x=operands[k], r=name, a=adjoint)
            yield self._add(node, k, text)

    def _add(self, node: Node, k: int, text: str) -> str:
        """Adds to an operand's adjoint: an inner node's first contribution is the adjoint."""
        at = node.operands[k].node
        assert at is not None
        first = at >= self.graph.leaves and self._first[at] == self.graph.starts[node.index] + k
        if not first and text.startswith("-") and _WORD.fullmatch(text[1:]):
            return f"d{self.name(at)} -= {text[1:]}"
        return f"d{self.name(at)} {'' if first else '+'}= {text}"

    @cached_property
    def _first(self) -> NDArray[np.int64]:
        """Of each node the operand (in the array of all) by which the sweep reaches it first."""
        owners, operands = self.graph.owners, self.graph.operands
        given = np.flatnonzero(~self._never & self._passes[0][owners])
        last = np.full(len(self.graph), -1, dtype=np.int64)
        np.maximum.at(last, operands[given], owners[given])
        given = given[owners[given] == last[operands[given]]]
        first = np.full(len(self.graph), len(owners), dtype=np.int64)
        np.minimum.at(first, operands[given], given)
        return first

    def source(self, *, folded: bool = False) -> str:
        """The text of the function ``gradient``, perhaps without the middle of a long one."""
        count, leaves = len(self.graph), self.graph.leaves
        nodes = range(leaves, count)
        parts = [nodes]
        if folded and len(nodes) > SHOWN:
            parts = [nodes[:EDGE], nodes[-EDGE:]]
        forward = _joined([self.forward(part) for part in parts], len(nodes) - 2 * EDGE)
        reverse = _joined([self.reverse(part) for part in parts[::-1]], len(nodes) - 2 * EDGE)
        body = list(self._head())
        if forward:
            body += ["# forward", *_folded(forward, folded)]
        body += ["# reverse", *self._zeros(folded), f"d{self.name(count - 1)} = 1.0"]
        body += _folded(reverse, folded)
        adjoints = [f"d{name}" for name in self.parameters]
        only = [f"({adjoints[0]},)"] if len(adjoints) == 1 else adjoints
        body += _wrapped("return ", only, folded=folded)
        values = [f"{name}={_number(value)}" for name, value in self.values.items()]
        head = _wrapped("def gradient(", values, "):", folded=folded)
        lines = self._imports(body)
        return "\n".join([*lines, *head, *(f"    {line}" for line in body), ""])

    def _head(self) -> Iterator[str]:
        """Comments on the labels that are no names."""
        labelled = [*self.parameters.items()]
        nodes = ((self.name(i), text) for i, text in self.graph.labels.items())
        for name, label in islice(dict([*nodes, *labelled]).items(), SHOWN):
            if name != label:
                shown = label if len(label) <= EDGE else f"{label[:EDGE]}…"
                yield f"# {name}: {shown!a}"

    def _zeros(self, folded: bool) -> list[str]:
        root = self.name(len(self.graph) - 1)
        names = [f"d{name}" for name in self.parameters if name != root]
        lines = [names[i : i + TERMS] for i in range(0, len(names), TERMS)]
        return _folded([" = ".join([*line, "0.0"]) for line in lines], folded)

    def _imports(self, body: list[str]) -> list[str]:
        code = [line for line in body if not line.startswith("#")]
        used = {word for line in code for word in _WORD.findall(line)}
        rows = {node.row for node in self._kinds} | {node.activation for node in self._kinds}
        calls = {"exp", "log"}
        for row in rows - {None}:
            value, parts = templates(row) if row is not None and row.operands else (None, ())
            for part in (value, *parts):
                calls |= part.calls if part is not None else frozenset()
        lines = imports(calls & used)
        if "gradtape" in used:
            lines.insert(0, "import gradtape")
        return [*lines, "", ""] if lines else []

    @cached_property
    def _kinds(self) -> list[Node]:
        """One node of each kind."""
        graph = self.graph
        kinds = np.stack([graph.ops, graph.activations])
        return [graph[int(i)] for i in np.unique(kinds, axis=1, return_index=True)[1]]


def _total(name: str, terms: list[str]) -> Iterator[str]:
    """A sum, on several lines if it is long."""
    yield f"{name} = {' + '.join(terms[:TERMS]) or '0.0'}"
    for i in range(TERMS, len(terms), TERMS):
        yield f"{name} += {' + '.join(terms[i : i + TERMS])}"


def _joined(parts: list[Iterator[str]], folded: int) -> list[str]:
    lines = list(parts[0])
    for part in parts[1:]:
        lines += [f"# … {folded:,} nodes …", *part]
    return lines


def _folded(lines: list[str], folded: bool) -> list[str]:
    if folded and len(lines) > SHOWN:
        left = f"# … {len(lines) - 2 * EDGE:,} lines …"
        return [*lines[:EDGE], left, *lines[-EDGE:]]
    return lines


def _wrapped(before: str, words: list[str], after: str = "", *, folded: bool = False) -> list[str]:
    """Words behind commas, on as many lines as they need, inside parentheses."""
    if len(words) <= TERMS:
        return [f"{before}{', '.join(words)}{after}"]
    opened = before if before.endswith("(") else f"{before}("
    lines = [f"    {', '.join(words[i : i + TERMS])}," for i in range(0, len(words), TERMS)]
    return [opened, *_folded(lines, folded), after or ")"]
