"""How well classes were told apart, in numbers and pictures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradtape.history import History

__all__ = ["Report", "check_folder", "confusion"]


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
        """The matrix as a picture: the share of each class as a shade, the number as text."""
        from matplotlib.figure import Figure

        count = len(self.classes)
        side = 1.8 + 0.55 * min(count, 24)
        figure = Figure(figsize=(side + 0.8, side), dpi=160, layout="constrained")
        axis = figure.subplots()
        shares = [[n / max(1, sum(row)) for n in row] for row in self.matrix]
        axis.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        # Numbers would not be legible in smaller cells.
        for i, row in enumerate(self.matrix if count <= 24 else []):
            for j, n in enumerate(row):
                colour = "white" if shares[i][j] > 0.6 else "#333333"
                axis.text(j, i, str(n), ha="center", va="center", color=colour, fontsize=9)
        axis.set_xticks(range(count), self.classes, rotation=45, ha="right", fontsize=9)
        axis.set_yticks(range(count), self.classes, fontsize=9)
        axis.set_xlabel("predicted", fontsize=9)
        axis.set_ylabel("class", fontsize=9)
        axis.tick_params(length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
        figure.savefig(path)
