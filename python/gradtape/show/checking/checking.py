"""Derivatives held against differences, argument by argument and node by node."""

import inspect
from collections.abc import Callable, Iterator
from math import nan
from typing import Any

import numpy as np

from gradtape import _core
from gradtape._core import Value
from gradtape.show.checking.differences import EPS, difference
from gradtape.show.checking.nested import indexed, leaves, rebuilt
from gradtape.show.checking.verdicts import CheckReport, Comparison, compared
from gradtape.show.graph import Graph, Node
from gradtape.show.texts import ROOM, clean

__all__ = ["check"]

OPERANDS = 50


def check(
    f: Callable[..., Any],
    *at: Any,
    gradient: Callable[..., Any] | None = None,
    nodes: int = 500,
) -> CheckReport:
    """Hold every derivative of a function against finite differences.

    The step is chosen for each number by itself, and a derivative is called wrong only if it is
    off by more than the differences are: rounding and kinks convict nobody.

    Parameters
    ----------
    f : callable
        A function of numbers that returns one; it is called with Values in place of the numbers.
        Or a function made by `gradtape.compile`: the gradient is then that of its replay, and if
        its arguments hold many rows, its value their sum.
    *at : float, array, or list, tuple or dict of such
        The point.
    gradient : callable, optional
        A gradient of your own: called as `f` is, it returns the derivative by each argument, in the
        argument's structure (for one argument its derivative alone). Then `f` can be any function
        of numbers, and is called with what stands in `at`.
    nodes : int
        How many nodes of the graph are looked at, each with its own derivatives; of more, some
        that are spread evenly.

    Returns
    -------
    CheckReport
        `ok` and `bool` say whether nothing is wrong; `str` has a line a derivative; `arguments`
        and `nodes` hold the numbers; `raise_if_wrong` raises.

    Raises
    ------
    TypeError
        If an argument is no number, array of numbers, or nest of such.
    ValueError
        If `f` does not return one number, or `gradient` not one for each argument.

    Examples
    --------
    >>> import gradtape as gt
    >>> print(gt.check(lambda x, y: x * gt.exp(y), 2.0, 0.5))
    5 derivatives right
      right     x               1.648721271
      right     y               3.297442541
    nodes, by their operands:
      right     v1 = exp by y   1.648721271
      right     v2 = mul by x   1.648721271
      right     v2 = mul by v1  2
    >>> report = gt.check(lambda x: x**3, 2.0, gradient=lambda x: 6 * x**2)
    >>> report.ok, report.arguments[0].remark
    (False, '2 times the right one')
    """
    if not at:
        raise ValueError("check() needs the point: check(f, 2.0) for a function of one argument")
    names = _names(f, len(at))
    point = _Point(at, names)
    if gradient is not None:
        return _of_pair(f, gradient, point)
    if hasattr(f, "value_and_grad"):
        return _of_compiled(f, point, nodes)
    return _of_values(f, point, nodes)


