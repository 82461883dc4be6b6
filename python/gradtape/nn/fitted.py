"""What a training told a model about its data: classes, columns, scales."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TASKS", "Fitted", "Scaling"]

Numbers = NDArray[np.float64]

# One of several classes; labels that each are there or not; margins; numbers; rates of counts.
TASKS = ("class", "labels", "scores", "numbers", "rates")


@dataclass(frozen=True)
class Scaling:
    """Shift and scale of each column: ``(x / unit - mean) / deviation``.

    Attributes
    ----------
    unit, mean, deviation : tuple of float
        One number a column. The unit is a power of two near the largest number, so that no square
        overflows. A column with deviation 0 was constant, and becomes 0.

    Examples
    --------
    >>> import numpy as np
    >>> scaling = Scaling.of(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scaling(np.array([[4.0, 6.0]])).tolist()
    [[2.0, 0.0]]
    """

    unit: tuple[float, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, rows: Numbers) -> "Scaling":
        """The scaling under which these rows have mean 0 and standard deviation 1."""
        unit = np.ldexp(1.0, np.frexp(np.abs(rows).max(axis=0))[1] - 1)
        shares = rows / unit
        mean = shares.mean(axis=0)
        deviation = np.sqrt(((shares - mean) ** 2).mean(axis=0))
        deviation[rows.min(axis=0) == rows.max(axis=0)] = 0.0
        return cls(tuple(unit.tolist()), tuple(mean.tolist()), tuple(deviation.tolist()))

    def __call__(self, rows: Numbers) -> Numbers:
        """The rows, shifted and scaled.

        Raises
        ------
        ValueError
            If they have another number of columns.
        """
        if rows.ndim != 2 or rows.shape[1] != len(self.unit):
            raise ValueError(
                f"rows of {len(self.unit)} numbers are expected, as in the training, not an array "
                f"of the shape {rows.shape}"
            )
        deviation = np.asarray(self.deviation)
        constant = deviation == 0.0
        scaled: Numbers = (rows / np.asarray(self.unit) - np.asarray(self.mean)) / np.where(
            constant, 1.0, deviation
        )
        scaled[:, constant] = 0.0
        return scaled


@dataclass(frozen=True)
class Fitted:
    """What a model knows of its data besides its parameters.

    Attributes
    ----------
    task : str
        One of `TASKS`.
    loss : str
        The name of the loss.
    classes : tuple of str, optional
        The names of the classes, in the order of the outputs.
    columns : tuple of str, optional
        The names of the columns.
    target : str, optional
        The name of the column of targets.
    scaling : Scaling, optional
        What is done to rows before the network sees them.

    Examples
    --------
    >>> fitted = Fitted("class", "focal", classes=("apple", "plum"))
    >>> Fitted.read(fitted.json()) == fitted
    True
    """

    task: str
    loss: str
    classes: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    target: str | None = None
    scaling: Scaling | None = None

    def json(self) -> dict[str, Any]:
        """Plain containers."""
        found = {**vars(self), "scaling": None}
        if self.scaling is not None:
            found["scaling"] = {name: list(x) for name, x in vars(self.scaling).items()}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}

    @classmethod
    def read(cls, found: Any) -> "Fitted":
        """What `json` gave, checked.

        Raises
        ------
        ValueError
            If something in it is not what it should be.
        """
        if not isinstance(found, dict) or found.keys() != cls.__dataclass_fields__.keys():
            raise ValueError("what is told of the training is incomplete")
        if found["task"] not in TASKS or not isinstance(found["loss"], str):
            raise ValueError(f"the task {found['task']!r} or the loss {found['loss']!r} is unknown")
        if not isinstance(found["target"], (str, type(None))):
            raise ValueError(f"the target {found['target']!r} is no name")
        scaling = found["scaling"]
        if scaling is not None:
            if not isinstance(scaling, dict) or scaling.keys() != {"unit", "mean", "deviation"}:
                raise ValueError("the scales of the columns are incomplete")
            columns = [_numbers(scaling[name]) for name in ("unit", "mean", "deviation")]
            if len(set(map(len, columns))) != 1 or 0.0 in columns[0]:
                raise ValueError("the scales of the columns are not as many")
            scaling = Scaling(*columns)
        return cls(
            found["task"],
            found["loss"],
            _names(found["classes"]),
            _names(found["columns"]),
            found["target"],
            scaling,
        )


def _names(found: Any) -> tuple[str, ...] | None:
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError(f"{found!r} is no list of names")
    return tuple(found)


def _numbers(found: Any) -> tuple[float, ...]:
    if not isinstance(found, list) or not all(
        isinstance(x, float) and math.isfinite(x) for x in found
    ):
        raise ValueError("the scale of a column is no finite number")
    return tuple(found)


def class_names(targets: Sequence[Any]) -> tuple[str, ...] | None:
    """The names of the classes, sorted; None where the targets are numbers.

    Raises
    ------
    TypeError
        If some are names and some not.

    Examples
    --------
    >>> class_names(["plum", "apple", "plum"])
    ('apple', 'plum')
    """
    if isinstance(targets, np.ndarray) and targets.dtype.kind in "fiubU":
        return tuple(np.unique(targets).tolist()) if targets.dtype.kind == "U" else None
    names = [isinstance(target, str) for target in targets]
    if not any(names):
        return None
    if not all(names):
        i = names.index(False)
        raise TypeError(
            f"target of row {i}: a class name is expected as in other rows, "
            f"not {type(targets[i]).__name__} {targets[i]!r}"
        )
    return tuple(sorted({str(target) for target in targets}))
