"""Animations of the forward pass and the reverse sweep."""

from gradtape._core import Value
from gradtape.show.drawing.folding import fold
from gradtape.show.drawing.overview import overview
from gradtape.show.drawing.page import Animation, page
from gradtape.show.drawing.steps import steps
from gradtape.show.drawing.svg import svg
from gradtape.show.drawing.theme import shortened
from gradtape.show.drawing.view import view
from gradtape.show.named import NamedGraph

__all__ = ["sweep"]

# More steps than these nobody steps through: the graph is folded to about so many boxes.
_MOST, _FOLDED = 600, 150
# Of numbers in formulas, and of a sum.
_DIGITS, _TERMS = 5, 24


def sweep(value: Value) -> Animation:
    """The page that steps through a value's forward pass and its reverse sweep.

    A graph of many nodes is folded as a drawing of it is: a fold is one step.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Value(3.0, "x")
    >>> sweep(x * x)
    Animation(5 steps)
    """
    graph = NamedGraph(value, digits=_DIGITS, terms=_TERMS)
    if len(graph) > _MOST:
        every = overview(graph, fold(graph, _FOLDED, None))
        seen = view(graph, _FOLDED, None, adjoints=True)
    else:
        every = steps(graph)
        seen = view(graph, _MOST, False, adjoints=True)
    name = shortened(graph.name(len(graph) - 1), 60)
    data = {"steps": [step.plain() for step in every]}
    return page("sweep", f"How {name} is differentiated", svg(seen), data, len(every))
