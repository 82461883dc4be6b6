"""Write layers.json: what PyTorch's layers give, and their gradients.

Run by hand with `python tests/vectors/layers.py` where PyTorch is; README.md tells what the fields
mean.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

torch.set_default_dtype(torch.float64)
torch.manual_seed(7)

Rows = list[tuple[Tensor, Tensor]]  # per layer of ours: weights (outputs, inputs), biases


def ours(rows: Rows) -> Tensor:
    """Neuron by neuron: the weights, then the bias."""
    return torch.cat([torch.cat([w, b[:, None]], dim=1).reshape(-1) for w, b in rows])


def dense(layer: nn.Module) -> Any:
    return lambda g: ours([(g(layer.weight).flatten(1), g(layer.bias))])


def gates(cell: nn.Module, which: list[int]) -> Any:
    """Rows of some gates of a recurrent cell, on features and state together."""

    def rows(g: Any) -> tuple[Tensor, Tensor]:
        parts = [g(p).chunk(cell.chunks) for p in cell.parameters()]
        wi, wh, bi, bh = [torch.cat([part[k] for k in which]) for part in parts]
        return torch.cat([wi, wh], dim=1), bi + bh if g is value else bi

    return rows


def value(p: Tensor) -> Tensor:
    return p.detach()


def gradient(p: Tensor) -> Tensor:
    assert p.grad is not None
    return p.grad


def rnn(cell: nn.Module) -> Any:
    cell.chunks = 1
    return lambda g: ours([gates(cell, [0])(g)])


def lstm(cell: nn.Module) -> Any:
    cell.chunks = 4  # PyTorch has i, f, g, o
    return lambda g: ours([gates(cell, [0, 1, 3])(g), gates(cell, [2])(g)])


def gru(cell: nn.Module) -> Any:
    cell.chunks = 3  # PyTorch has r, z, n

    def parameters(g: Any) -> Tensor:
        wi, wh, bi, bh = [g(p).chunk(3)[2] for p in cell.parameters()]
        return ours([gates(cell, [0, 1])(g), (wi, bi), (wh, bh)])

    return parameters


def norm(layer: nn.Module) -> Any:
    return lambda g: torch.cat([g(layer.weight), g(layer.bias)])


def case(name: str, make: str, layer: Any, order: Any, x: Tensor) -> dict[str, Any]:
    if isinstance(layer, nn.Module):
        with torch.no_grad():
            for p in layer.parameters():
                p.copy_(torch.randn(p.shape))
    x.requires_grad_(x.is_floating_point())
    out = layer(x)
    out = out[0] if isinstance(out, tuple) else out
    factors = torch.randn(out.shape)
    (out * factors).sum().backward()
    return {
        "name": name,
        "make": make,
        "x": x.tolist(),
        "parameters": order(value).tolist() if order else [],
        "out": out.tolist(),
        "factors": factors.tolist(),
        "by_x": x.grad.tolist() if x.grad is not None else None,
        "by_parameters": order(gradient).tolist() if order else [],
    }


def cases() -> list[dict[str, Any]]:
    linear = nn.Linear(4, 3)
    one, two = nn.Conv1d(2, 3, 2, stride=2, padding=1), nn.Conv2d(2, 3, 3, padding=1)
    cells = nn.RNN(2, 3), nn.GRU(2, 3), nn.LSTM(2, 3)
    layer_norm, embedding = nn.LayerNorm(4), nn.Embedding(5, 3)
    r = torch.randn
    return [
        case("linear", "Linear(4, 3)", linear, dense(linear), r(4)),
        case("conv1d", "Conv1d(2, 3, 2, stride=2, padding=1)", one, dense(one), r(2, 5)),
        case("conv2d", "Conv2d(2, 3, 3, padding=1)", two, dense(two), r(2, 4, 3)),
        case("max", "MaxPool(2)", nn.MaxPool2d(2), None, r(2, 5, 4)),
        case("max with steps", "MaxPool(3, 2)", nn.MaxPool1d(3, 2), None, r(2, 8)),
        case("mean", "AvgPool(2)", nn.AvgPool2d(2), None, r(2, 4, 4)),
        case("rnn", "RNN(2, 3, sequence=True)", cells[0], rnn(cells[0]), r(5, 2)),
        case("gru", "GRU(2, 3, sequence=True)", cells[1], gru(cells[1]), r(5, 2)),
        case("lstm", "LSTM(2, 3, sequence=True)", cells[2], lstm(cells[2]), r(5, 2)),
        case("norm", "LayerNorm(4)", layer_norm, norm(layer_norm), r(3, 4)),
        case(
            "embedding",
            "Embedding(5, 3)",
            embedding,
            lambda g: g(embedding.weight).reshape(-1),
            torch.tensor([1, 4, 1, 0]),
        ),
    ]


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(each) for each in cases())
    Path(__file__).with_name("layers.json").write_text(f"[\n{lines}\n]\n")
