"""The colours of drawings, in light and in dark, and the room that text takes."""

import unicodedata

__all__ = ["MONO", "SANS", "safe", "shortened", "style", "text_width"]

MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

# Name: light, dark. Blue for leaves, orange for gradients: apart for every kind of colour vision.
_COLOURS = {
    "paper": ("#ffffff", "#0f141b"),
    "ink": ("#1c2430", "#e3e9f1"),
    "soft": ("#5d6b7d", "#94a3b6"),
    "line": ("#c3ccd7", "#3a4657"),
    "edge": ("#7d8da1", "#6d7e94"),
    "box": ("#ffffff", "#161d27"),
    "head": ("#eef2f6", "#212b38"),
    "leaf": ("#e3efff", "#17335a"),
    "leaf-line": ("#8db5ea", "#3d6aa8"),
    "root": ("#ddf5e6", "#12422f"),
    "root-line": ("#6cc595", "#2f8a62"),
    "fold": ("#f1ebff", "#2d2550"),
    "fold-line": ("#b7a3ea", "#6f5db3"),
    "op": ("#2f3d50", "#c9d5e4"),
    "op-ink": ("#ffffff", "#111821"),
    "grad": ("#b45309", "#fbb45c"),
    "band": ("#f6f8fb", "#131a23"),
    "band-line": ("#dde4ec", "#263140"),
}

# Selector, then property and colour; the plain value stands before the variable for those
# programs that know no variables.
_RULES = {
    ".gt-paper": (("fill", "paper"),),
    ".gt-box": (("fill", "box"), ("stroke", "line")),
    ".gt-head": (("fill", "head"),),
    ".gt-leaf .gt-head": (("fill", "leaf"),),
    ".gt-leaf .gt-box": (("stroke", "leaf-line"),),
    ".gt-root .gt-head": (("fill", "root"),),
    ".gt-root .gt-box": (("stroke", "root-line"),),
    ".gt-fold .gt-head": (("fill", "fold"),),
    ".gt-fold .gt-box": (("stroke", "fold-line"),),
    ".gt-rule": (("stroke", "line"),),
    ".gt-op": (("fill", "op"),),
    ".gt-op-text": (("fill", "op-ink"),),
    ".gt-label": (("fill", "ink"),),
    ".gt-data": (("fill", "ink"),),
    ".gt-grad": (("fill", "grad"),),
    ".gt-key": (("fill", "soft"),),
    ".gt-constant": (("fill", "soft"),),
    ".gt-edge": (("stroke", "edge"),),
    ".gt-tip": (("fill", "edge"),),
    ".gt-band": (("fill", "band"), ("stroke", "band-line")),
    ".gt-band-text": (("fill", "soft"),),
    ".gt-caption": (("fill", "soft"),),
}

_FIXED = (
    f".gradtape text{{font:13px {MONO}}}"
    f".gradtape .gt-key{{font:10.5px {SANS}}}"
    f".gradtape .gt-caption,.gradtape .gt-band-text{{font:12px {SANS}}}"
    ".gradtape .gt-label{font-weight:600}"
    f".gradtape .gt-op-text{{font:600 12.5px {MONO};text-anchor:middle}}"
    ".gradtape .gt-edge{fill:none;stroke-width:1.4}"
)


def style() -> str:
    """The style sheet of a drawing: it names its own classes only, for it may stand in a page."""
    light = ";".join(f"--gt-{name}:{colour}" for name, (colour, _) in _COLOURS.items())
    dark = ";".join(f"--gt-{name}:{colour}" for name, (_, colour) in _COLOURS.items())
    rules = "".join(
        f".gradtape {selector}{{"
        + ";".join(f"{what}:{_COLOURS[c][0]};{what}:var(--gt-{c})" for what, c in properties)
        + "}"
        for selector, properties in _RULES.items()
    )
    return (
        f".gradtape{{{light}}}@media(prefers-color-scheme:dark){{.gradtape{{{dark}}}}}"
        f"{rules}{_FIXED}"
    )


# They turn the direction of what stands beside them too, so they are left out.
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BREAKS = frozenset("\t\n\r\x85\u2028\u2029")


def safe(text: str) -> str:
    r"""Text on one line, without the characters that XML cannot hold.

    Examples
    --------
    >>> safe("a\nb\0")
    'a b�'
    """
    return "".join(_safe(c) for c in text)


def _safe(c: str) -> str:
    if c in _TURNS:
        return ""
    if c in _BREAKS:
        return " "
    odd = unicodedata.category(c) in ("Cc", "Cs") or ord(c) & 0xFFFE == 0xFFFE
    return "\N{REPLACEMENT CHARACTER}" if odd else c


def shortened(text: str, most: int = 26) -> str:
    """Text for a box: safe, and its middle left out where it is long.

    Examples
    --------
    >>> shortened("x" * 30 + "yz", 9)
    'xxxxx…xyz'
    """
    if len(text) > 4 * most:
        text = text[: 2 * most] + text[-2 * most :]
    text = safe(text)
    if len(text) <= most:
        return text
    tail = (most - 1) * 2 // 5
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def text_width(text: str, size: float = 13.0) -> float:
    """At least the width of text in a monospaced font, in pixels.

    Examples
    --------
    >>> text_width("x1") < text_width("x10") < text_width("変数変")
    True
    """
    wide = sum(unicodedata.east_asian_width(c) in "WF" or ord(c) > 0xFFFF for c in text)
    return (0.615 * len(text) + 0.5 * wide) * size
