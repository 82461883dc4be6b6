"""Layers that go through a sequence step by step: of any length, each row its own."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

import gradtape._core as _core
from gradtape._core import Value
from gradtape.nn.activation import Scalar
from gradtape.nn.initial import generator, size
from gradtape.nn.nested import axes, like, mapped
from gradtape.nn.neuron import Layer, Module


class _Recurrent(Module):
    """What recurrent layers share: a state that each step of a sequence changes."""

    sequences = by_step = True
    _layers: tuple[Layer, ...]

    def __init__(self, inputs: int, outputs: int, sequence: bool, name: str) -> None:
        who = name or type(self).__name__
        self.inputs = size(inputs, f"inputs of {who}")
        self.outputs = size(outputs, f"outputs of {who}")
        self.sequence = bool(sequence)

    @property
    def padding(self) -> bool:
        """Whether its outputs are the same for a sequence that was padded."""
        return not self.sequence

    def parameters(self) -> list[Value]:
        """Layer by layer."""
        return [p for layer in self._layers for p in layer.parameters()]

    def start(self) -> Any:
        """The state before the first step: zeros."""
        return [0.0] * self.outputs

    @abstractmethod
    def step(self, x: Sequence[Any], state: Any) -> Any:
        """The state after a step with features `x`."""

    def _shown(self, state: Any) -> list[Any]:
        return list(state)

    def __call__(self, x: Sequence[Any]) -> list[Any]:
        """The state after the last step of ``[steps][inputs]``; of all steps with `sequence`."""
        who = type(self).__name__
        axes(x, None, self.inputs, name=who, what="[steps][features]")
        present = getattr(x, "present", [None] * len(x))
        state, states = self.start(), []
        for features, there in zip(x, present, strict=True):
            new = self.step(features, state)
            # A sequence that is over keeps its state.
            state = new if there is None else mapped(partial(_core.where, there), new, state)
            states.append(self._shown(state))
        return like(x, states) if self.sequence else states[-1]

    def __repr__(self) -> str:
        count = len(self.parameters())
        return f"{type(self).__name__}({self.inputs} → {self.outputs}, {count} parameters)"


class RNN(_Recurrent):
    """The state h after each step is ``activation(W x + U h + b)`` (Elman 1990).

    Parameters
    ----------
    inputs, outputs : int
        Features of a step, and numbers of the state.
    activation : str or callable
        As for `Layer`.
    sequence : bool
        Whether the states after all steps are given, or the last one alone.
    init, seed, name
        As for a `Layer` of the features and the state.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer or a name is unknown; in a call, if the shape is wrong.

    Examples
    --------
    >>> layer = RNN(2, 3)
    >>> layer
    RNN(2 → 3, 18 parameters)
    >>> len(layer([[1.0, 0.0]])), len(layer([[1.0, 0.0], [0.0, 1.0]]))
    (3, 3)
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: str | Scalar = "tanh",
        *,
        sequence: bool = False,
        init: str = "glorot",
        seed: int | Random = 0,
        name: str = "",
    ) -> None:
        super().__init__(inputs, outputs, sequence, name)
        self.cell = Layer(inputs + outputs, outputs, activation, init=init, seed=seed, name=name)
        self._layers = (self.cell,)

    def step(self, x: Sequence[Any], state: Any) -> Any:
        """The state after a step with features `x`."""
        return self.cell([*x, *state])


class _Gated(_Recurrent):
    """What layers with gates share: how their dense layers are made."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        sequence: bool = False,
        init: str = "glorot",
        seed: int | Random = 0,
        name: str = "",
    ) -> None:
        super().__init__(inputs, outputs, sequence, name)
        random, dot = generator(seed), f"{name}." if name else ""

        def layer(inputs: int, outputs: int, part: str, activation: str = "linear") -> Layer:
            return Layer(inputs, outputs, activation, init=init, seed=random, name=f"{dot}{part}")

        self._layers = self._made(layer)

    @abstractmethod
    def _made(self, layer: Callable[..., Layer]) -> tuple[Layer, ...]:
        """The dense layers, of inputs, outputs, name and activation."""


class GRU(_Gated):
    """A gated recurrent unit (Cho et al. 2014, in the form that PyTorch has).

    With gates r and z, both ``sigmoid(W x + U h + b)``, the state becomes
    ``(1 - z) * tanh(W x + b + r * (U h + c)) + z * h``.

    Parameters
    ----------
    inputs, outputs, sequence, init, seed, name
        As for `RNN`.

    Raises
    ------
    TypeError, ValueError
        As for `RNN`.

    Examples
    --------
    >>> GRU(2, 3)
    GRU(2 → 3, 57 parameters)
    """

    def _made(self, layer: Callable[..., Layer]) -> tuple[Layer, ...]:
        inputs, outputs = self.inputs, self.outputs
        self.gates = layer(inputs + outputs, 2 * outputs, "gates", "sigmoid")
        self.candidate = layer(inputs, outputs, "candidate")
        self.memory = layer(outputs, outputs, "memory")
        return self.gates, self.candidate, self.memory

    def step(self, x: Sequence[Any], state: Any) -> Any:
        """The state after a step with features `x`."""
        gates = self.gates([*x, *state])
        new = []
        for i, (a, b) in enumerate(zip(self.candidate(x), self.memory(state), strict=True)):
            r, z = gates[i], gates[self.outputs + i]
            n = _core.tanh(a + r * b)
            new.append(n + z * (state[i] - n))
        return new


class LSTM(_Gated):
    """A long short-term memory (Hochreiter and Schmidhuber 1997, with Gers's forget gate).

    With gates i, f and o, all ``sigmoid(W x + U h + b)``, and ``g = tanh(W x + U h + b)``, the
    memory becomes ``c = f * c + i * g`` and the state ``o * tanh(c)``. The bias of f starts at 1,
    so that a new layer remembers (Jozefowicz et al. 2015).

    Parameters
    ----------
    inputs, outputs, sequence, init, seed, name
        As for `RNN`.

    Raises
    ------
    TypeError, ValueError
        As for `RNN`.

    Examples
    --------
    >>> layer = LSTM(2, 3, sequence=True)
    >>> layer
    LSTM(2 → 3, 72 parameters)
    >>> len(layer([[1.0, 0.0]] * 5))
    5
    """

    def _made(self, layer: Callable[..., Layer]) -> tuple[Layer, ...]:
        both, outputs = self.inputs + self.outputs, self.outputs
        self.gates = layer(both, 3 * outputs, "gates", "sigmoid")
        self.candidate = layer(both, outputs, "candidate", "tanh")
        for neuron in self.gates.neurons[outputs : 2 * outputs]:
            neuron.bias.data = 1.0
        return self.gates, self.candidate

    def start(self) -> Any:
        """The state and the memory before the first step: zeros."""
        return [[0.0] * self.outputs, [0.0] * self.outputs]

    def step(self, x: Sequence[Any], state: Any) -> Any:
        """The state and the memory after a step with features `x`."""
        h, c = state
        gates, g = self.gates([*x, *h]), self.candidate([*x, *h])
        k = self.outputs
        new = [gates[k + i] * c[i] + gates[i] * g[i] for i in range(k)]
        return [[gates[2 * k + i] * _core.tanh(new[i]) for i in range(k)], new]

    def _shown(self, state: Any) -> list[Any]:
        return list(state[0])
