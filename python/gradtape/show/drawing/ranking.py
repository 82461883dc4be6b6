"""The rank of each box of a drawing: the column that it stands in."""

from collections.abc import Sequence

__all__ = ["rank"]

Edges = Sequence[tuple[int, int]]


def _sorted(count: int, edges: Edges) -> list[int] | None:
    """The numbers from 0 so that edges go forward; None if there is a cycle."""
    below: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for a, b in edges:
        below[a].append(b)
        waiting[b] += 1
    ready = [i for i in range(count) if not waiting[i]]
    for i in ready:
        for b in below[i]:
            waiting[b] -= 1
            if not waiting[b]:
                ready.append(b)
    return ready if len(ready) == count else None


def _starts(sequence: list[int], edges: Edges, lengths: list[int]) -> list[int]:
    """Ranks by the longest way to each, then moved towards what uses them where that is shorter."""
    above: list[list[int]] = [[] for _ in sequence]
    below: list[list[int]] = [[] for _ in sequence]
    for a, b in edges:
        above[b].append(a)
        below[a].append(b)
    starts = [0] * len(sequence)
    # A box is free if nothing else uses what it is computed from: all that moves with it.
    free = [False] * len(sequence)
    ties = [0] * len(sequence)
    for i in sequence:
        starts[i] = max((starts[a] + lengths[a] for a in above[i]), default=0)
        ties[i] = sum(not free[a] or len(below[a]) > 1 for a in set(above[i]))
        free[i] = not ties[i]
    for i in reversed(sequence):
        # A box with more edges out than in makes them shorter in sum when it moves.
        if len(set(below[i])) > ties[i]:
            starts[i] = min(starts[b] for b in below[i]) - lengths[i]
    return starts


def rank(count: int, edges: Edges, bands: Sequence[int | None]) -> tuple[list[int], bool]:
    """The rank of each box, and whether the bands got ranks of their own.

    They do unless a band uses what was computed from it, as weights that are shared over time.

    Raises
    ------
    ValueError
        If the edges have a cycle.

    Examples
    --------
    >>> rank(3, [(0, 1), (1, 2), (0, 2)], [None] * 3)
    ([0, 1, 2], True)
    >>> rank(4, [(0, 1), (1, 3), (2, 3)], [7, 7, 8, 8])
    ([0, 1, 2, 3], True)
    """
    distinct = dict.fromkeys(band for band in bands if band is not None)
    names = {band: k for k, band in enumerate(distinct)}
    unit_of, units = [0] * count, len(names)
    for i, band in enumerate(bands):
        unit_of[i] = units if band is None else names[band]
        units += band is None
    within = [(a, b) for a, b in edges if unit_of[a] == unit_of[b]]
    between = [(unit_of[a], unit_of[b]) for a, b in edges if unit_of[a] != unit_of[b]]
    order, inner = _sorted(units, between), _sorted(count, within)
    if order is None or inner is None:
        plain = _sorted(count, edges)
        if plain is None:
            raise ValueError("the edges have a cycle")
        return _from_zero(_starts(plain, edges, [1] * count)), False
    depths = _starts(inner, within, [1] * count)
    lengths = [1] * units
    for i in range(count):
        lengths[unit_of[i]] = max(lengths[unit_of[i]], depths[i] + 1)
    # After a band a rank is left free, for the constants that its users take; one that stays
    # empty goes away.
    for k in range(len(names)):
        lengths[k] += 1
    starts = _starts(order, between, lengths)
    return _from_zero([starts[unit_of[i]] + depths[i] for i in range(count)]), True


def _from_zero(ranks: list[int]) -> list[int]:
    """The same ranks without empty ones."""
    places = {r: k for k, r in enumerate(sorted(set(ranks)))}
    return [places[r] for r in ranks]
