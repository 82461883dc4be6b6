"""One HTML file that needs nothing else: a page with the player, a picture and its data."""

import json
import re
from html import escape
from importlib.resources import files
from typing import Any, ClassVar

from gradtape.show.drawing.saving import Saved
from gradtape.show.drawing.theme import safe

__all__ = ["Animation", "page"]

_SLOT = re.compile(r"\{\{(\w+)\}\}")


def _asset(name: str) -> str:
    return (files("gradtape.show.drawing") / "assets" / name).read_text(encoding="utf-8")


def embedded(data: Any) -> str:
    r"""Data as JSON that can stand in a script element.

    Examples
    --------
    >>> embedded({"a": "</script><!--"})
    '{"a":"\\u003c/script\\u003e\\u003c!--"}'
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for c in "<>&":
        text = text.replace(c, f"\\u{ord(c):04x}")
    return text


class Animation(Saved):
    """A page that plays and steps: shows itself in a notebook, and can be saved.

    Attributes
    ----------
    html : str
        The whole page.
    """

    noun = "an animation"
    endings: ClassVar = {".html": "html", ".htm": "html"}

    def __init__(self, html: str, steps: int) -> None:
        self.html = html
        self._steps = steps

    def _repr_html_(self) -> str:
        # The sandbox keeps what the page does apart from the notebook.
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" '
            'title="gradtape animation" style="width:100%;height:640px;border:0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"Animation({self._steps} steps)"


def page(kind: str, title: str, picture: str, data: dict[str, Any], steps: int) -> Animation:
    """A page.

    Parameters
    ----------
    kind : {"sweep", "training"}
        Whose script and panels it has.
    title : str
    picture : str
        SVG.
    data : dict
        What the script shows.
    steps : int
        How many steps there are.
    """
    slots = {
        "title": escape(safe(title)),
        "last": str(steps - 1),
        "style": _asset("page.css"),
        "panels": _asset(f"{kind}.html"),
        "data": embedded(data),
        "script": _asset("player.js") + _asset(f"{kind}.js"),
    }
    # One pass over the frame and one over its panels: what is filled in is never read as a slot.
    frame = _SLOT.sub(lambda found: slots[found[1]], _asset("page.html"))
    return Animation(frame.replace("<!--picture-->", picture, 1), steps)
