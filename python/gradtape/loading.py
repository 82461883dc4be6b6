"""What was saved, whichever kind it is."""

from os import PathLike
from typing import Any

from gradtape import compiling
from gradtape.nn.saving import restored

__all__ = ["load"]


def load(path: str | PathLike[str]) -> Any:
    """Read a compiled function or a model that was saved; neither's source is executed.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    Compiled or Model
        See `gradtape.compiling.load` for compiled functions. A model has the architecture and
        parameters that it had, and what `fit` told it of the data.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is neither, cut off or damaged; or of a class of models that is not imported.

    Examples
    --------
    >>> import os, tempfile, gradtape as gt
    >>> square = gt.compile(lambda x: x**2)
    >>> square(3.0)
    9.0
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     square.save(os.path.join(folder, "square.json"))
    ...     gt.MLP([2, 1]).save(os.path.join(folder, "model.safetensors"))
    ...     f = gt.load(os.path.join(folder, "square.json"))
    ...     model = gt.load(os.path.join(folder, "model.safetensors"))
    >>> f(4.0), model
    (16.0, MLP(2 → 1 linear, 3 parameters))
    """
    with open(path, "rb") as file:
        start = file.read(9)
        # A compiled function is JSON from its first byte, a model's header from its ninth.
        if start[8:] == b"{":
            return restored(start + file.read(), str(path))
    if start.lstrip().startswith((b"{", b"[")):
        return compiling.load(path)
    raise ValueError(f"{path} is no saved compiled function and no saved model")
