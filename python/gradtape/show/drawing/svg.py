"""A view as SVG: no program is asked, no font is loaded, nothing in a label gets out of it."""

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from gradtape.show.drawing.layout import Layout, Point, layout
from gradtape.show.drawing.ranking import rank
from gradtape.show.drawing.theme import safe, shortened, style, text_width
from gradtape.show.drawing.view import Box, View

__all__ = ["svg"]

_HIGH, _OP_HIGH, _JOINT, _PAD, _MARGIN = 30.0, 26.0, 16.0, 9.0, 18.0
_BAND, _BAND_TOP, _LINE = 14.0, 26.0, 24.0
_KEY_SIZE, _LONGER = 10.5, 60.0


def _n(x: float) -> str:
    """A coordinate, short."""
    return f"{x:.1f}".removesuffix(".0")


def _room(box: Box) -> int:
    return 44 if box.kind == "fold" else 26


def _cells(box: Box) -> list[float]:
    """The widths that a box needs: its operation's pill, its label, its fields."""
    if box.kind == "constant":
        return [0.0, text_width(shortened(box.label, 40)) + 8]
    return [
        max(_OP_HIGH, text_width(shortened(box.op), 12.5) + 16) if box.op else 0.0,
        max(text_width(shortened(box.label, _room(box))) + 2 * _PAD, 30.0),
        *(text_width(key, _KEY_SIZE) + 6 + text_width(text) + 2 * _PAD for key, text in box.fields),
    ]


def _columns(boxes: list[Box], ranks: list[int]) -> list[list[float]]:
    """The widths of every box's cells, alike for the boxes of one kind that stand in a column."""
    widest: dict[tuple[int, int, bool], list[float]] = {}
    keys = [
        (rank, len(box.fields) * (box.kind != "constant"), box.kind == "fold")
        for box, rank in zip(boxes, ranks, strict=True)
    ]
    for box, key in zip(boxes, keys, strict=True):
        cells = _cells(box)
        before = widest.setdefault(key, cells)
        widest[key] = [max(pair) for pair in zip(before, cells, strict=True)]
    found = []
    for box, key in zip(boxes, keys, strict=True):
        op, head, *cells = widest[key]
        own = _cells(box)
        if box.kind != "constant":
            # One long label does not make the others' boxes long.
            head = head if head - own[1] < _LONGER else own[1]
            own = [op if box.op else 0.0, head, *cells]
        found.append(own)
    return found


def _size(box: Box, cells: list[float], upright: bool) -> Point:
    op, wide = cells[0], sum(cells[1:])
    if box.kind == "constant":
        return wide, 20.0
    if not op:
        return wide, _HIGH
    return (max(wide, op), _OP_HIGH + _JOINT + _HIGH) if upright else (op + _JOINT + wide, _HIGH)


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="gt-{kind}" x="{_n(x)}" y="{_n(y)}">{escape(text)}</text>'


def _record(box: Box, widths: list[float], x: float, y: float) -> Iterable[str]:
    """The cells of a box."""
    middle = y + _HIGH / 2 + 4.5
    whole, head = sum(widths), widths[0]
    edge = f'x="{_n(x)}" y="{_n(y)}" height="{_n(_HIGH)}" rx="6"'
    yield f'<rect class="gt-box" {edge} width="{_n(whole)}"/>'
    # The head's fill has the box's round corners on its outer side only.
    yield (
        f'<path class="gt-head" d="M{_n(x + head)} {_n(y + 0.7)}H{_n(x + 6)}'
        f"a5.3 5.3 0 0 0 -5.3 5.3V{_n(y + _HIGH - 6)}a5.3 5.3 0 0 0 5.3 5.3"
        f'H{_n(x + head)}z"/>'
    )
    yield _text("label", x + _PAD, middle, shortened(box.label, _room(box)))
    at = x + head
    for (key, text), width in zip(box.fields, widths[1:], strict=True):
        yield f'<path class="gt-rule" d="M{_n(at)} {_n(y + 0.7)}v{_n(_HIGH - 1.4)}"/>'
        yield _text("key", at + _PAD, middle, key)
        yield _text(key, at + _PAD + text_width(key, _KEY_SIZE) + 6, middle, text)
        at += width


