"""What a training run showed, epoch by epoch, in numbers and as a picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

# Two hues that stay apart for every kind of colour vision, and greys for what is not data.
_TRAIN, _TEST, _INK, _FAINT = "#2563a8", "#d9730d", "#333333", "#e4e4e4"


@dataclass
class History:
    """Loss and accuracy after each epoch.

    Attributes
    ----------
    loss : list of float
        Mean loss over the epoch's rows, each as it was before its own batch's update.
    accuracy : list of float
        Share of these rows that were classified rightly; empty where targets are no classes.
    validation_loss, validation_accuracy : list of float
        The same over the validation rows, at the end of the epoch; empty without such rows.
    best_epoch : int or None
        The epoch whose parameters a training that stopped early put back, counted from 1.

    Examples
    --------
    >>> History(loss=[0.9, 0.5], accuracy=[0.6, 0.8])
    History(2 epochs, loss 0.5, accuracy 0.8)
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    best_epoch: int | None = None

    def __repr__(self) -> str:
        lines = {
            "loss": self.loss,
            "accuracy": self.accuracy,
            "validation loss": self.validation_loss,
            "validation accuracy": self.validation_accuracy,
        }
        ends = [f", {name} {line[-1]:.4g}" for name, line in lines.items() if line]
        count = len(self.loss)
        return f"History({count} epoch{'s' * (count != 1)}{''.join(ends)})"

    def plot(
        self, path: str | PathLike[str], title: str = "", *, validation: str = "validation"
    ) -> Path:
        """Write a picture of loss and accuracy over the epochs.

        Parameters
        ----------
        path : path
            The file; its ending (.png, .svg, .pdf) says which kind of picture.
        title : str
            Stands over the picture.
        validation : str
            What the validation rows are called in the picture.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ImportError
            If matplotlib is not installed: it comes with ``gradtape[plot]``.
        OSError, ValueError
            If the file cannot be written, its ending is unknown, or there is no epoch.
        """
        if not self.loss:
            raise ValueError("there is no epoch to plot")
        try:
            from matplotlib.figure import Figure
            from matplotlib.layout_engine import ConstrainedLayoutEngine
        except ImportError:
            raise ImportError(
                "a plot needs matplotlib: python -m pip install 'gradtape[plot]'"
            ) from None
        panels: list[tuple[str, Sequence[float], Sequence[float]]] = [
            ("loss", self.loss, self.validation_loss)
        ]
        if self.accuracy:
            panels.append(("accuracy", self.accuracy, self.validation_accuracy))
        margins = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.06)
        figure = Figure(figsize=(4.8 * len(panels), 3.6), dpi=160, layout=margins)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=_INK)
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axis, (name, line, other) in zip(axes, panels, strict=True):
            _panel(axis, name, [("training", _TRAIN, line), (validation, _TEST, other)])
        figure.savefig(path)
        return Path(path)


def _panel(axis: Any, name: str, lines: list[tuple[str, str, Sequence[float]]]) -> None:
    """One picture: a line a set of rows, each named at its end instead of in a legend."""
    lines = [line for line in lines if line[2]]
    last = len(lines[0][2])
    percent = name == "accuracy"
    top = 1.0 if percent else max(max(numbers) for _, _, numbers in lines)
    low = min(min(numbers) for _, _, numbers in lines) if percent else 0.0
    for _, colour, numbers in lines:
        epochs = range(1, len(numbers) + 1)
        axis.plot(epochs, numbers, color=colour, lw=1.6, marker="o" if last == 1 else "", ms=4)
    texts = [f"{100 * n[-1]:.1f}%" if percent else f"{n[-1]:.3g}" for _, _, n in lines]
    span = (top - low) or 1.0
    heights = _apart([numbers[-1] for _, _, numbers in lines], 0.075 * span * 1.08)
    for (who, colour, _), text, height in zip(lines, texts, heights, strict=True):
        place = {"xy": (1.02, height), "xycoords": axis.get_yaxis_transform()}
        axis.annotate(f"{who} {text}", **place, color=colour, va="center", fontsize=9)
    axis.set_title(name, loc="left", fontsize=10, color=_INK)
    axis.set_xlabel("epoch", fontsize=9, color=_INK)
    axis.set_xlim(1 if last > 1 else 0.5, max(last, 1.5))
    axis.set_ylim(low - 0.04 * span, top + 0.04 * span)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(axis="y", color=_FAINT, lw=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(length=0, labelsize=9, labelcolor=_INK)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(_FAINT)
    if percent:
        from matplotlib.ticker import PercentFormatter

        axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _apart(heights: list[float], gap: float) -> list[float]:
    """The heights of at most two labels, moved so that they do not overlap."""
    if len(heights) < 2 or abs(heights[0] - heights[1]) >= gap:
        return heights
    middle, half = sum(heights) / 2, math.copysign(gap / 2, heights[0] - heights[1])
    return [middle + half, middle - half]
