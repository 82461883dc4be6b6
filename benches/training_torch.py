"""Training by PyTorch, eagerly."""

from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from training_networks import Images, Network, Pairs, Sequences, drawn
from training_works import BETAS, EPSILON, Contender, Tick, Work, data, orders


class LastState(nn.Module):
    """An LSTM's state after the last step."""

    def __init__(self, features: int, states: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, states, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.lstm(x)[1][0][0]


def model(network: Network) -> Any:
    """Make the model, in 64 bits."""
    if isinstance(network, Images):
        (one, two), k, last = network.channels, network.kernel, network.shapes[-1]
        layers = [
            nn.Conv2d(1, one, k, padding=k // 2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(one, two, k, padding=k // 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(last[1], last[0]),
        ]
    elif isinstance(network, Sequences):
        layers = [
            LastState(network.features, network.states),
            nn.Linear(network.states, network.classes),
        ]
    else:
        layers = [part for k, n in network.shapes for part in (nn.ReLU(), nn.Linear(n, k))][1:]
    return nn.Sequential(*layers).double()


def pairs(network: Network, made: Any) -> list[list[Any]]:
    """Give the tensors of each layer's weights, side by side, and of its bias.

    PyTorch's LSTM has a second bias, which would be trained like the first: it stays at 0.
    """
    if not isinstance(network, Sequences):
        leaves = list(made.parameters())
        return [[leaf] for leaf in leaves]
    w, u, b, second = made[0].lstm.parameters()
    second.requires_grad_(False)
    second.zero_()
    return [[w, u], [b], [made[1].weight], [made[1].bias]]


def contender(work: Work, fused: bool) -> Contender:
    """Make the loop that PyTorch's tutorial has, on tensors that are shuffled once an epoch."""

    def train(epochs: int, tick: Tick) -> tuple[list[float], Pairs]:
        rows, all_classes = map(torch.tensor, data(work.name))
        made = model(work.network)
        with torch.no_grad():
            parts = pairs(work.network, made)
            flat = [each for layer in drawn(work.network) for each in layer]
            for some, numbers in zip(parts, flat, strict=True):
                widths = [part.shape[-1] for part in some]
                for part, own in zip(some, torch.tensor(numbers).split(widths, -1), strict=True):
                    part.copy_(own)
        leaves = [part for some in parts for part in some]
        optimizer = torch.optim.Adam(leaves, work.rate, BETAS, EPSILON, fused=fused or None)
        shuffled, losses = orders(work), []
        for _ in range(epochs):
            order = torch.from_numpy(shuffled())
            x, classes = rows[order].split(work.batch), all_classes[order].split(work.batch)
            total = torch.zeros((), dtype=torch.float64)
            for some, target in zip(x, classes, strict=True):
                optimizer.zero_grad()
                loss = cross_entropy(made(some), target)
                loss.backward()
                optimizer.step()
                total += len(some) * loss.detach()
            losses.append(total.item() / work.rows)
            tick()
        numbers = [torch.cat(some, -1).detach().numpy() for some in parts]
        return losses, list(zip(numbers[::2], numbers[1::2], strict=True))

    return Contender(train)


def contenders(work: Work, threads: int) -> dict[str, Contender]:
    """Give the loop, with the fused optimizer too where there is one for the processor."""
    torch.set_num_threads(threads)
    found = {"PyTorch": contender(work, fused=False)}
    try:
        leaf = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        torch.optim.Adam([leaf], fused=True)
    except (RuntimeError, TypeError):
        return found
    return found | {"PyTorch, fused Adam": contender(work, fused=True)}
