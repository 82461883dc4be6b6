"""A stack of dense layers."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gradtape._core as _core
from gradtape._core import Value
from gradtape.nn.activation import After, Scalar, called
from gradtape.nn.initial import generator, size
from gradtape.nn.model import Model
from gradtape.nn.neuron import Inputs, Layer, check_inputs


def _names(activations: str | Scalar | Sequence[str | Scalar], layers: int) -> list[str | Scalar]:
    if isinstance(activations, str) or callable(activations):
        return [activations] * (layers - 1) + ["linear"]
    try:
        names = list(activations)
    except TypeError:
        raise TypeError(
            "activations must be one name or a list of one a layer, "
            f"not {type(activations).__name__}"
        ) from None
    if len(names) != layers:
        raise ValueError(
            f"activations must be one name or a list of {layers}, one a layer, not of {len(names)}"
        )
    return names


class MLP(Model):
    """A multilayer perceptron: dense layers, one after the other.

    Parameters
    ----------
    sizes : sequence of int
        The number of inputs, then the number of outputs of every layer.
    activations : str, callable or a sequence of them
        One: every layer but the last, whose outputs stay linear (for a regression, or as logits).
        A list: one a layer, of which ``"softmax"`` is one. A callable is a plain Python function of
        one number.
    init : {"he", "glorot", "small"}
        How the weights are drawn: see `gradtape.nn.initial.drawing`. Biases start at 0.
    seed : int or random.Random
        The same seed gives the same bits.

    Attributes
    ----------
    layers : tuple of Layer
    inputs, outputs : int
        How many numbers a row has, and how many values it gives.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer, there is no layer, or a name is unknown.

    Examples
    --------
    >>> model = MLP([3, 4, 4, 2], activations="sigmoid", init="small", seed=7)
    >>> model
    MLP(3 → 4 sigmoid → 4 sigmoid → 2 linear, 46 parameters)
    >>> outputs = model([1.0, 0.0, -1.0])
    >>> len(outputs)
    2
    >>> outputs[0].backward()
    >>> model.parameters()[-1].label, model.layers[2].neurons[0].bias.grad
    ('layer3.neuron2.b', 1.0)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activations: str | Scalar | Sequence[str | Scalar] = "relu",
        *,
        init: str = "he",
        seed: int | Random = 0,
    ) -> None:
        try:
            given = list(sizes)
        except TypeError:
            raise TypeError(
                f"sizes must be a sequence of integers, not {type(sizes).__name__}"
            ) from None
        if len(given) < 2:
            raise ValueError(
                "sizes must be the number of inputs and then one number a layer, "
                f"at least two in all, not {given}"
            )
        counts = [
            size(count, f"outputs of layer{i}" if i else "inputs of layer1")
            for i, count in enumerate(given)
        ]
        random = generator(seed)
        names = _names(activations, len(counts) - 1)
        self.layers = tuple(
            Layer(n, k, activation, init=init, seed=random, name=f"layer{i + 1}")
            for i, (n, k, activation) in enumerate(zip(counts, counts[1:], names, strict=False))
        )
        self.inputs, self.outputs = counts[0], counts[-1]
        # What the native calls take: runs of layers, and what is done to each row after them.
        self._runs: list[tuple[list[tuple[tuple[Value, ...], str]], After | None]] = []
        run: list[tuple[tuple[Value, ...], str]] = []
        for layer in self.layers:
            parameters, activation, after = layer.native()
            run.append((parameters, activation))
            if after is not None or layer is self.layers[-1]:
                self._runs.append((run, after))
                run = []
        self._softmax = self.layers[-1].activation == "softmax"

    def parameters(self) -> list[Value]:
        """The parameters of every layer in turn."""
        return [p for layer in self.layers for p in layer.parameters()]

    def batch(self, rows: Sequence[Inputs], *, logits: bool = False) -> list[list[Value]]:
        """The outputs for each row of a batch, in one native call.

        Parameters
        ----------
        rows : m rows of n numbers or Values
        logits : bool
            Whether to leave out a final softmax, as a cross-entropy wants it.

        Returns
        -------
        list of m lists of Values

        Raises
        ------
        ValueError
            If a row has another number of inputs than the first layer.

        Examples
        --------
        >>> MLP([1, 2], activations=["softmax"], init="small").batch([[0.0], [0.0]])
        [[Value(data=0.5), Value(data=0.5)], [Value(data=0.5), Value(data=0.5)]]
        """
        try:
            fits = set(map(len, rows)) == {self.inputs}
        except TypeError:
            fits = False
        if not fits:
            # Not left to the native call: the parameters of two neurons on two inputs are also
            # those of three on one.
            for row in rows:
                check_inputs(row, self.inputs, self.layers[0].name)
        outputs: Sequence[Inputs] = rows
        for layers, after in self._runs:
            outputs = found = _core.network(outputs, layers)
            last = layers is self._runs[-1][0]
            if after is not None and not (logits and last and self._softmax):
                outputs = found = list(map(after, found))
        return found

    def logits(self, row: Inputs) -> list[Value]:
        """The outputs for one row before a final softmax: what a cross-entropy takes."""
        return self.batch([row], logits=True)[0]

    def __call__(self, row: Inputs) -> list[Value]:
        """The outputs for one row of numbers or Values: always a list, also of one.

        Raises
        ------
        ValueError
            If the row has another number of inputs than the first layer.
        """
        return self.batch([row])[0]

    @property
    def final_activation(self) -> str:
        """The activation of the last layer; empty for a function of one's own."""
        last = self.layers[-1].activation
        return last if isinstance(last, str) else ""

    def architecture(self) -> dict[str, Any]:
        """Sizes and activations.

        Examples
        --------
        >>> MLP([2, 3, 1], "tanh").architecture()
        {'sizes': [2, 3, 1], 'activations': ['tanh', 'linear']}
        """
        return {
            "sizes": [self.inputs, *(layer.outputs for layer in self.layers)],
            "activations": [layer.activation for layer in self.layers],
        }

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """Each layer's weights, a row a neuron, and biases.

        Examples
        --------
        >>> {name: x.shape for name, x in MLP([2, 3]).tensors().items()}
        {'layer1.weight': (3, 2), 'layer1.bias': (3,)}
        """
        found = {}
        for layer in self.layers:
            table = np.array(_core.data(layer.parameters())).reshape(layer.outputs, -1)
            found[f"{layer.name}.weight"] = table[:, :-1]
            found[f"{layer.name}.bias"] = table[:, -1]
        return found

    @classmethod
    def built(cls, architecture: dict[str, Any], tensors: dict[str, NDArray[np.float64]]) -> "MLP":
        """A network from what `architecture` and `tensors` gave.

        Raises
        ------
        ValueError
            If they do not fit together.
        """
        if architecture.keys() != {"sizes", "activations"}:
            raise ValueError("sizes and activations are expected in the architecture of an MLP")
        sizes, activations = architecture["sizes"], architecture["activations"]
        if not isinstance(sizes, list) or not isinstance(activations, list) or len(sizes) < 2:
            raise ValueError("sizes and activations must be lists, one entry a layer")
        # Before anything is made: sizes alone could ask for any amount of memory.
        shapes: dict[str, tuple[Any, ...]] = {}
        for i, (n, k) in enumerate(pairwise(sizes), 1):
            shapes |= {f"layer{i}.weight": (k, n), f"layer{i}.bias": (k,)}
        if {name: x.shape for name, x in tensors.items()} != shapes:
            raise ValueError("the arrays are not those of the architecture")
        try:
            model = cls(sizes, activations, init="small")
        except TypeError as error:
            raise ValueError(str(error)) from None
        for layer in model.layers:
            weights, biases = tensors[f"{layer.name}.weight"], tensors[f"{layer.name}.bias"]
            table = np.column_stack([weights, biases])
            _core.assign(layer.parameters(), table.ravel().tolist())
        return model

    def _repr_svg_(self) -> str:
        # Imported here: only notebooks draw a network.
        from gradtape.show.drawing.network import network

        return network(self)

    def __repr__(self) -> str:
        steps = "".join(f" → {layer.outputs} {called(layer.activation)}" for layer in self.layers)
        return f"MLP({self.inputs}{steps}, {len(self.parameters())} parameters)"
