"""What notebooks show of a value by itself."""

from gradtape._core import Value
from gradtape.show.drawing.drawing import draw
from gradtape.show.explaining.expression import SIGN, STRENGTHS
from gradtape.show.explaining.formulas import fill, inner, outer
from gradtape.show.explaining.view import View
from gradtape.show.graph import Formula

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
    view = View(value)
    if len(view) > LARGEST or (view.leaves == len(view) and not view.labels):
        return None
    written: list[Formula] = []
    for index in range(len(view)):
        formula = _formula(view, index, written)
        if len(formula.latex) > LONGEST:
            return None
        written.append(formula)
    sides = [view.number(float(view.values[-1])).latex]
    if view.row(view.root) is not None:
        sides.insert(0, _computed(view, view.root, written).latex)
    if view.root in view.labels:
        sides.insert(0, view.named(view.root).latex)
    return rf"$\displaystyle {' = '.join(sides)}$"


def _formula(view: View, index: int, written: list[Formula]) -> Formula:
    """What stands for a node in the formulas of others."""
    if index in view.labels:
        return view.named(index)
    if view.row(index) is None:
        return view.number(float(view.values[index]))
    return _computed(view, index, written)


def _computed(view: View, index: int, written: list[Formula]) -> Formula:
    def operand(k: int) -> Formula:
        node = view.operand(index, k)
        return view.operand_name(index, k) if node is None else written[node]

    row = view.row(index)
    if row is not None and row.operands:
        return fill(
            row.value,
            {x: operand(k) for k, x in enumerate(row.operands)},
            {x for k, x in enumerate(row.operands) if _holds(view, index, k)},
        )
    formula = inner(view, index, operand)
    return formula if view.activation(index) is None else outer(view, index, formula)


def _strength(view: View, index: int) -> int:
    """How strongly a node's operator holds; 0 where it has none."""
    row = view.row(index)
    if row is None:
        return 0
    return SIGN if row.name == "neg" else STRENGTHS.get(row.symbol, 0)


def _holds(view: View, index: int, k: int) -> bool:
    """Whether an operand's formula needs no brackets beside the node's operator."""
    own, node = _strength(view, index), view.operand(index, k)
    operand = 0 if node is None or node in view.labels else _strength(view, node)
    # A minus sign within a sum or product would stand beside another operator.
    return operand != SIGN and (operand > own > 0 or (operand == own > 0 == k and own < SIGN))
