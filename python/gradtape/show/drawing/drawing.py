"""Drawings of a value's graph, made without any program that would have to be installed."""

from functools import cached_property
from html import escape
from typing import Any, ClassVar

from gradtape._core import Value
from gradtape.show.drawing.dot import dot
from gradtape.show.drawing.saving import Saved
from gradtape.show.drawing.svg import svg
from gradtape.show.drawing.theme import SANS, safe
from gradtape.show.drawing.view import View, view
from gradtape.show.graph import Graph

__all__ = ["Drawing", "draw"]


class Drawing(Saved):
    """A drawing: shows itself in a notebook, and can be saved.

    Parameters
    ----------
    view : View
        The boxes and edges.
    rankdir : {"LR", "TB"}
        The direction.

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.draw(gt.Value(2.0, "x") * 3.0)
    Drawing(3 boxes, 2 edges)
    """

    noun = "a drawing"
    endings: ClassVar = {".svg": "svg", ".dot": "dot", ".html": "html"}

    def __init__(self, view: View, rankdir: str = "LR") -> None:
        self.view = view
        self.rankdir = rankdir

    @cached_property
    def svg(self) -> str:
        """The drawing as SVG: for a file, a page or a mail, in light and in dark."""
        return svg(self.view, upright=self.rankdir == "TB")

    @cached_property
    def dot(self) -> str:
        """The drawing in the DOT language of Graphviz."""
        return dot(self.view, self.rankdir)

    @property
    def html(self) -> str:
        """A page with nothing but the drawing."""
        title = escape(safe(self.view.about))
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{title}</title><style>body{{margin:1rem;font-family:{SANS}}}"
            "svg{max-width:100%;height:auto}</style></head>\n"
            f"<body>{self.svg}</body></html>\n"
        )

    def digraph(self) -> Any:
        """The drawing as a ``graphviz.Digraph``, for those who have that package and ``dot``.

        Raises
        ------
        ImportError
            If the package graphviz is not installed.
        """
        try:
            import graphviz
        except ImportError:
            raise ImportError(
                "digraph() needs the package graphviz: python -m pip install graphviz; "
                "a drawing's svg needs nothing"
            ) from None
        _, *body, _ = self.dot.splitlines(keepends=True)
        return graphviz.Digraph("gradtape", body=body)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Drawing({len(self.view.boxes)} boxes, {len(self.view.edges)} edges)"


def draw(
    value: Value, *, rankdir: str = "LR", fold: bool | None = None, limit: int = 150
) -> Drawing:
    """Draw all that a value was computed from, each value with its label, data and grad.

    Before ``backward()`` the gradients are shown as ``–``. Parameters that are called like
    ``layer1.neuron2.w3`` are drawn in their layer's frame. A large graph is folded: neurons,
    then layers, then all but the first and the last nodes become single boxes.

    Parameters
    ----------
    value : Value
    rankdir : {"LR", "TB"}
        From left to right, or from top to bottom.
    fold : bool, optional
        ``True`` folds layers whatever the size, ``False`` shows every node; without it, what has
        more than `limit` nodes is folded.
    limit : int
        About how many boxes may be drawn.

    Returns
    -------
    Drawing

    Raises
    ------
    TypeError
        If `value` is no Value.
    ValueError
        If there is no such direction, or too many nodes for ``fold=False``.

    Examples
    --------
    >>> import gradtape as gt
    >>> a, b = gt.Value(2.0, "a"), gt.Value(-3.0, "b")
    >>> c = a * b
    >>> c.label = "c"
    >>> c.backward()
    >>> drawing = gt.draw(c)
    >>> drawing
    Drawing(3 boxes, 2 edges)
    >>> drawing.svg.startswith("<svg")
    True
    """
    if not isinstance(value, Value):
        raise TypeError(f"draw takes a Value, not {type(value).__name__}")
    if rankdir not in ("LR", "TB"):
        raise ValueError(f"rankdir must be 'LR' or 'TB', not {rankdir!r}")
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    return Drawing(view(Graph(value), limit, fold), rankdir)
