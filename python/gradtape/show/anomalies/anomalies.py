"""The first nan or inf: which operation gave it, from what, where, and what to write instead."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator

import numpy as np
from numpy.typing import NDArray

from gradtape._core import Value
from gradtape.show.anomalies.hints import backward_hint, forward_hint
from gradtape.show.anomalies.lines import Place, Watcher, places_of
from gradtape.show.graph import Graph, Node
from gradtape.show.table import Formula

__all__ = ["detect_anomaly", "spelled"]

# So many operands of a long sum are told.
TOLD = 4

# A longer label is cut.
LONGEST = 60

_LETTER = re.compile(r"\$(\w+)")


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
        graph = Graph(value)
        adjoints = graph.adjoints * seed
        if not np.isfinite(adjoints).all():
            raise FloatingPointError("\n".join(_backward(value, graph, adjoints, seed)))


def _forward(value: Value) -> Iterator[str]:
    graph = Graph(value)
    node = graph[len(graph) - 1]
    row = node.row
    assert row is not None
    name = row.name
    numbers = [operand.value for operand in node.operands]
    made_by = [_made_by(graph, operand.node) for operand in node.operands]
    if node.activation is not None:
        half = len(numbers) // 2
        total = sum(x * w for x, w in zip(numbers[:half], numbers[half:], strict=False))
        total += numbers[-1]
        if math.isfinite(total):
            name, numbers, made_by = node.activation.name, [total], [name]
    yield f"{name} gave {node.value}"
    yield from _told(graph, node, places_of(value))
    hint = forward_hint(name, numbers, made_by)
    if hint:
        yield f"  instead: {hint}"


def _backward(
    value: Value, graph: Graph, adjoints: NDArray[np.float64], seed: float
) -> Iterator[str]:
    if not math.isfinite(seed):
        yield f"the sweep began with the seed {seed}"
        return
    owners = graph.owners
    with np.errstate(all="ignore"):
        given = adjoints[owners] * graph.partials
    given[adjoints[owners] == 0] = 0.0  # a product with an exact 0 is 0
    wrong = (graph.operands >= 0) & ~np.isfinite(given) & np.isfinite(adjoints[owners])
    places = places_of(value)
    if not wrong.any():
        index = int(np.flatnonzero(~np.isfinite(adjoints))[-1])
        name = spelled(graph.name(index))
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
    x, r = spelled(graph.name(operand.node)), spelled(node.name)
    yield f"the derivative of {row.name} gave {given[first]} in the reverse sweep"
    partial = _partial(graph, node, k)
    yield f"  d{x} += d{r} * {f'({partial})' if ' ' in partial else partial}"
    yield f"  {given[first]} = {float(adjoints[node.index])} * {operand.partial}"
    yield from _told(graph, node, places)
    hint = backward_hint(row.name, [operand.value for operand in node.operands])
    if hint:
        yield f"  instead: {hint}"


def _told(graph: Graph, node: Node, places: Callable[[int], Place | None]) -> Iterator[str]:
    """The operation, its operands and derivatives, and where it was recorded."""
    yield f"  {spelled(node.name)} = {_formula(graph, node)} = {node.value}"
    told = [(k, operand) for k, operand in enumerate(node.operands) if operand.node is not None]
    told.sort(key=lambda pair: math.isfinite(pair[1].value))
    for k, operand in told[:TOLD]:
        assert operand.node is not None
        name, whole = spelled(graph.name(operand.node)), graph[operand.node]
        made = f" = {_formula(graph, whole)}" if whole.row is not None else ""
        yield f"  {name}{made} = {operand.value}"
        formula = _partial(graph, node, k)
        formula = f"{formula} = " if formula != f"{operand.partial}" else ""
        yield f"  d{spelled(node.name)}/d{name} = {formula}{operand.partial}"
    if len(told) > TOLD:
        yield f"  and {len(told) - TOLD} operands more"
    place = places(node.index)
    if place is not None:
        yield f"  at {str(place).replace(chr(10), chr(10) + '  ')}"


def _made_by(graph: Graph, index: int | None) -> str:
    row = None if index is None else graph[index].row
    return "" if row is None else row.name


def _letters(graph: Graph, node: Node) -> list[str]:
    return [
        str(operand.value) if operand.node is None else spelled(graph.name(operand.node))
        for operand in node.operands
    ]


def _filled(formula: Formula, letters: dict[str, str]) -> str:
    """A formula with names for its letters."""
    return _LETTER.sub(lambda letter: letters[letter[1]], formula.text)


def _formula(graph: Graph, node: Node) -> str:
    assert node.row is not None
    letters = _letters(graph, node)
    if node.row.operands:
        return _filled(node.row.value, dict(zip(node.row.operands, letters, strict=True)))
    shown = letters if len(letters) <= 2 * TOLD else [*letters[:TOLD], "…", letters[-1]]
    called = f"{node.row.name}({', '.join(shown)})"
    return called if node.activation is None else f"{node.activation.name}({called})"


def _partial(graph: Graph, node: Node, k: int) -> str:
    assert node.row is not None
    if not node.row.operands:
        return f"{node.operands[k].partial}"
    names = dict(zip(node.row.operands, _letters(graph, node), strict=True))
    return _filled(node.row.partials[k], names | {"r": spelled(node.name)})


def spelled(name: str) -> str:
    """A label for a line of text: what does not print is escaped, and a long one cut.

    Examples
    --------
    >>> len(spelled(chr(10))), len(spelled(200 * "x"))
    (2, 61)
    """
    cut = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
    if cut.isprintable() and not re.search("[\\u0590-\\u08ff\\u2066-\\u2069\\u202a-\\u202e]", cut):
        return cut
    return ascii(cut)[1:-1]
