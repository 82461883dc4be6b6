"""The steps of a graph that is too large to be stepped through node by node."""

import numpy as np

from gradtape.show.drawing.folding import Folds
from gradtape.show.drawing.steps import Step, adjoint, end, forward, given, seed
from gradtape.show.drawing.view import number
from gradtape.show.named import NamedGraph

__all__ = ["overview"]


def overview(graph: NamedGraph, folds: Folds) -> list[Step]:
    """A step for each node that is drawn, and one for each fold, there and back.

    Examples
    --------
    >>> import gradtape as gt
    >>> from gradtape.show.drawing.folding import fold
    >>> v = leaf = gt.Value(1.0, "v")
    >>> for _ in range(1000):
    ...     v = v * 0.5
    >>> graph = NamedGraph(v, digits=5)
    >>> found = overview(graph, fold(graph, 100, None))
    >>> len(found), found[-1].lines
    (52, ['adjoint of v = 9.3326e-302'])
    """
    leaves, last = graph.leaves, graph.root
    kept = np.flatnonzero(folds.unit < 0).tolist()
    ends = {int(np.flatnonzero(folds.unit == k)[-1]): k for k in range(len(folds.titles))}
    drawn = [i for i in kept if i < leaves]
    places = sorted([i for i in kept if i >= leaves] + list(ends))
    done = f"Done: every leaf has its gradient, {len(drawn)} of {leaves} are drawn."
    return [
        given(graph, drawn, f"{leaves} leaves have their numbers, {len(drawn)} of them drawn."),
        *(_there(graph, folds, i, ends) for i in places),
        seed(graph),
        *(_back(graph, folds, i, ends) for i in reversed(places) if i != last),
        end(graph, drawn, kept, done),
    ]


def _there(graph: NamedGraph, folds: Folds, index: int, ends: dict[int, int]) -> Step:
    if index not in ends:
        return forward(graph, index)
    title = folds.titles[ends[index]]
    return Step("forward", -1, title, [title, "are computed"], say=f"Forward: {title}.")


def _back(graph: NamedGraph, folds: Folds, index: int, ends: dict[int, int]) -> Step:
    if index in ends:
        title = folds.titles[ends[index]]
        return Step("reverse", -1, title, [title, "have their adjoints"], say=f"Reverse: {title}.")
    line = adjoint(graph, index)
    adjoints = {index: number(float(graph.adjoints[index]))}
    return Step("reverse", index, line, [line], adjoints=adjoints, say=f"Reverse: {line}.")
