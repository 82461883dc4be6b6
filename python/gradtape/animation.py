"""`animate`: the page for a value, or for a network that is trained for it."""

import math
from collections.abc import Sequence
from os import PathLike
from typing import Any

from gradtape._core import Value
from gradtape.history import History
from gradtape.nn import MLP
from gradtape.show.drawing.animating import sweep
from gradtape.show.drawing.learning import GRID, Frame, Recording, training
from gradtape.show.drawing.network import shown_weights
from gradtape.show.drawing.page import Animation
from gradtape.training import fit

__all__ = ["animate"]

# Epochs that are kept of a longer training.
_FRAMES = 80


def _area(rows: list[list[float]]) -> tuple[float, float, float, float]:
    """The rows' range with a margin, in both directions."""
    ends: list[float] = []
    for k in range(2):
        low, high = min(row[k] for row in rows), max(row[k] for row in rows)
        margin = 0.12 * (high - low) or 1.0
        ends += [low - margin, high + margin]
    return ends[0], ends[1], ends[2], ends[3]


def _grid(area: tuple[float, float, float, float]) -> list[list[float]]:
    left, right, low, high = area
    steps = [(i + 0.5) / GRID for i in range(GRID)]
    return [[left + (right - left) * x, low + (high - low) * y] for y in steps for x in steps]


def _train(
    model: MLP, rows: Sequence[Any], targets: Sequence[Any], epochs: int, settings: dict[str, Any]
) -> Recording:
    plane = model.inputs == 2
    points, grid = [], []
    area = (0.0, 1.0, 0.0, 1.0)
    if plane:
        plain = [[float(x) for x in row] for row in rows]
        area = _area(plain)
        grid = _grid(area)
        # A target that is no number has no colour; the rows are shown all the same.
        tones = [0.0 if hasattr(t, "__len__") else float(t) for t in targets]
        points = [(row[0], row[1], tone) for row, tone in zip(plain, tones, strict=True)]
    # A score that a loss on logits cuts at 0 is shown as the probability that it stands for.
    odds = (
        model.outputs == 1
        and getattr(settings.get("loss"), "on_logits", False)
        and {point[2] for point in points} <= {0.0, 1.0}
    )
    weights = [weight.value for weight in shown_weights(model)]
    kept = {round(i * epochs / _FRAMES) for i in range(1, _FRAMES + 1)} | {1, epochs}
    frames: list[Frame] = []

    def look(epoch: int, history: History) -> None:
        if epoch and epoch not in kept:
            return
        field = [float(x) for x in model.predict(grid)] if grid else []
        if odds:
            field = [0.5 + 0.5 * math.tanh(x / 2) for x in field]
        frames.append(
            Frame(
                epoch,
                history.loss[-1] if history.loss else None,
                history.accuracy[-1] if history.accuracy else None,
                [w.data for w in weights],
                [w.grad for w in weights],
                field,
            )
        )

    look(0, History())
    given = settings.pop("callback", None)

    def after(epoch: int, history: History) -> object:
        look(epoch, history)
        return None if given is None else given(epoch, history)

    # On the tape, where the gradients can be looked at.
    settings = {**settings, "native": False, "callback": after}
    fit(model, rows, targets, epochs=epochs, **settings)
    return Recording(frames, points, area, model.outputs if model.outputs > 1 else 0)


def animate(
    subject: Value | MLP,
    rows: Sequence[Any] | None = None,
    targets: Sequence[Any] | None = None,
    *,
    path: str | PathLike[str] | None = None,
    epochs: int = 50,
    **settings: Any,
) -> Animation:
    """Make a page that plays and steps: through a value's sweeps, or through a training.

    The page is one file that needs no network and nothing installed. Keys: left, right, Home and
    End step, space plays. For a value each step shows the node at work, its arithmetic, and the
    adjoints as they fill. For a network and data, the network is trained, as `fit` does, and the
    page goes through the epochs: gradients, loss and accuracy, and for two inputs what it answers
    over the plane.

    Parameters
    ----------
    subject : Value or MLP
        The value that is differentiated, or the network that is trained.
    rows, targets : sequences, for an MLP
        As `fit` takes them.
    path : path, optional
        The .html file to write.
    epochs : int
        For an MLP: of many, 80 are shown.
    **settings
        For an MLP: what else `fit` takes; the steps are taken on the tape (``native=False``).

    Returns
    -------
    Animation

    Raises
    ------
    TypeError
        If there is data for a value, or none for a network.
    ValueError
        If the graph has more than 600 nodes, or as `fit` says.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Value(3.0, "x")
    >>> gt.animate(x * x)
    Animation(5 steps)
    >>> xor = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> gt.animate(gt.MLP([2, 4, 2], "tanh"), xor, [0, 1, 1, 0], epochs=10)
    Animation(11 steps)
    """
    if isinstance(subject, Value):
        if rows is not None or targets is not None or settings:
            raise TypeError("animate takes a Value alone; data and settings are for an MLP")
        made = sweep(subject)
    elif isinstance(subject, MLP):
        if rows is None or targets is None:
            raise TypeError("animate needs rows and targets to train an MLP")
        recording = _train(subject, rows, targets, epochs, settings)
        shape = " → ".join(str(n) for n in [subject.inputs, *(x.outputs for x in subject.layers)])
        made = training(subject, recording, f"How a network {shape} learns")
    else:
        raise TypeError(f"animate takes a Value or an MLP, not {type(subject).__name__}")
    if path is not None:
        made.save(path)
    return made
