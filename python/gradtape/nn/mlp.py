"""A stack of dense layers."""

from collections.abc import Iterable, Sequence
from random import Random

import gradtape._core as _core
from gradtape._core import Value
from gradtape.functions import no_grad
from gradtape.nn.initial import generator, size
from gradtape.nn.neuron import Inputs, Layer, Module, check_inputs


def _names(activations: str | Sequence[str], layers: int) -> list[str]:
    if isinstance(activations, str):
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


class MLP(Module):
    """A multilayer perceptron: dense layers, one after the other.

    Parameters
    ----------
    sizes : sequence of int
        The number of inputs, then the number of outputs of every layer.
    activations : str or sequence of str
        One name: every layer but the last, whose outputs stay linear (for a regression, or as
        logits). A list: one name a layer, of which ``"softmax"`` is one.
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
        activations: str | Sequence[str] = "relu",
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
        # What the native calls take: runs of layers that a softmax ends.
        self._runs: list[list[tuple[tuple[Value, ...], str]]] = [[]]
        for layer in self.layers:
            parameters, activation, softmax = layer.native()
            self._runs[-1].append((parameters, activation))
            if softmax and layer is not self.layers[-1]:
                self._runs.append([])
        self._softmax = self.layers[-1].native()[2]

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
        first, *others = self._runs
        try:
            fits = set(map(len, rows)) == {self.inputs}
        except TypeError:
            fits = False
        if not fits:
            # Not left to the native call: the parameters of two neurons on two inputs are also
            # those of three on one.
            for row in rows:
                check_inputs(row, self.inputs, self.layers[0].name)
        outputs = _core.network(rows, first)
        for run in others:
            outputs = _core.network(list(map(_core.softmax, outputs)), run)
        return list(map(_core.softmax, outputs)) if self._softmax and not logits else outputs

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

    def values(self, rows: Iterable[Inputs]) -> list[list[float]]:
        """The outputs for each row as plain numbers, nothing recorded.

        Examples
        --------
        >>> MLP([1, 2], activations=["softmax"], init="small").values([[0.0], [0.0]])
        [[0.5, 0.5], [0.5, 0.5]]
        """
        with no_grad():
            return [_core.data(outputs) for outputs in self.batch(list(rows))]

    def predict(self, rows: Iterable[Inputs]) -> list[int] | list[float]:
        """The class of each row: the index of its largest output, the first among equals.

        A network with one output has no classes: its outputs are given as they are.

        Examples
        --------
        >>> model = MLP([2, 2])
        >>> for w, number in zip(model.parameters(), [1, 0, 0, 0, 1, 0]):
        ...     w.data = number
        >>> model.predict([[3.0, 1.0], [-1.0, 1.0]])
        [0, 1]
        """
        values = self.values(rows)
        if self.outputs == 1:
            return [row[0] for row in values]
        return [row.index(max(row)) for row in values]

    def _repr_svg_(self) -> str:
        # Imported here: only notebooks draw a network.
        from gradtape.show.pictures.network import network

        return network(self)

    def __repr__(self) -> str:
        steps = "".join(f" → {layer.outputs} {layer.activation}" for layer in self.layers)
        return f"MLP({self.inputs}{steps}, {len(self.parameters())} parameters)"
