"""The lines of a hand calculation: forward values, and the chain rule backwards."""

from dataclasses import dataclass

import numpy as np

from gradtape import _core
from gradtape.show.explaining.folding import Fold
from gradtape.show.formulas import chained, inner, outer, partial, product, slope, total
from gradtape.show.graph import contribution
from gradtape.show.named import NamedGraph
from gradtape.show.table import Formula
from gradtape.show.texts import bracketed

__all__ = ["Step", "Summary", "backward", "forward", "paths", "summary"]


@dataclass(frozen=True)
class Step:
    """A line of the calculation: ``name = formula = numbers = … = value``.

    Parameters
    ----------
    name : Formula
        What is computed.
    ways : tuple of Formula
        How: as a formula, in numbers, and what comes of these; none for what is given.
    value : float
        The result.
    """

    name: Formula
    ways: tuple[Formula, ...]
    value: float


@dataclass(frozen=True)
class Summary:
    """A line that stands for many nodes.

    Parameters
    ----------
    text : str
        What they are.
    count : int
        How many.
    first, last : str
        The names of the outermost.
    low, high : float
        Between which their numbers lie.
    """

    text: str
    count: int
    first: str
    last: str
    low: float
    high: float


def summary(graph: NamedGraph, fold: Fold, adjoints: bool) -> Summary:
    """Sum up nodes: their values, or the adjoints in the order of the sweep."""
    numbers = (graph.adjoints if adjoints else graph.values)[fold.nodes]
    numbers = numbers[~np.isnan(numbers)]
    low, high = (float(numbers.min()), float(numbers.max())) if len(numbers) else (np.nan, np.nan)
    ends = [graph.named(int(fold.nodes[i])).text for i in ((-1, 0) if adjoints else (0, -1))]
    return Summary(fold.what, len(fold.nodes), ends[0], ends[1], low, high)


def _ways(*ways: Formula) -> tuple[Formula, ...]:
    """Leave out what says the same as the line before it."""
    return tuple(way for k, way in enumerate(ways) if k == 0 or way.text != ways[k - 1].text)


def _told(ways: tuple[Formula, ...], graph: NamedGraph, value: float) -> tuple[Formula, ...]:
    """Leave out a last way that is the value itself."""
    return ways[:-1] if len(ways) > 1 and ways[-1].text == graph.number(value).text else ways


def forward(graph: NamedGraph, index: int) -> list[Step]:
    """How a node got its value: one line, or two for an affine node and its activation."""
    name, value = graph.named(index), float(graph.values[index])
    if graph.row(index) is None:
        return [Step(name, (), value)]

    written = [
        inner(graph, index, of) for of, _ in (graph.in_names(index), graph.in_numbers(index))
    ]
    if graph.activation(index) is None:
        return [Step(name, _told(_ways(*written), graph, value), value)]
    z, total_inside = graph.inner(index), graph.sum_inside(index)
    applied = outer(graph, index, z), outer(graph, index, graph.number(total_inside))
    return [
        Step(z, _told(_ways(*written), graph, total_inside), total_inside),
        Step(name, _told(_ways(*applied), graph, value), value),
    ]


@dataclass(frozen=True)
class _Use:
    """One use of a node: the adjoint above it, and the partial derivative there."""

    above: Formula
    adjoint: float
    formula: Formula
    numbers: Formula
    partial: float
    product: float


def _use(graph: NamedGraph, owner: int, k: int) -> _Use:
    adjoint, value = float(graph.adjoints[owner]), graph.partial(owner, k)
    added = contribution(adjoint, value)
    above = graph.named(owner)
    if graph.activation(owner) is not None:
        above = graph.inner(owner)
        adjoint = _inner_adjoint(graph, owner)[1]
        value = graph.partial_inside(owner, k)
    return _Use(
        graph.derivative(above),
        adjoint,
        partial(graph, owner, k, *graph.in_names(owner)),
        partial(graph, owner, k, *graph.in_numbers(owner)),
        value,
        added,
    )


