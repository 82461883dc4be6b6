"""The backward pass of dense layers, written with matrices beside the sums they stand for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradtape.show.source.writing import templates
from gradtape.show.table import row_of

__all__ = ["is_network", "matrix_source"]

_CALL = re.compile(r"(?<![\w.{])[a-z]\w*")


def is_network(subject: object) -> bool:
    """Whether something is made of dense layers: a layer itself, or what has `layers`.

    Examples
    --------
    >>> import gradtape as gt
    >>> is_network(gt.MLP([2, 3, 1])), is_network(gt.Layer(2, 3)), is_network(gt.tanh)
    (True, True, False)
    """
    layers = _layers(subject)
    wanted = ("inputs", "outputs", "activation", "neurons")
    return bool(layers) and all(hasattr(layer, name) for layer in layers for name in wanted)


def _layers(subject: Any) -> list[Any]:
    layers = getattr(subject, "layers", None)
    return [subject] if layers is None else list(layers)


def matrix_source(network: Any, examples: str) -> tuple[Any, dict[str, str], dict[str, Any]]:
    """What an `AdjointSource` of a network is made of.

    Raises
    ------
    ValueError
        If `examples` is neither ``"columns"`` nor ``"rows"``.
    """
    if examples not in ("columns", "rows"):
        raise ValueError(f"examples must be 'columns' or 'rows', not {examples!r}")
    columns = examples == "columns"
    layers = _layers(network)
    labels: dict[str, str] = {}
    values: dict[str, Any] = {}
    for n, layer in enumerate(layers, 1):
        weights = np.array([[w.data for w in neuron.weights] for neuron in layer.neurons])
        biases = np.array([[neuron.bias.data for neuron in layer.neurons]])
        name = getattr(layer, "name", "") or f"layer{n}"
        labels |= {f"W{n}": f"{name}: weights", f"b{n}": f"{name}: biases"}
        values |= {
            f"W{n}": weights if columns else weights.T,
            f"b{n}": biases.T if columns else biases,
        }

    def write(*, folded: bool = False) -> str:
        return _Writer(layers, columns).text()

    return write, labels, values


@dataclass
class _Writer:
    """Writes one network; `k` counts examples, `i` outputs and `j` inputs of a layer."""

    layers: list[Any]
    columns: bool

    def text(self) -> str:
        last = len(self.layers)
        parameters = [f"{letter}{n}" for n in range(1, last + 1) for letter in "Wb"]
        body = [
            *self._about(),
            "# forward",
            *(line for n in range(1, last + 1) for line in self._forward(n)),
            "# reverse",
            *(line for n in range(last, 0, -1) for line in self._reverse(n)),
            f"return {', '.join(f'd{name}' for name in parameters)}",
        ]
        imports = ["import numpy as np"]
        others = sorted(self._others())
        if others:
            imports += ["", f"from gradtape import {', '.join(others)}"]
        head = f"def gradient(X, dA{last}, {', '.join(parameters)}):"
        return "\n".join([*imports, "", "", head, *(f"    {line}" for line in body), ""])

    def _about(self) -> Iterator[str]:
        last = len(self.layers)
        inputs, outputs = self.layers[0].inputs, self.layers[-1].outputs
        yield f"# X {self._shape(inputs)}: m examples, the {'columns' if self.columns else 'rows'}"
        yield f"# dA{last} {self._shape(outputs)}: derivatives of the loss by the outputs A{last}"
        for n, layer in enumerate(self.layers, 1):
            weights, biases = self._parameter_shapes(layer)
            yield f"# W{n} {weights}, b{n} {biases}"

    def _shape(self, count: int) -> str:
        return f"({count}, m)" if self.columns else f"(m, {count})"

    def _parameter_shapes(self, layer: Any) -> tuple[str, str]:
        if self.columns:
            return f"({layer.outputs}, {layer.inputs})", f"({layer.outputs}, 1)"
        return f"({layer.inputs}, {layer.outputs})", f"(1, {layer.outputs})"

    def _at(self, name: str, index: str) -> str:
        """An element of a matrix that has a column (or row) for each example."""
        return f"{name}[{index}][k]" if self.columns else f"{name}[k][{index}]"

    def _weight(self, name: str) -> str:
        return f"{name}[i][j]" if self.columns else f"{name}[j][i]"

    def _bias(self, name: str) -> str:
        return f"{name}[i][0]" if self.columns else f"{name}[0][i]"

    def _before(self, n: int) -> str:
        return f"A{n - 1}" if n > 1 else "X"

    def _forward(self, n: int) -> Iterator[str]:
        layer, before, shape = self.layers[n - 1], self._before(n), self._shape(self._count(n))
        product = f"W{n} @ {before}" if self.columns else f"{before} @ W{n}"
        term = f"{self._weight(f'W{n}')} * {self._at(before, 'j')}"
        yield f"Z{n} = {product} + b{n}  # {shape}"
        yield f"# {self._at(f'Z{n}', 'i')} = sum over j of {term}, + {self._bias(f'b{n}')}"
        if layer.activation == "softmax":
            over = f"axis={0 if self.columns else 1}, keepdims=True"
            yield f"E{n} = np.exp(Z{n} - Z{n}.max({over}))  # {shape}"
            yield f"A{n} = E{n} / E{n}.sum({over})  # {shape}"
        else:
            yield f"A{n} = {self._activation(n)[0]}  # {shape}"

    def _reverse(self, n: int) -> Iterator[str]:
        layer, before, shape = self.layers[n - 1], self._before(n), self._shape(self._count(n))
        columns = self.columns
        yield from self._through_activation(n, shape)
        dz = self._at(f"dZ{n}", "i")
        weights, biases = self._parameter_shapes(layer)
        product = f"dZ{n} @ {before}.T" if columns else f"{before}.T @ dZ{n}"
        yield f"dW{n} = {product}  # {weights}"
        term = f"{dz} * {self._at(before, 'j')}"
        yield f"# {self._weight(f'dW{n}')} = sum over examples k of {term}"
        yield f"db{n} = dZ{n}.sum(axis={1 if columns else 0}, keepdims=True)  # {biases}"
        yield f"# {self._bias(f'db{n}')} = sum over examples k of {dz}"
        if n > 1:
            product = f"W{n}.T @ dZ{n}" if columns else f"dZ{n} @ W{n}.T"
            yield f"d{before} = {product}  # {self._shape(layer.inputs)}"
            term = f"{self._weight(f'W{n}')} * {dz}"
            yield f"# {self._at(f'd{before}', 'j')} = sum over i of {term}"

    def _through_activation(self, n: int, shape: str) -> Iterator[str]:
        if self.layers[n - 1].activation != "softmax":
            yield f"dZ{n} = {self._activation(n)[1]}  # {shape}"
            return
        over = f"axis={0 if self.columns else 1}, keepdims=True"
        yield f"dZ{n} = A{n} * (dA{n} - (dA{n} * A{n}).sum({over}))  # {shape}"
        term = f"{self._at(f'dA{n}', 'l')} * {self._at(f'A{n}', 'l')}"
        inner = f"{self._at(f'dA{n}', 'i')} - sum over l of {term}"
        yield f"# {self._at(f'dZ{n}', 'i')} = {self._at(f'A{n}', 'i')} * ({inner})"

    def _count(self, n: int) -> int:
        return int(self.layers[n - 1].outputs)

    def _activation(self, n: int) -> tuple[str, str]:
        """Its value, and what `dZ` is, as NumPy computes them."""
        name = self.layers[n - 1].activation
        if name == "linear":
            return f"Z{n}", f"dA{n}"
        row = row_of(name)
        value, (part,) = templates(row)
        letters = {row.operands[0]: f"Z{n}", "r": f"A{n}", "a": f"dA{n}"}
        reverse = "{a} * 0" if part is None else part.text

        def arrays(text: str) -> str:
            return _CALL.sub(_of_numpy, text).format(**letters)

        return arrays(value.text), arrays(reverse)

    def _others(self) -> set[str]:
        """The functions that NumPy has not."""
        names = {layer.activation for layer in self.layers} - {"linear", "softmax"}
        parts = [
            part
            for name in names
            for part in (templates(row_of(name))[0], *templates(row_of(name))[1])
        ]
        calls = {call for part in parts if part is not None for call in part.calls}
        return {call for call in calls if not hasattr(np, call)}


def _of_numpy(call: re.Match[str]) -> str:
    return f"np.{call[0]}" if hasattr(np, call[0]) else call[0]
