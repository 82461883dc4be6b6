"""What every contender runs, word for word; `timing.private` gives each its own copy."""

from collections.abc import Callable, Sequence
from typing import Any

Layers = list[list[tuple[list[Any], Any]]]
Number = Any  # a float, or any contender's value


def operator(expression: str, unroll: int = 100) -> Callable[[Number, Number, int], None]:
    """Make a loop over an expression of a and b in which the loop itself hardly counts."""
    text = (
        "def loop(a, b, times):\n    for _ in range(times):\n" + f"        {expression}\n" * unroll
    )
    names: dict[str, Any] = {}
    exec(text, names)
    loop: Callable[[Number, Number, int], None] = names["loop"]
    return loop


def forward(
    layers: Layers, inputs: Sequence[Number], relu: Callable[[Number], Number]
) -> list[Number]:
    """Evaluate a dense network neuron by neuron; the last layer is linear."""
    *hidden, last = layers
    for layer in hidden:
        inputs = [relu(sum((wi * xi for wi, xi in zip(w, inputs)), b)) for w, b in layer]
    return [sum((wi * xi for wi, xi in zip(w, inputs)), b) for w, b in last]


def loss(
    layers: Layers,
    rows: list[list[float]],
    targets: list[int],
    relu: Callable[[Number], Number],
    exp: Callable[[Number], Number],
    log: Callable[[Number], Number],
) -> Number:
    """Give the mean cross-entropy of the softmax: 26,097 operations for iris's 112 rows."""
    total = 0.0
    for inputs, target in zip(rows, targets):
        logits = forward(layers, inputs, relu)
        first, *others = [exp(z) for z in logits]
        total = total + (log(sum(others, first)) - logits[target])
    return total / len(rows)


def update(parameters: list[Number], rate: float) -> None:
    """Make a step down the gradient, by hand."""
    for p in parameters:
        p.data -= rate * p.grad
        p.grad = 0.0


def chain(x: Number, a: Number, b: Number, operations: int) -> Number:
    """Multiply and add: two operations a turn."""
    for _ in range(operations // 2):
        x = x * a + b
    return x


def powers(x: Number, a: Number, b: Number, operations: int) -> Number:
    """Multiply only."""
    for _ in range(operations):
        x = x * a
    return x


def fifty(x: Number, a: Number) -> Number:
    """Hang fifty nodes on x."""
    for _ in range(50):
        x = x * a
    return x
