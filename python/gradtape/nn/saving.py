"""Models as files: their arrays, and in the header what they are."""

import hashlib
import json
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradtape.nn import safetensors
from gradtape.nn.fitted import Fitted

if TYPE_CHECKING:
    from gradtape.nn.model import Model

__all__ = ["load", "restored", "save"]

FORMAT = "1"


def save(model: "Model", path: str | PathLike[str]) -> None:
    """Write a model; see `gradtape.nn.model.Model.save`."""
    from gradtape.nn.model import Model

    # Another class than the one that tells the architecture would be read as that one.
    if "architecture" not in vars(type(model)):
        Model.architecture(model)
    tensors = model.tensors()
    fitted = None if model.fitted is None else model.fitted.json()
    try:
        architecture = json.dumps(model.architecture())
    except TypeError as error:
        raise TypeError(
            f"this {type(model).__name__} cannot be saved: its architecture is no JSON: {error}"
        ) from None
    metadata = {
        "gradtape": FORMAT,
        "kind": model.kind(),
        "architecture": architecture,
        "fitted": json.dumps(fitted),
    }
    safetensors.write(path, tensors, {**metadata, "sha256": _digest(tensors, metadata)})


def load(path: str | PathLike[str]) -> "Model":
    """Read a model; see `gradtape.load`."""
    with open(path, "rb") as file:
        return restored(file.read(), str(path))


def restored(content: bytes, name: str) -> "Model":
    """A model from a file's content; `name` stands in errors.

    Raises
    ------
    ValueError
        If it is no saved model, damaged, or of an unknown kind.
    """
    try:
        tensors, metadata = safetensors.unpacked(content)
    except ValueError as error:
        raise ValueError(f"{name} is no saved model, or damaged: {error}") from None
    if metadata.get("gradtape") is None:
        raise ValueError(f"{name} holds arrays, but no model of gradtape")
    if metadata["gradtape"] != FORMAT:
        raise ValueError(
            f"{name} has format {metadata['gradtape']!r}; this version reads format {FORMAT!r}"
        )
    told = metadata.pop("sha256", None)
    if told != _digest(tensors, metadata):
        raise ValueError(f"{name} is damaged: its checksum is not that of what it holds")
    try:
        return _built(tensors, metadata)
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{name} is damaged: {error}") from None


def _built(tensors: dict[str, NDArray[np.float64]], metadata: dict[str, str]) -> "Model":
    from gradtape.nn.model import Model

    kind = metadata["kind"]
    if kind not in Model.kinds:
        raise ValueError(f"its kind is {kind!r}; known are {', '.join(Model.kinds)}")
    architecture: Any = json.loads(metadata["architecture"])
    if not isinstance(architecture, dict):
        raise ValueError("its architecture is no JSON object")
    told: Any = json.loads(metadata["fitted"])
    fitted = None if told is None else Fitted.read(told)
    model = Model.kinds[kind].built(architecture, tensors)
    if fitted is not None:
        _check_sizes(fitted, getattr(model, "inputs", None), getattr(model, "outputs", None))
    model.fitted = fitted
    return model


def _check_sizes(fitted: Fitted, inputs: int | None, outputs: int | None) -> None:
    """Refuse names or scales that are not as many as inputs or outputs, where these are known."""
    classes, wanted = fitted.classes, 2 if outputs == 1 else outputs
    if classes is not None and wanted not in (None, len(classes)):
        raise ValueError(f"it names {len(classes)} classes for {outputs} output(s)")
    scales = None if fitted.scaling is None else fitted.scaling.unit
    for columns in (fitted.columns, scales):
        if columns is not None and inputs not in (None, len(columns)):
            raise ValueError(f"it tells of {len(columns)} columns for {inputs} inputs")


def _digest(tensors: dict[str, NDArray[np.float64]], metadata: dict[str, str]) -> str:
    """A checksum of all that matters, so that no changed byte goes unseen."""
    shapes = {name: x.shape for name, x in tensors.items()}
    found = hashlib.sha256(json.dumps([shapes, metadata], sort_keys=True).encode())
    for name in sorted(tensors):
        found.update(np.ascontiguousarray(tensors[name], dtype="<f8").tobytes())
    return found.hexdigest()
