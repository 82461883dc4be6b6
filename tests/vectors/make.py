"""Write the test vectors operations.json and graphs.json next to this file.

The points of the operations are in cases.py, the mathematics in exact.py, whole graphs here.
Run by hand with `python tests/vectors/make.py`; README.md tells what the fields mean.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from cases import operations
from exact import (
    ACTIVATIONS,
    Case,
    Function,
    Number,
    derivative,
    draws,
    flat,
    nearest,
    sigmoid,
    softmax,
    take,
    value,
)
from mpmath import mp, mpf  # type: ignore[import-untyped]

# ---------------------------------------------------------------- graphs

OPERATORS: dict[str, Function] = {
    "+": lambda x, y: x + y,
    "*": lambda x, y: x * y,
    "tanh": mp.tanh,
}


def scalar_graph(inputs: dict[str, float], steps: list[tuple[str, str, list[str]]]) -> Case:
    """Values and gradients of every node of a small graph.

    Parameters
    ----------
    inputs : dict
        Label and value of each leaf.
    steps : list of (label, operator, operands)
        The inner nodes in the order of evaluation; the last one is the output.

    Returns
    -------
    dict
        "inputs", "steps", "output", "values" and "gradients". A gradient is the derivative of
        the output with respect to a number added at that node.
    """

    def run(nudged: str = "", nudge: Number = 0) -> dict[str, Number]:
        nodes: dict[str, Number] = {}
        for label, operator, operands in [(key, "", []) for key in inputs] + steps:
            node = OPERATORS[operator](*[nodes[o] for o in operands]) if operator else None
            nodes[label] = mpf(inputs[label]) if node is None else node
            if label == nudged:
                nodes[label] += nudge
        return nodes

    output = steps[-1][0]
    values = {label: nearest(node) for label, node in run().items()}
    gradients = {k: derivative(lambda t, k=k: run(k, t)[output], [0.0], [1]) for k in values}
    return {"inputs": inputs, "steps": steps, "output": output,
            "values": values, "gradients": gradients}  # fmt: skip


def shaped(numbers: Iterator[Any], like: Any) -> Any:
    """Arrange a flat stream in the nesting of another list."""
    return [shaped(numbers, part) for part in like] if isinstance(like, list) else next(numbers)


def network(rows: list[list[float]], parameters: list[Any], hidden: Function) -> list[list[Number]]:
    """Return the outputs of a dense network with the parameters W1, b1, W2, b2, and so on."""
    # The last layer is linear.
    signals: list[list[Number]] = [[mpf(x) for x in row] for row in rows]
    for layer in range(0, len(parameters), 2):
        weights, biases = parameters[layer : layer + 2]
        f = hidden if layer + 2 < len(parameters) else ACTIVATIONS[""]
        signals = [
            [f(mp.fdot(w, x) + b) for w, b in zip(weights, biases, strict=True)] for x in signals
        ]
    return signals


def trained(
    names: list[str], parameters: list[Any], loss: Callable[[list[Any]], Number]
) -> dict[str, Any]:
    """Loss and gradients, the derivative of the whole loss with respect to each parameter."""
    start, gradients = flat(parameters), []
    with mp.workdps(120):
        exact = [mpf(p) for p in start]
        for i in range(len(start)):

            def moved(t: Number, i: int = i) -> Number:
                return loss(shaped(iter([*exact[:i], t, *exact[i + 1 :]]), parameters))

            gradients.append(nearest(mp.diff(moved, exact[i])))
        total = nearest(loss(shaped(iter(exact), parameters)))
    named = dict(zip(names, shaped(iter(gradients), parameters), strict=True))
    return {"loss": total, "gradients": named}


def layers(stream: Iterator[float], *sizes: int) -> tuple[list[str], list[Any]]:
    """Names and numbers of the parameters of dense layers: W [n_out][n_in] and b [n_out]."""
    names, parameters = [], []
    for k, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        names += [f"W{k}", f"b{k}"]
        parameters += [take(stream, n_out, n_in), take(stream, n_out)]
    return names, parameters


def s1_network() -> Case:
    """Return a 3-4-4-2 sigmoid network, linear output, mean over rows of half the squared norm."""
    names, parameters = layers(draws(1), 3, 4, 4, 2)
    data = draws(2, 1.0)
    inputs, targets = take(data, 5, 3), take(data, 5, 2)

    def loss(numbers: list[Any]) -> Number:
        outputs = network(inputs, numbers, sigmoid)
        squares = zip(flat(outputs), flat(targets), strict=True)
        return mp.fsum((p - t) ** 2 for p, t in squares) / 2 / len(inputs)

    outputs = [[nearest(p) for p in row] for row in network(inputs, parameters, sigmoid)]
    return {"sizes": [3, 4, 4, 2], "activations": ["sigmoid", "sigmoid", ""],
            "loss_function": "mean over rows of 1/2 * |prediction - target|^2",
            "inputs": inputs, "targets": targets,
            "parameters": dict(zip(names, parameters, strict=True)),
            "outputs": outputs, **trained(names, parameters, loss)}  # fmt: skip


def mlp() -> Case:
    """Return a 4-5-3 tanh network with categorical cross-entropy on its logits."""
    names, parameters = layers(draws(3), 4, 5, 3)
    inputs, targets = take(draws(4, 2.0), 3, 4), [2, 0, 1]

    def loss(numbers: list[Any]) -> Number:
        rows = zip(network(inputs, numbers, mp.tanh), targets, strict=True)
        return mp.fsum(-mp.log(softmax(t, *row)) for row, t in rows) / len(inputs)

    logits = network(inputs, parameters, mp.tanh)
    chances = [[nearest(softmax(i, *row)) for i in range(3)] for row in logits]
    return {"sizes": [4, 5, 3], "activations": ["tanh", ""],
            "loss_function": "mean over rows of -log(softmax(output)[target])",
            "inputs": inputs, "targets": targets,
            "parameters": dict(zip(names, parameters, strict=True)),
            "outputs": [[nearest(p) for p in row] for row in logits],
            "probabilities": chances, **trained(names, parameters, loss)}  # fmt: skip


def graphs() -> dict[str, Case]:
    """All whole graphs."""
    neuron = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.8813735870195432}
    plus = "x1*w1 + x2*w2"
    s0_neuron = {"I1": 0.5, "I2": -1.5, "I3": 2.25, "w1": 0.8, "w2": -0.3, "w3": 1.1, "b1": 0.4}
    quadratic = lambda x: 4 * x**2 - 2 * x + 5  # noqa: E731
    return {
        "neuron": scalar_graph(neuron, [
            ("x1*w1", "*", ["x1", "w1"]), ("x2*w2", "*", ["x2", "w2"]),
            (plus, "+", ["x1*w1", "x2*w2"]), ("n", "+", [plus, "b"]), ("o", "tanh", ["n"])]),
        "quadratic": {"formula": "4*x**2 - 2*x + 5", "x": 3.0, "value": value(quadratic, [3.0]),
                      "gradient": derivative(quadratic, [3.0], [1]),
                      "second": derivative(quadratic, [3.0], [2])},
        "s0_neuron": scalar_graph(s0_neuron, [
            ("value1", "*", ["w1", "I1"]), ("value2", "*", ["w2", "I2"]),
            ("value3", "*", ["w3", "I3"]), ("value4", "+", ["value1", "value2"]),
            ("value5", "+", ["value4", "value3"]), ("value6", "+", ["value5", "b1"])]),
        "s1_network": s1_network(),
        "mlp": mlp(),
    }  # fmt: skip


# ---------------------------------------------------------------- files


def text(item: Any) -> str:
    """JSON of one item on one line, with inf and nan as strings (JSON has no number for them)."""

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: plain(entry) for key, entry in part.items()}
        if isinstance(part, list | tuple):
            return [plain(entry) for entry in part]
        return str(part) if isinstance(part, float) and not math.isfinite(part) else part

    return json.dumps(plain(item), allow_nan=False)


def main() -> None:
    """Write both files, one case or field a line."""
    mp.dps = 50
    here = Path(__file__).resolve().parent
    table = operations()
    blocks = [f'"{op}": [\n' + ",\n".join(map(text, table[op])) + "\n]" for op in table]
    (here / "operations.json").write_text("{\n" + ",\n".join(blocks) + "\n}\n")
    blocks = [
        f'"{name}": {{\n' + ",\n".join(f'"{k}": {text(v)}' for k, v in graph.items()) + "\n}"
        for name, graph in graphs().items()
    ]
    (here / "graphs.json").write_text("{\n" + ",\n".join(blocks) + "\n}\n")


if __name__ == "__main__":
    main()
