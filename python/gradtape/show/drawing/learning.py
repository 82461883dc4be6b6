"""Animations of a network that learns: what `gradtape.animate` recorded, as a page."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gradtape.show.drawing.network import Network, network, shown_weights
from gradtape.show.drawing.page import Animation, page

__all__ = ["GRID", "Frame", "Recording", "training"]

# Points a side of the picture of the decision boundary.
GRID = 40


@dataclass
class Frame:
    """The network after an epoch.

    Parameters
    ----------
    epoch : int
        0 for before the first.
    loss, accuracy : float or None
        Over the epoch; None where there is none.
    weights, grads : list of float
        Of the weights that the picture shows.
    field : list of float
        On the grid, row by row from the lowest: the class, or the only output.
    """

    epoch: int
    loss: float | None
    accuracy: float | None
    weights: list[float]
    grads: list[float]
    field: list[float] = field(default_factory=list)


@dataclass
class Recording:
    """All that is shown of a training.

    Parameters
    ----------
    frames : list of Frame
    points : list of (x, y, class or target)
        Of rows with two numbers.
    area : tuple of float
        Left, right, low and high end of the grid.
    classes : int
        How many there are; 0 where the field has the outputs themselves.
    """

    frames: list[Frame]
    points: list[tuple[float, float, float]]
    area: tuple[float, float, float, float]
    classes: int


def _finite(numbers: Sequence[float]) -> list[float | None]:
    """Numbers with four digits for JSON, which has no nan."""
    return [None if not math.isfinite(x) else json.loads(f"{x:.4g}") for x in numbers]


def _said(frame: Frame) -> str:
    if not frame.epoch:
        return "Before the first epoch."
    loss = "" if frame.loss is None else f" loss {frame.loss:.4g}"
    accuracy = "" if frame.accuracy is None else f", accuracy {frame.accuracy:.1%}"
    return f"Epoch {frame.epoch}:{loss}{accuracy}."


def training(model: Network, recording: Recording, title: str) -> Animation:
    """The page that steps through the epochs.

    Parameters
    ----------
    model : Network
    recording : Recording
    title : str
    """
    frames: list[dict[str, Any]] = [
        {
            "epoch": frame.epoch,
            "loss": _finite([math.nan if frame.loss is None else frame.loss])[0],
            "accuracy": frame.accuracy,
            "weights": _finite(frame.weights),
            "grads": _finite(frame.grads),
            "field": _finite(frame.field),
            "say": _said(frame),
        }
        for frame in recording.frames
    ]
    data = {
        "frames": frames,
        "names": [weight.value.label for weight in shown_weights(model)],
        "columns": [weight.column for weight in shown_weights(model)],
        "points": [_finite(point) for point in recording.points],
        "area": list(recording.area),
        "classes": recording.classes,
        "grid": GRID,
    }
    return page("training", title, network(model), data, len(frames))
