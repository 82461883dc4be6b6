"""Layers that change the shape, the scale or the numbers of what passes through them."""

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import gradtape._core as _core
from gradtape._core import Value
from gradtape.nn.activation import Scalar, applied, called, checked_activation
from gradtape.nn.initial import generator, size
from gradtape.nn.nested import flat, innermost, is_nested, mapped, shape
from gradtape.nn.neuron import Module, check_inputs
from gradtape.nn.noise import drawn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Activation(Module):
    """An activation as a layer of its own: of every number, and softmax of every list of them.

    Parameters
    ----------
    activation : str or callable
        As for `Layer`.

    Examples
    --------
    >>> Activation("relu")([[1.0, -1.0]])
    [[1.0, 0.0]]
    """

    by_step = True

    def __init__(self, activation: str | Scalar) -> None:
        self.activation = checked_activation(activation, "an Activation", softmax=True)

    def parameters(self) -> list[Value]:
        """None."""
        return []

    def logits(self, x: Any) -> Any:
        """What comes before a softmax; else the outputs."""
        return x if self.activation == "softmax" else self(x)

    def __call__(self, x: Any) -> Any:
        """The same shape."""
        return applied(self.activation, x)

    def __repr__(self) -> str:
        return f"Activation({called(self.activation)})"


class Flatten(Module):
    """All numbers in one list.

    Examples
    --------
    >>> Flatten()([[[1.0, 2.0]], [[3.0, 4.0]]])
    [1.0, 2.0, 3.0, 4.0]
    """

    def parameters(self) -> list[Value]:
        """None."""
        return []

    def __call__(self, x: Any) -> list[Any]:
        """A list."""
        return flat(x)

    def __repr__(self) -> str:
        return "Flatten()"


class Dropout(Module):
    """In training each number is 0 with probability `rate`, else divided by ``1 - rate``.

    Otherwise numbers pass as they are (Srivastava et al. 2014).

    Parameters
    ----------
    rate : float
        From 0 on, less than 1.
    seed : int
        Of the numbers that are drawn where the layer is called by itself; in `gradtape.fit` they
        come from its seed, the same on the tape and natively.

    Attributes
    ----------
    training : bool
        False at first; `Sequential.train` and `gradtape.fit` set it.

    Raises
    ------
    TypeError, ValueError
        If the rate is none.

    Examples
    --------
    >>> layer = Dropout(0.5, seed=1)
    >>> layer([1.0, 2.0, 3.0, 4.0])
    [1.0, 2.0, 3.0, 4.0]
    >>> layer.training = True
    >>> layer([1.0, 2.0, 3.0, 4.0])
    [2.0, 4.0, 0.0, 8.0]
    """

    by_step = True

    def __init__(self, rate: float, *, seed: int = 0) -> None:
        if not isinstance(rate, (int, float)) or isinstance(rate, bool):
            raise TypeError(
                f"the rate of a Dropout must be a number, not {type(rate).__name__} {rate!r}"
            )
        if not 0 <= rate < 1:
            raise ValueError(f"the rate of a Dropout must be from 0 on and less than 1, not {rate}")
        import numpy as np

        self.rate, self.training = float(rate), False
        self._random = np.random.default_rng(seed)

    def parameters(self) -> list[Value]:
        """None."""
        return []

    def _masks(self, random: "np.random.Generator", shape: tuple[int, ...]) -> "NDArray[Any]":
        return (random.random(shape) >= self.rate) / (1.0 - self.rate)

    def __call__(self, x: Any) -> Any:
        """The same shape."""
        if not self.training or not self.rate:
            return x
        masks = iter(drawn(len(flat(x)), self._masks, self._random))
        return mapped(lambda number: number * next(masks), x)

    def __repr__(self) -> str:
        return f"Dropout({self.rate:g})"


