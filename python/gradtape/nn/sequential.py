"""Layers one after the other."""

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

import gradtape._core as _core
from gradtape._core import Value
from gradtape.functions import no_grad
from gradtape.nn.initial import generator
from gradtape.nn.layers import Activation
from gradtape.nn.neuron import Module
from gradtape.nn.parts import parts, switches, training


class Sequential(Module):
    """Layers one after the other, each on what the one before gives.

    Parameters
    ----------
    *layers : layer, str or callable, or one list of them
        A layer is anything that can be called, with ``parameters()`` where it has some: so a class
        of your own in plain Python. A string is an `Activation`.
    seed : int or random.Random, optional
        All weights are drawn anew from it, layer after layer; by default they stay what each layer
        drew from its own seed.

    Attributes
    ----------
    layers : tuple
    training : bool
        Whether it is in training, which a `Dropout` asks; False at first.

    Raises
    ------
    TypeError, ValueError
        If there is no layer, or one cannot be called.

    Examples
    --------
    >>> from gradtape.nn import Conv2d, Dropout, Flatten, Linear, MaxPool
    >>> model = Sequential(
    ...     Conv2d(1, 4, 3, "relu"),
    ...     MaxPool(2),
    ...     Flatten(),
    ...     Dropout(0.2),
    ...     Linear(4 * 3 * 3, 10, "softmax"),
    ...     seed=1,
    ... )
    >>> image = [[0.0] * 8 for row in range(8)]
    >>> len(model(image)), model.predict([image])
    (10, [0])
    >>> model.parameters()[-1].label
    'layer5.neuron10.b'
    """

    def __init__(self, *layers: Any, seed: int | Random | None = None) -> None:
        if len(layers) == 1 and isinstance(layers[0], (list, tuple)):
            layers = tuple(layers[0])
        if not layers:
            raise ValueError("a Sequential takes at least one layer, not none")
        self.layers: tuple[Callable[[Any], Any], ...] = tuple(
            Activation(layer) if isinstance(layer, str) else layer for layer in layers
        )
        self.training = False
        for i, layer in enumerate(self.layers):
            if not callable(layer):
                raise TypeError(
                    f"layer{i + 1} must be something to call or the name of an activation, "
                    f"not {type(layer).__name__} {layer!r}"
                )
        self._label()
        if seed is not None:
            random = generator(seed)
            for part in parts(self):
                if hasattr(part, "draw"):
                    part.draw(random)

        self.sequences = bool(getattr(self.layers[0], "sequences", False))

    @property
    def padding(self) -> bool:
        """Whether the outputs are the same for a sequence that was padded.

        So it is where a recurrent layer that gives its last state stands behind layers that go
        step by step; training then computes sequences of similar length together.
        """
        for layer in self.layers:
            if getattr(layer, "padding", False):
                return True
            if not getattr(layer, "by_step", False):
                return False
        return False

    def _label(self) -> None:
        labelled: set[int] = set()
        for i, layer in enumerate(self.layers):
            for p in layer.parameters() if hasattr(layer, "parameters") else []:
                if id(p) not in labelled:
                    labelled.add(id(p))
                    p.label = f"layer{i + 1}.{p.label}"

    def parameters(self) -> list[Value]:
        """The parameters of every layer in turn; of one that stands twice, once."""
        found: dict[int, Value] = {}
        for layer in self.layers:
            if hasattr(layer, "parameters"):
                found.update((id(p), p) for p in layer.parameters())
        return list(found.values())

    def train(self) -> "Sequential":
        """Switch to training, for a loop of your own; `gradtape.fit` does it by itself.

        Returns
        -------
        Sequential
            Itself.

        Examples
        --------
        >>> from gradtape.nn import Dropout
        >>> Sequential(Dropout(0.5)).train().layers[0].training
        True
        """
        return self._switched(True)

    def eval(self) -> "Sequential":
        """Switch back from training; gives itself."""
        return self._switched(False)

    def _switched(self, flag: bool) -> "Sequential":
        for part in switches(self):
            part.training = flag
        return self

    def logits(self, row: Any) -> Any:
        """The outputs for one row before a final softmax: what a cross-entropy takes."""
        *before, last = self.layers
        for layer in before:
            row = layer(row)
        return getattr(last, "logits", last)(row)

    def __call__(self, row: Any) -> Any:
        """The outputs for one row: numbers, an image, a sequence; what the first layer takes."""
        for layer in self.layers:
            row = layer(row)
        return row

    def values(self, rows: Iterable[Any]) -> list[list[float]]:
        """The outputs for each row as plain numbers, nothing recorded and nothing dropped."""
        with no_grad(), training(switches(self), False):
            return [_core.data(self(row)) for row in rows]

    def predict(self, rows: Sequence[Any]) -> list[int] | list[float]:
        """The class of each row: the index of its largest output, the first among equals.

        A model with one output has no classes: its outputs are given as they are.
        """
        values = self.values(rows)
        if values and len(values[0]) == 1:
            return [row[0] for row in values]
        return [row.index(max(row)) for row in values]

    def __repr__(self) -> str:
        lines = "".join(f"\n    {layer!r}," for layer in self.layers)
        return f"Sequential({lines}\n)"
