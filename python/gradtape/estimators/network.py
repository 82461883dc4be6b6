"""The network inside an estimator, and its outputs for arrays."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gradtape._core as _core
from gradtape._core import Value
from gradtape.compiling import compile
from gradtape.errors import GradtapeError
from gradtape.functions import no_grad
from gradtape.nn import MLP, Layer, Module
from gradtape.stepping import Programs

Activation = str | Callable[[Any], Any]
Numbers = NDArray[np.float64]


class Mixed(Module):
    """Dense layers of which some have an activation of the user's own.

    Parameters
    ----------
    sizes : sequence of int
        The number of inputs, then the number of outputs of every layer.
    activations : sequence of str or callable
        One a layer. A callable takes one Value and gives one.
    seed : int
    """

    def __init__(self, sizes: Sequence[int], activations: Sequence[Activation], seed: int) -> None:
        random = Random(seed)
        self.layers = tuple(
            Layer(
                n,
                k,
                activation if isinstance(activation, str) else "linear",
                init="glorot",
                seed=random,
                name=f"layer{i + 1}",
            )
            for i, (n, k, activation) in enumerate(
                zip(sizes[:-1], sizes[1:], activations, strict=True)
            )
        )
        self.activations = tuple(activations)
        self.programs: Programs | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "programs": None}

    def parameters(self) -> list[Value]:
        """The parameters of every layer in turn."""
        return [p for layer in self.layers for p in layer.parameters()]

    def batch(self, rows: Sequence[Any], *, logits: bool = False) -> list[list[Value]]:
        """The outputs for each row; with `logits`, those before a final softmax."""
        return [self._row(row, logits) for row in rows]

    def __call__(self, row: Any) -> list[Value]:
        """The outputs for one row."""
        return self._row(row, False)

    def _row(self, row: Any, logits: bool) -> list[Value]:
        values: Any = row
        for layer, activation in zip(self.layers, self.activations, strict=True):
            last = layer is self.layers[-1]
            values = layer.logits(values) if last and logits else layer(values)
            if not isinstance(activation, str):
                values = [activation(value) for value in values]
        return list(values)


def network(sizes: Sequence[int], activations: Sequence[Activation], seed: int) -> MLP | Mixed:
    """A network with Glorot's weights; one native call a row where every activation has a name.

    Examples
    --------
    >>> network([4, 8, 2], ["tanh", "linear"], 0)
    MLP(4 → 8 tanh → 2 linear, 58 parameters)
    """
    names = [a for a in activations if isinstance(a, str)]
    if len(names) == len(activations):
        return MLP(sizes, names, init="glorot", seed=seed)
    return Mixed(sizes, activations, seed)


class Forward:
    """A network's outputs for arrays, replayed natively: from (m, n) to (m, k)."""

    def __init__(self, model: MLP | Mixed, logits: bool) -> None:
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


def coefficients(model: MLP | Mixed) -> tuple[list[Numbers], list[Numbers]]:
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
