"""The steps of a graph that is too large to be stepped through node by node."""

import numpy as np

from gradtape.show.drawing.folding import Folds
from gradtape.show.drawing.steps import Step, called, forward, short
from gradtape.show.drawing.view import number
from gradtape.show.graph import Graph

__all__ = ["overview"]


def overview(graph: Graph, folds: Folds) -> list[Step]:
    """A step for each node that is drawn, and one for each fold, there and back.

    Examples
    --------
    >>> import gradtape as gt
    >>> from gradtape.show.drawing.folding import fold
    >>> v = leaf = gt.Value(1.0, "v")
    >>> for _ in range(1000):
    ...     v = v * 0.5
    >>> graph = Graph(v)
    >>> found = overview(graph, fold(graph, 100, None))
    >>> len(found), found[-1].lines
    (52, ['adjoint of v = 9.3326e-302'])
    """
    leaves, last = graph.leaves, len(graph) - 1
    kept = np.flatnonzero(folds.unit < 0).tolist()
    ends = {int(np.flatnonzero(folds.unit == k)[-1]): k for k in range(len(folds.titles))}
    drawn = [i for i in kept if i < leaves]
    found = [
        Step(
            "leaves",
            -1,
            "The leaves have their numbers",
            [f"{called(graph.name(i))} = {short(graph.values[i])}" for i in drawn],
            data=drawn,
            say=f"{leaves} leaves have their numbers, {len(drawn)} of them drawn.",
        )
    ]
    places = sorted([i for i in kept if i >= leaves] + list(ends))
    found += [_there(graph, folds, i, ends) for i in places]
    root = called(graph.name(last))
    found.append(
        Step(
            "seed",
            last,
            f"The reverse sweep begins at {root}",
            [f"adjoint of {root} = 1"],
            adjoints={last: number(1.0)},
            say=f"The reverse sweep begins: the derivative of {root} by itself is 1.",
        )
    )
    found += [_back(graph, folds, i, ends) for i in reversed(places) if i != last]
    lines = [f"adjoint of {called(graph.name(i))} = {short(graph.adjoints[i])}" for i in drawn]
    found.append(
        Step(
            "end",
            -1,
            "Every leaf has its gradient",
            lines,
            adjoints={i: number(float(graph.adjoints[i])) for i in kept},
            say=f"Done: every leaf has its gradient, {len(drawn)} of {leaves} are drawn.",
        )
    )
    return found


def _there(graph: Graph, folds: Folds, index: int, ends: dict[int, int]) -> Step:
    if index not in ends:
        return forward(graph, graph[index])
    title = folds.titles[ends[index]]
    return Step("forward", -1, title, [title, "are computed"], say=f"Forward: {title}.")


def _back(graph: Graph, folds: Folds, index: int, ends: dict[int, int]) -> Step:
    if index in ends:
        title = folds.titles[ends[index]]
        return Step("reverse", -1, title, [title, "have their adjoints"], say=f"Reverse: {title}.")
    line = f"adjoint of {called(graph.name(index))} = {short(graph.adjoints[index])}"
    adjoints = {index: number(float(graph.adjoints[index]))}
    return Step("reverse", index, line, [line], adjoints=adjoints, say=f"Reverse: {line}.")
