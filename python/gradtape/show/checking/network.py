"""The dense layers of a user's network, recognised from its parameters and activations."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import numpy as np

from gradtape import _core
from gradtape.show.checking.gradients import Array, Parameters
from gradtape.show.table import row_of

__all__ = ["Dense", "Network", "likely", "of_output", "recognised"]

CLOSE = 1e-9


@dataclass(frozen=True)
class Dense:
    """A dense layer, all its arrays with units first and rows last.

    Parameters
    ----------
    weight, bias : int
        Numbers of the parameters; the bias may be None.
    matrix : numpy.ndarray
        Shape (units, inputs), however the user keeps it.
    flipped : bool
        Whether the user keeps it as (inputs, units).
    before, sums, after : numpy.ndarray
        The activations that come in, the weighted sums, and the activations.
    jacobian : numpy.ndarray
        Derivative of `after` by `sums`: shape (units, rows) where each unit has its own, else
        (units, units, rows).
    activation : str
        The row of the table; empty for none, ``"softmax"``, or ``"?"``.
    """

    weight: int
    bias: int | None
    matrix: Array
    flipped: bool
    before: Array
    sums: Array
    after: Array
    jacobian: Array
    activation: str
    _slopes: dict[tuple[str, str], Array] = field(default_factory=dict, repr=False, compare=False)

    def slope(self, name: str, at: Literal["sums", "after"]) -> Array:
        """The derivative of any activation here, computed once."""
        if (name, at) not in self._slopes:
            self._slopes[name, at] = _slope(name, getattr(self, at))
        return self._slopes[name, at]

    def through(self, adjoint: Array) -> Array:
        """The adjoint of the sums from that of the activations."""
        if self.jacobian.ndim == 2:
            return np.asarray(self.jacobian * adjoint)
        found: Array = np.einsum("ijm,im->jm", self.jacobian, adjoint)
        return found


@dataclass(frozen=True)
class Network:
    """Dense layers from the input to the prediction.

    Parameters
    ----------
    layers : list of Dense
    rows_first : bool
        Whether the user's activations have shape (rows, units).
    adjoint : numpy.ndarray
        Derivative of the loss by the predictions, shape (units, rows).
    """

    layers: list[Dense]
    rows_first: bool
    adjoint: Array

    @property
    def rows(self) -> int:
        """How many rows the batch has."""
        return int(self.adjoint.shape[1])

    def gradients(self) -> dict[int, Array]:
        """The gradient of each parameter, as the user keeps it; biases as vectors."""
        found: dict[int, Array] = {}
        adjoint = self.adjoint
        for layer in reversed(self.layers):
            sums = layer.through(adjoint)
            matrix = sums @ layer.before.T
            kept = matrix.T if layer.flipped else matrix
            found[layer.weight] = found.get(layer.weight, 0.0) + kept
            if layer.bias is not None:
                found[layer.bias] = found.get(layer.bias, 0.0) + sums.sum(axis=1)
            adjoint = layer.matrix.T @ sums
        return found


def _slope(name: str, at: Array) -> Array:
    """The derivative of a row of the table, element by element."""
    flat = [_core.derivatives(name, [x])[1][0] for x in at.ravel().tolist()]
    return np.array(flat).reshape(at.shape)


def of_output(name: str, output: Array) -> Array | None:
    """The derivative by its formula in terms of the result; None if it has no such formula.

    Examples
    --------
    >>> of_output("sigmoid", np.array([0.5])), of_output("gelu", np.array([0.5]))
    (array([0.25]), None)
    """
    text = row_of(name).partials[0].text
    if not re.fullmatch(r"(\$r|[\d.\s()+*/-])+", text) or "$r" not in text:
        return None
    return np.asarray(eval(text.replace("$r", "r"), {"__builtins__": {}}, {"r": output}))


@cache
def likely() -> tuple[str, ...]:
    """The activations whose derivatives people mix up: the table's rows that flatten out.

    To the left they become constant, to the right constant or of slope 1; and the exponential
    function, which a softmax is made of.

    Examples
    --------
    >>> [name for name in ("tanh", "relu", "gelu", "exp", "sin", "abs") if name in likely()]
    ['tanh', 'relu', 'gelu', 'exp']
    """
    found = []
    for name in _unary():
        left, bent, right = (_core.derivatives(name, [x])[1][0] for x in (-40.0, 0.5, 40.0))
        flat = abs(left) < CLOSE and min(abs(right), abs(right - 1.0)) < CLOSE
        if name == "exp" or (flat and bent != 0.0):
            found.append(name)
    return tuple(found)


def _value(name: str, at: Array) -> Array:
    function = getattr(_core, name)
    flat = [function(x) for x in at.ravel().tolist()]
    return np.array(flat, dtype=float).reshape(at.shape)


def _unary() -> list[str]:
    """The rows of one operand, those that layers have first."""
    first = [name for name in _core.activations() if name]
    rows = [name for name, operands, *_ in _core.operations() if len(operands) == 1]
    return [*(name for name in first if name in rows), *(n for n in rows if n not in first)]


def _close(one: Array, other: Array) -> bool:
    size = max(1.0, float(np.max(np.abs(other), initial=0.0)))
    return bool(np.all(np.abs(one - other) <= CLOSE * size))


def _activation(sums: Array, after: Array) -> tuple[str, Array] | None:
    """The activation's name and Jacobian, if it is known."""
    if _close(sums, after):
        return "", np.ones_like(sums)
    few = slice(0, 64)
    with np.errstate(all="ignore"):
        for name in _unary():
            part = _value(name, sums.ravel()[few])
            if _close(part, after.ravel()[few]) and _close(_value(name, sums), after):
                return name, _slope(name, sums)
        exponentials = np.exp(sums - sums.max(axis=0))
        if _close(exponentials / exponentials.sum(axis=0), after):
            eye = np.eye(len(after))[:, :, None]
            return "softmax", after[:, None] * (eye - after[None])
        ratio = after / np.where(sums == 0, 1.0, sums)
    low = ratio[sums < 0]
    # One number below zero would fit any activation that is the identity above.
    if low.size > 1 and _close(ratio[sums > 0], np.ones(1)) and _close(low, low[:1]):
        return "leaky_relu", np.where(sums > 0, 1.0, low[0])
    return None


