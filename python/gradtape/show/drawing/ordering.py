"""The order of the boxes in each rank of a drawing, with few crossings."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Levels", "order"]

# What a layout may cost, in visits of an edge: so a crowded one gets fewer sweeps, not more time.
_VISITS = 400_000
_SWEEPS = 24


@dataclass
class Levels:
    """The ranks of a graph whose edges each go from a rank to the next.

    A longer edge is cut at every rank that it passes; there it has a node of its own, which all
    edges from the same box share.

    Parameters
    ----------
    ranks : list of int
        Of each node: first the boxes, then the cuts.
    orders : list of lists of int
        The nodes of each rank, from above.
    segments : list of (int, int)
        From node to node of the next rank.
    cuts : dict of int to list of int
        The cuts of a box's edges, rank after rank.
    """

    ranks: list[int]
    orders: list[list[int]]
    segments: list[tuple[int, int]]
    cuts: dict[int, list[int]]

    @classmethod
    def of(cls, ranks: Sequence[int], edges: Sequence[tuple[int, int]]) -> "Levels":
        """Cut the long edges.

        Examples
        --------
        >>> Levels.of([0, 1, 2], [(0, 1), (1, 2), (0, 2)]).segments
        [(0, 1), (1, 2), (0, 3), (3, 2)]
        """
        every, cuts = list(ranks), dict[int, list[int]]()
        segments: dict[tuple[int, int], None] = {}
        for a, b in edges:
            chain = cuts.setdefault(a, [])
            while len(chain) < ranks[b] - ranks[a] - 1:
                chain.append(len(every))
                every.append(ranks[a] + len(chain))
            way = [a, *chain[: ranks[b] - ranks[a] - 1], b]
            segments.update(dict.fromkeys(pairwise(way)))
        orders: list[list[int]] = [[] for _ in range(max(every, default=-1) + 1)]
        levels = cls(every, orders, list(segments), cuts)
        for node in _depth_first(levels.count, levels.segments):
            orders[every[node]].append(node)
        return levels

    @property
    def count(self) -> int:
        """How many nodes there are, cuts among them."""
        return len(self.ranks)

    def passing(self, a: int, b: int) -> list[int]:
        """The cuts of the edge from box `a` to box `b`."""
        return self.cuts[a][: self.ranks[b] - self.ranks[a] - 1]


def _depth_first(count: int, segments: list[tuple[int, int]]) -> list[int]:
    """All nodes, operands before users and in their order: a tree is then free of crossings."""
    above: list[list[int]] = [[] for _ in range(count)]
    last = [True] * count
    for a, b in segments:
        above[b].append(a)
        last[a] = False
    seen, found = [False] * count, []
    for root in range(count):
        if not last[root]:
            continue
        stack = [(root, 0)]
        seen[root] = True
        while stack:
            node, k = stack.pop()
            if k == len(above[node]):
                found.append(node)
                continue
            stack.append((node, k + 1))
            if not seen[above[node][k]]:
                seen[above[node][k]] = True
                stack.append((above[node][k], 0))
    return found


def _crossings(orders: list[list[int]], below: list[list[int]], place: list[int]) -> int:
    """How many pairs of segments cross."""
    count = 0
    for level in orders:
        ends: list[int] = []
        for node in level:
            targets = [place[b] for b in below[node]]
            count += sum(len(ends) - bisect_left(ends, target + 1) for target in targets)
            for target in targets:
                insort(ends, target)
    return count


def _fewer(first: list[int], second: list[int], place: list[int]) -> int:
    """How many crossings fewer there are between two neighbours' segments if these swap."""
    gain, others = 0, sorted(place[b] for b in second)
    for a in first:
        left = bisect_left(others, place[a])
        gain += left - (len(others) - bisect_left(others, place[a] + 1))
    return gain


def _transpose(
    orders: list[list[int]], above: list[list[int]], below: list[list[int]], place: list[int]
) -> int:
    """Swap neighbours wherever that takes crossings away; give how many went."""
    gone = 0
    for level in orders:
        for i in range(len(level) - 1):
            a, b = level[i], level[i + 1]
            gain = _fewer(above[a], above[b], place) + _fewer(below[a], below[b], place)
            if gain > 0:
                level[i], level[i + 1] = b, a
                place[a], place[b] = i + 1, i
                gone += gain
    return gone


def order(levels: Levels) -> int:
    """Order each rank by the mean place of its neighbours, sweeping there and back.

    The best order found is kept.

    Returns
    -------
    int
        How many crossings are left.

    Examples
    --------
    >>> levels = Levels.of([0, 0, 1, 1], [(0, 3), (1, 2)])
    >>> levels.orders[0].sort()
    >>> order(levels)
    0
    """
    above: list[list[int]] = [[] for _ in range(levels.count)]
    below: list[list[int]] = [[] for _ in range(levels.count)]
    for a, b in levels.segments:
        above[b].append(a)
        below[a].append(b)
    place = [0] * levels.count
    sweeps = min(_SWEEPS, 2 + _VISITS // (1 + len(levels.segments) * 6))
    orders = [list(level) for level in levels.orders]
    _number(orders, place)
    best = _crossings(orders, below, place)
    for sweep in range(sweeps):
        if not best:
            break
        down = sweep % 2 == 0
        for level in orders if down else reversed(orders):
            _by_mean(level, above if down else below, place)
        _transpose(orders, above, below, place)
        crossings = _crossings(orders, below, place)
        if crossings < best:
            best = crossings
            levels.orders[:] = [list(level) for level in orders]
    # The first order may have been the best, and no swap was tried on it yet.
    _number(levels.orders, place)
    for _ in range(sweeps):
        gone = _transpose(levels.orders, above, below, place)
        best -= gone
        if not gone:
            break
    return best


def _number(orders: list[list[int]], place: list[int]) -> None:
    for level in orders:
        for i, node in enumerate(level):
            place[node] = i


def _by_mean(level: list[int], neighbours: list[list[int]], place: list[int]) -> None:
    """Sort a rank; a node without neighbours there stays beside the one above it."""
    keys, key = {}, -1.0
    for node in level:
        if neighbours[node]:
            key = sum(place[other] for other in neighbours[node]) / len(neighbours[node])
        keys[node] = key
    level.sort(key=keys.__getitem__)
    for i, node in enumerate(level):
        place[node] = i
