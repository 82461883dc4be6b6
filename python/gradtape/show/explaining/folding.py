"""Which nodes of a large graph are shown, and what is said of the rest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradtape.show.graph import Graph, Indices
from gradtape.show.texts import clean

__all__ = ["Fold", "folded"]

# With more labels only their first parts are looked at.
MANY = 100_000
# How many equal pieces in a row are told as one.
FEWEST = 3
LONGEST_PERIOD = 64
# How often what is left and right of a repeated piece is searched again.
DEEPEST = 3


@dataclass(frozen=True)
class Fold:
    """Nodes that are told in one line.

    Parameters
    ----------
    nodes : numpy.ndarray
        Their numbers.
    what : str
        What they have in common.
    """

    nodes: Indices
    what: str


def folded(graph: Graph, nodes: Indices, limit: int | None) -> list[int | Fold]:
    """Fold a sequence of nodes until at most about `limit` lines are left.

    Labels with a common prefix are folded first, then structure that repeats itself, then what
    lies between head and tail.

    Parameters
    ----------
    graph : Graph
    nodes : numpy.ndarray
        Numbers of nodes, rising.
    limit : int or None
        None folds nothing.

    Returns
    -------
    list of int or Fold
    """
    if limit is None or len(nodes) <= limit:
        return _alone(nodes)
    lines: list[int | Fold] = []
    for run, what in _prefixes(graph, nodes, limit):
        if what:
            lines.append(Fold(run, what))
        else:
            lines.extend(_repeats(graph, run, limit))
    if len(lines) <= limit:
        return lines
    head, tail = max(1, limit // 2), max(1, limit - limit // 2 - 1)
    middle = np.concatenate([_numbers(line) for line in lines[head:-tail]])
    return [*lines[:head], Fold(middle, f"{len(middle):,} nodes"), *lines[-tail:]]


def _alone(nodes: Indices) -> list[int | Fold]:
    return [int(node) for node in nodes]


def _numbers(line: int | Fold) -> Indices:
    return np.array([line]) if isinstance(line, int) else line.nodes


def _prefixes(graph: Graph, nodes: Indices, limit: int) -> list[tuple[Indices, str]]:
    """Split the nodes into runs whose labels begin alike, and those between.

    The longest prefixes are taken that leave few enough lines.
    """
    known = np.fromiter(graph.labels, np.int64, len(graph.labels))
    at = np.sort(known[np.isin(known, nodes, assume_unique=True)])
    labels = [graph.labels[i] for i in at.tolist()]
    deepest = 1 if len(at) > MANY else max((label.count(".") for label in labels), default=0)
    for depth in range(min(deepest, 8), 0, -1):
        runs = _runs(nodes, at, [_prefix(label, depth) for label in labels])
        if sum(bool(what) for _, what in runs) < limit:
            return runs
    return [(nodes, "")]


def _prefix(label: str, depth: int) -> str:
    """The label's first parts; empty where it has no more than these."""
    end = -1
    for _ in range(depth):
        end = label.find(".", end + 1)
        if end < 0:
            return ""
    return label[:end]


def _runs(nodes: Indices, at: Indices, keys: list[str]) -> list[tuple[Indices, str]]:
    places = np.searchsorted(nodes, at).tolist()
    runs: list[tuple[Indices, str]] = []
    done = i = 0
    while i < len(keys):
        j = i + 1
        while j < len(keys) and keys[j] == keys[i] and places[j] == places[j - 1] + 1:
            j += 1
        if keys[i] and j - i >= FEWEST:
            if places[i] > done:
                runs.append((nodes[done : places[i]], ""))
            done = places[j - 1] + 1
            runs.append((nodes[places[i] : done], f"{clean(keys[i])}: {j - i:,} values"))
        i = j
    if done < len(nodes):
        runs.append((nodes[done:], ""))
    return runs


def _repeats(graph: Graph, nodes: Indices, limit: int, depth: int = DEEPEST) -> list[int | Fold]:
    """Show one piece of what repeats itself, and fold the rest of it."""
    if len(nodes) <= max(FEWEST, limit // 4):
        return _alone(nodes)
    start, end, period = _longest(graph.kinds[nodes])
    if depth == 0 or period == 0 or period > limit:
        return _alone(nodes) if len(nodes) <= limit else _cut(nodes, limit)
    first, last = start + period, end - period
    again = (last - first) // period
    what = f"{again:,} alike" if period == 1 else f"{again:,} times the same {period} nodes"
    rest = nodes[first : first + again * period]
    return [
        *_repeats(graph, nodes[:start], limit, depth - 1),
        *nodes[start:first].tolist(),
        Fold(rest, what),
        *nodes[first + again * period : end].tolist(),
        *_repeats(graph, nodes[end:], limit, depth - 1),
    ]


def _cut(nodes: Indices, limit: int) -> list[int | Fold]:
    head, tail = max(1, limit // 2), max(1, limit - limit // 2 - 1)
    middle = nodes[head:-tail]
    return [*nodes[:head].tolist(), Fold(middle, f"{len(middle):,} nodes"), *nodes[-tail:].tolist()]


def _longest(kinds: NDArray[np.int64]) -> tuple[int, int, int]:
    """The longest stretch that repeats itself: where it starts and ends, and its period or 0."""
    best = (0, 0, 0)
    for period in _periods(kinds):
        changes = np.flatnonzero(kinds[period:] != kinds[:-period])
        bounds = np.concatenate([[-1], changes, [len(kinds) - period]])
        lengths = np.diff(bounds) - 1
        widest = int(np.argmax(lengths))
        start, length = int(bounds[widest]) + 1, int(lengths[widest]) + period
        if length >= (FEWEST + 1) * period and length > best[1] - best[0]:
            best = (start, start + length, period)
    return best


def _periods(kinds: NDArray[np.int64]) -> list[int]:
    """Periods worth a trial: all small ones, and distances between like windows."""
    count = len(kinds)
    trials = set(range(1, min(16 if count > 10_000 else LONGEST_PERIOD, count // FEWEST) + 1))
    wide = 8
    if count > 4 * wide:
        # Sums with fixed factors tell windows apart well enough: each period is tried in full.
        factors = np.array([3**k for k in range(wide)]) * 2_654_435_761 % 2**31
        sums = np.convolve(kinds % 2**31, factors, "valid")
        for quarter in (1, 2, 3):
            alike = np.flatnonzero(sums == sums[len(sums) * quarter // 4])
            gaps = np.diff(alike)
            trials |= set(np.unique(gaps[: 64 * wide])[:4].tolist())
    return sorted(period for period in trials if period * (FEWEST + 1) <= count)
