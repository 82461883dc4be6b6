"""The network inside an estimator, and its outputs for arrays."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gradtape._core as _core
from gradtape._core import Value
from gradtape.compiling import compile
from gradtape.errors import GradtapeError
from gradtape.functions import no_grad
from gradtape.nn import MLP, Dropout, Module

Activation = str | Callable[[Any], Any]
Numbers = NDArray[np.float64]


def network(sizes: Sequence[int], activations: Sequence[Activation], seed: int) -> MLP:
    """A network with Glorot's weights.

    Examples
    --------
    >>> network([4, 8, 2], ["tanh", "linear"], 0)
    MLP(4 → 8 tanh → 2 linear, 58 parameters)
    """
    return MLP(sizes, activations, init="glorot", seed=seed)


class Dropping(Module):
    """A network with a dropout after each hidden layer, for as long as it is trained.

    Its parameters are the network's own, which itself never drops anything: so predictions need
    not know, and a dropout may change between trainings.

    Parameters
    ----------
    model : MLP
    rates : sequence of float
        One a hidden layer.

    Examples
    --------
    >>> model = network([2, 3, 1], ["tanh", "linear"], 0)
    >>> Dropping(model, [0.5])([1.0, 2.0])[0].data == model([1.0, 2.0])[0].data
    True
    """

    def __init__(self, model: MLP, rates: Sequence[float]) -> None:
        self.model = model
        self.dropouts = tuple(map(Dropout, rates))

    def parameters(self) -> list[Value]:
        """The network's."""
        return self.model.parameters()

    def batch(self, rows: Sequence[Any], *, logits: bool = False) -> list[list[Value]]:
        """The outputs for each row; with `logits`, those before a final softmax."""
        if not any(dropout.training for dropout in self.dropouts):
            return self.model.batch(rows, logits=logits)
        return [self._row(row, logits) for row in rows]

    def __call__(self, row: Any) -> list[Value]:
        """The outputs for one row."""
        return self.batch([row])[0]

    def _row(self, row: Any, logits: bool) -> list[Value]:
        *hidden, last = self.model.layers
        for layer, dropout in zip(hidden, self.dropouts, strict=True):
            row = dropout(layer(row))
        return last.logits(row) if logits else last(row)


class Forward:
    """A network's outputs for arrays, replayed natively: from (m, n) to (m, k)."""

    def __init__(self, model: MLP, logits: bool) -> None:
        self._model, self._logits = model, logits

        def outputs(x: Any) -> Any:
            return np.array(model.batch([list(x)], logits=logits)[0], dtype=object)

        self._compiled = compile(outputs, signature="(n)->(k)")

    def __call__(self, rows: Numbers) -> Numbers:
        """The outputs with the parameters as they are now."""
        try:
            outputs: Numbers = self._compiled(rows)
        except GradtapeError:
            # An activation of the user's own may branch once a neuron, so that nearly every row
            # takes a path of its own: then the tape is as fast.
            with no_grad():
                values = self._model.batch(rows.tolist(), logits=self._logits)
            outputs = np.array([_core.data(row) for row in values])
        return outputs


def coefficients(model: MLP) -> tuple[list[Numbers], list[Numbers]]:
    """The weights of each layer, (inputs, outputs), and its biases, (outputs,).

    Examples
    --------
    >>> weights, biases = coefficients(network([3, 2], ["linear"], 0))
    >>> weights[0].shape, biases[0].tolist()
    ((3, 2), [0.0, 0.0])
    """
    weights, biases = [], []
    for layer in model.layers:
        rows = np.array(_core.data(layer.parameters())).reshape(layer.outputs, -1)
        weights.append(np.ascontiguousarray(rows[:, :-1].T))
        biases.append(rows[:, -1].copy())
    return weights, biases