def _op(box: Box, x: float, y: float) -> Iterable[str]:
    """The pill of the operation, with the middle of its left side at (x, y)."""
    wide = _cells(box)[0]
    yield (
        f'<rect class="gt-op" x="{_n(x)}" y="{_n(y - _OP_HIGH / 2)}" width="{_n(wide)}" '
        f'height="{_n(_OP_HIGH)}" rx="{_n(_OP_HIGH / 2)}"/>'
    )
    yield _text("op-text", x + wide / 2, y + 4.4, shortened(box.op))


def _box(k: int, box: Box, cells: list[float], corner: Point, upright: bool) -> Iterable[str]:
    x, y = corner
    wide, high = _size(box, cells, upright)
    node = "" if box.node is None else f' data-node="{box.node}"'
    yield f'<g class="gt-{box.kind}" data-box="{k}"{node}><title>{escape(safe(box.about))}</title>'
    if box.kind == "constant":
        yield _text("constant", x + 4, y + high / 2 + 4.5, shortened(box.label, 40))
    elif not box.op:
        yield from _record(box, cells[1:], x, y)
    elif upright:
        middle, whole = x + wide / 2, sum(cells[1:])
        yield from _op(box, middle - _cells(box)[0] / 2, y + _OP_HIGH / 2)
        yield f'<path class="gt-edge" d="M{_n(middle)} {_n(y + _OP_HIGH)}v{_n(_JOINT)}"/>'
        yield from _record(box, cells[1:], middle - whole / 2, y + _OP_HIGH + _JOINT)
    else:
        middle, at = y + _HIGH / 2, x + cells[0] + _JOINT
        yield from _op(box, x, middle)
        start = x + _cells(box)[0]
        yield f'<path class="gt-edge" d="M{_n(start)} {_n(middle)}H{_n(at)}"/>'
        yield from _record(box, cells[1:], at, y)
    yield "</g>"


def _way(route: list[Point], upright: bool) -> tuple[str, str]:
    """The curve of an edge and its tip."""
    (x, y), *rest = route
    parts = [f"M{_n(x)} {_n(y)}"]
    for i, (to_x, to_y) in enumerate(rest):
        if i % 2:
            parts.append(f"L{_n(to_x)} {_n(to_y)}")
        elif upright:
            half = (y + to_y) / 2
            parts.append(f"C{_n(x)} {_n(half)} {_n(to_x)} {_n(half)} {_n(to_x)} {_n(to_y)}")
        else:
            half = (x + to_x) / 2
            parts.append(f"C{_n(half)} {_n(y)} {_n(half)} {_n(to_y)} {_n(to_x)} {_n(to_y)}")
        x, y = to_x, to_y
    tip = f"M{_n(x)} {_n(y)}" + ("l-3.2 -6.5h6.4z" if upright else "l-6.5 -3.2v6.4z")
    return "".join(parts), tip


def _turned(placed: Layout) -> Layout:
    """The same layout from above to below."""
    return Layout(
        [(y, x) for x, y in placed.corners],
        [[(y, x) for x, y in route] for route in placed.routes],
        placed.ranks,
        placed.height,
        placed.width,
        placed.banded,
    )


