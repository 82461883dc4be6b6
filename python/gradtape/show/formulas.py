"""The formulas of nodes and of their partial derivatives, with names or numbers put in."""

import re
from collections.abc import Callable, Container, Mapping

from gradtape.show.expression import parse
from gradtape.show.named import NamedGraph, Written
from gradtape.show.table import Formula, Run, row_of
from gradtape.show.texts import bracketed

__all__ = ["chained", "equation", "fill", "inner", "outer", "partial", "product", "slope", "total"]

_HOLE = re.compile(r"\$([a-z]+)")
_BEFORE = re.compile(r"(?:^|[({,]|\\left\||\\left\()\s*$")
_AFTER = re.compile(r"\s*(?:$|[)},]|\\right)")
_CASES = re.compile(r"\\begin\{cases\}(.*) & (.*) \\\\ (.*) & \\text\{else\}\\end\{cases\}")


def fill(template: Formula, operands: Mapping[str, Formula], bare: Container[str] = ()) -> Formula:
    """Put formulas where the template names operands, in brackets where they need them.

    Parameters
    ----------
    template : Formula
    operands : mapping of str to Formula
    bare : container of str, optional
        Operands that need no brackets between the template's operators.

    Examples
    --------
    >>> fill(Formula("$x * $y", "$x $y"), {"x": Formula("a", "a"), "y": Formula("-2", "-2")}).text
    'a * (-2)'
    """

    def put(text: str, kind: str) -> str:
        def one(hole: re.Match[str]) -> str:
            alone = _BEFORE.search(text, 0, hole.start()) and _AFTER.match(text, hole.end())
            operand = operands[hole[1]]
            if text.startswith("^", hole.end()) and "^" in operand.latex:
                # LaTeX refuses a power of a power without brackets.
                return rf"\left({operand.latex}\right)"
            needless = alone or hole[1] in bare
            return str(getattr(operand if needless else bracketed(operand), kind))

        return _HOLE.sub(one, text)

    return Formula(put(template.text, "text"), put(template.latex, "latex"))


def product(x: Formula, y: Formula) -> Formula:
    """A product."""
    return fill(row_of("mul").value, {"x": x, "y": y})


def chained(above: Formula, below: Formula) -> Formula:
    """A link of the chain rule: a derivative, which needs no brackets, times another."""
    below = bracketed(below)
    return Formula(f"{above.text} * {below.text}", rf"{above.latex} \cdot {below.latex}")


def total(
    count: int, term: Callable[[int], Formula], last: Formula | None = None, most: int = 6
) -> Formula:
    """A sum of terms: all of them, or the first and the last.

    Parameters
    ----------
    count : int
    term : callable
        Gives the k-th term; must be a product, or stand in brackets where it needs them.
    last : Formula, optional
        One more term.
    most : int, optional
        Of more terms the first half of so many are written, and the last.
    """
    dots = Formula("…", r"\cdots")
    if count <= most:
        terms = [term(k) for k in range(count)]
    else:
        terms = [*(term(k) for k in range(most // 2)), dots, term(count - 1)]
    if last is not None:
        terms.append(last)
    joined = [" + ".join(getattr(x, kind) for x in terms) for kind in ("text", "latex")]
    return Formula(*joined) if terms else Formula("0", "0")


def _applied(row: str, x: Formula) -> Formula:
    return fill(row_of(row).value, {"x": x})


def _sum(graph: NamedGraph, count: int, run: Run, of: Written) -> Formula:
    """An operation of any number of operands, written out."""

    def term(k: int) -> Formula:
        x, *partner = map(of, run.term(count, k))
        if partner:
            return product(x, *partner)
        return _applied(run.each, x) if run.each else bracketed(x)

    last = bracketed(of(count - 1)) if run.biased else None
    found = total(run.terms(count), term, last, graph.terms)
    return _applied(run.whole, found) if run.whole else found


def inner(graph: NamedGraph, index: int, of: Written) -> Formula:
    """The formula of a node; of an affine node, what it gives its activation.

    Parameters
    ----------
    graph : NamedGraph
    index : int
    of : callable
        What stands for its operands.
    """
    row = graph.row(index)
    assert row is not None, "a leaf has no formula"
    if row.run is not None:
        return _sum(graph, graph.count(index), row.run, of)
    return fill(row.value, {x: of(k) for k, x in enumerate(row.operands)})


def outer(graph: NamedGraph, index: int, x: Formula) -> Formula:
    """What an affine node makes of the sum inside it."""
    activation = graph.activation(index)
    assert activation is not None, "only affine nodes have a sum inside"
    return fill(activation.value, {"x": x})


def equation(graph: NamedGraph, index: int, of: Written) -> Formula:
    """The formula of a node, an affine node's activation around the sum inside it."""
    found = inner(graph, index, of)
    return found if graph.activation(index) is None else outer(graph, index, found)


def _taken(template: Formula, numbers: Mapping[str, float]) -> Formula:
    """Of a derivative by cases the case that holds."""
    cases = _CASES.fullmatch(template.latex)
    if cases is None or not template.text.startswith("where("):
        return template
    parts, depth, start = [], 0, len("where(")
    for i, c in enumerate(template.text[:-1]):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 1:
            parts.append(template.text[start:i])
            start = i + 2
    condition, first = parts
    if parse(condition.replace("$", "")).evaluate(numbers):
        return Formula(first, cases[1])
    return Formula(template.text[start:-1], cases[3])


def _computed(template: Formula, operand: str, exponent: float, graph: NamedGraph) -> Formula:
    """Compute an exponent that is a constant less one, and leave out a first power."""
    power = graph.number(exponent - 1.0)
    text, latex = ("", "") if exponent == 2.0 else (f"**{bracketed(power).text}", power.latex)
    return Formula(
        template.text.replace(f"**(${operand} - 1)", text),
        template.latex.replace(f"^{{${operand} - 1}}", latex and f"^{{{latex}}}"),
    )


def partial(graph: NamedGraph, index: int, k: int, of: Written, result: Formula) -> Formula:
    """The formula of a node's derivative by its k-th operand.

    Parameters
    ----------
    graph : NamedGraph
    index, k : int
    of : callable
        What stands for the operands.
    result : Formula
        What stands for the node.

    Returns
    -------
    Formula
        For an affine node that of the sum inside it.
    """
    row = graph.row(index)
    assert row is not None, "a leaf has no operands"
    if row.run is not None:
        partner = row.run.partner(graph.count(index), k)
        if row.run.share is not None:
            return fill(row.run.share, {"x": of(k), "r": result})
        return graph.number(1.0) if partner is None else of(partner)
    numbers = {x: graph.operand_value(index, i) for i, x in enumerate(row.operands)}
    template = _taken(row.partials[k], {**numbers, "r": float(graph.values[index])})
    for i, x in enumerate(row.operands):
        if graph.operand(index, i) is None:
            template = _computed(template, x, numbers[x], graph)
    return fill(template, {"r": result, **{x: of(i) for i, x in enumerate(row.operands)}})


def slope(graph: NamedGraph, index: int, x: Formula, x_value: float, result: Formula) -> Formula:
    """The formula of the derivative of an affine node's activation."""
    activation = graph.activation(index)
    assert activation is not None, "only affine nodes have a sum inside"
    numbers = {"x": x_value, "r": float(graph.values[index])}
    return fill(_taken(activation.partials[0], numbers), {"x": x, "r": result})
