"""What notebooks show of a value by itself."""

from gradtape._core import Value
from gradtape.show.drawing.drawing import draw
from gradtape.show.expression import SIGN, STRENGTHS
from gradtape.show.formulas import equation, fill
from gradtape.show.named import NamedGraph
from gradtape.show.table import Formula

__all__ = ["latex", "svg"]

# Graphs of more nodes, and longer formulas, are not read as one formula.
LARGEST = 40
LONGEST = 600


def svg(value: Value) -> str | None:
    """The drawing of a value's graph, folded where it is large.

    Examples
    --------
    >>> "<svg" in svg(Value(2.0, "x") * 3.0)
    True
    """
    return draw(value).svg


def latex(value: Value) -> str | None:
    r"""The value's formula; None where it has none, or one too long to be read.

    Intermediate values without a label are written out, leaves without one are numbers.

    Examples
    --------
    >>> import gradtape as gt
    >>> x, w = gt.Value(2.0, "x"), gt.Value(-3.0, "w")
    >>> print(latex((x * w + 5.5) ** 2))
    $\displaystyle \left(x \cdot w + 5.5\right)^{2} = 0.25$
    """
    graph = NamedGraph(value)
    if len(graph) > LARGEST or (graph.leaves == len(graph) and not graph.labels):
        return None
    written: list[Formula] = []
    for index in range(len(graph)):
        formula = _formula(graph, index, written)
        if len(formula.latex) > LONGEST:
            return None
        written.append(formula)
    sides = [graph.number(float(graph.values[-1])).latex]
    if graph.row(graph.root) is not None:
        sides.insert(0, _computed(graph, graph.root, written).latex)
    if graph.root in graph.labels:
        sides.insert(0, graph.named(graph.root).latex)
    return rf"$\displaystyle {' = '.join(sides)}$"


def _formula(graph: NamedGraph, index: int, written: list[Formula]) -> Formula:
    """What stands for a node in the formulas of others."""
    if index in graph.labels:
        return graph.named(index)
    if graph.row(index) is None:
        return graph.number(float(graph.values[index]))
    return _computed(graph, index, written)


def _computed(graph: NamedGraph, index: int, written: list[Formula]) -> Formula:
    def operand(k: int) -> Formula:
        node = graph.operand(index, k)
        return graph.operand_name(index, k) if node is None else written[node]

    row = graph.row(index)
    if row is not None and row.operands:
        return fill(
            row.value,
            {x: operand(k) for k, x in enumerate(row.operands)},
            {x for k, x in enumerate(row.operands) if _holds(graph, index, k)},
        )
    return equation(graph, index, operand)


def _strength(graph: NamedGraph, index: int) -> int:
    """How strongly a node's operator holds; 0 where it has none."""
    row = graph.row(index)
    if row is None:
        return 0
    return SIGN if row.name == "neg" else STRENGTHS.get(row.symbol, 0)


def _holds(graph: NamedGraph, index: int, k: int) -> bool:
    """Whether an operand's formula needs no brackets beside the node's operator."""
    own, node = _strength(graph, index), graph.operand(index, k)
    operand = 0 if node is None or node in graph.labels else _strength(graph, node)
    # A minus sign within a sum or product would stand beside another operator.
    return operand != SIGN and (operand > own > 0 or (operand == own > 0 == k and own < SIGN))
