"""Layouts: what must hold of every one, whatever the graph."""

from itertools import combinations, pairwise

import pytest
from gradtape.show.drawing.layout import layout
from gradtape.show.drawing.ordering import Levels, order
from gradtape.show.drawing.ranking import rank
from hypothesis import given, settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=80)


@st.composite
def graphs(draw):
    """Sizes and edges of a graph without a cycle, and bands that hang together or not."""
    count = draw(st.integers(1, 24))
    side = st.integers(4, 90)
    sizes = draw(st.lists(st.tuples(side, side), min_size=count, max_size=count))
    pairs = list(combinations(range(count), 2))
    edges = draw(st.lists(st.sampled_from(pairs), max_size=40)) if pairs else []
    bands = draw(st.lists(st.none() | st.integers(0, 3), min_size=count, max_size=count))
    return sizes, edges, bands


@quick
@given(graphs())
def test_boxes_do_not_overlap(case):
    sizes, edges, bands = case
    placed = layout(sizes, edges, bands, 10.0)
    rects = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(placed.corners, sizes, strict=True)]
    for a, b in combinations(rects, 2):
        apart = a[2] <= b[0] + 1e-6 or b[2] <= a[0] + 1e-6
        assert apart or a[3] <= b[1] + 1e-6 or b[3] <= a[1] + 1e-6
    for x, y, right, bottom in rects:
        assert x >= -1e-6
        assert y >= -1e-6
        assert right <= placed.width + 1e-6
        assert bottom <= placed.height + 1e-6


@quick
@given(graphs())
def test_edges_go_from_box_to_box_and_through_none(case):
    sizes, edges, bands = case
    placed = layout(sizes, edges, bands, 10.0)
    for (a, b), route in zip(edges, placed.routes, strict=True):
        (x, y), (to_x, to_y) = route[0], route[-1]
        assert x == pytest.approx(placed.corners[a][0] + sizes[a][0])
        assert y == pytest.approx(placed.corners[a][1] + sizes[a][1] / 2)
        assert to_x == pytest.approx(placed.corners[b][0])
        assert abs(to_y - placed.corners[b][1] - sizes[b][1] / 2) <= 5
        xs = [point[0] for point in route]
        assert all(b >= a - 1e-6 for a, b in pairwise(xs))
        # The straight parts lie in the columns of the ranks that the edge passes.
        for (left, at), (right, _) in zip(route[1:-2:2], route[2:-2:2], strict=False):
            for k, (box_x, box_y) in enumerate(placed.corners):
                if box_x < right - 1e-6 and box_x + sizes[k][0] > left + 1e-6:
                    assert not box_y + 1e-6 < at < box_y + sizes[k][1] - 1e-6


@quick
@given(graphs())
def test_ranks_go_forward_and_bands_are_alone(case):
    sizes, edges, bands = case
    ranks, banded = rank(len(sizes), edges, bands)
    assert all(ranks[a] < ranks[b] for a, b in edges)
    assert sorted(set(ranks)) == list(range(max(ranks) + 1))
    if banded:
        linked = {
            (bands[a], bands[b])
            for a, b in edges
            if bands[a] != bands[b] and None not in (bands[a], bands[b])
        }
        for a, b in linked:
            last = max(r for r, band in zip(ranks, bands, strict=True) if band == a)
            first = min(r for r, band in zip(ranks, bands, strict=True) if band == b)
            assert last < first


def crossings(levels):
    places = {node: i for level in levels.orders for i, node in enumerate(level)}
    return sum(
        levels.ranks[a] == levels.ranks[c] and (places[a] - places[c]) * (places[b] - places[d]) < 0
        for (a, b), (c, d) in combinations(levels.segments, 2)
    )


@quick
@given(graphs())
def test_ordering_counts_rightly_and_never_makes_it_worse(case):
    sizes, edges, _ = case
    levels = Levels.of(rank(len(sizes), edges, [None] * len(sizes))[0], edges)
    before = crossings(levels)
    after = order(levels)
    assert after == crossings(levels)
    assert after <= before
    assert sorted(node for level in levels.orders for node in level) == list(range(levels.count))


@quick
@given(st.integers(0, 10**6), st.integers(2, 40))
def test_a_tree_has_no_crossings(seed, count):
    # Node k feeds one node before it.
    edges = [(k, (seed >> (k % 17)) % k) for k in range(count - 1, 0, -1)]
    levels = Levels.of(rank(count, edges, [None] * count)[0], edges)
    assert order(levels) == 0


def test_crossings_that_can_go_do_go():
    # Two rows of five, joined in turned order, each drawn as it comes.
    edges = [(i, 9 - i) for i in range(5)]
    levels = Levels.of([0] * 5 + [1] * 5, edges)
    levels.orders[:] = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert crossings(levels) == 10
    assert order(levels) == 0


def test_a_leaf_stands_beside_what_uses_it():
    chain = [(i, i + 1) for i in range(5)]
    ranks, _ = rank(7, [*chain, (6, 5)], [None] * 7)
    assert ranks[6] == ranks[5] - 1


def test_a_long_edge_is_straight():
    # Past a chain of boxes there is room for a straight line.
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)]
    route = layout([(20, 20)] * 6, edges).routes[-1]
    assert len({y for _, y in route[1:-2]}) == 1


def test_a_cycle_is_refused():
    with pytest.raises(ValueError, match="cycle"):
        layout([(1, 1), (1, 1)], [(0, 1), (1, 0)])


def test_nothing_to_lay_out():
    assert layout([], []).corners == []
