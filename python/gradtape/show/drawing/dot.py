"""A view in the DOT language, for those who have Graphviz."""

from gradtape.show.drawing.theme import safe, shortened
from gradtape.show.drawing.view import Box, View

__all__ = ["dot"]


def _quoted(text: str) -> str:
    """A string of DOT: in it a quote and a backslash have a meaning."""
    escaped = safe(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _field(text: str) -> str:
    """A field of a record: there braces, bars and angle brackets have a meaning too."""
    text = safe(text).replace("\\", "\\\\")
    for c in "{}|<> ":
        text = text.replace(c, f"\\{c}")
    return text.replace('"', '\\"').replace("&", "&amp;")


def _record(box: Box) -> str:
    fields = [shortened(box.label, 44), *(f"{key} {text}" for key, text in box.fields)]
    return '"{ ' + " | ".join(_field(text) for text in fields) + ' }"'


def _node(k: int, box: Box) -> list[str]:
    if box.kind == "constant":
        text = _quoted(shortened(box.label, 40)).replace("&", "&amp;")
        return [f"n{k} [label={text} shape=plaintext]"]
    tip = f" tooltip={_quoted(box.about[:500])}"
    lines = [f"n{k} [label={_record(box)} shape=record{tip}]"]
    if box.op:
        symbol = _quoted(shortened(box.op)).replace("&", "&amp;")
        lines += [f"o{k} [label={symbol} shape=oval]", f"o{k} -> n{k}"]
    return lines


def dot(view: View, rankdir: str = "LR") -> str:
    r"""The view as DOT text.

    Examples
    --------
    >>> from gradtape.show.drawing.view import Box, View
    >>> print(dot(View([Box("leaf", 'a|"b'), Box("root", "c", "exp")], [(0, 1)])))
    digraph gradtape {
      rankdir=LR
      n0 [label="{ a\|\"b }" shape=record tooltip=""]
      n1 [label="{ c }" shape=record tooltip=""]
      o1 [label="exp" shape=oval]
      o1 -> n1
      n0 -> o1
    }
    <BLANKLINE>
    """
    # In a drawing from left to right, a record's braces turn its fields the other way.
    lines = [f"rankdir={rankdir}"]
    if view.caption:
        lines.append(f"label={_quoted(view.caption)}")
    inside: dict[str, list[str]] = {}
    for k, box in enumerate(view.boxes):
        inside.setdefault(box.band, []).extend(_node(k, box))
    lines += inside.pop("", [])
    for k, (band, nodes) in enumerate(inside.items()):
        title = _quoted(view.bands.get(band, band))
        lines += [f"subgraph cluster{k} {{", f"  label={title}"]
        lines += [f"  {node}" for node in nodes] + ["}"]
    lines += [f"n{a} -> {'o' if view.boxes[b].op else 'n'}{b}" for a, b in view.edges]
    body = "\n".join(f"  {line}" for line in lines)
    return f"digraph gradtape {{\n{body}\n}}\n"
