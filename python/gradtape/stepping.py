"""Training steps that run natively: a row is recorded, batches are replayed, the optimizer steps.

What cannot be done so (a model or loss that cannot be recorded, an optimizer of somebody else's)
is left to steps on the tape.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradtape.compiling import compile
from gradtape.compiling.calls import Call
from gradtape.compiling.function import Compiled
from gradtape.errors import GradtapeError
from gradtape.nn.noise import Noise
from gradtape.optim import LBFGS, Optimizer
from gradtape.packing import Packing
from gradtape.training_data import Checked, Data, Forward, check_loss

__all__ = ["Epochs", "Programs", "native_epochs"]

Numbers = NDArray[np.float64]
MOST_CLASSES = 64
MOST_PATHS = 64
MOST_PROGRAMS = 16


class Programs:
    """Programs of one model that were recorded: a model that has some keeps them as `programs`."""

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], Compiled] = {}

    def get(self, key: tuple[Any, ...]) -> Compiled | None:
        """The program of this key."""
        return self._found.get(key)

    def keep(self, key: tuple[Any, ...], program: Compiled) -> None:
        """Let it be found by the key; all others are dropped where there are too many."""
        if len(self._found) >= MOST_PROGRAMS:
            self._found.clear()
        self._found[key] = program


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
    single : bool
        Whether steps compute rows in 32 bits.

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
        optimizer: Optimizer | LBFGS,
        must: bool,
        single: bool,
    ) -> None:
        self._program, self._rows, self._targets = program, rows, targets
        self._optimizer = optimizer
        self._must, self.given_up = must, False
        self._single = single

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

    def gradient(self) -> Numbers | None:
        """The same values; the mean loss's gradient is added to that of each parameter.

        None where a path cannot be recorded: then nothing was added.
        """
        call = self.call(None)
        native, rows = call.form.native, len(self._rows)
        values, seeds = np.empty((rows, call.form.outputs)), np.zeros(call.form.outputs)
        seeds[0] = 1.0 / rows
        try:
            gradient = native.run(
                call.missing,
                rows,
                call.arrays,
                values=values,
                seeds=seeds,
                parameter_gradient=True,
                threads=call.threads,
            )
        except GradtapeError:
            if self._must:
                raise
            self.given_up = True
            return None
        native.add_gradient(gradient)
        return values

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
        assert isinstance(self._optimizer, Optimizer)  # the other is never asked for batches
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
                self._single,
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
    data: Checked,
    noise: Noise | None,
    *,
    padded: bool,
    must: bool,
    weights: Numbers | None,
    programs: Programs,
    mode: bool,
    single: bool,
) -> Epochs | None:
    """The passes of a training, where they can run natively.

    A loss that takes probabilities gets classes as rows of 0 and 1. Any other first gets targets as
    numbers of the program; where it must know them (to index with them), classes become branches.
    A weight is the last number of its target's row.

    A program is looked for in `programs`, and put there: `mode` is what else it depends on.
    """
    if not isinstance(optimizer, (Optimizer, LBFGS)):
        return None
    rows, targets, outputs = data
    packing = Packing(rows, padded=padded)
    sample = None if noise is None else noise.columns(np.random.default_rng(0), len(rows))
    for targets_of in (_one_hot, _numbers, _classes):
        found = targets_of(loss, targets, outputs)
        if found is None:
            continue
        t, target = found
        if weights is not None:
            t = np.column_stack([t, weights])
        # A program holds its loss, so that no other one gets the same identity meanwhile.
        key = id(loss), target, packing.key, weights is not None, noise is not None, mode
        program = programs.get(key) or _program(
            forward, loss, target, packing, noise, weights is not None
        )
        epochs = Epochs(program, packing.columns, t, optimizer, must, single)
        try:
            epochs.call(sample)
        except Exception:
            continue  # steps on the tape will tell what is wrong, if anything is
        if noise is None:
            programs.keep(key, program)
        return epochs
    return None


Target = Callable[[Any], Any]
Found = tuple[Numbers, Target] | None


def _several(targets: Data) -> bool:
    return hasattr(targets[0], "__len__")


def _one_hot(loss: Any, targets: Data, outputs: int) -> Found:
    if not getattr(loss, "takes_probabilities", False) or _several(targets):
        return None
    return np.eye(outputs)[np.asarray(targets, dtype=np.int64)], list


def _numbers(loss: Any, targets: Data, outputs: int) -> Found:
    try:
        t = np.asarray(targets, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return t.reshape(len(t), -1), list if _several(targets) else _first


def _first(t: Any) -> Any:
    return t[0]


class _Kinds(tuple[int, ...]):
    """From the column of a target to its class, by branches."""

    def __call__(self, t: Any) -> int:
        for kind in self:
            if t[0] == kind:
                return kind
        raise ValueError(f"no row had the target {t[0]} before")


def _classes(loss: Any, targets: Data, outputs: int) -> Found:
    found = _numbers(loss, targets, outputs)
    if found is None or _several(targets):
        return None
    kinds = np.unique(found[0])
    if len(kinds) > MOST_CLASSES or (kinds != np.floor(kinds)).any():
        return None
    return found[0], _Kinds(map(int, kinds.tolist()))


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
        value = check_loss(loss([outputs], [target(t[:-1] if weighted else t)]))
        return np.array([value * t[-1] if weighted else value, *outputs], dtype=object)

    most = MOST_PATHS * len(packing.lengths)
    if noise is None:
        return compile(program, signature="(n),(k)->(o)", max_paths=most)
    given = noise.given

    def with_noise(x: Any, t: Any, columns: Any) -> Any:
        with given(columns):
            return program(x, t)

    return compile(with_noise, signature="(n),(k),(r)->(o)", max_paths=most)
