"""From outputs to predictions, probabilities and scores; the outputs of many rows natively."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradtape.compiling import compile
from gradtape.nn.fitted import Fitted

__all__ = ["numbers", "predictions", "probabilities", "program", "score"]

Numbers = NDArray[np.float64]


def numbers(rows: Any) -> Numbers | None:
    """Rows as an array of floats; None where they are not numbers, or not of one length."""
    try:
        array = np.asarray(rows)
    except ValueError:
        return None
    return array.astype(np.float64) if array.dtype.kind in "fiub" else None


def program(model: Any, dimensions: int) -> Any:
    """A compiled call of the model for rows of so many dimensions.

    Where it cannot be recorded, or something is wrong with a row, the model itself is called.
    """

    def network(x: Any) -> Any:
        return np.array(model(x.tolist()), dtype=object)

    function = compile(network, signature=f"({','.join('abcdefg'[:dimensions])})->(z)")

    def run(rows: Numbers) -> Any:
        try:
            return function(rows)
        except Exception:
            return model.values(rows.tolist())

    return run


def _threshold(fitted: Fitted | None, final: str) -> float:
    """Where a single output parts two classes."""
    return 0.5 if final == "sigmoid" and (fitted is None or fitted.task != "scores") else 0.0


def _chosen(outputs: Numbers, fitted: Fitted | None, final: str) -> NDArray[np.int64]:
    """The class of each row as an integer from 0."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > _threshold(fitted, final)).astype(np.int64)
    return np.asarray(np.argmax(outputs, axis=1))


def predictions(outputs: Numbers, fitted: Fitted | None, final: str) -> NDArray[Any]:
    """What each row of outputs means; see `Model.predict`."""
    if not len(outputs):
        return np.empty(0)
    task = None if fitted is None else fitted.task
    if task == "rates":
        outputs = np.exp(outputs)
    if task in ("numbers", "rates") or (task is None and outputs.shape[1] == 1):
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs
    if task == "labels":
        return (outputs > _threshold(fitted, final)).astype(np.int64)
    chosen = _chosen(outputs, fitted, final)
    if fitted is not None and fitted.classes is not None:
        return np.array(fitted.classes)[chosen]
    # Margins of two classes are learned from the targets -1 and 1.
    return 2 * chosen - 1 if task == "scores" and outputs.shape[1] == 1 else chosen


def probabilities(outputs: Numbers, fitted: Fitted | None, final: str) -> Numbers:
    """What each row of outputs says of each class; see `Model.predict_proba`."""
    if fitted is not None and fitted.task not in ("class", "labels"):
        raise ValueError(
            f"a model that was trained with the loss {fitted.loss} gives no probabilities"
        )
    labels = fitted is not None and fitted.task == "labels"
    if labels or outputs.shape[1] == 1:
        p = outputs if final == "sigmoid" else np.exp(-np.logaddexp(0.0, -outputs))
        return p if labels else np.hstack([1.0 - p, p])
    if final == "softmax":
        return outputs
    shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def score(outputs: Numbers, targets: Sequence[Any], fitted: Fitted | None, final: str) -> float:
    """How well outputs fit targets; see `Model.score`."""
    if len(outputs) != len(targets) or not len(outputs):
        raise ValueError(f"{len(outputs)} rows take as many targets and at least one")
    found, wanted = predictions(outputs, fitted, final), np.asarray(targets)
    task = fitted.task if fitted is not None else "class" if outputs.shape[1] > 1 else "numbers"
    if task in ("numbers", "rates"):
        return _determination(found.reshape(len(found), -1), wanted.reshape(len(found), -1))
    if task == "labels":
        return float(np.mean(np.all(found == wanted.reshape(found.shape), axis=1)))
    if wanted.ndim == 2 and wanted.shape[1] > 1:
        # Probabilities as targets: the class that has most of it.
        return float(np.mean(_chosen(outputs, fitted, final) == np.argmax(wanted, axis=1)))
    wanted = wanted.reshape(-1)
    if fitted is not None and fitted.classes is not None and wanted.dtype.kind in "biuf":
        # The classes have names; the targets are their places, or -1 and 1.
        found = _chosen(outputs, fitted, final)
        wanted = wanted > 0 if outputs.shape[1] == 1 else wanted
    return float(np.mean(found == wanted))


def _determination(found: Numbers, wanted: Numbers) -> float:
    """1 − residual / total sum of squares, the mean over the columns; 0 for a constant column."""
    if found.shape != wanted.shape:
        raise ValueError(f"targets of the shape {found.shape} are expected, not {wanted.shape}")
    residual = ((wanted - found) ** 2).sum(axis=0)
    total = ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=0)
    shares = np.where(residual == 0.0, 0.0, residual / np.where(total == 0.0, 1.0, total))
    shares[(total == 0.0) & (residual > 0.0)] = 1.0
    return float(np.mean(1.0 - shares))
