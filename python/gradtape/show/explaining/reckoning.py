"""The lines of a hand calculation: forward values, and the chain rule backwards."""

from dataclasses import dataclass

import numpy as np

from gradtape import _core
from gradtape.show.explaining.folding import Fold
from gradtape.show.explaining.formulas import chained, inner, outer, partial, product, slope, total
from gradtape.show.explaining.view import View, contribution
from gradtape.show.explaining.writing import bracketed
from gradtape.show.graph import Formula

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


def summary(view: View, fold: Fold, adjoints: bool) -> Summary:
    """Sum up nodes: their values, or the adjoints in the order of the sweep."""
    numbers = (view.adjoints if adjoints else view.values)[fold.nodes]
    numbers = numbers[~np.isnan(numbers)]
    low, high = (float(numbers.min()), float(numbers.max())) if len(numbers) else (np.nan, np.nan)
    ends = [view.named(int(fold.nodes[i])).text for i in ((-1, 0) if adjoints else (0, -1))]
    return Summary(fold.what, len(fold.nodes), ends[0], ends[1], low, high)


def _ways(*ways: Formula) -> tuple[Formula, ...]:
    """Leave out what says the same as the line before it."""
    return tuple(way for k, way in enumerate(ways) if k == 0 or way.text != ways[k - 1].text)


def _told(ways: tuple[Formula, ...], view: View, value: float) -> tuple[Formula, ...]:
    """Leave out a last way that is the value itself."""
    return ways[:-1] if len(ways) > 1 and ways[-1].text == view.number(value).text else ways


def forward(view: View, index: int) -> list[Step]:
    """How a node got its value: one line, or two for an affine node and its activation."""
    name, value = view.named(index), float(view.values[index])
    if view.row(index) is None:
        return [Step(name, (), value)]

    def numbers(k: int) -> Formula:
        return view.number(view.operand_value(index, k))

    written = inner(view, index, lambda k: view.operand_name(index, k)), inner(view, index, numbers)
    if view.activation(index) is None:
        return [Step(name, _told(_ways(*written), view, value), value)]
    z, total_inside = view.inner(index), view.sum_inside(index)
    applied = outer(view, index, z), outer(view, index, view.number(total_inside))
    return [
        Step(z, _told(_ways(*written), view, total_inside), total_inside),
        Step(name, _told(_ways(*applied), view, value), value),
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


def _use(view: View, owner: int, k: int) -> _Use:
    adjoint, value = float(view.adjoints[owner]), view.partial(owner, k)
    added = contribution(adjoint, value)
    above = view.named(owner)
    if view.activation(owner) is not None:
        above = view.inner(owner)
        adjoint = _inner_adjoint(view, owner)[1]
        value = _inner_partial(view, owner, k)
    return _Use(
        view.derivative(above),
        adjoint,
        partial(view, owner, k, lambda i: view.operand_name(owner, i), view.named(owner)),
        partial(
            view,
            owner,
            k,
            lambda i: view.number(view.operand_value(owner, i)),
            view.number(view.values[owner]),
        ),
        value,
        added,
    )


def _inner_partial(view: View, owner: int, k: int) -> float:
    """The derivative of the sum inside an affine node by an operand: its partner, or 1."""
    half = view.count(owner) // 2
    if k == 2 * half:
        return 1.0
    return view.operand_value(owner, k + half if k < half else k - half)


def _inner_adjoint(view: View, index: int) -> tuple[float, float]:
    """The slope of an affine node's activation, and the adjoint of the sum inside it."""
    activation = view.activation(index)
    assert activation is not None, "only affine nodes have a sum inside"
    _, slopes, _ = _core.derivatives(activation.name, [view.sum_inside(index)])
    return slopes[0], contribution(float(view.adjoints[index]), slopes[0])


def _inner_step(view: View, index: int) -> Step:
    value, adjoint = _inner_adjoint(view, index)
    z, inside = view.inner(index), view.sum_inside(index)
    name, result = view.named(index), view.number(view.values[index])
    above = view.number(view.adjoints[index])
    ways = _ways(
        chained(view.derivative(name), slope(view, index, z, inside, name)),
        product(above, slope(view, index, view.number(inside), inside, result)),
        product(above, view.number(value)),
    )
    return Step(view.derivative(z), ways, adjoint)


def backward(view: View, index: int, uses: list[tuple[int, int]]) -> list[Step]:
    """The chain rule for a node: a sum over all its uses.

    For an affine node with an activation the adjoint of the sum inside it follows.
    """
    name, value = view.derivative(view.named(index)), float(view.adjoints[index])
    if index == view.root:
        steps = [Step(name, (), 1.0)]
    else:

        def use(k: int) -> _Use:
            return _use(view, *uses[k])

        def term(k: int, numbers: bool) -> Formula:
            found = use(k)
            if numbers:
                return product(view.number(found.adjoint), found.numbers)
            return chained(found.above, found.formula)

        def factors(k: int) -> Formula:
            return product(view.number(use(k).adjoint), view.number(use(k).partial))

        count = len(uses)
        ways = [
            total(count, lambda k: term(k, False)),
            total(count, lambda k: term(k, True)),
            total(count, factors),
        ]
        if count > 1:
            ways.append(total(count, lambda k: bracketed(view.number(use(k).product))))
        steps = [Step(name, _ways(*ways), value)]
    if view.activation(index) is not None:
        steps.append(_inner_step(view, index))
    return steps


def paths(
    view: View, index: int, uses: dict[int, list[tuple[int, int]]], most: int
) -> list[Step] | None:
    """Each path from the value to a node: the product of its partial derivatives.

    Parameters
    ----------
    view : View
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
        if node == view.root:
            found.append(way)
            if len(found) > most:
                return None
            continue
        # Each use is on a path of its own at least.
        if len(uses[node]) > most:
            return None
        open_ways.extend([*way, (owner, k, node)] for owner, k in reversed(uses[node]))
    steps = [_path(view, index, way) for way in found]
    if len(steps) > 1:
        added = total(len(steps), lambda k: bracketed(view.number(steps[k].value)))
        steps.append(Step(steps[0].name, (added,), float(view.adjoints[index])))
    return steps


def _path(view: View, index: int, way: list[tuple[int, int, int]]) -> Step:
    value, names, numbers = 1.0, [], []
    for owner, k, node in reversed(way):
        value = contribution(value, view.partial(owner, k))
        names.append(view.derivative(view.named(node), view.named(owner)))
        numbers.append(bracketed(view.number(view.partial(owner, k))))
    return Step(
        view.derivative(view.named(index)), (_chain(names), _chain(numbers)) if way else (), value
    )


def _chain(factors: list[Formula]) -> Formula:
    if len(factors) > 12:
        dots = Formula("…", r"\cdots")
        factors = [*factors[:5], dots, *factors[-5:]]
    texts, latex = [x.text for x in factors], [x.latex for x in factors]
    return Formula(" * ".join(texts), r" \cdot ".join(latex))
