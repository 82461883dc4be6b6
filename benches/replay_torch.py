"""The works in PyTorch, batched by hand, with its autograd."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import replay_texts as texts
import torch
from replay_works import (
    HESTON,
    LOTKA,
    STEPS_HESTON,
    Array,
    Contender,
    Run,
    flowers,
    normals,
    options,
    parameters,
)

m = SimpleNamespace(
    exp=torch.exp,
    log=torch.log,
    sqrt=torch.sqrt,
    norm_cdf=torch.special.ndtr,
    maximum=lambda x, floor: torch.clamp(x, min=floor),
    relu=torch.relu,
)


def read(found: Any) -> list[Array]:
    """Read a value and tensors."""
    value, gradients = found
    return [each.detach().numpy() for each in (value, *gradients)]


def joined(found: Any) -> list[Array]:
    """Read scalars as one array."""
    return [np.array(read(found))]


def leaf(number: Any) -> Any:
    return torch.tensor(number, dtype=torch.float64, requires_grad=True)


def network(rows: int) -> Contender:
    x, classes = flowers(rows)
    inputs, targets = torch.tensor(x), torch.tensor(classes)
    leaves = [leaf(each) for layer in parameters() for each in layer]

    def run() -> Any:
        y = inputs
        for i in range(0, len(leaves), 2):
            y = torch.nn.functional.linear(torch.relu(y) if i else y, leaves[i], leaves[i + 1])
        value = torch.nn.functional.cross_entropy(y, targets)
        return value, torch.autograd.grad(value, leaves)

    return Contender(lambda: run, read)


def greeks(function: Any, arguments: list[Any]) -> Run:
    def run() -> Any:
        prices = function(m, *arguments)
        return prices, torch.autograd.grad(prices, arguments, torch.ones_like(prices))

    return run


def blackscholes(rows: int, slow: bool) -> dict[str, Contender]:
    arguments = [leaf(a) for a in options(rows)]
    found = {"torch": Contender(lambda: greeks(texts.price, arguments), read)}
    if slow:

        def compiled() -> Run:
            torch._dynamo.reset()
            return greeks(torch.compile(texts.price, fullgraph=True, dynamic=False), arguments)

        found["torch.compile"] = Contender(compiled, read)
    return found


def sensitivities(function: Any, z: Any) -> Run:
    p = [leaf(number) for number in HESTON.values()]
    start = torch.ones(z.shape[1], dtype=torch.float64)

    def run() -> Any:
        value = function(m, [p[0] * start, p[1] * start, *p[2:]], z).mean()
        return value, torch.autograd.grad(value, p)

    return run


def heston(rows: int, slow: bool) -> dict[str, Contender]:
    z = torch.tensor(np.ascontiguousarray(normals(rows).reshape(rows, 2 * STEPS_HESTON).T))
    found = {"torch": Contender(lambda: sensitivities(texts.heston, z), joined)}
    if slow:

        def compiled() -> Run:
            torch._dynamo.reset()
            function = torch.compile(texts.heston, fullgraph=True, dynamic=False)
            return sensitivities(function, z)

        found["torch.compile"] = Contender(compiled, joined)
    return found


def lotka() -> Contender:
    p = [leaf(number) for number in LOTKA.values()]

    def run() -> Any:
        value = texts.lotka(*p)
        return value, torch.autograd.grad(value, p)

    return Contender(lambda: run, joined)


def contenders(work: str, rows: int, threads: int, slow: bool) -> dict[str, Contender]:
    """Give torch's ways to do a work."""
    torch.set_num_threads(threads)
    if work == "network":
        return {"torch": network(rows)}
    if work == "blackscholes":
        return blackscholes(rows, slow)
    return heston(rows, slow) if work == "heston" else {"torch": lotka()}
