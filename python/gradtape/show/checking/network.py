"""The dense layers of a user's network, and the activations that they may have."""

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import numpy as np

from gradtape import _core
from gradtape.show.checking.gradients import Array
from gradtape.show.table import row_of

__all__ = ["Dense", "Network", "activation_of", "close", "likely", "of_output"]

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


def close(one: Array, other: Array) -> bool:
    """Whether arrays are the same but for rounding."""
    size = max(1.0, float(np.max(np.abs(other), initial=0.0)))
    return bool(np.all(np.abs(one - other) <= CLOSE * size))


def activation_of(sums: Array, after: Array) -> tuple[str, Array] | None:
    """The activation's name and Jacobian, if it is known; the name is empty if it is none.

    Examples
    --------
    >>> z = np.array([[0.5, -1.0]])
    >>> activation_of(z, np.tanh(z))[0], activation_of(z, z)[0], activation_of(z, z**4)
    ('tanh', '', None)
    """
    if close(sums, after):
        return "", np.ones_like(sums)
    few = slice(0, 8)  # enough to tell most rows from it
    with np.errstate(all="ignore"):
        for name in _unary():
            part = _value(name, sums.ravel()[few])
            if close(part, after.ravel()[few]) and close(_value(name, sums), after):
                return name, _slope(name, sums)
        exponentials = np.exp(sums - sums.max(axis=0))
        if close(exponentials / exponentials.sum(axis=0), after):
            eye = np.eye(len(after))[:, :, None]
            return "softmax", after[:, None] * (eye - after[None])
        ratio = after / np.where(sums == 0, 1.0, sums)
    low = ratio[sums < 0]
    # One number below zero would fit any activation that is the identity above.
    if low.size > 1 and close(ratio[sums > 0], np.ones(1)) and close(low, low[:1]):
        return "leaky_relu", np.where(sums > 0, 1.0, low[0])
    return None
