"""A neuron and a layer of neurons, one native call each."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random
from typing import Any

import gradtape._core as _core
from gradtape._core import Value
from gradtape.nn.activation import After, Scalar, called, checked_activation, split
from gradtape.nn.initial import drawing, generator, size

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
    """Anything with parameters.

    Attributes
    ----------
    sequences : bool
        Whether it takes rows of numbers that differ in length.
    by_step : bool
        Whether it does the same to each step of a sequence, or keeps a state from one to the next:
        what stands for a padded step reaches nothing but later padded steps.
    """

    sequences = False
    by_step = False

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
    activation : str or callable
        ``"linear"`` or an operation of one operand, such as ``"relu"`` or ``"tanh"``; or a plain
        Python function of one number, which may have branches.
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
        activation: str | Scalar = "linear",
        *,
        init: str = "he",
        seed: int | Random = 0,
        name: str = "",
        outputs: int = 1,
    ) -> None:
        self.name = name
        self.inputs = size(inputs, f"inputs of {name or 'a neuron'}")
        self.activation = checked_activation(activation, name or "a neuron", softmax=False)
        self._native, self._after = split(self.activation)
        self._draw, self._outputs = drawing(init), outputs
        dot = f"{name}." if name else ""
        weights = [Value(0.0, label=f"{dot}w{i + 1}") for i in range(self.inputs)]
        # A tuple, and no setter: a layer keeps its neurons' parameters together for the native
        # call, so what they hold may change but never which values they are.
        self._parameters = (*weights, Value(0.0, label=f"{dot}b"))
        self.draw(generator(seed))

    def draw(self, random: Random) -> None:
        """Draw the weights anew; the bias stays."""
        weights = self.weights
        _core.assign(weights, self._draw(random, self.inputs, self._outputs, len(weights)))

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
        outputs = _core.layer(inputs, self._parameters, self._native)
        return outputs[0] if self._after is None else self._after(outputs)[0]

    def __repr__(self) -> str:
        name = called(self.activation)
        return f"Neuron({self.inputs} → 1 {name}, {self.inputs + 1} parameters)"


class Layer(Module):
    """A dense layer: `outputs` neurons on the same inputs, one native call.

    Parameters
    ----------
    inputs, outputs : int
        How many numbers it takes and gives.
    activation : str or callable
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
        activation: str | Scalar = "linear",
        *,
        init: str = "he",
        seed: int | Random = 0,
        name: str = "",
    ) -> None:
        who = name or "a layer"
        self.name = name
        self.inputs = size(inputs, f"inputs of {who}")
        self.outputs = size(outputs, f"outputs of {who}")
        self.activation = checked_activation(activation, who, softmax=True)
        self._native, self._after = split(self.activation)
        random, dot = generator(seed), f"{name}." if name else ""
        self.neurons = tuple(
            Neuron(
                self.inputs,
                "linear" if self.activation == "softmax" else self.activation,
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

    def native(self) -> tuple[tuple[Value, ...], str, After | None]:
        """Parameters and activation of the native call, and what follows it."""
        return self._parameters, self._native, self._after

    def logits(self, inputs: Inputs) -> list[Value]:
        """The outputs before a softmax; the outputs themselves where there is none."""
        return self._outputs(inputs, self.activation != "softmax")

    def __call__(self, inputs: Inputs) -> list[Value]:
        """The outputs for `inputs`, a sequence of numbers or Values."""
        return self._outputs(inputs, True)

    def _outputs(self, inputs: Inputs, after: bool) -> list[Value]:
        check_inputs(inputs, self.inputs, self.name or "a layer")
        outputs = _core.layer(inputs, self._parameters, self._native)
        return self._after(outputs) if after and self._after is not None else outputs

    def __repr__(self) -> str:
        count, name = len(self._parameters), called(self.activation)
        return f"Layer({self.inputs} → {self.outputs} {name}, {count} parameters)"
