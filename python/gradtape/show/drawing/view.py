"""What a drawing shows of a graph: boxes and edges, some of which stand for many nodes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gradtape.show.drawing.folding import Folds, fold
from gradtape.show.graph import Graph, Node

__all__ = ["Box", "View", "number", "view"]

# Constants of one node that get a box each; more of them share one.
_CONSTANTS = 2


@dataclass(frozen=True)
class Box:
    """A box of a drawing.

    Parameters
    ----------
    kind : {"leaf", "node", "root", "fold", "constant"}
    label : str
        As users gave it: nothing about it is safe.
    op : str
        The symbol of the operation that made it.
    fields : tuple of (str, str)
        Captions and numbers.
    about : str
        A sentence, for who points at it or cannot see it.
    node : int or None
        The number in the graph, of a box that stands for one node.
    band : str
        The band that it belongs to; empty for none.
    """

    kind: str
    label: str
    op: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    about: str = ""
    node: int | None = None
    band: str = ""


@dataclass
class View:
    """Boxes, edges between their numbers, what the bands are called, and what is to be said."""

    boxes: list[Box] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)
    bands: dict[str, str] = field(default_factory=dict)
    caption: str = ""
    about: str = ""


def number(x: float) -> str:
    """A number with four decimals, or four digits where these would say nothing.

    Examples
    --------
    >>> number(-3.0), number(1.5e-7), number(float("nan"))
    ('-3.0000', '1.5e-07', 'nan')
    """
    if math.isfinite(x) and (abs(x) >= 1e7 or 0 < abs(x) < 5e-5):
        return f"{x:.4g}"
    return f"{x:.4f}"


def _span(numbers: Sequence[float]) -> str:
    """The range of numbers."""
    finite = [x for x in numbers if math.isfinite(x)]
    odd = len(numbers) - len(finite)
    text = "" if not finite else number(min(finite))
    if finite and number(max(finite)) != text:
        text += f" … {number(max(finite))}"
    return text + (f" ({odd} not finite)" if odd else "")


def _box(graph: Graph, node: Node, grads: bool, band: str) -> Box:
    grad = number(node.grad) if grads else "–"
    kind = "leaf" if node.row is None else "node"
    symbol = node.symbol
    if node.row is not None and node.activation is not None:
        symbol = f"{node.row.name} {symbol}"
    about = f"{node.name}: data {node.value!r}, "
    about += f"grad {node.grad!r}" if grads else "no gradient before backward()"
    if node.row is not None:
        names = [
            f"{operand.value:g}" if operand.node is None else graph.name(operand.node)
            for operand in node.operands[:8]
        ]
        names += ["…"] * (len(node.operands) > 8)
        about = f"{node.name} = {symbol} of {', '.join(names)}; {about}"
    return Box(
        "root" if node.index == len(graph) - 1 else kind,
        node.name,
        symbol,
        (("data", number(node.value)), ("grad", grad)),
        about,
        node.index,
        band,
    )


def _folded_box(graph: Graph, folds: Folds, unit: int, grads: bool) -> Box:
    members = np.flatnonzero(folds.unit == unit)
    title = folds.titles[unit]
    data = _span(graph.values[members].tolist())
    grad = _span(graph.grads[members].tolist()) if grads else "–"
    about = f"{title}: data from {data}, grad {grad}".replace(" …", " to")
    return Box("fold", title, "", (("data", data), ("grad", grad)), about, None, folds.band(unit))


def _constants(found: View, graph: Graph, owner: int, at: int) -> list[int]:
    """Boxes for the constants of a node; the same row of constants is one box for all."""
    constants = [operand.value for operand in graph[owner].operands if operand.node is None]
    if len(constants) <= _CONSTANTS:
        texts = [f"{x:.6g}" for x in constants]
    else:
        more = f", … {len(constants) - 3} more" if len(constants) > 4 else ""
        shown = constants[:3] if more else constants
        texts = [", ".join(f"{x:.4g}" for x in shown) + more]
    boxes = []
    for text in texts:
        box = Box("constant", text, about=f"constant {text}", band=found.boxes[at].band)
        if len(constants) > _CONSTANTS:
            box = Box("constant", text, about=f"constants {text}")
            if box in found.boxes:
                boxes.append(found.boxes.index(box))
                continue
        found.boxes.append(box)
        boxes.append(len(found.boxes) - 1)
    return boxes


def view(graph: Graph, limit: int, folded: bool | None = None, *, adjoints: bool = False) -> View:
    """The boxes for a graph.

    Parameters
    ----------
    graph : Graph
    limit : int
        About how many boxes there may be.
    folded : bool, optional
        Whether layers stand for their neurons; None leaves that to the limit, and False shows
        every node.
    adjoints : bool
        Whether the boxes have the derivatives of this value, be it swept or not, in place of what
        `grad` says.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Value(3.0, "x")
    >>> seen = view(Graph(x * x), 100)
    >>> [box.label for box in seen.boxes], seen.edges
    (['x', 'v1'], [(0, 1), (0, 1)])
    """
    folds = fold(graph, limit, folded)
    some = bool(np.any(graph.grads != 0))
    grads = graph.swept or some or adjoints
    found = View(bands=dict(folds.bands))
    kept = np.flatnonzero(folds.unit < 0).tolist()
    place: dict[int, int] = {}
    for unit in range(len(folds.titles)):
        place[-1 - unit] = len(found.boxes)
        found.boxes.append(_folded_box(graph, folds, unit, grads))
    for index in kept:
        place[index] = len(found.boxes)
        node = graph[index]
        if adjoints:
            node = replace(node, grad=node.adjoint)
        found.boxes.append(_box(graph, node, grads, folds.band_of_node(index)))
    found.edges = [(place[a], place[b]) for a, b in folds.edges]
    for index in kept:
        if folds.constants:
            at = place[index]
            found.edges += [(c, at) for c in _constants(found, graph, index, at)]
    found.edges = _in_operand_order(graph, found, place)
    if not grads:
        found.caption = "before backward(): no gradients yet"
    elif not graph.swept and not adjoints:
        found.caption = "gradients are from a backward() that began elsewhere"
    count = len(graph)
    folded_text = f", {len(folds.titles)} of the boxes folded" if folds.titles else ""
    result = graph[count - 1]
    found.about = (
        f"A graph of {count} value{'s' * (count != 1)}, {graph.leaves} of them leaves"
        f"{folded_text}. The result {result.name} is {result.value!r}."
    )
    return found


def _in_operand_order(graph: Graph, found: View, place: dict[int, int]) -> list[tuple[int, int]]:
    """The edges into each box in the order of its operands, constants among them."""
    into: dict[int, list[int]] = {}
    for a, b in found.edges:
        into.setdefault(b, []).append(a)
    edges: list[tuple[int, int]] = []
    for b, sources in into.items():
        node = found.boxes[b].node
        if node is not None:
            turns: dict[int, float] = {}
            last = 0.0
            for k, operand in enumerate(graph[node].operands):
                if operand.node is not None and operand.node in place:
                    turns.setdefault(place[operand.node], k)
                elif operand.node is None:
                    last = k
            sources = sorted(sources, key=lambda a: turns.get(a, last))
        edges += [(a, b) for a in sources]
    return edges