Measure = Callable[[int, Array, int, bool], Array]


def recognised(
    parameters: Parameters, activations: list[Array], measured: Measure
) -> Iterator[tuple[list[Dense], bool]]:
    """Every way to read a network's activations as those of dense layers, the likeliest first.

    Parameters
    ----------
    parameters : Parameters
        In 64 bits.
    activations : list of numpy.ndarray
        The input, then what the network computes of it; sums may be among them.
    measured : callable
        The derivative of an activation, units first, by a parameter in a direction: of the
        parameter's number, the direction, the activation's number, and whether rows come first.

    Yields
    ------
    tuple
        The layers, and whether rows come first.
    """
    for unknown in (False, True):
        for rows_first in (False, True):
            if rows_first and any(x.ndim < 2 for x in activations):
                continue
            turned = [x.T if rows_first else x.reshape(len(x), -1) for x in activations]
            search = _Search(parameters, turned, rows_first, measured if unknown else None)
            for layers in search.layers(0, [], frozenset()):
                yield layers, rows_first


@dataclass(frozen=True)
class _Search:
    parameters: Parameters
    activations: list[Array]
    rows_first: bool
    measured: Measure | None

    def layers(self, at: int, before: list[Dense], used: frozenset[int]) -> Iterator[list[Dense]]:
        """Layers that lead from activation `at` to the last, with every parameter used."""
        if at == len(self.activations) - 1:
            if len(used) == len(self.parameters.arrays):
                yield before
            return
        if len(before) > 2 * len(self.activations):
            return
        for layer, end in self._next(at, used):
            more = {layer.weight} if layer.bias is None else {layer.weight, layer.bias}
            yield from self.layers(end, [*before, layer], used | more)

    def _next(self, at: int, used: frozenset[int]) -> Iterator[tuple[Dense, int]]:
        arrays, source = self.parameters.arrays, self.activations[at]
        weights = [i for i, x in enumerate(arrays) if x.ndim == 2]
        # What was used already may be used again, as weights that layers share.
        for weight in sorted(weights, key=lambda i: (i in used, i)):
            for flipped in (self.rows_first, not self.rows_first):
                matrix = arrays[weight].T if flipped else arrays[weight]
                if matrix.shape[1] != source.shape[0]:
                    continue
                for bias in self._biases(weight, matrix.shape[0], used):
                    sums = matrix @ source
                    if bias is not None:
                        sums = sums + arrays[bias].reshape(-1, 1)
                    for end in range(at + 1, min(at + 3, len(self.activations))):
                        layer = self._read(weight, bias, matrix, flipped, source, sums, end)
                        if layer is not None:
                            yield layer, end

    def _biases(self, weight: int, units: int, used: frozenset[int]) -> list[int | None]:
        arrays = self.parameters.arrays
        fits = [
            i
            for i, x in enumerate(arrays)
            if i != weight and x.size == units and (x.ndim == 1 or 1 in x.shape)
        ]
        near = sorted(fits, key=lambda i: (i in used, i < weight, abs(i - weight)))
        return [*near[:3], None]

    def _read(
        self,
        weight: int,
        bias: int | None,
        matrix: Array,
        flipped: bool,
        source: Array,
        sums: Array,
        end: int,
    ) -> Dense | None:
        after = self.activations[end]
        if after.shape != sums.shape:
            return None
        known = _activation(sums, after)
        if known is None and self.measured is not None and bias is not None:
            known = self._unknown(self.measured, weight, bias, flipped, source, end)
        if known is None:
            return None
        name, jacobian = known
        return Dense(weight, bias, matrix, flipped, source, sums, after, jacobian, name)

    def _unknown(
        self, measured: Measure, weight: int, bias: int, flipped: bool, source: Array, end: int
    ) -> tuple[str, Array] | None:
        """The Jacobian of an activation of no known name, by moving each unit's bias."""
        arrays, columns = self.parameters.arrays, []
        for unit in range(arrays[bias].size):
            direction = np.zeros(arrays[bias].size)
            direction[unit] = 1.0
            shaped = direction.reshape(arrays[bias].shape)
            columns.append(measured(bias, shaped, end, self.rows_first))
        jacobian = np.stack(columns, axis=1)
        # The weights must act through the same sums, or this is another layer's activation.
        direction = np.random.default_rng(0).normal(size=arrays[weight].shape)
        moved = (direction.T if flipped else direction) @ source
        expected = np.einsum("ijm,jm->im", jacobian, moved)
        found = measured(weight, direction, end, self.rows_first)
        size = max(1e-3, float(np.max(np.abs(expected), initial=0.0)))
        if found.shape != expected.shape or np.max(np.abs(found - expected)) > 1e-5 * size:
            return None
        units = range(len(jacobian))
        own, rest = jacobian[units, units], jacobian.copy()
        rest[units, units] = 0.0
        return "?", own if _close(rest, np.zeros(1)) else jacobian
