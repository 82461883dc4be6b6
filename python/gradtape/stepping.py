"""Training steps that run natively: a row is recorded, batches are replayed, the optimizer steps.

What cannot be done so (a model or loss that cannot be recorded, an optimizer of somebody else's)
is left to steps on the tape.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradtape._core import Value
from gradtape.compiling import compile
from gradtape.compiling.calls import Call
from gradtape.compiling.function import Compiled
from gradtape.optim import Optimizer

__all__ = ["Epochs", "native_epochs"]

Numbers = NDArray[np.float64]
Forward = Callable[[Sequence[Any]], Sequence[Sequence[Value]]]
MOST_CLASSES = 64


class Epochs:
    """Passes over rows, a step after each batch, without Python between.

    Parameters
    ----------
    program : Compiled
        Of a row and its target: the loss, then the outputs.
    rows, targets : numpy.ndarray
        (m, n) and (m, k).
    optimizer : Optimizer
    """

    def __init__(
        self, program: Compiled, rows: Numbers, targets: Numbers, optimizer: Optimizer
    ) -> None:
        self._program, self._rows, self._targets = program, rows, targets
        self._optimizer = optimizer

    def _call(self) -> Call:
        call = self._program.opened((self._rows, self._targets), {}, None)
        call.begin()
        return call

    def values(self) -> Numbers:
        """The loss and the outputs for each row, as the parameters are now."""
        found: Numbers = self._call().values()
        return found

    def __call__(self, order: NDArray[np.int64], batch: int) -> tuple[int, Numbers]:
        """One pass over the rows in this order.

        Returns
        -------
        done : int
            Number of batches after which the optimizer stepped: fewer than all where a loss,
            a gradient or a parameter was not finite.
        values : numpy.ndarray
            The loss and the outputs for each row of the order, before its batch's step.
        """
        call = self._call()
        values = np.empty((len(order), call.form.outputs))
        rates = np.array(self._optimizer.rates(-(-len(order) // batch)))
        done = self._optimizer.native().train(
            call.form.native,
            call.missing,
            call.arrays,
            order,
            batch,
            rates,
            values,
            call.threads,
        )
        return done, values


def native_epochs(
    forward: Forward, loss: Any, optimizer: Any, rows: Sequence[Any], targets: Sequence[Any]
) -> Epochs | None:
    """The passes of a training, where they can run natively.

    A loss that takes probabilities gets classes as rows of 0 and 1. Any other first gets targets as
    numbers of the program; where it must know them (to index with them), classes become branches.
    """
    if not isinstance(optimizer, Optimizer):
        return None
    x = np.array(rows, dtype=np.float64)
    for targets_of in (_one_hot, _numbers, _classes):
        found = targets_of(loss, targets, forward, x[:1])
        if found is None:
            continue
        t, target = found
        epochs = Epochs(_program(forward, loss, target), x, t, optimizer)
        try:
            epochs._call()
        except Exception:
            continue  # steps on the tape will tell what is wrong, if anything is
        return epochs
    return None


Target = Callable[[Any], Any]
Found = tuple[Numbers, Target] | None


def _one_hot(loss: Any, targets: Sequence[Any], forward: Forward, row: Numbers) -> Found:
    if not getattr(loss, "takes_probabilities", False) or hasattr(targets[0], "__len__"):
        return None
    classes = len(forward(row.tolist())[0])
    return np.eye(classes)[np.asarray(targets, dtype=np.int64)], list


def _numbers(loss: Any, targets: Sequence[Any], forward: Forward, row: Numbers) -> Found:
    several = hasattr(targets[0], "__len__")
    try:
        t = np.array(targets, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if several:
        return t.reshape(len(targets), -1), list
    return t.reshape(-1, 1), lambda t: t[0]


def _classes(loss: Any, targets: Sequence[Any], forward: Forward, row: Numbers) -> Found:
    if hasattr(targets[0], "__len__") or any(t != int(t) for t in targets):
        return None
    kinds = sorted({int(t) for t in targets})
    if len(kinds) > MOST_CLASSES:
        return None

    def target(t: Any) -> int:
        for kind in kinds:
            if t[0] == kind:
                return kind
        raise ValueError(f"no row had the target {t[0]} before")

    return np.array(targets, dtype=np.float64).reshape(-1, 1), target


def _program(forward: Forward, loss: Any, target: Target) -> Compiled:
    def program(x: Any, t: Any) -> Any:
        outputs = forward([list(x)])[0]
        value = loss([outputs], [target(t)])
        if not isinstance(value, Value):
            raise TypeError(f"the loss must be a Value, not {type(value).__name__}")
        return np.array([value, *outputs], dtype=object)

    return compile(program, signature="(n),(k)->(o)")
