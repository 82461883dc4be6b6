"""How well classes were told apart, in numbers and pictures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from gradtape.history import History

__all__ = ["Report", "check_folder", "confusion"]

# The two hues of the curves, as shares of red, green and blue, and an empty cell's.
_RIGHT, _WRONG, _PAPER = (0.145, 0.388, 0.659), (0.851, 0.451, 0.051), (0.957, 0.961, 0.969)
_INK = "#333333"
# Of longer names of classes a picture has the start.
LONGEST = 24
# A dollar in a name is a dollar.
_PLAIN: dict[str, Any] = {"color": _INK, "parse_math": False}


def confusion(
    targets: Sequence[Any], predicted: Sequence[Any], classes: Sequence[Any]
) -> list[list[int]]:
    """How many rows of each class (down) were predicted to be each class (across).

    Raises
    ------
    ValueError
        If targets and predictions are not as many, or one is none of the classes.

    Examples
    --------
    >>> confusion(["a", "b", "b"], ["a", "a", "b"], ["a", "b"])
    [[1, 0], [1, 1]]
    """
    if len(targets) != len(predicted):
        raise ValueError(f"{len(targets)} targets take as many predictions, not {len(predicted)}")
    places = {name: i for i, name in enumerate(classes)}
    matrix = [[0] * len(classes) for _ in classes]
    for i, (target, found) in enumerate(zip(targets, predicted, strict=True)):
        for name in (target, found):
            if name not in places:
                raise ValueError(f"row {i}: {name!r} is none of the {len(classes)} classes")
        matrix[places[target]][places[found]] += 1
    return matrix


def check_folder(folder: Path) -> None:
    """Refuse, before there is anything to write, a folder that no report can be written into.

    Raises
    ------
    ImportError
        If there is no matplotlib.
    OSError
        If it is a file, or in no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, not a folder for the report")
    if not folder.absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {folder.parent} for the report {folder.name}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError(
            "no report without matplotlib: python -m pip install 'gradtape[plot]'"
        ) from None


@dataclass(frozen=True)
class Report:
    """What a training brought.

    Attributes
    ----------
    title : str
    history : History
    classes : sequence of str
    matrix : list of list of int
        As from `confusion`, of the rows of the test.
    scores : dict of str to float
        Accuracies by the names of the parts.
    validation : str
        What the rows that were looked at after each epoch are called.

    Examples
    --------
    >>> matrix = confusion(["plum", "fig"], ["plum", "plum"], ["fig", "plum"])
    >>> print(Report("", History(), ["fig", "plum"], matrix, {}).text())
          fig  plum
    fig     0     1
    plum    0     1
    """

    title: str
    history: History
    classes: Sequence[str]
    matrix: list[list[int]]
    scores: dict[str, float]
    validation: str = "validation"

    def text(self) -> str:
        """The matrix as lines of text."""
        left = max(map(len, self.classes))
        widths = [
            max(len(name), *(len(str(row[i])) for row in self.matrix))
            for i, name in enumerate(self.classes)
        ]
        lines = [
            " " * left + "".join(f"  {n:>{w}}" for n, w in zip(self.classes, widths, strict=True))
        ]
        for name, row in zip(self.classes, self.matrix, strict=True):
            cells = zip(row, widths, strict=True)
            lines.append(f"{name:<{left}}" + "".join(f"  {n:>{w}}" for n, w in cells))
        return "\n".join(lines)

    def write(self, folder: Path) -> None:
        """Write ``curves.png``, ``confusion.png`` and ``report.json``.

        Raises
        ------
        ImportError, OSError
            As `check_folder`.
        """
        check_folder(folder)
        folder.mkdir(exist_ok=True)
        found = {
            "title": self.title,
            "scores": self.scores,
            "classes": list(self.classes),
            "confusion": self.matrix,
            "history": vars(self.history),
        }
        text = json.dumps(found, ensure_ascii=False, indent=1)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")
        self.history.plot(folder / "curves.png", self.title, validation=self.validation)
        self._plot(folder / "confusion.png")

    def _plot(self, path: Path) -> None:
        """The matrix as a picture: a number a cell, and the share of its class as a shade."""
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        names = [n if len(n) <= LONGEST else f"{n[: LONGEST - 1]}…" for n in self.classes]
        count, longest = len(names), max(map(len, names))
        # Of few classes, the names find room side by side.
        level = count <= 6 and longest <= 14
        cell = max(0.6, 0.09 * longest + 0.1) if level else min(0.6, 14.0 / count)
        width = max(cell * count + 0.08 * longest + 0.7, 4.8)
        right = sum(row[i] for i, row in enumerate(self.matrix))
        lines = wrap(self.title, int(width / 0.078))
        lines.append(f"{right} of {sum(map(sum, self.matrix))} rows of the test predicted rightly")
        below = 0.6 if level else 0.6 + 0.06 * longest
        height = cell * count + below + 0.2 * len(lines) + 0.1
        margins = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
        figure = Figure(figsize=(width, height), dpi=160, layout=margins)
        figure.suptitle("\n".join(lines), x=0.02, ha="left", **_PLAIN, fontsize=10)
        axis = figure.subplots()
        axis.imshow([[_shade(row, i, j) for j in range(count)] for i, row in self._rows()])
        # Numbers would not be legible in smaller cells.
        for i, row in self._rows() if count <= 24 else []:
            for j, n in enumerate(row):
                colour = _INK if n else "#bbbbbb"
                colour = "white" if n > 0.6 * sum(row) else colour
                axis.text(j, i, str(n), ha="center", va="center", color=colour, fontsize=9)
        _label(axis, names, level, cell)
        figure.savefig(path)

    def _rows(self) -> list[tuple[int, list[int]]]:
        return list(enumerate(self.matrix))


def _label(axis: Any, classes: list[str], level: bool, cell: float) -> None:
    """The names of the classes, and white between the cells."""
    turned: dict[str, Any] = {} if level else {"rotation": 45, "ha": "right"}
    text: dict[str, Any] = {"fontsize": min(9.0, 50.0 * cell), **_PLAIN}
    axis.set_xticks(range(len(classes)), classes, **text, **turned)
    axis.set_yticks(range(len(classes)), classes, **text)
    axis.set_xlabel("predicted", fontsize=9, color=_INK)
    axis.set_ylabel("class", fontsize=9, color=_INK)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    for edge in range(1, len(classes)):
        axis.axhline(edge - 0.5, color="white", lw=min(1.5, 3.0 * cell))
        axis.axvline(edge - 0.5, color="white", lw=min(1.5, 3.0 * cell))


def _shade(row: list[int], i: int, j: int) -> tuple[float, ...]:
    """The colour of a cell: what is right in one hue, what is wrong in the other."""
    share = row[j] / max(1, sum(row))
    # A single error shall be seen among thousands of rows.
    depth = 0.15 + 0.85 * share if row[j] else 0.0
    return tuple(
        x + depth * (y - x) for x, y in zip(_PAPER, _RIGHT if i == j else _WRONG, strict=True)
    )
