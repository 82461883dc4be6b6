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
from gradtape.errors import GradtapeError
from gradtape.nn.noise import Noise
from gradtape.optim import Optimizer
from gradtape.packing import Packing

__all__ = ["Epochs", "native_epochs"]

Numbers = NDArray[np.float64]
Forward = Callable[[Sequence[Any]], Sequence[Sequence[Value]]]
MOST_CLASSES = 64
MOST_PATHS = 64


class Epochs:
    """Passes over rows, a step after each batch, without Python between.

    Parameters
    ----------
    program : Compiled
        Of a row, its target and its noise, if it has any: the loss, then the outputs.
    rows, targets : numpy.ndarray
        (m, n) and (m, k).
    optimizer : Optimizer
    must : bool
        Whether giving up is an error.

    Attributes
    ----------
    given_up : bool
        Whether a row was met whose path cannot be recorded, mostly one too many.
    """

    def __init__(
        self,
        program: Compiled,
        rows: Numbers,
        targets: Numbers,
        optimizer: Optimizer,
        must: bool,
    ) -> None:
        self._program, self._rows, self._targets = program, rows, targets
        self._optimizer = optimizer
        self._must, self.given_up = must, False

    def call(self, noise: Numbers | None) -> Call:
        """The program and its rows, the first of which has been recorded."""
        arguments = (self._rows, self._targets, *([] if noise is None else [noise]))
        call = self._program.opened(arguments, {}, None)
        call.begin()
        return call

    def values(self) -> Numbers:
        """The loss and the outputs for each row, as the parameters are now."""
        found: Numbers = self.call(None).values()
        return found

    def __call__(
        self, order: NDArray[np.int64], batch: int, noise: Numbers | None
    ) -> tuple[int, Numbers]:
        """One pass over the rows in this order, with the noise of each row of the data.

        Returns
        -------
        done : int
            Number of batches after which the optimizer stepped: fewer than all where a loss,
            a gradient or a parameter was not finite, or a path could not be recorded.
        values : numpy.ndarray
            The loss and the outputs for each row of the order, before its batch's step.
        """
        call = self.call(noise)
        values = np.empty((len(order), call.form.outputs))
        rates = np.array(self._optimizer.rates(-(-len(order) // batch)))
        before = self._optimizer.steps
        try:
            done = self._optimizer.native().train(
                call.form.native,
                call.missing,
                call.arrays,
                np.asarray(order, dtype=np.int64),
                batch,
                rates,
                values,
                call.threads,
            )
        except GradtapeError:
            if self._must:
                raise
            self.given_up = True
            done = self._optimizer.steps - before
        return done, values


def native_epochs(
    forward: Forward,
    loss: Any,
    optimizer: Any,
    rows: Sequence[Any],
    targets: Sequence[Any],
    outputs: int,
    noise: Noise | None,
    *,
    padded: bool,
    must: bool,
    weights: Sequence[float] | None = None,
) -> Epochs | None:
    """The passes of a training, where they can run natively.

    A loss that takes probabilities gets classes as rows of 0 and 1. Any other first gets targets as
    numbers of the program; where it must know them (to index with them), classes become branches.
    A weight is the last number of its target's row.
    """
    if not isinstance(optimizer, Optimizer):
        return None
    packing = Packing(rows, padded=padded)
    sample = None if noise is None else noise.columns(np.random.default_rng(0), len(rows))
    for targets_of in (_one_hot, _numbers, _classes):
        found = targets_of(loss, targets, outputs)
        if found is None:
            continue
        t, target = found
        if weights is not None:
            t = np.column_stack([t, np.array(weights)])
        program = _program(forward, loss, target, packing, noise, weights is not None)
        epochs = Epochs(program, packing.columns, t, optimizer, must)
        try:
            epochs.call(sample)
        except Exception:
            continue  # steps on the tape will tell what is wrong, if anything is
        return epochs
    return None


Target = Callable[[Any], Any]
Found = tuple[Numbers, Target] | None


def _one_hot(loss: Any, targets: Sequence[Any], outputs: int) -> Found:
    if not getattr(loss, "takes_probabilities", False) or hasattr(targets[0], "__len__"):
        return None
    return np.eye(outputs)[np.asarray(targets, dtype=np.int64)], list


def _numbers(loss: Any, targets: Sequence[Any], outputs: int) -> Found:
    several = hasattr(targets[0], "__len__")
    try:
        t = np.array(targets, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if several:
        return t.reshape(len(targets), -1), list
    return t.reshape(-1, 1), lambda t: t[0]


def _classes(loss: Any, targets: Sequence[Any], outputs: int) -> Found:
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


def _program(
    forward: Forward,
    loss: Any,
    target: Target,
    packing: Packing,
    noise: Noise | None,
    weighted: bool,
) -> Compiled:
    def program(x: Any, t: Any) -> Any:
        outputs = forward([packing.row(x)])[0]
        value = loss([outputs], [target(t[:-1] if weighted else t)])
        if not isinstance(value, Value):
            raise TypeError(f"the loss must be a Value, not {type(value).__name__}")
        return np.array([value * t[-1] if weighted else value, *outputs], dtype=object)

    most = MOST_PATHS * len(packing.lengths)
    if noise is None:
        return compile(program, signature="(n),(k)->(o)", max_paths=most)
    given = noise.given

    def with_noise(x: Any, t: Any, columns: Any) -> Any:
        with given(columns):
            return program(x, t)

    return compile(with_noise, signature="(n),(k),(r)->(o)", max_paths=most)
