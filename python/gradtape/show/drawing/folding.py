"""Which nodes of a graph a drawing shows one by one, and which together."""

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gradtape.show.graph import Graph

__all__ = ["MOST", "Folds", "fold"]

Numbers = NDArray[np.int64]

# A name such as layer1.neuron2.w3, of which all but the last part say where it belongs.
_DOTTED = re.compile(r"[^\W\d]\w{0,39}(?:\.\w{1,40}){1,4}")
# What may be drawn where nothing is to be folded, whatever it looks like.
MOST = 1000
_ENDS, _LEAVES = 12, 32
# Where there are neurons to fold, so many nodes are drawn one by one: weights make tall columns.
_WITH_NEURONS = 60


@dataclass
class Folds:
    """What is drawn as one.

    Parameters
    ----------
    unit : numpy.ndarray of int
        Of each node the number of the fold that it is in, or -1.
    titles : list of str
        Of each fold.
    tops : list of str
        The band of each fold.
    edges : list of (int, int)
        Between nodes' numbers, or -1 - k for the fold k.
    bands : dict of str to str
        Bands and what they are called.
    of_node : dict of int to str
        The band of each node that is in one and not in a fold.
    constants : bool
        Whether constants are shown.
    """

    unit: Numbers
    titles: list[str] = field(default_factory=list)
    tops: list[str] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)
    bands: dict[str, str] = field(default_factory=dict)
    of_node: dict[int, str] = field(default_factory=dict)
    constants: bool = True

    def band(self, unit: int) -> str:
        """The band of a fold."""
        return self.tops[unit]

    def band_of_node(self, index: int) -> str:
        """The band of a node that is not in a fold."""
        return self.of_node.get(index, "")


def _homes(graph: Graph, depth: int) -> tuple[Numbers, list[str]]:
    """Of each node the number of its home at a depth, and the homes' names.

    A leaf's home is its label's beginning; a node's is that of the leaves among its operands,
    where they agree.
    """
    names: dict[str, int] = {}
    homes = np.full(len(graph), -1, dtype=np.int64)
    leaves = graph.leaves
    for index, label in graph.labels.items():
        if index < leaves and len(label) < 200 and _DOTTED.fullmatch(label):
            parts = label.split(".")
            home = ".".join(parts[: min(depth, len(parts) - 1)])
            homes[index] = names.setdefault(home, len(names))
    if not names:
        return homes, []
    owners, operands = graph.owners, graph.operands
    known = (operands >= 0) & (homes[operands] >= 0)
    least = np.full(len(graph), len(names), dtype=np.int64)
    most = np.full(len(graph), -1, dtype=np.int64)
    np.minimum.at(least, owners[known], homes[operands[known]])
    np.maximum.at(most, owners[known], homes[operands[known]])
    agree = least == most
    homes[agree] = least[agree]
    return homes, list(names)


def _title(graph: Graph, homes: Numbers, home: int, name: str) -> str:
    """A home's title: what it is made of."""
    members = np.flatnonzero(homes == home)
    parameters = int(np.count_nonzero(members < graph.leaves))
    neurons = set()
    for index in members[members < graph.leaves].tolist():
        parts = graph.labels[index].split(".")
        if len(parts) > 2 and "." not in name:
            neurons.add(parts[1])
    texts = [f"{len(neurons)} neuron{'s' * (len(neurons) != 1)}"] if neurons else []
    texts.append(f"{parameters} parameter{'s' * (parameters != 1)}")
    return f"{name}: {', '.join(texts)}"


def _edges(graph: Graph, unit: Numbers) -> list[tuple[int, int]]:
    """The edges between what is drawn: one for each operand of a node, one between folds."""
    owners, operands = graph.owners, graph.operands
    real = operands >= 0
    owners, operands = owners[real], operands[real]
    above, below = unit[operands], unit[owners]
    kept = (above < 0) | (below < 0) | (above != below)
    sources = np.where(above[kept] < 0, operands[kept], -1 - above[kept])
    targets = np.where(below[kept] < 0, owners[kept], -1 - below[kept])
    edges: list[tuple[int, int]] = list(zip(sources.tolist(), targets.tolist(), strict=True))
    single = [a >= 0 and b >= 0 for a, b in edges]
    seen: set[tuple[int, int]] = set()
    found = []
    for edge, alone in zip(edges, single, strict=True):
        if alone or edge not in seen:
            found.append(edge)
            seen.add(edge)
    return found


def _acyclic(edges: list[tuple[int, int]]) -> bool:
    """Whether what is drawn has no cycle: folds may make one."""
    below: dict[int, list[int]] = {}
    waiting: dict[int, int] = {}
    for a, b in edges:
        below.setdefault(a, []).append(b)
        waiting[b] = waiting.get(b, 0) + 1
    ready = [a for a in below if a not in waiting]
    count = 0
    for a in ready:
        for b in below.get(a, ()):
            count += 1
            waiting[b] -= 1
            if not waiting[b]:
                ready.append(b)
    return count == len(edges)


