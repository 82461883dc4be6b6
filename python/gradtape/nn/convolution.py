"""Convolutions and pooling: one dense layer, or one summary, of every patch of an image."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import reduce
from random import Random
from typing import Any, ClassVar

import gradtape._core as _core
from gradtape._core import Value
from gradtape.nn.activation import Scalar, called
from gradtape.nn.initial import size
from gradtape.nn.nested import axes, is_nested, shape
from gradtape.nn.neuron import Layer, Module


def _not_negative(count: int, what: str) -> int:
    return size(count + 1, f"{what} + 1") - 1


class _Convolution(Module):
    """What convolutions share: a dense layer of the numbers of a patch."""

    dimensions: ClassVar[int]

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        activation: str | Scalar = "linear",
        *,
        stride: int = 1,
        padding: int = 0,
        init: str = "he",
        seed: int | Random = 0,
        name: str = "",
    ) -> None:
        who = name or f"a {type(self).__name__}"
        self.inputs = size(inputs, f"inputs of {who}")
        self.outputs = size(outputs, f"outputs of {who}")
        self.kernel = size(kernel, f"kernel of {who}")
        self.stride = size(stride, f"stride of {who}")
        self.padding = _not_negative(padding, f"padding of {who}")
        self.layer = Layer(
            self.inputs * self.kernel**self.dimensions,
            self.outputs,
            activation,
            init=init,
            seed=seed,
            name=name,
        )

    def parameters(self) -> list[Value]:
        """Of each output channel in turn: the weights by input channel, row, column; the bias."""
        return self.layer.parameters()

    def _starts(self, length: int) -> range:
        """Where patches begin, in an axis that was padded."""
        if length < self.kernel:
            raise ValueError(
                f"a {type(self).__name__} with a kernel of {self.kernel} takes axes of at least "
                f"that many numbers with their padding, not of {length}"
            )
        return range(0, length - self.kernel + 1, self.stride)

    def __repr__(self) -> str:
        options = "".join(
            f", {name}={value}"
            for name, value, usual in (("stride", self.stride, 1), ("padding", self.padding, 0))
            if value != usual
        )
        return (
            f"{type(self).__name__}({self.inputs} → {self.outputs} "
            f"{called(self.layer.activation)}, kernel={self.kernel}{options}, "
            f"{len(self.parameters())} parameters)"
        )


class Conv1d(_Convolution):
    """A dense layer of every window of a signal: (inputs, n) to (outputs, m).

    Each output channel has at place i the activation of the sum of ``kernel`` numbers of every
    input channel, from ``i * stride`` on, times its weights, plus its bias; m is
    ``(n + 2 * padding - kernel) // stride + 1``.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
        Numbers of a window.
    activation : str or callable
        As for `Layer`; ``"softmax"`` is over the channels of a place.
    stride : int
        From one window to the next.
    padding : int
        How many zeros stand on each side.
    init, seed, name
        As for a `Layer` of the numbers of a window.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer or a name is unknown; in a call, if the shape is wrong.

    Examples
    --------
    >>> layer = Conv1d(1, 2, 3)
    >>> layer
    Conv1d(1 → 2 linear, kernel=3, 8 parameters)
    >>> for w, number in zip(layer.parameters(), [1, 0, -1, 0, 1, 1, 1, 10]):
    ...     w.data = number
    >>> [[x.data for x in channel] for channel in layer([[1.0, 2.0, 4.0, 8.0]])]
    [[-3.0, -6.0], [17.0, 24.0]]
    """

    dimensions = 1

    def __call__(self, x: Sequence[Any]) -> list[list[Value]]:
        """The channels of the result; a list of numbers is one input channel."""
        if len(x) and not is_nested(x[0]):
            x = [x]
        x = axes(x, self.inputs, None, name="a Conv1d", what="[channels][places]")
        edge = [0.0] * self.padding
        padded = [[*edge, *channel, *edge] for channel in x]
        k = self.kernel
        places = [
            self.layer([number for channel in padded for number in channel[i : i + k]])
            for i in self._starts(len(padded[0]))
        ]
        return [list(channel) for channel in zip(*places, strict=True)]


class Conv2d(_Convolution):
    """A dense layer of every square patch of an image: (inputs, h, w) to (outputs, h', w').

    As `Conv1d` with two axes, both with the same kernel, stride and padding. One native call a
    patch; a compiled program turns those into one dense layer.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
        Rows and columns of a patch.
    activation, stride, padding, init, seed, name
        As for `Conv1d`.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer or a name is unknown; in a call, if the shape is wrong.

    Examples
    --------
    >>> layer = Conv2d(1, 4, 3, "relu", padding=1)
    >>> layer
    Conv2d(1 → 4 relu, kernel=3, padding=1, 40 parameters)
    >>> from gradtape.nn.nested import shape
    >>> shape(layer([[0.0] * 8] * 8))
    (4, 8, 8)
    """

    dimensions = 2

    def __call__(self, x: Sequence[Any]) -> list[list[list[Value]]]:
        """The channels of the result; a list of rows is one input channel."""
        if len(shape(x)) == 2:
            x = [x]
        x = axes(x, self.inputs, None, None, name="a Conv2d", what="[channels][rows][columns]")
        edge = [0.0] * self.padding
        blank = [[0.0] * (len(x[0][0]) + 2 * self.padding)] * self.padding
        padded = [[*blank, *([*edge, *row, *edge] for row in channel), *blank] for channel in x]
        k = self.kernel
        lines = [
            [
                self.layer(
                    [
                        number
                        for channel in padded
                        for row in channel[i : i + k]
                        for number in row[j : j + k]
                    ]
                )
                for j in self._starts(len(padded[0][0]))
            ]
            for i in self._starts(len(padded[0]))
        ]
        return [
            [[place[channel] for place in line] for line in lines]
            for channel in range(self.outputs)
        ]


class _Pool(Module):
    """What pooling layers share."""

    def __init__(self, width: int, stride: int | None = None) -> None:
        self.width = size(width, f"size of a {type(self).__name__}")
        self.stride = self.width if stride is None else size(stride, "stride")

    def parameters(self) -> list[Value]:
        """None."""
        return []

    @abstractmethod
    def _summary(self, patch: list[Any]) -> Any:
        """One number for those of a patch."""

    def _starts(self, length: int) -> range:
        if length < self.width:
            raise ValueError(
                f"a {type(self).__name__} of {self.width} takes axes of at least that many "
                f"numbers, not of {length}"
            )
        return range(0, length - self.width + 1, self.stride)

    def __call__(self, x: Sequence[Any]) -> list[Any]:
        """[channels][places] or [channels][rows][columns], with shorter places, rows, columns."""
        given = len(shape(x))
        if given not in (2, 3):
            raise ValueError(
                f"a {type(self).__name__} takes [channels][places] or "
                f"[channels][rows][columns], not the shape {shape(x)}"
            )
        return [self._line(channel) if given == 2 else self._image(channel) for channel in x]

    def _line(self, line: Sequence[Any]) -> list[Any]:
        return [self._summary(list(line[i : i + self.width])) for i in self._starts(len(line))]

    def _image(self, image: Sequence[Any]) -> list[list[Any]]:
        k = self.width
        return [
            [
                self._summary([number for row in image[i : i + k] for number in row[j : j + k]])
                for j in self._starts(len(image[0]))
            ]
            for i in self._starts(len(image))
        ]

    def __repr__(self) -> str:
        stride = "" if self.stride == self.width else f", stride={self.stride}"
        return f"{type(self).__name__}({self.width}{stride})"


class MaxPool(_Pool):
    """The largest number of every window of each channel; of square patches, where it has rows.

    Parameters
    ----------
    width : int
        Places of a window, or rows and columns of a patch.
    stride : int, optional
        From one to the next; by default they touch. What is left at an end is not looked at.

    Examples
    --------
    >>> MaxPool(2)([[1.0, 5.0, 2.0, 3.0, 9.0]])
    [[5.0, 3.0]]
    """

    def _summary(self, patch: list[Any]) -> Any:
        return reduce(_core.maximum, patch)


class AvgPool(_Pool):
    """The mean of every window of each channel; parameters as for `MaxPool`.

    Examples
    --------
    >>> AvgPool(2)([[[1.0, 5.0], [2.0, 4.0]]])
    [[[3.0]]]
    """

    def _summary(self, patch: list[Any]) -> Any:
        return _core.sum(patch) / len(patch)