def _inner_adjoint(graph: NamedGraph, index: int) -> tuple[float, float]:
    """The slope of an affine node's activation, and the adjoint of the sum inside it."""
    activation = graph.activation(index)
    assert activation is not None, "only affine nodes have a sum inside"
    _, slopes, _ = _core.derivatives(activation.name, [graph.sum_inside(index)])
    return slopes[0], contribution(float(graph.adjoints[index]), slopes[0])


def _inner_step(graph: NamedGraph, index: int) -> Step:
    value, adjoint = _inner_adjoint(graph, index)
    z, inside = graph.inner(index), graph.sum_inside(index)
    name, result = graph.named(index), graph.number(graph.values[index])
    above = graph.number(graph.adjoints[index])
    ways = _ways(
        chained(graph.derivative(name), slope(graph, index, z, inside, name)),
        product(above, slope(graph, index, graph.number(inside), inside, result)),
        product(above, graph.number(value)),
    )
    return Step(graph.derivative(z), ways, adjoint)


def backward(graph: NamedGraph, index: int, uses: list[tuple[int, int]]) -> list[Step]:
    """The chain rule for a node: a sum over all its uses.

    For an affine node with an activation the adjoint of the sum inside it follows.
    """
    name, value = graph.derivative(graph.named(index)), float(graph.adjoints[index])
    if index == graph.root:
        steps = [Step(name, (), 1.0)]
    else:

        def use(k: int) -> _Use:
            return _use(graph, *uses[k])

        def term(k: int, numbers: bool) -> Formula:
            found = use(k)
            if numbers:
                return product(graph.number(found.adjoint), found.numbers)
            return chained(found.above, found.formula)

        def factors(k: int) -> Formula:
            return product(graph.number(use(k).adjoint), graph.number(use(k).partial))

        count = len(uses)
        ways = [
            total(count, lambda k: term(k, False)),
            total(count, lambda k: term(k, True)),
            total(count, factors),
        ]
        if count > 1:
            ways.append(total(count, lambda k: bracketed(graph.number(use(k).product))))
        steps = [Step(name, _ways(*ways), value)]
    if graph.activation(index) is not None:
        steps.append(_inner_step(graph, index))
    return steps


def paths(
    graph: NamedGraph, index: int, uses: dict[int, list[tuple[int, int]]], most: int
) -> list[Step] | None:
    """Each path from the value to a node: the product of its partial derivatives.

    Parameters
    ----------
    graph : NamedGraph
    index : int
        The node.
    uses : dict
        The uses of all nodes on the paths.
    most : int
        How many paths are written.

    Returns
    -------
    list of Step or None
        A line for each path, and their sum where there are several; None where there are more.
    """
    found: list[list[tuple[int, int, int]]] = []
    open_ways: list[list[tuple[int, int, int]]] = [[]]
    while open_ways:
        way = open_ways.pop()
        node = way[-1][0] if way else index
        if node == graph.root:
            found.append(way)
            if len(found) > most:
                return None
            continue
        # Each use is on a path of its own at least.
        if len(uses[node]) > most:
            return None
        open_ways.extend([*way, (owner, k, node)] for owner, k in reversed(uses[node]))
    steps = [_path(graph, index, way) for way in found]
    if len(steps) > 1:
        added = total(len(steps), lambda k: bracketed(graph.number(steps[k].value)))
        steps.append(Step(steps[0].name, (added,), float(graph.adjoints[index])))
    return steps


def _path(graph: NamedGraph, index: int, way: list[tuple[int, int, int]]) -> Step:
    value, names, numbers = 1.0, [], []
    for owner, k, node in reversed(way):
        value = contribution(value, graph.partial(owner, k))
        names.append(graph.derivative(graph.named(node), graph.named(owner)))
        numbers.append(bracketed(graph.number(graph.partial(owner, k))))
    return Step(
        graph.derivative(graph.named(index)), (_chain(names), _chain(numbers)) if way else (), value
    )


def _chain(factors: list[Formula]) -> Formula:
    if len(factors) > 12:
        dots = Formula("…", r"\cdots")
        factors = [*factors[:5], dots, *factors[-5:]]
    texts, latex = [x.text for x in factors], [x.latex for x in factors]
    return Formula(" * ".join(texts), r" \cdot ".join(latex))
