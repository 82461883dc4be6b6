"""Lines of a calculation as a terminal's text, as HTML and as LaTeX."""

from collections.abc import Sequence
from html import escape

from gradtape.show.explaining.reckoning import Step, Summary
from gradtape.show.named import NamedGraph
from gradtape.show.table import Formula
from gradtape.show.texts import width

__all__ = ["Section", "as_html", "as_latex", "as_text"]

# A title, and the lines below it.
Section = tuple[str, Sequence[Step | Summary]]

WIDTH = 110
WIDEST_COLUMN = 44
STYLE = (
    "border-collapse:collapse;font-family:ui-monospace,monospace;font-size:90%;"
    "text-align:left;white-space:pre"
)


def told(line: Summary, graph: NamedGraph) -> str:
    """A summary in words."""
    span = line.first if line.count == 1 else f"{line.first} … {line.last}"
    low, high = graph.number(line.low).text, graph.number(line.high).text
    numbers = f"all {low}" if low == high else f"from {low} to {high}"
    return f"… {line.text}: {span}, {numbers}"


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def _pointed(texts: Sequence[str]) -> list[str]:
    """Numbers with their decimal points below each other."""
    heads = [len(text.partition(".")[0].partition("e")[0]) for text in texts]
    widest = max(heads, default=0)
    return [" " * (widest - head) + text for text, head in zip(texts, heads, strict=True)]


def _broken(text: str, columns: int) -> list[str]:
    """Break a long sum before its terms."""
    lines, depth, start, best = [], 0, 0, 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth == 0 and text.startswith(" + ", i):
            best = i
        if i - start >= columns and best > start:
            lines.append(text[start:best])
            start = best
    return [*lines, text[start:]]


def _fits(step: Step) -> bool:
    ways = [width(way.text) for way in step.ways]
    return max([0, *ways]) <= WIDEST_COLUMN and width(step.name.text) + sum(ways) < WIDTH


def _block(steps: Sequence[Step], graph: NamedGraph) -> list[str]:
    """Steps as lines; those that fit stand in common columns."""
    names = max(width(step.name.text) for step in steps)
    fitting = [step for step in steps if _fits(step)]
    columns = [
        max((width(step.ways[k].text) for step in fitting if k < len(step.ways)), default=0)
        for k in range(max((len(step.ways) for step in fitting), default=0))
    ]
    if names + sum(columns) + 3 * len(columns) > WIDTH + 20:
        columns = [0] * len(columns)
    values = _pointed([graph.number(step.value).text for step in steps])
    lines = []
    for step, value in zip(steps, values, strict=True):
        line = f"  {_padded(step.name.text, names)}"
        if step in fitting:
            for k, columns_wide in enumerate(columns):
                way = f"= {step.ways[k].text}" if k < len(step.ways) else ""
                # Without columns a step that lacks a way has no gap for it.
                line += f" {_padded(way, columns_wide + 2)}" if way or columns_wide else ""
            lines.append(f"{line} = {value if any(columns) or not columns else value.strip()}")
        else:
            ways = [f"= {way}" for way in (*(way.text for way in step.ways), value.strip())]
            broken = [piece for way in ways for piece in _broken(way, WIDTH - names)]
            lines.append(f"{line} {broken[0]}")
            lines.extend(f"  {' ' * names} {piece}" for piece in broken[1:])
    return [line.rstrip() for line in lines]


def _blocks(lines: Sequence[Step | Summary]) -> list[list[Step] | Summary]:
    """Put steps that are given, and steps that are computed, into blocks of their own."""
    blocks: list[list[Step] | Summary] = []
    for line in lines:
        last = blocks[-1] if blocks else None
        if isinstance(line, Summary):
            blocks.append(line)
        elif isinstance(last, list) and bool(last[0].ways) == bool(line.ways):
            last.append(line)
        else:
            blocks.append([line])
    return blocks


def as_text(
    title: str, sections: Sequence[Section], notes: Sequence[str], graph: NamedGraph
) -> str:
    """Text for a terminal: what is equal stands in columns."""
    out = [title]
    for heading, lines in sections:
        out += ["", heading]
        for block in _blocks(lines):
            out += (
                [f"  {told(block, graph)}"] if isinstance(block, Summary) else _block(block, graph)
            )
    return "\n".join([*out, *([""] if notes else []), *(f"Note: {note}" for note in notes)])


def as_html(
    title: str, sections: Sequence[Section], notes: Sequence[str], graph: NamedGraph
) -> str:
    """A piece of HTML that needs nothing else, and runs nothing."""
    out = [f"<div><p>{escape(title)}</p>"]
    for heading, lines in sections:
        steps = [line for line in lines if isinstance(line, Step)]
        columns = max((len(step.ways) for step in steps), default=0) + 2
        out.append(f'<table style="{STYLE}"><caption>{escape(heading)}</caption><tbody>')
        for line in lines:
            if isinstance(line, Summary):
                out.append(f'<tr><td colspan="{columns}">{escape(told(line, graph))}</td></tr>')
                continue
            gaps = [""] * (columns - 2 - len(line.ways))
            ways = [*(f"= {way.text}" for way in line.ways), *gaps]
            cells = [line.name.text, *ways, f"= {graph.number(line.value).text}"]
            out.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
        out.append("</tbody></table>")
    out += [f"<p>{escape(note)}</p>" for note in notes]
    return "\n".join([*out, "</div>"])


def as_latex(sections: Sequence[Section], graph: NamedGraph) -> str:
    """Equations for a notebook."""
    rows = []
    for _, lines in sections:
        for line in lines:
            if isinstance(line, Summary):
                rows.append(rf"&\;\;\vdots\quad {line.count}")
                continue
            sides: list[Formula] = [*line.ways, graph.number(line.value)]
            rows.append(f"{line.name.latex} &= {' = '.join(side.latex for side in sides)}")
    body = " \\\\\n".join(rows)
    return f"$$\\begin{{aligned}}\n{body}\n\\end{{aligned}}$$"
