"""The hand calculation of a sweep, step by step, as an animation shows it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from gradtape.show.drawing.view import number
from gradtape.show.formulas import equation, inner, partial, product, slope
from gradtape.show.graph import contribution
from gradtape.show.named import NamedGraph, Written
from gradtape.show.table import Formula
from gradtape.show.texts import bracketed

__all__ = ["Step", "Term", "adjoint", "called", "end", "forward", "given", "seed", "steps"]

# Operands of one node that are written out; the sums still have them all.
_WRITTEN = 24
# What the sum inside an affine node is called: a step has no more than one.
_INSIDE = Formula("z", "z")


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


def called(graph: NamedGraph, index: int) -> str:
    """A node's name in a sentence."""
    return bracketed(graph.named(index)).text


def _derivative(
    graph: NamedGraph, index: int, k: int, of: Written, result: Formula, z: Formula
) -> str:
    """The formula of a node's derivative by an operand; `z` is the sum inside an affine node."""
    found = partial(graph, index, k, of, result)
    if graph.activation(index) is None:
        return found.text
    through = slope(graph, index, z, graph.sum_inside(index), result)
    bias = k == graph.count(index) - 1
    return (through if bias else product(through, found)).text


def _terms(
    graph: NamedGraph, index: int, sums: list[float]
) -> tuple[list[Term], dict[int, str], int]:
    """What a node's operands get from it, and how many are not told.

    `sums` are the adjoints so far, and are changed.
    """
    above = graph.number(sums[index]).text
    inside = _INSIDE
    if graph.activation(index) is not None:
        inside = graph.number(graph.sum_inside(index))
    terms: list[Term] = []
    changed: dict[int, str] = {}
    operands = [(k, graph.operand(index, k)) for k in range(graph.count(index))]
    told = [(k, node) for k, node in operands if node is not None]
    for k, node in told:
        share = contribution(sums[index], graph.partial(index, k))
        before = sums[node]
        sums[node] = before + share
        changed[node] = number(sums[node])
        if len(terms) < _WRITTEN:
            by = graph.number(graph.partial(index, k))
            filled = _derivative(graph, index, k, *graph.in_numbers(index), inside)
            terms.append(
                Term(
                    called(graph, node),
                    _derivative(graph, index, k, *graph.in_names(index), _INSIDE),
                    "" if filled == by.text else filled,
                    by.text,
                    f"{above} × {bracketed(by).text} = {graph.number(share).text}",
                    graph.number(before).text,
                    graph.number(sums[node]).text,
                )
            )
    return terms, changed, len(told) - len(terms)


def forward(graph: NamedGraph, index: int) -> Step:
    """The step that computes a node."""
    value = graph.number(graph.values[index]).text
    names, numbers = (
        equation(graph, index, of).text
        for of, _ in (graph.in_names(index), graph.in_numbers(index))
    )
    title = f"{called(graph, index)} = {names}"
    lines = [title, f"= {numbers}", f"= {value}"]
    say = f"Forward: {title} is {value}."
    return Step("forward", index, title, lines, data=[index], say=say)


def _reverse(graph: NamedGraph, index: int, sums: list[float]) -> Step:
    above = graph.number(sums[index]).text
    terms, changed, hidden = _terms(graph, index, sums)
    result, (names, _) = called(graph, index), graph.in_names(index)
    title = f"{result} = {equation(graph, index, names).text}"
    said = [f"{term.name} gets {term.share}, and has {term.after}" for term in terms]
    say = f"Reverse: {result} has the adjoint {above}. {'; '.join(said)}."
    lines = [f"adjoint of {result} = {above}"]
    if graph.activation(index) is not None:
        inside = graph.number(graph.sum_inside(index)).text
        lines.append(f"{_INSIDE.text} = {inner(graph, index, names).text} = {inside}")
    if hidden:
        lines.append(f"and {hidden} operands more, not written out")
    return Step("reverse", index, title, lines, terms, adjoints=changed, say=say)


def given(graph: NamedGraph, leaves: Sequence[int], say: str) -> Step:
    """The first step: these leaves have their numbers."""
    lines = [f"{called(graph, i)} = {graph.number(graph.values[i]).text}" for i in leaves]
    return Step("leaves", -1, "The leaves have their numbers", lines, data=list(leaves), say=say)


def seed(graph: NamedGraph) -> Step:
    """The step between there and back."""
    root = called(graph, graph.root)
    return Step(
        "seed",
        graph.root,
        f"The reverse sweep begins at {root}",
        [f"adjoint of {root} = 1"],
        adjoints={graph.root: number(1.0)},
        say=f"The reverse sweep begins: the derivative of {root} by itself is 1.",
    )


def end(graph: NamedGraph, leaves: Sequence[int], nodes: Sequence[int], say: str) -> Step:
    """The last step: these leaves are told, and these nodes have their adjoints."""
    lines = [adjoint(graph, i) for i in leaves]
    adjoints = {i: number(float(graph.adjoints[i])) for i in nodes}
    return Step("end", -1, "Every leaf has its gradient", lines, adjoints=adjoints, say=say)


def adjoint(graph: NamedGraph, index: int) -> str:
    """A line that tells a node's adjoint."""
    return f"adjoint of {called(graph, index)} = {graph.number(graph.adjoints[index]).text}"


def steps(graph: NamedGraph) -> list[Step]:
    """All steps: the leaves, a node after the other, the seed, and back.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Value(3.0, "x")
    >>> for step in steps(NamedGraph(x * x)):
    ...     print(step.phase, step.lines)
    leaves ['x = 3']
    forward ['v1 = x * x', '= 3 * 3', '= 9']
    seed ['adjoint of v1 = 1']
    reverse ['adjoint of v1 = 1']
    end ['adjoint of x = 6']
    """
    leaves, last = range(graph.leaves), graph.root
    some = "leaf has its number" if len(leaves) == 1 else "leaves have their numbers"
    sums = [0.0] * last + [1.0]
    ends = "; ".join(adjoint(graph, i) for i in leaves[:_WRITTEN])
    return [
        given(graph, leaves, f"{len(leaves)} {some}."),
        *(forward(graph, i) for i in range(len(leaves), len(graph))),
        seed(graph),
        *(_reverse(graph, i, sums) for i in range(last, len(leaves) - 1, -1)),
        end(graph, leaves, range(len(graph)), f"Done. {ends}."),
    ]