def _bands(view: View, sizes: list[Point], placed: Layout) -> list[tuple[str, list[float]]]:
    """The frames of the bands; a band with a stranger's box in its frame gets none."""
    frames = []
    for band, title in view.bands.items():
        members = [k for k, box in enumerate(view.boxes) if box.band == band]
        if not members or not placed.banded:
            continue
        left = min(placed.corners[k][0] for k in members) - _BAND
        top = min(placed.corners[k][1] for k in members) - _BAND_TOP
        right = max(placed.corners[k][0] + sizes[k][0] for k in members) + _BAND
        bottom = max(placed.corners[k][1] + sizes[k][1] for k in members) + _BAND
        right = max(right, left + text_width(shortened(title, 60), 12) + 20)
        strangers = (
            k
            for k, (x, y) in enumerate(placed.corners)
            if view.boxes[k].band != band
            and x < right - _BAND
            and x + sizes[k][0] > left + _BAND
            and y < bottom
            and y + sizes[k][1] > top
        )
        if next(strangers, None) is None:
            frames.append((title, [left, top, right, bottom]))
    return frames


def svg(view: View, upright: bool = False) -> str:
    """The drawing of a view.

    Parameters
    ----------
    view : View
    upright : bool
        From above to below, not from left to right.

    Examples
    --------
    >>> from gradtape.show.drawing.view import Box, View
    >>> text = svg(View([Box("leaf", "<a>")]))
    >>> "&lt;a&gt;" in text and "<a>" not in text
    True
    """
    names = {band: k for k, band in enumerate(view.bands)}
    bands = [names.get(box.band) for box in view.boxes]
    ranks, _ = rank(len(bands), view.edges, bands)
    columns = list(range(len(bands))) if upright else ranks
    cells = _columns(view.boxes, columns)
    sizes = [_size(box, c, upright) for box, c in zip(view.boxes, cells, strict=True)]
    placed = layout(
        [(h, w) for w, h in sizes] if upright else sizes,
        view.edges,
        bands,
        2 * _BAND + (10 if upright else 0) if names else 0.0,
    )
    if upright:
        placed = _turned(placed)
    frames = _bands(view, sizes, placed)
    left = min([0.0, *(frame[0] for _, frame in frames)]) - _MARGIN
    top = min([0.0, *(frame[1] for _, frame in frames)]) - _MARGIN
    right = max([placed.width, *(frame[2] for _, frame in frames)]) + _MARGIN
    bottom = max([placed.height, *(frame[3] for _, frame in frames)]) + _MARGIN
    if view.caption:
        bottom += _LINE
        right = max(right, left + text_width(view.caption, 12) + 2 * _MARGIN)
    area = f"{_n(left)} {_n(top)} {_n(right - left)} {_n(bottom - top)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gradtape" viewBox="{area}" '
        f'width="{_n(right - left)}" height="{_n(bottom - top)}" role="img" '
        f"aria-label={quoteattr(safe(view.about))}>",
        f"<title>{escape(safe(view.boxes[-1].label[:200] if view.boxes else 'graph'))}</title>",
        f"<desc>{escape(safe(f'{view.about} {view.caption}'.strip()))}</desc>",
        f"<style>{style()}</style>",
        f'<rect class="gt-paper" x="{_n(left)}" y="{_n(top)}" width="100%" height="100%" rx="8"/>',
    ]
    for title, (x, y, to_x, to_y) in frames:
        parts.append(
            f'<rect class="gt-band" x="{_n(x)}" y="{_n(y)}" width="{_n(to_x - x)}" '
            f'height="{_n(to_y - y)}" rx="10"/>'
        )
        parts.append(_text("band-text", x + 10, y + 17, shortened(title, 60)))
    for k, ((a, b), route) in enumerate(zip(view.edges, placed.routes, strict=True)):
        way, tip = _way(route, upright)
        parts.append(
            f'<g data-edge="{k}" data-from="{a}" data-to="{b}"><path class="gt-edge" d="{way}"/>'
            f'<path class="gt-tip" d="{tip}"/></g>'
        )
    for k, box in enumerate(view.boxes):
        parts += _box(k, box, cells[k], placed.corners[k], upright)
    if view.caption:
        parts.append(_text("caption", left + _MARGIN, bottom - 14, view.caption))
    return "\n".join([*parts, "</svg>\n"])
