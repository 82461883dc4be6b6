"""A stack of dense layers."""

from collections.abc import Iterable, Sequence
from random import Random

from gradtape import _core
from gradtape._core import Value
from gradtape.functions import no_grad
from gradtape.nn.initial import generator, size
from gradtape.nn.neuron import Inputs, Layer, Module


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

    @property
    def inputs(self) -> int:
        """How many numbers a row has."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """How many values a row gives."""
        return self.layers[-1].outputs

    def parameters(self) -> list[Value]:
        """The parameters of every layer in turn."""
        return [p for layer in self.layers for p in layer.parameters()]

    def logits(self, row: Inputs) -> list[Value]:
        """The outputs for one row before a final softmax: what a cross-entropy takes."""
        for layer in self.layers[:-1]:
            row = layer(row)
        return self.layers[-1].logits(row)

    def __call__(self, row: Inputs) -> list[Value]:
        """The outputs for one row of numbers or Values: always a list, also of one.

        Raises
        ------
        ValueError
            If the row has another number of inputs than the first layer.
        """
        for layer in self.layers[:-1]:
            row = layer(row)
        return self.layers[-1](row)

    def values(self, rows: Iterable[Inputs]) -> list[list[float]]:
        """The outputs for each row as plain numbers, nothing recorded.

        Examples
        --------
        >>> MLP([1, 2], activations=["softmax"], init="small").values([[0.0], [0.0]])
        [[0.5, 0.5], [0.5, 0.5]]
        """
        with no_grad():
            return [_core.data(self(row)) for row in rows]

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

    def __repr__(self) -> str:
        steps = "".join(f" → {layer.outputs} {layer.activation}" for layer in self.layers)
        return f"MLP({self.inputs}{steps}, {len(self.parameters())} parameters)"