class LayerNorm(Module):
    """Each list of numbers with mean 0 and variance 1, then times a gain plus a shift.

    ``(x - mean) / sqrt(variance + epsilon)`` (Ba et al. 2016); the gains start at 1, the shifts at
    0. A batch normalisation is not there: it makes a row's output depend on the other rows of its
    batch, where a program here is of one row.

    Parameters
    ----------
    inputs : int
        Numbers of a list; lists of lists are taken one by one.
    epsilon : float
        Keeps the root away from 0.
    name : str
        Stands before the labels.

    Raises
    ------
    TypeError, ValueError
        If `inputs` is no positive integer; in a call, if a list has another length.

    Examples
    --------
    >>> [round(x.data, 3) for x in LayerNorm(3)([1.0, 2.0, 3.0])]
    [-1.225, 0.0, 1.225]
    """

    by_step = True

    def __init__(self, inputs: int, *, epsilon: float = 1e-5, name: str = "") -> None:
        self.name, self.inputs = name, size(inputs, f"inputs of {name or 'a LayerNorm'}")
        self.epsilon, dot = float(epsilon), f"{name}." if name else ""
        self.gains = tuple(Value(1.0, label=f"{dot}gain{i + 1}") for i in range(inputs))
        self.shifts = tuple(Value(0.0, label=f"{dot}shift{i + 1}") for i in range(inputs))

    def parameters(self) -> list[Value]:
        """The gains, then the shifts."""
        return [*self.gains, *self.shifts]

    def _one(self, x: Sequence[Any]) -> list[Any]:
        check_inputs(x, self.inputs, self.name or "a LayerNorm")
        mean = _core.sum(x) / self.inputs
        centred = [number - mean for number in x]
        scale = 1.0 / _core.sqrt(_core.dot(centred, centred) / self.inputs + self.epsilon)
        return [
            number * scale * gain + shift
            for number, gain, shift in zip(centred, self.gains, self.shifts, strict=True)
        ]

    def __call__(self, x: Sequence[Any]) -> list[Any]:
        """The same shape."""
        return innermost(self._one, x)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"LayerNorm({self.inputs}, {2 * self.inputs} parameters)"


class Embedding(Module):
    """A vector of parameters for each of `count` kinds: a number k becomes the k-th vector.

    Parameters
    ----------
    count : int
        Kinds, which are numbered from 0.
    outputs : int
        Numbers of a vector.
    seed : int or random.Random
        The vectors are drawn from a standard normal distribution.
    name : str
        Stands before the labels.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer; in a call, if a number is no kind.

    Notes
    -----
    A program that runs natively has no places to look up: while a row is recorded, a vector is the
    sum of all of them, each times whether it is the one. That costs ``count * outputs`` products a
    number.

    Examples
    --------
    >>> layer = Embedding(10, 2)
    >>> layer
    Embedding(10 → 2, 20 parameters)
    >>> layer(3) == list(layer.vectors[3]), len(layer([3, 1, 4]))
    (True, 3)
    """

    sequences = by_step = True

    def __init__(self, count: int, outputs: int, *, seed: int | Random = 0, name: str = "") -> None:
        who, dot = name or "an Embedding", f"{name}." if name else ""
        self.count, self.outputs = (
            size(count, f"kinds of {who}"),
            size(outputs, f"outputs of {who}"),
        )
        self.name = who
        self.vectors = tuple(
            tuple(Value(0.0, label=f"{dot}kind{k}.w{i + 1}") for i in range(outputs))
            for k in range(count)
        )
        self.draw(generator(seed))

    def draw(self, random: Random) -> None:
        """Draw the vectors anew."""
        for parameter in self.parameters():
            parameter.data = random.gauss(0.0, 1.0)

    def parameters(self) -> list[Value]:
        """The vectors, one after the other."""
        return [w for vector in self.vectors for w in vector]

    def _wrong(self, kind: Any) -> ValueError:
        return ValueError(f"{self.name} takes kinds from 0 to {self.count - 1}, not {kind}")

    def _looked_up(self, kind: Any) -> list[Any]:
        if not isinstance(kind, Value):
            k = int(kind)
            if k != kind or not 0 <= k < self.count:
                raise self._wrong(kind)
            return list(self.vectors[k])
        chosen = [_core.equal(kind, k) for k in range(self.count)]
        if _core.sum(chosen) < 1:
            raise self._wrong(kind.data)
        return [_core.dot(chosen, column) for column in zip(*self.vectors, strict=True)]

    def __call__(self, x: Any) -> list[Any]:
        """A vector in place of every number."""
        return mapped(self._looked_up, x)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"Embedding({self.count} → {self.outputs}, {self.count * self.outputs} parameters)"


class Residual(Module):
    """``x + f(x)``, where f is some layers one after the other (He et al. 2016).

    Parameters
    ----------
    *layers : layer
        Anything that can be called; the last gives the shape that the first takes.

    Raises
    ------
    ValueError
        In a call, if it gives another shape.

    Examples
    --------
    >>> Residual(Activation("relu"))([1.0, -1.0])
    [2.0, -1.0]
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        self.layers = layers

    def parameters(self) -> list[Value]:
        """Of every layer in turn."""
        return [p for x in self.layers if hasattr(x, "parameters") for p in x.parameters()]

    def __call__(self, x: Any) -> Any:
        """The same shape."""
        y = x
        for layer in self.layers:
            y = layer(y)
        if shape(y) != shape(x) or not is_nested(y):
            raise ValueError(
                f"the layers of a Residual give the shape {shape(y)} for {shape(x)}: "
                "they cannot be added"
            )
        return mapped(lambda a, b: a + b, x, y)

    def __repr__(self) -> str:
        return f"Residual({', '.join(map(repr, self.layers))})"
