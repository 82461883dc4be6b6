"""The hand calculation of a sweep, step by step, as an animation shows it."""

import math
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from gradtape.show.drawing.theme import safe, shortened
from gradtape.show.drawing.view import number
from gradtape.show.graph import Graph, Node, Operand
from gradtape.show.table import Row

__all__ = ["Step", "Term", "steps"]

# Operands of one node that are written out; the sums still have them all.
_WRITTEN = 24
_NAME = re.compile(r"[^\W\d][\w.]*")
_SLOT = re.compile(r"\$([a-z]+)")


@dataclass
class Term:
    """What one operand gets: the chain rule, and the sum so far."""

    name: str
    formula: str
    numbers: str
    partial: str
    share: str
    before: str
    after: str


@dataclass
class Step:
    """One step: the node at work, its arithmetic, and which numbers are then known.

    Parameters
    ----------
    phase : {"leaves", "forward", "seed", "reverse", "end"}
    node : int
        The node at work; -1 for none.
    title : str
    lines : list of str
    terms : list of Term
    data : list of int
        Nodes whose value is known from here on.
    adjoints : dict of int to str
        Adjoints that change here, as the drawing shows them.
    say : str
        The step in a sentence.
    """

    phase: str
    node: int
    title: str
    lines: list[str] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    data: list[int] = field(default_factory=list)
    adjoints: dict[int, str] = field(default_factory=dict)
    say: str = ""

    def plain(self) -> dict[str, Any]:
        """The step for JSON."""
        return asdict(self)


def short(x: float) -> str:
    """A number with five digits."""
    return f"{x:.5g}"


def _value(x: float) -> str:
    text = short(x)
    return f"({text})" if text.startswith("-") else text


def called(name: str) -> str:
    """A name inside a formula."""
    text = shortened(name, 22)
    return text if _NAME.fullmatch(text) else f"({text})"


def _filled(formula: str, texts: dict[str, str]) -> str:
    return _SLOT.sub(lambda found: texts.get(found[1], found[0]), formula)


def _texts(row: Row, operands: list[str], result: str) -> dict[str, str]:
    return {**dict(zip(row.operands, operands, strict=True)), "r": result}


def _names(graph: Graph, node: Node) -> list[str]:
    return [
        called(graph.name(operand.node)) if operand.node is not None else _value(operand.value)
        for operand in node.operands
    ]


def _partner(node: Node, k: int) -> int | None:
    """The operand that operand `k` of a sum of products is multiplied by; None for a bias."""
    pairs = len(node.operands) // 2
    if k >= 2 * pairs:
        return None
    return k + pairs if k < pairs else k - pairs


def _products(node: Node, texts: list[str]) -> str:
    """A sum of products and a bias."""
    pairs = len(texts) // 2
    terms = [f"{texts[k]} · {texts[k + pairs]}" for k in range(min(pairs, _WRITTEN))]
    terms += ["…"] * (pairs > _WRITTEN) + texts[2 * pairs :]
    return " + ".join(terms)


def _written(node: Node, texts: list[str], result: str) -> str:
    """The right side of the node's equation with names or numbers for its operands."""
    row = node.row
    assert row is not None
    if row.operands:
        return _filled(row.value.text, _texts(row, texts, result))
    if row.name in ("dot", "affine"):
        inside = _products(node, texts)
        if node.activation is None:
            return inside
        return _filled(node.activation.value.text, {"x": inside})
    shown = texts[:_WRITTEN] + ["…"] * (len(texts) > _WRITTEN)
    return f"{row.name}({', '.join(shown)})"


def _before_activation(node: Node) -> float:
    numbers = [operand.value for operand in node.operands]
    pairs = len(numbers) // 2
    products = [numbers[k] * numbers[k + pairs] for k in range(pairs)]
    return math.fsum([*products, *numbers[2 * pairs :]])


def _partial(node: Node, k: int, texts: list[str], result: str, z: str) -> str:
    """The formula of the derivative by operand `k`, with names or numbers."""
    row = node.row
    assert row is not None
    if row.operands:
        return _filled(row.partials[k].text, _texts(row, texts, result))
    if row.name in ("dot", "affine"):
        partner = _partner(node, k)
        factor = "" if partner is None else texts[partner]
        if node.activation is None:
            return factor or "1"
        inner = _filled(node.activation.partials[0].text, {"x": z, "r": result})
        return f"({inner}) · {factor}" if factor else inner
    return ""