def _names(f: Callable[..., Any], count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        return [f"x{i + 1}" for i in range(count)]
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [*names, *(f"x{i + 1}" for i in range(len(names), count))][:count]


class _Point:
    """The arguments, as one list of numbers."""

    def __init__(self, at: tuple[Any, ...], names: list[str]) -> None:
        self.at = rebuilt(at, lambda leaf: leaf)
        self.names: list[str] = []
        self.numbers: list[float] = []
        for argument, name in zip(at, names, strict=True):
            for leaf_name, leaf in leaves(argument, name):
                array = _numbers(leaf, leaf_name)
                self.names += indexed(leaf_name, array.shape)
                self.numbers += array.ravel().tolist()

    def filled(self, numbers: list[Any]) -> tuple[Any, ...]:
        """The arguments with other numbers, or Values, in the places of theirs."""
        rest = iter(numbers)

        def put(leaf: Any) -> Any:
            if not isinstance(leaf, np.ndarray):
                return next(rest)
            found = [next(rest) for _ in range(leaf.size)]
            values = any(isinstance(x, Value) for x in found)
            array = np.empty(len(found), dtype=object if values else np.float64)
            array[:] = found
            return array.reshape(leaf.shape)

        filled: tuple[Any, ...] = rebuilt(self.at, put)
        return filled

    def moved(self, place: int, to: float) -> list[float]:
        """The numbers, one of them another."""
        numbers = list(self.numbers)
        numbers[place] = to
        return numbers


def _numbers(leaf: Any, name: str) -> Any:
    array = np.asarray([leaf.data] if isinstance(leaf, Value) else leaf)
    if array.dtype.kind not in "fiub":
        kind = type(leaf).__name__
        raise TypeError(f"{clean(name, ROOM)} must be a number or an array of numbers, not {kind}")
    array = array.astype(np.float64)
    return array.reshape(()) if isinstance(leaf, Value) else array


def _one(result: Any) -> float:
    """The number that a function returned."""
    if isinstance(result, Value):
        return result.data
    array = np.asarray(result)
    if array.size == 1 and isinstance(array.reshape(())[()], Value):
        return float(array.reshape(())[()].data)
    if array.size != 1 or array.dtype.kind not in "fiub":
        what = f"an array of shape {array.shape}" if array.size != 1 else type(result).__name__
        raise ValueError(f"the function must return one number, not {what}")
    return float(array.reshape(()))


def _of_values(f: Callable[..., Any], point: _Point, nodes: int) -> CheckReport:
    def plain(numbers: list[float]) -> float:
        # Recorded like the original: the tape forgets it as soon as the number is read.
        return _one(f(*point.filled([Value(x) for x in numbers])))

    given = [Value(x, clean(n, ROOM)) for x, n in zip(point.numbers, point.names, strict=True)]
    result = f(*point.filled(given))
    value = _one(result)
    if not isinstance(result, Value):
        result = np.asarray(result).reshape(())[()]
    if not isinstance(result, Value):
        lines = _compared(plain, point, [0.0] * len(given), 0.0)
        note = "the result is a plain number: it was computed past the tape, or of no argument"
        return CheckReport(value, lines, note=note)
    graph = Graph(result, given)
    claimed = [0.0 if mark < 0 else float(graph.adjoints[mark]) for mark in graph.marks]
    # What each node's rounding may come to in the result.
    with np.errstate(all="ignore"):
        noise = EPS * float(np.nansum(np.abs(graph.values * graph.adjoints)))
    lines = _compared(plain, point, claimed, noise if noise < np.inf else 0.0)
    local, skipped = _nodes(graph, nodes)
    return CheckReport(value, lines, local, skipped)


def _of_compiled(f: Any, point: _Point, nodes: int) -> CheckReport:
    def plain(numbers: list[float]) -> float:
        return float(np.sum(f(*point.filled(numbers))))

    gradients = f.grad(*point.filled(point.numbers))
    if len(point.at) == 1:
        gradients = (gradients,)
    claimed = [x for _, leaf in leaves(gradients, "") for x in np.asarray(leaf).ravel().tolist()]
    value = plain(point.numbers)
    lines = _compared(plain, point, claimed, 0.0)
    rows = max((np.size(leaf) for _, leaf in leaves(point.at, "")), default=1)
    if rows > 1 or f.__wrapped__ is None:
        return CheckReport(value, lines)
    given = [Value(x, clean(n, ROOM)) for x, n in zip(point.numbers, point.names, strict=True)]
    graph = Graph(f(*point.filled(given)))
    return CheckReport(value, lines, *_nodes(graph, nodes))


def _of_pair(f: Callable[..., Any], gradient: Callable[..., Any], point: _Point) -> CheckReport:
    def plain(numbers: list[float]) -> float:
        return _one(f(*point.filled(numbers)))

    given = gradient(*point.filled(point.numbers))
    if len(point.at) == 1 and not (isinstance(given, tuple) and len(given) == 1):
        given = (given,)
    claimed: list[float] = []
    for name, leaf in leaves(given, "gradient"):
        claimed += _numbers(leaf, name).ravel().tolist()
    if len(claimed) != len(point.numbers):
        raise ValueError(
            f"the gradient has {len(claimed)} numbers, the arguments {len(point.numbers)}: "
            "one is needed for each"
        )
    return CheckReport(plain(point.numbers), _compared(plain, point, claimed, 0.0))


def _compared(
    plain: Callable[[list[float]], float], point: _Point, claimed: list[float], noise: float
) -> list[Comparison]:
    lines = []
    for i, (name, number) in enumerate(zip(point.names, point.numbers, strict=True)):

        def moved(x: float, i: int = i) -> float:
            return plain(point.moved(i, x))

        with np.errstate(all="ignore"):
            found = difference(_quiet(moved), number, claimed[i], noise=noise)
        lines.append(compared(name, claimed[i], found, f" at {clean(name, ROOM)} = {number:.6g}"))
    return lines


def _quiet(f: Callable[[float], float]) -> Callable[[float], float]:
    """The function, nan where plain arithmetic raises."""

    def quiet(x: float) -> float:
        try:
            return f(x)
        except ArithmeticError:
            return nan
        except ValueError as error:
            if "domain" in str(error) or "expected a" in str(error):
                return nan
            raise

    return quiet


def _nodes(graph: Graph, limit: int) -> tuple[list[Comparison], int]:
    """Each node's own derivatives: no more than `limit` nodes, spread evenly."""
    first, count = graph.leaves, len(graph) - graph.leaves
    places = range(first, len(graph))
    chosen = list(places)
    if count > limit:
        chosen = sorted({first + i * count // limit for i in range(limit)})
    lines = [line for i in chosen for line in _node(graph, graph[i])]
    return lines, count - len(chosen)


def _node(graph: Graph, node: Node) -> Iterator[Comparison]:
    assert node.row is not None
    operands = node.operands
    values = [operand.value for operand in operands]
    places = [k for k, operand in enumerate(operands) if operand.node is not None]
    kept = places[:: max(1, len(places) // OPERANDS)][:OPERANDS]
    for k in kept:
        operand = operands[k]
        assert operand.node is not None

        def moved(x: float, k: int = k) -> float:
            return _evaluated(node, [*values[:k], x, *values[k + 1 :]])

        found = difference(moved, values[k], operand.partial)
        symbol = node.row.name if node.activation is None else f"affine {node.activation.name}"
        by = clean(graph.name(operand.node), 20)
        name = f"{clean(node.name, 20)} = {symbol} by {by}"
        yield compared(name, operand.partial, found, f" at {by} = {values[k]:.6g}")


def _evaluated(node: Node, values: list[float]) -> float:
    """The node's operation on other operands."""
    assert node.row is not None
    operation, run = getattr(_core, node.row.name), node.row.run
    arguments = values if run is None else run.arguments(values)
    activation = [] if node.activation is None else [node.activation.name]
    return _one(operation(*arguments, *activation))