def _at_depth(graph: Graph, depth: int) -> Folds | None:
    """Neurons (depth 2) or layers (depth 1) folded; None where there are none, or in a circle."""
    homes, names = _homes(graph, depth)
    if not names:
        return None
    homes[-1] = -1  # the result is always seen
    titles = [_title(graph, homes, k, name) for k, name in enumerate(names)]
    tops = [name.split(".")[0] if depth > 1 else "" for name in names]
    found = Folds(homes, titles, tops, constants=False)
    if len(names) + int(np.count_nonzero(homes < 0)) < 20 * MOST:
        found.edges = _edges(graph, homes)
        if not _acyclic(found.edges):
            return None
    if depth > 1:
        found.bands = _band_titles(graph)
    return found


def _band_titles(graph: Graph) -> dict[str, str]:
    homes, names = _homes(graph, 1)
    return {name: _title(graph, homes, k, name) for k, name in enumerate(names)}


def _ends(graph: Graph, folds: Folds) -> Folds:
    """The first and the last nodes, with the leaves that they use; what is between as one."""
    unit, leaves = folds.unit.copy(), graph.leaves
    inner = leaves + np.flatnonzero(unit[leaves:] < 0)
    shown = np.concatenate([inner[:_ENDS], inner[-_ENDS:]])
    used: dict[int, None] = {}
    for index in shown.tolist():
        for node in graph.operands[graph.starts[index] : graph.starts[index + 1]].tolist():
            if 0 <= node < leaves:
                used.setdefault(node)
    seen = np.zeros(len(graph), dtype=bool)
    seen[shown] = True
    seen[list(used)[:_LEAVES]] = True
    between, unseen = (unit < 0) & ~seen, len(folds.titles)
    titles, tops = list(folds.titles), list(folds.tops)
    middle = between.copy()
    middle[:leaves] = False
    rest = between & ~middle
    for mask, what in ((rest, "leaves"), (middle, "nodes between")):
        count = int(np.count_nonzero(mask))
        if count:
            unit[mask] = unseen
            unseen += 1
            titles.append(f"⋯ {count:,} {what}")
            tops.append("")
    return Folds(unit, titles, tops, _edges(graph, unit), {}, constants=len(used) <= _LEAVES)


def _drawn(folds: Folds) -> int:
    return len(folds.titles) + int(np.count_nonzero(folds.unit < 0))


def _whole(graph: Graph) -> Folds:
    found = Folds(np.full(len(graph), -1, dtype=np.int64))
    found.edges = _edges(graph, found.unit)
    homes, names = _homes(graph, 1)
    counts = np.bincount(homes[homes >= 0], minlength=len(names))
    for index in np.flatnonzero(homes >= 0).tolist():
        if counts[homes[index]] > 1:
            found.of_node[index] = names[homes[index]]
    found.bands = {k: v for k, v in _band_titles(graph).items() if k in found.of_node.values()}
    return found


def fold(graph: Graph, limit: int, folded: bool | None) -> Folds:
    """The finest view of a graph that has at most about `limit` boxes.

    Every node; neurons as one box each; layers as one; the first and the last nodes.

    Raises
    ------
    ValueError
        If nothing is to be folded and there are too many nodes to draw.

    Examples
    --------
    >>> import gradtape as gt
    >>> v = gt.Value(1.0, "v")
    >>> for _ in range(1000):
    ...     v = v * 0.5
    >>> fold(Graph(v), 100, None).titles
    ['⋯ 976 nodes between']
    """
    if folded is False and len(graph) > MOST:
        raise ValueError(
            f"{len(graph):,} nodes cannot be drawn one by one, at most {MOST:,}: "
            "leave fold=False out"
        )
    limit = min(limit, MOST)
    neurons = any("." in name for name in _homes(graph, 2)[1])
    if folded is False or (
        folded is None and len(graph) <= (min(limit, _WITH_NEURONS) if neurons else limit)
    ):
        return _whole(graph)
    layers = _at_depth(graph, 1)
    if layers is not None:
        finer = _at_depth(graph, 2)
        if finer is not None and _drawn(finer) <= limit:
            return finer
        if _drawn(layers) <= limit:
            return layers
        ends = _ends(graph, layers)
        if _drawn(ends) <= max(limit, 4 * _ENDS + _LEAVES) and _acyclic(ends.edges):
            return ends
    if len(graph) <= max(limit, 2 * _ENDS + _LEAVES):
        return _whole(graph)
    return _ends(graph, Folds(np.full(len(graph), -1, dtype=np.int64)))