def _terms(graph: Graph, node: Node, sums: list[float]) -> tuple[list[Term], dict[int, str]]:
    """What the node's operands get from it; `sums` are the adjoints so far, and are changed."""
    names = _names(graph, node)
    numbers = [_value(operand.value) for operand in node.operands]
    result, adjoint = called(node.name), sums[node.index]
    z = "z", _value(_before_activation(node) if node.activation is not None else 0.0)
    terms: list[Term] = []
    changed: dict[int, str] = {}
    for k, operand in enumerate(node.operands):
        if operand.node is None:
            continue
        share = _share(adjoint, operand)
        before = sums[operand.node]
        sums[operand.node] = before + share
        changed[operand.node] = number(sums[operand.node])
        if len(terms) < _WRITTEN:
            filled = _partial(node, k, numbers, _value(node.value), z[1])
            terms.append(
                Term(
                    names[k],
                    _partial(node, k, names, result, z[0]),
                    "" if filled == _value(operand.partial) else filled,
                    short(operand.partial),
                    f"{short(adjoint)} × {_value(operand.partial)} = {short(share)}",
                    short(before),
                    short(sums[operand.node]),
                )
            )
    return terms, changed


def _share(adjoint: float, operand: Operand) -> float:
    # An adjoint of exactly zero passes on exactly zero, as in the sweep itself.
    return 0.0 if adjoint == 0 else adjoint * operand.partial


def forward(graph: Graph, node: Node) -> Step:
    """The step that computes a node."""
    names, result = _names(graph, node), called(node.name)
    numbers = [_value(operand.value) for operand in node.operands]
    equation = f"{result} = {_written(node, names, result)}"
    lines = [
        equation,
        f"= {_written(node, numbers, _value(node.value))}",
        f"= {short(node.value)}",
    ]
    say = f"Forward: {equation} is {short(node.value)}."
    return Step("forward", node.index, equation, lines, data=[node.index], say=say)


def _reverse(graph: Graph, node: Node, sums: list[float]) -> Step:
    adjoint = short(sums[node.index])
    terms, changed = _terms(graph, node, sums)
    names = _names(graph, node)
    result = called(node.name)
    title = f"{result} = {_written(node, names, result)}"
    said = [f"{term.name} gets {term.share}, and has {term.after}" for term in terms]
    say = f"Reverse: {result} has the adjoint {adjoint}. {'; '.join(said)}."
    lines = [f"adjoint of {result} = {adjoint}"]
    if node.activation is not None:
        lines.append(f"z = {_products(node, names)} = {short(_before_activation(node))}")
    hidden = sum(operand.node is not None for operand in node.operands) - len(terms)
    if hidden:
        lines.append(f"and {hidden} operands more, not written out")
    return Step("reverse", node.index, title, lines, terms, adjoints=changed, say=say)


def steps(graph: Graph) -> list[Step]:
    """All steps: the leaves, a node after the other, the seed, and back.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Value(3.0, "x")
    >>> for step in steps(Graph(x * x)):
    ...     print(step.phase, step.lines)
    leaves ['x = 3']
    forward ['v1 = x * x', '= 3 * 3', '= 9']
    seed ['adjoint of v1 = 1']
    reverse ['adjoint of v1 = 1']
    end ['adjoint of x = 6']
    """
    leaves, last = graph.leaves, len(graph) - 1
    nodes = [graph[i] for i in range(len(graph))]
    found = [
        Step(
            "leaves",
            -1,
            "The leaves have their numbers",
            [f"{called(nodes[i].name)} = {short(nodes[i].value)}" for i in range(leaves)],
            data=list(range(leaves)),
            say=f"{leaves} lea{'f has its number' if leaves == 1 else 'ves have their numbers'}.",
        )
    ]
    found += [forward(graph, node) for node in nodes[leaves:]]
    sums = [0.0] * len(graph)
    sums[last] = 1.0
    root = called(nodes[last].name)
    seed = f"adjoint of {root} = 1"
    found.append(
        Step(
            "seed",
            last,
            f"The reverse sweep begins at {root}",
            [seed],
            adjoints={last: number(1.0)},
            say=f"The reverse sweep begins: the derivative of {root} by itself is 1.",
        )
    )
    found += [_reverse(graph, node, sums) for node in reversed(nodes[leaves:])]
    ends = [f"adjoint of {called(node.name)} = {short(node.adjoint)}" for node in nodes[:leaves]]
    found.append(
        Step(
            "end",
            -1,
            "Every leaf has its gradient",
            ends,
            adjoints={node.index: number(node.adjoint) for node in nodes},
            say=f"Done. {safe('; '.join(ends[:_WRITTEN]))}.",
        )
    )
    return found
