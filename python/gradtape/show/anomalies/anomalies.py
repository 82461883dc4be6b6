"""The first nan or inf: which operation gave it, from what, where, and what to write instead."""

import math
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator

import numpy as np
from numpy.typing import NDArray

from gradtape._core import Value
from gradtape.show.anomalies.hints import backward_hint, forward_hint
from gradtape.show.anomalies.lines import Place, Watcher, places_of
from gradtape.show.formulas import equation, partial
from gradtape.show.graph import Graph, Node
from gradtape.show.named import NamedGraph
from gradtape.show.table import Formula
from gradtape.show.texts import bracketed

__all__ = ["detect_anomaly"]

# So many operands of a long sum are told.
TOLD = 4


class detect_anomaly(Watcher, ContextDecorator):
    """Raise at the first operation that gives nan or inf, on the way forward or backward.

    A context, or a decorator. The error says which operation it was, its operands' numbers, its
    derivatives, the line that recorded it and what to write instead.

    Raises
    ------
    FloatingPointError
        When the line that recorded a nan or an inf has run; or from `backward`, where a
        derivative is the first to be nan or inf.

    Notes
    -----
    Inside the context every line of Python is followed, so arithmetic runs up to a hundred times
    slower; outside operators know nothing of it. Only the thread that entered is followed, and
    only what is on the tape: neither plain floats, nor `no_grad`, nor replays of compiled
    functions. A debugger or a coverage tool that traces keeps doing so. A nan or inf counts where
    it is made, even if nothing of it is left in the result or the gradient.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Value(0.0, "x")
    >>> try:
    ...     with gt.detect_anomaly():
    ...         y = gt.log(2 * x)
    ... except FloatingPointError as error:
    ...     for line in str(error).splitlines()[:4]:
    ...         print(line)
    log gave -inf
      v2 = log(v1) = -inf
      v1 = 2.0 * x = 0.0
      dv2/dv1 = 1 / v1 = inf
    """

    def recorded(self, value: Value) -> Exception:
        """The error for a node that is no finite number."""
        return FloatingPointError("\n".join(_forward(value)))

    def swept(self, value: Value, seed: float) -> None:
        """Raise if a sweep from this value met a nan or an inf."""
        adjoints = Graph(value).adjoints * seed
        if not np.isfinite(adjoints).all():
            raise FloatingPointError("\n".join(_backward(value, adjoints, seed)))


def _forward(value: Value) -> Iterator[str]:
    graph = _written(value)
    node = graph[graph.root]
    row = node.row
    assert row is not None
    name = row.name
    numbers = [operand.value for operand in node.operands]
    made_by = [_made_by(graph, operand.node) for operand in node.operands]
    if node.activation is not None:
        inside = graph.sum_inside(node.index)
        if math.isfinite(inside):
            name, numbers, made_by = node.activation.name, [inside], [name]
    yield f"{name} gave {node.value}"
    yield from _told(graph, node, places_of(value))
    hint = forward_hint(name, numbers, made_by)
    if hint:
        yield f"  instead: {hint}"


def _backward(value: Value, adjoints: NDArray[np.float64], seed: float) -> Iterator[str]:
    if not math.isfinite(seed):
        yield f"the sweep began with the seed {seed}"
        return
    graph = _written(value)
    owners = graph.owners
    with np.errstate(all="ignore"):
        given = adjoints[owners] * graph.partials
    given[adjoints[owners] == 0] = 0.0  # a product with an exact 0 is 0
    wrong = (graph.operands >= 0) & ~np.isfinite(given) & np.isfinite(adjoints[owners])
    places = places_of(value)
    if not wrong.any():
        index = int(np.flatnonzero(~np.isfinite(adjoints))[-1])
        name = graph.named(index).text
        yield f"the adjoint of {name} is {adjoints[index]}: the sum over its uses overflows"
        yield "  instead: scale the numbers, or the seed"
        return
    first = int(np.flatnonzero(wrong & (owners == owners[wrong].max()))[0])
    node = graph[int(owners[first])]
    k = first - int(graph.starts[node.index])
    operand = node.operands[k]
    row = node.row
    assert row is not None
    assert operand.node is not None
    x, r = (bracketed(graph.named(i)).text for i in (operand.node, node.index))
    yield f"the derivative of {row.name} gave {given[first]} in the reverse sweep"
    yield f"  d{x} += d{r} * {bracketed(_partial(graph, node.index, k)).text}"
    yield f"  {given[first]} = {float(adjoints[node.index])} * {operand.partial}"
    yield from _told(graph, node, places)
    hint = backward_hint(row.name, [operand.value for operand in node.operands])
    if hint:
        yield f"  instead: {hint}"


def _told(graph: NamedGraph, node: Node, places: Callable[[int], Place | None]) -> Iterator[str]:
    """The operation, its operands and derivatives, and where it was recorded."""
    result = graph.named(node.index)
    yield f"  {result.text} = {_formula(graph, node.index)} = {node.value}"
    told = [(k, operand) for k, operand in enumerate(node.operands) if operand.node is not None]
    told.sort(key=lambda pair: math.isfinite(pair[1].value))
    for k, operand in told[:TOLD]:
        assert operand.node is not None
        name = graph.named(operand.node)
        made = "" if graph.row(operand.node) is None else f" = {_formula(graph, operand.node)}"
        yield f"  {name.text}{made} = {operand.value}"
        formula = _partial(graph, node.index, k).text
        formula = f"{formula} = " if formula != f"{operand.partial}" else ""
        yield f"  {graph.derivative(name, result).text} = {formula}{operand.partial}"
    if len(told) > TOLD:
        yield f"  and {len(told) - TOLD} operands more"
    place = places(node.index)
    if place is not None:
        yield f"  at {str(place).replace(chr(10), chr(10) + '  ')}"


def _written(value: Value) -> NamedGraph:
    return NamedGraph(value, digits=None, terms=2 * TOLD)


def _made_by(graph: Graph, index: int | None) -> str:
    row = None if index is None else graph.row(index)
    return "" if row is None else row.name


def _formula(graph: NamedGraph, index: int) -> str:
    return equation(graph, index, graph.in_names(index)[0]).text


def _partial(graph: NamedGraph, index: int, k: int) -> Formula:
    """A derivative's formula; of an affine node with an activation its number."""
    if graph.activation(index) is not None:
        return graph.number(graph.partial(index, k))
    return partial(graph, index, k, *graph.in_names(index))
