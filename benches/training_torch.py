"""Training by PyTorch, eagerly."""

from typing import Any

import torch
from torch.nn.functional import cross_entropy, linear
from training_works import BETAS, EPSILON, Array, Contender, Tick, Work, data, orders, start


def adam(leaves: list[Any], rate: float, fused: bool) -> Any:
    """Make the optimizer."""
    return torch.optim.Adam(leaves, lr=rate, betas=BETAS, eps=EPSILON, fused=fused or None)


def contender(work: Work, fused: bool) -> Contender:
    """Make the loop that PyTorch's tutorial has, on tensors that are shuffled once an epoch."""

    def train(epochs: int, tick: Tick) -> tuple[list[float], list[tuple[Array, Array]]]:
        rows, all_classes = map(torch.tensor, data(work.name))
        leaves = [torch.tensor(each, requires_grad=True) for layer in start(work) for each in layer]
        optimizer, shuffled, losses = adam(leaves, work.rate, fused), orders(work), []
        for _ in range(epochs):
            order = torch.from_numpy(shuffled())
            x, classes = rows[order].split(work.batch), all_classes[order].split(work.batch)
            total = torch.zeros((), dtype=torch.float64)
            for y, target in zip(x, classes, strict=True):
                optimizer.zero_grad()
                size = len(y)
                for i in range(0, len(leaves), 2):
                    y = linear(torch.relu(y) if i else y, leaves[i], leaves[i + 1])
                loss = cross_entropy(y, target)
                loss.backward()
                optimizer.step()
                total += size * loss.detach()
            losses.append(total.item() / work.rows)
            tick()
        numbers = [leaf.detach().numpy() for leaf in leaves]
        return losses, list(zip(numbers[::2], numbers[1::2], strict=True))

    return Contender(train)


def contenders(work: Work, threads: int) -> dict[str, Contender]:
    """Give the loop, with the fused optimizer too where there is one for the processor."""
    torch.set_num_threads(threads)
    found = {"PyTorch": contender(work, fused=False)}
    try:
        adam([torch.zeros(1, dtype=torch.float64, requires_grad=True)], 0.1, fused=True)
    except (RuntimeError, TypeError):
        return found
    return found | {"PyTorch, fused Adam": contender(work, fused=True)}
