"""A network as people draw it: a circle a neuron, a line a weight."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from xml.sax.saxutils import escape, quoteattr

from gradtape._core import Value
from gradtape.show.drawing.theme import safe, shortened, style

__all__ = ["Network", "network", "shown_weights"]

# Neurons of a layer that are drawn; of more, the first and the last.
_MOST = 16
_RADIUS, _ROW, _COLUMN, _TOP, _SIDE = 11.0, 34.0, 170.0, 54.0, 70.0
_WIDEST = 4.0


class Neuron(Protocol):
    """What is drawn of a neuron."""

    @property
    def weights(self) -> tuple[Value, ...]:
        """One an input."""

    @property
    def bias(self) -> Value:
        """The bias."""


class Layer(Protocol):
    """What is drawn of a layer."""

    name: str
    activation: Any

    @property
    def neurons(self) -> Sequence[Neuron]:
        """In their order."""


class Network(Protocol):
    """What is drawn of a network."""

    inputs: int

    @property
    def layers(self) -> Sequence[Layer]:
        """From the inputs to the outputs."""


@dataclass(frozen=True)
class Weight:
    """A line of the picture: from neuron `start` of a column to neuron `end` of the next."""

    column: int
    start: int
    end: int
    value: Value


def _shown(count: int) -> list[int]:
    if count <= _MOST:
        return list(range(count))
    half = _MOST // 2
    return [*range(half), *range(count - half + 1, count)]


def shown_weights(model: Network) -> list[Weight]:
    """The weights that the picture has a line for, in its order."""
    found, before = [], model.inputs
    for column, layer in enumerate(model.layers):
        for end in _shown(len(layer.neurons)):
            weights = layer.neurons[end].weights
            found += [Weight(column, start, end, weights[start]) for start in _shown(before)]
        before = len(layer.neurons)
    return found


def _height(count: int) -> float:
    return len(_shown(count)) * _ROW + (_ROW if count > _MOST else 0.0)


def _places(count: int, middle: float) -> dict[int, float]:
    """Where the neurons of a column stand, with room for dots where some are left out."""
    shown = _shown(count)
    top = middle - _height(count) / 2 + _ROW / 2
    jump = _ROW if count > _MOST else 0.0
    return {i: top + k * _ROW + (jump if k >= _MOST // 2 else 0.0) for k, i in enumerate(shown)}


def _line(k: int, weight: Weight, x: float, y: float, to_y: float, largest: float) -> str:
    share = abs(weight.value.data) / largest if largest else 0.0
    name = safe(weight.value.label or "weight")
    kind = "down" if weight.value.data < 0 else "up"
    half = x + _COLUMN / 2
    return (
        f'<path class="gt-weight gt-{kind}" data-weight="{k}" '
        f'd="M{x:g} {y:g}C{half:g} {y:g} {half:g} {to_y:g} {x + _COLUMN:g} {to_y:g}" '
        f'stroke-width="{0.4 + (_WIDEST - 0.4) * share:.2f}" opacity="{0.25 + 0.65 * share:.2f}">'
        f"<title>{escape(f'{name}: {weight.value.data:.4f}, grad {weight.value.grad:.4f}')}</title>"
        "</path>"
    )


_STYLE = (
    ".gradtape .gt-weight{fill:none}"
    ".gradtape .gt-up{stroke:#2f7de1;stroke:var(--gt-up,#2f7de1)}"
    ".gradtape .gt-down{stroke:#d9730d;stroke:var(--gt-down,#d9730d)}"
    ".gradtape .gt-neuron{stroke-width:1.8}.gradtape .gt-mid{text-anchor:middle}"
)


def _neurons(names: list[str], count: int, x: float, middle: float, kind: str) -> list[str]:
    parts = []
    places = _places(count, middle)
    for i, y in places.items():
        parts.append(
            f'<g class="gt-{kind}"><title>{escape(safe(names[i]))}</title><circle '
            f'class="gt-box gt-neuron" cx="{x:g}" cy="{y:g}" r="{_RADIUS:g}"/></g>'
        )
    if count > _MOST:
        gap = list(places.values())[_MOST // 2 - 1] + _ROW
        text = f"⋮ {count - len(places)} more"
        parts.append(f'<text class="gt-caption gt-mid" x="{x:g}" y="{gap + 4:g}">{text}</text>')
    return parts


def network(model: Network) -> str:
    """The picture of a network: wider lines for larger weights, orange for negative ones.

    Examples
    --------
    >>> from gradtape.nn import MLP
    >>> network(MLP([2, 3, 1])).count("data-weight")
    9
    """
    counts = [model.inputs, *(len(layer.neurons) for layer in model.layers)]
    high = max(_height(count) for count in counts) + _TOP + 20
    wide = 2 * _SIDE + _COLUMN * (len(counts) - 1)
    middle = _TOP + (high - _TOP - 20) / 2
    parts = []
    weights = shown_weights(model)
    largest = [0.0] * len(counts)
    for weight in weights:
        largest[weight.column] = max(largest[weight.column], abs(weight.value.data))
    for k, weight in enumerate(weights):
        x = _SIDE + weight.column * _COLUMN
        y = _places(counts[weight.column], middle)[weight.start]
        to_y = _places(counts[weight.column + 1], middle)[weight.end]
        parts.append(_line(k, weight, x, y, to_y, largest[weight.column]))
    captions = [("inputs", str(model.inputs))]
    captions += [
        (shortened(layer.name or "layer", 18), f"{len(layer.neurons)} {_called(layer.activation)}")
        for layer in model.layers
    ]
    for column, (count, (name, what)) in enumerate(zip(counts, captions, strict=True)):
        x = _SIDE + column * _COLUMN
        kind = "leaf" if not column else "root" if column == len(counts) - 1 else "node"
        prefix = "input" if not column else f"{name}.neuron"
        names = [f"{prefix}{' ' * (not column)}{i + 1}" for i in range(count)]
        parts += _neurons(names, count, x, middle, kind)
        parts.append(
            f'<text class="gt-label gt-mid" x="{x:g}" y="24">{escape(name)}</text>'
            f'<text class="gt-caption gt-mid" x="{x:g}" y="40">{escape(safe(what))}</text>'
        )
    size = f"{wide:g} {high:g}"
    steps = ", ".join(f"{name} of {what}" for name, what in captions)
    about = safe(f"A network with {steps}; wider lines are larger weights, orange ones negative.")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gradtape" viewBox="0 0 {size}" '
        f'width="{wide:g}" height="{high:g}" role="img" aria-label={quoteattr(about)}>'
        f"<title>{escape(about)}</title><style>{style()}{_STYLE}</style>"
        '<rect class="gt-paper" width="100%" height="100%" rx="8"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _called(activation: Any) -> str:
    """An activation's name, also that of a function."""
    return activation if isinstance(activation, str) else getattr(activation, "__name__", "own")
