"""A neuron and a layer of neurons, one native call each."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random
from typing import Any

import gradtape._core as _core
from gradtape._core import Value
from gradtape.nn.initial import activation_name, drawing, generator, size

Inputs = Sequence[float | Value]


def check_inputs(inputs: Any, count: int, name: str) -> None:
    """Refuse anything but a sequence of `count` inputs; `name` says who takes them.

    Raises
    ------
    TypeError
        If `inputs` is no sequence.
    ValueError
        If it has another length.

    Examples
    --------
    >>> check_inputs([1.0, 2.0], 2, "layer1")
    """
    try:
        given = len(inputs)
    except TypeError:
        raise TypeError(
            f"{name} takes a sequence of {count} input{'s' * (count != 1)}, "
            f"not {type(inputs).__name__}"
        ) from None
    if given != count:
        raise ValueError(f"{name} takes {count} input{'s' * (count != 1)}, not {given}")


class Module(ABC):
    """Anything with parameters."""

    @abstractmethod
    def parameters(self) -> list[Value]:
        """All parameters, neuron by neuron: the weights, then the bias."""

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        _core.zero_grad(self.parameters())


class Neuron(Module):
    """``activation(w · x + b)``: one node on the tape.

    Parameters
    ----------
    inputs : int
        How many numbers it takes.
    activation : str
        ``"linear"`` or an operation of one operand, such as ``"relu"`` or ``"tanh"``.
    init : {"he", "glorot", "small"}
        How the weights are drawn; the bias starts at 0.
    seed : int or random.Random
        The same seed gives the same bits.
    name : str
        Stands before the labels ``w1`` … and ``b``.
    outputs : int
        How many neurons share the inputs, which ``glorot`` asks for.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer or a name is unknown.

    Examples
    --------
    >>> neuron = Neuron(2, "tanh")
    >>> neuron
    Neuron(2 → 1 tanh, 3 parameters)
    >>> for w, number in zip(neuron.parameters(), [-3.0, 1.0, 6.8813735870195432]):
    ...     w.data = number
    >>> out = neuron([2.0, 0.0])
    >>> out.backward()
    >>> [(w.label, round(w.grad, 6)) for w in neuron.parameters()]
    [('w1', 1.0), ('w2', 0.0), ('b', 0.5)]
    """

    def __init__(
        self,
        inputs: int,
        activation: str = "linear",
        *,
        init: str = "he",
        seed: int | Random = 0,
        name: str = "",
        outputs: int = 1,
    ) -> None:
        self.name = name
        self.inputs = size(inputs, f"inputs of {name or 'a neuron'}")
        self.activation = activation_name(activation, name or "a neuron", softmax=False)
        draw, random = drawing(init), generator(seed)
        dot = f"{name}." if name else ""
        weights = [
            Value(draw(random, self.inputs, outputs), label=f"{dot}w{i + 1}")
            for i in range(self.inputs)
        ]
        # A tuple, and no setter: a layer keeps its neurons' parameters together for the native
        # call, so what they hold may change but never which values they are.
        self._parameters = (*weights, Value(0.0, label=f"{dot}b"))

    @property
    def weights(self) -> tuple[Value, ...]:
        """The weights, one an input. Assign to their ``data``."""
        return self._parameters[:-1]

    @property
    def bias(self) -> Value:
        """The bias. Assign to its ``data``."""
        return self._parameters[-1]

    def parameters(self) -> list[Value]:
        """The weights, then the bias."""
        return list(self._parameters)

    def __call__(self, inputs: Inputs) -> Value:
        """The neuron's output for `inputs`, a sequence of numbers or Values."""
        check_inputs(inputs, self.inputs, self.name or "a neuron")
        return _core.layer(inputs, self._parameters, self.activation)[0]

    def __repr__(self) -> str:
        return f"Neuron({self.inputs} → 1 {self.activation}, {self.inputs + 1} parameters)"


class Layer(Module):
    """A dense layer: `outputs` neurons on the same inputs, one native call.

    Parameters
    ----------
    inputs, outputs : int
        How many numbers it takes and gives.
    activation : str
        As for `Neuron`, or ``"softmax"`` over the whole layer.
    init, seed, name
        As for `Neuron`.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer or a name is unknown.

    Examples
    --------
    >>> layer = Layer(3, 2, "softmax", seed=1)
    >>> layer
    Layer(3 → 2 softmax, 8 parameters)
    >>> round(sum(p.data for p in layer([1.0, -2.0, 0.5])), 12)
    1.0
    >>> layer.parameters()[0].label
    'neuron1.w1'
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: str = "linear",
        *,
        init: str = "he",
        seed: int | Random = 0,
        name: str = "",
    ) -> None:
        who = name or "a layer"
        self.name = name
        self.inputs = size(inputs, f"inputs of {who}")
        self.outputs = size(outputs, f"outputs of {who}")
        self.activation = activation_name(activation, who, softmax=True)
        self._before_softmax = "linear" if self.activation == "softmax" else self.activation
        random, dot = generator(seed), f"{name}." if name else ""
        self.neurons = tuple(
            Neuron(
                self.inputs,
                self._before_softmax,
                init=init,
                seed=random,
                name=f"{dot}neuron{i + 1}",
                outputs=self.outputs,
            )
            for i in range(self.outputs)
        )
        self._parameters = tuple(p for neuron in self.neurons for p in neuron.parameters())

    def parameters(self) -> list[Value]:
        """The parameters of every neuron in turn."""
        return list(self._parameters)

    def native(self) -> tuple[tuple[Value, ...], str, bool]:
        """Parameters and activation of the native call, and whether a softmax follows."""
        return self._parameters, self._before_softmax, self.activation == "softmax"

    def logits(self, inputs: Inputs) -> list[Value]:
        """The outputs before a softmax; the outputs themselves where there is none."""
        check_inputs(inputs, self.inputs, self.name or "a layer")
        return _core.layer(inputs, self._parameters, self._before_softmax)

    def __call__(self, inputs: Inputs) -> list[Value]:
        """The outputs for `inputs`, a sequence of numbers or Values."""
        outputs = self.logits(inputs)
        return list(_core.softmax(outputs)) if self.activation == "softmax" else outputs

    def __repr__(self) -> str:
        count = len(self._parameters)
        return f"Layer({self.inputs} → {self.outputs} {self.activation}, {count} parameters)"
