"""Where the boxes of a graph go, and its edges: ranks, then orders, then places.

The way of Sugiyama, Tagawa and Toda (1981), with the transposes of Gansner et al. (1993); places
are those that make the edges straightest in the sense of least squares, found rank by rank.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from gradtape.show.drawing.ordering import Levels, order
from gradtape.show.drawing.ranking import rank

__all__ = ["Layout", "Point", "layout"]

Point = tuple[float, float]
# Room between two boxes of a rank, and beside an edge that passes through.
_APART, _BESIDE = 14.0, 9.0
_GAP_LEAST, _GAP_MOST = 44.0, 150.0
# How much a straight edge is worth: one that only passes through ranks must not bend there.
_STRAIGHT = 8.0
_ROUNDS, _LAST = 8, 6
_PORTS = 5.0


@dataclass(frozen=True)
class Layout:
    """Places of boxes and edges, from left to right.

    Parameters
    ----------
    corners : list of (x, y)
        The upper left corner of each box.
    routes : list of lists of (x, y)
        Of each edge: pairs of points, to be joined by curves from the first of a pair to the
        second, and by lines from a pair to the next.
    ranks : list of int
        The column of each box.
    width, height : float
    banded : bool
        Whether each band got columns of its own.
    """

    corners: list[Point]
    routes: list[list[Point]]
    ranks: list[int]
    width: float
    height: float
    banded: bool


def layout(
    sizes: Sequence[Point],
    edges: Sequence[tuple[int, int]],
    bands: Sequence[int | None] | None = None,
    padding: float = 0.0,
) -> Layout:
    """Place boxes so that edges go from left to right and cross as little as can be found.

    Parameters
    ----------
    sizes : sequence of (width, height)
        One a box.
    edges : sequence of (int, int)
        From box to box, without a cycle; in the order in which they enter a box.
    bands : sequence of int or None, optional
        The band of each box: the boxes of one band get columns between those of others.
    padding : float
        Room on either side of a band.

    Returns
    -------
    Layout

    Raises
    ------
    ValueError
        If the edges have a cycle.

    Examples
    --------
    >>> placed = layout([(10, 10), (10, 10), (10, 10)], [(0, 2), (1, 2)])
    >>> placed.ranks
    [0, 0, 1]
    >>> [y for _, y in placed.corners]
    [0.0, 24.0, 12.0]
    """
    bands = list(bands) if bands is not None else [None] * len(sizes)
    ranks, banded = rank(len(sizes), edges, bands)
    levels = Levels.of(ranks, edges)
    order(levels)
    heights = [h for _, h in sizes] + [0.0] * (levels.count - len(sizes))
    middles = _middles(levels, heights, len(sizes))
    lefts, rights = _columns(levels, sizes, middles, bands if banded else None, padding)
    top = min((m - h / 2 for m, h in zip(middles, heights, strict=True)), default=0.0)
    middles = [m - top for m in middles]
    corners = [(rights[ranks[i]] - w, middles[i] - h / 2) for i, (w, h) in enumerate(sizes)]
    height = max((m + h / 2 for m, h in zip(middles, heights, strict=True)), default=0.0)
    routes = _routes(levels, edges, corners, middles, lefts, rights)
    return Layout(corners, routes, ranks, rights[-1] if rights else 0.0, height, banded)


def _stacked(levels: Levels, heights: list[float], boxes: int) -> list[list[float]]:
    """How far below the first of its rank each node stands at least."""
    offsets = []
    for level in levels.orders:
        at, sums = 0.0, []
        for i, node in enumerate(level):
            if i:
                before = level[i - 1]
                room = _APART if node < boxes and before < boxes else _BESIDE
                at += (heights[before] + heights[node]) / 2 + room
            sums.append(at)
        offsets.append(sums)
    return offsets


def _middles(levels: Levels, heights: list[float], boxes: int) -> list[float]:
    """The middle of every box and of every edge in the ranks that it passes."""
    offsets = _stacked(levels, heights, boxes)
    middles = [0.0] * levels.count
    for level, sums in zip(levels.orders, offsets, strict=True):
        for node, offset in zip(level, sums, strict=True):
            middles[node] = offset - sums[-1] / 2
    above: list[list[tuple[int, float]]] = [[] for _ in range(levels.count)]
    below: list[list[tuple[int, float]]] = [[] for _ in range(levels.count)]
    for a, b in levels.segments:
        weight = _STRAIGHT ** ((a >= boxes) + (b >= boxes))
        below[a].append((b, weight))
        above[b].append((a, weight))
    both = [a + b for a, b in zip(above, below, strict=True)]
    ahead = range(len(levels.orders))
    for turn in range(_ROUNDS + _LAST):
        # At first a rank follows the one that was settled before it, so that what one end wants
        # reaches the other in one sweep; at last each stands between its neighbours.
        forward = turn % 2 == 0
        neighbours = above if forward else below
        if turn >= _ROUNDS:
            neighbours = both
        for k in ahead if forward else reversed(ahead):
            _settle(levels.orders[k], offsets[k], neighbours, middles)
    _straighten(levels, offsets, middles)
    return middles


def _straighten(levels: Levels, offsets: list[list[float]], middles: list[float]) -> None:
    """Make the edges that pass several ranks as straight as the room beside them lets."""
    places = {node: i for level in levels.orders for i, node in enumerate(level)}

    def room(node: int) -> Point:
        level, i = levels.orders[levels.ranks[node]], places[node]
        offset = offsets[levels.ranks[node]]
        low, high = -inf, inf
        if i:
            low = middles[level[i - 1]] + offset[i] - offset[i - 1]
        if i + 1 < len(level):
            high = middles[level[i + 1]] - offset[i + 1] + offset[i]
        return low, high

    for source, chain in levels.cuts.items():
        start = 0
        wish = middles[source]
        while start < len(chain):
            low, high = room(chain[start])
            end = start + 1
            while end < len(chain):
                least, most = room(chain[end])
                if max(low, least) > min(high, most):
                    break
                low, high, end = max(low, least), min(high, most), end + 1
            if not low <= wish <= high:
                wish = sum(middles[node] for node in chain[start:end]) / (end - start)
            wish = min(max(wish, low), high)
            for node in chain[start:end]:
                middles[node] = wish
            start = end


def _settle(
    level: list[int],
    offsets: list[float],
    neighbours: list[list[tuple[int, float]]],
    middles: list[float],
) -> None:
    """Move the boxes of a rank to where their neighbours want them, in their order and apart.

    What is left to choose when the distances are subtracted is a sequence that does not fall:
    isotonic regression, by pooling adjacent violators.
    """
    pools: list[tuple[float, float, int]] = []
    for node, offset in zip(level, offsets, strict=True):
        weight = sum(w for _, w in neighbours[node])
        wish = middles[node]
        if weight:
            wish = sum(middles[other] * w for other, w in neighbours[node]) / weight
        pool = (wish - offset, weight or 1e-3, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, before, count = pools.pop()
            total = before + pool[1]
            pool = ((mean * before + pool[0] * pool[1]) / total, total, count + pool[2])
        pools.append(pool)
    i = 0
    for mean, _, count in pools:
        for node in level[i : i + count]:
            middles[node] = mean + offsets[i]
            i += 1


def _columns(
    levels: Levels,
    sizes: Sequence[Point],
    middles: list[float],
    bands: Sequence[int | None] | None,
    padding: float,
) -> tuple[list[float], list[float]]:
    """The left and the right end of each rank: steeper edges get more room."""
    rise = [0.0] * len(levels.orders)
    for a, b in levels.segments:
        rise[levels.ranks[a]] = max(rise[levels.ranks[a]], abs(middles[a] - middles[b]))
    inside = [
        {bands[node] for node in level if node < len(sizes)} - {None} if bands else set()
        for level in levels.orders
    ]
    lefts, rights, at = [], [], 0.0
    for k, level in enumerate(levels.orders):
        if inside[k] and (k == 0 or inside[k] != inside[k - 1]):
            at += padding
        lefts.append(at)
        rights.append(at + max((sizes[node][0] for node in level if node < len(sizes)), default=0))
        at = rights[-1] + min(max(_GAP_LEAST, 34 + 0.16 * rise[k]), _GAP_MOST)
        if inside[k] and (k + 1 == len(inside) or inside[k] != inside[k + 1]):
            at += padding
    return lefts, rights


def _routes(
    levels: Levels,
    edges: Sequence[tuple[int, int]],
    corners: list[Point],
    middles: list[float],
    lefts: list[float],
    rights: list[float],
) -> list[list[Point]]:
    """Where each edge goes: curves between the ranks, straight lines through them."""
    routes: list[list[Point]] = []
    entering: dict[int, list[int]] = {}
    for k, (a, b) in enumerate(edges):
        route = [(rights[levels.ranks[a]], middles[a])]
        for node in levels.passing(a, b):
            column = levels.ranks[node]
            route += [(lefts[column], middles[node]), (rights[column], middles[node])]
        routes.append(route)
        entering.setdefault(b, []).append(k)
    for b, into in entering.items():
        # Edges enter in the order in which they come, a little apart, so that they do not cross
        # on the last pixels and two from one box can be told apart.
        into.sort(key=lambda k: routes[k][-1][1])
        step = min(_PORTS, 2 * _PORTS / len(into))
        for i, k in enumerate(into):
            y = middles[b] + (i - (len(into) - 1) / 2) * step
            routes[k] += [(lefts[levels.ranks[b]], y), (corners[b][0], y)]
    return routes
