"""Animations of the forward pass and the reverse sweep."""

from gradtape._core import Value
from gradtape.show.graph import Graph
from gradtape.show.pictures.page import Animation, page
from gradtape.show.pictures.steps import steps
from gradtape.show.pictures.svg import svg
from gradtape.show.pictures.theme import shortened
from gradtape.show.pictures.view import view

__all__ = ["sweep"]

# More steps than these nobody steps through.
_MOST = 600


def sweep(value: Value) -> Animation:
    """The page that steps through a value's forward pass and its reverse sweep.

    Raises
    ------
    ValueError
        If the graph has too many nodes to be stepped through.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Value(3.0, "x")
    >>> sweep(x * x)
    Animation(5 steps)
    """
    graph = Graph(value)
    if len(graph) > _MOST:
        raise ValueError(
            f"{len(graph):,} nodes are too many to step through, at most {_MOST}: "
            "animate one of the values on the way, or draw it"
        )
    every = steps(graph)
    seen = view(graph, _MOST, False, adjoints=True)
    name = shortened(graph.name(len(graph) - 1), 60)
    data = {"steps": [step.plain() for step in every]}
    return page("sweep", f"How {name} is differentiated", svg(seen), data, len(every))
