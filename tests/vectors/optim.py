"""Write optim.json, what PyTorch's optimizers come to: ``python tests/vectors/optim.py``.

Every case takes the same gradients, in 64 bits on the CPU, with PyTorch's plain loop over tensors.
"""

import json
import random
from pathlib import Path

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import lr_scheduler

STEPS = 100
SHOWN = (1, 2, 3, 10, 50, 100)
START = [0.5, -1.25, 3.0, 0.0, -0.0625, 20.0, 1e-3]
METHODS = {
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
# gradtape's names of settings, where they are not PyTorch's.
NAMES = {"smoothing": "alpha", "epsilon": "eps", "centred": "centered", "decay": "lr_decay"}
OURS = {"l1", "clip_norm", "clip_value", "beta1", "beta2"}
COSINE = {"kind": "cosine", "steps": 100}


def gradients():
    """Numbers of all sizes: one steady, one of changing sign, one mostly 0, some huge or tiny.

    Every tenth row has the norm 1 to the bit, which is a threshold of clipping below.
    """
    draw = random.Random(20)
    rows = []
    for step in range(STEPS):
        row = [
            draw.gauss(1.0, 0.1),
            draw.gauss(0.0, 1.0),
            draw.gauss(0.0, 1.0) if step % 7 == 3 else 0.0,
            0.0 if step < 5 else draw.gauss(0.0, 1e-4),
            (-1.0) ** step * draw.uniform(0.5, 2.0),
            draw.gauss(0.0, 1.0) * 10.0 ** draw.randint(-6, 3),
            draw.gauss(1e-9, 1e-9),
        ]
        rows.append([0.6, 0.0, 0.0, 0.0, -0.8, 0.0, 0.0] if step % 10 == 9 else row)
    return rows


CASES = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "weight_decay": 0.01}),
    ("sgd", {"momentum": 0.5, "weight_decay": 0.1, "nesterov": True}),
    ("sgd", {"momentum": 0.99, "nesterov": True}),
    ("sgd", {"weight_decay": 0.3}),
    ("sgd", {"l1": 0.02}),
    ("sgd", {"momentum": 0.9, "l1": 0.02, "weight_decay": 0.01}),
    ("rmsprop", {}),
    ("rmsprop", {"smoothing": 0.9, "epsilon": 1e-6}),
    ("rmsprop", {"momentum": 0.9, "weight_decay": 0.01}),
    ("rmsprop", {"centred": True}),
    ("rmsprop", {"centred": True, "momentum": 0.5, "smoothing": 0.8}),
    ("rmsprop", {"weight_decay": 0.1, "epsilon": 0.1}),
    ("adagrad", {}),
    ("adagrad", {"decay": 0.01}),
    ("adagrad", {"decay": 0.5, "weight_decay": 0.1, "epsilon": 1e-3}),
    ("adam", {}),
    ("adam", {"beta1": 0.5, "beta2": 0.9}),
    ("adam", {"beta1": 0.0, "beta2": 0.99, "epsilon": 1e-3}),
    ("adam", {"weight_decay": 0.1}),
    ("adam", {"beta2": 0.0, "l1": 0.02}),
    ("adamw", {"weight_decay": 0.01}),
    ("adamw", {"weight_decay": 1.0, "beta1": 0.8, "beta2": 0.95}),
    ("adamw", {"epsilon": 1e-4}),
]
CLIPPED = [
    ("sgd", {"clip_norm": 0.5}),
    ("sgd", {"momentum": 0.9, "weight_decay": 0.01, "clip_norm": 1.0}),
    ("sgd", {"clip_norm": 1e4, "clip_value": 0.7}),
    ("sgd", {"clip_norm": 0.0}),
    ("rmsprop", {"clip_norm": 2.0, "weight_decay": 0.1}),
    ("adagrad", {"clip_value": 0.25, "decay": 0.02}),
    ("adam", {"clip_norm": 1.0, "clip_value": 0.3}),
    ("adamw", {"clip_value": 1.5, "weight_decay": 0.05}),
]
STEPPED = {"kind": "step", "every": 30, "factor": 0.1}
SCHEDULED = [
    ("sgd", {"momentum": 0.9}, STEPPED),
    ("adam", {}, {"kind": "step", "every": 7, "factor": 0.75}),
    ("adagrad", {"decay": 0.01}, STEPPED),
    ("adam", {}, COSINE),
    ("sgd", {"momentum": 0.9, "nesterov": True}, COSINE | {"warm_up": 10}),
    ("adamw", {"weight_decay": 0.1}, COSINE | {"warm_up": 5, "least": 0.002}),
    ("rmsprop", {"momentum": 0.9, "clip_norm": 1.0}, COSINE | {"steps": 150, "warm_up": 20}),
]


def method(name, settings, rate, parameters):
    """PyTorch's optimizer, told by gradtape's names."""
    told = {NAMES.get(k, k): x for k, x in settings.items() if k not in OURS}
    if name in ("adam", "adamw"):
        told["betas"] = (settings.get("beta1", 0.9), settings.get("beta2", 0.999))
        told.setdefault("weight_decay", 0.0)
    return METHODS[name](parameters, lr=rate, foreach=False, **told)


def scheduler(optimizer, schedule):
    """PyTorch's schedule."""
    if schedule["kind"] == "constant":
        return lr_scheduler.ConstantLR(optimizer, factor=1.0)
    if schedule["kind"] == "step":
        return lr_scheduler.StepLR(optimizer, schedule["every"], schedule["factor"])
    warm = schedule.get("warm_up", 0)
    least = schedule.get("least", 0.0)
    fall = lr_scheduler.CosineAnnealingLR(optimizer, schedule["steps"] - warm, least)
    if not warm:
        return fall
    rise = lr_scheduler.LinearLR(optimizer, 1 / warm, 1.0, warm - 1)
    return lr_scheduler.SequentialLR(optimizer, [rise, fall], [warm])


def case(name, settings, schedule, rows):
    """Take the steps; two tensors, so that a norm is over both."""
    rate = 0.05
    tensors = [
        torch.tensor(part, dtype=torch.float64, requires_grad=True)
        for part in (START[:3], START[3:])
    ]
    optimizer = method(name, settings, rate, tensors)
    scheduled = scheduler(optimizer, schedule)
    rates, after = [], {}
    for step, row in enumerate(rows, 1):
        for tensor, part in zip(tensors, (row[:3], row[3:]), strict=True):
            tensor.grad = torch.tensor(part, dtype=torch.float64)
        if "clip_norm" in settings:
            clip_grad_norm_(tensors, settings["clip_norm"], foreach=False)
        if "clip_value" in settings:
            clip_grad_value_(tensors, settings["clip_value"], foreach=False)
        if "l1" in settings:
            (settings["l1"] * sum(tensor.abs().sum() for tensor in tensors)).backward()
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduled.step()
        if step in SHOWN:
            after[str(step)] = [x for tensor in tensors for x in tensor.tolist()]
    found = {"method": name, "settings": settings, "rate": rate, "schedule": schedule}
    return found | {"rates": rates, "after": after}


def main():
    """Write the file, a case a line."""
    rows = gradients()
    constant = {"kind": "constant"}
    works = [(name, settings, constant) for name, settings in CASES + CLIPPED]
    lines = []
    for name, settings, schedule in works + SCHEDULED:
        lines.append(json.dumps(case(name, settings, schedule, rows)))
    shared = f'"start": {json.dumps(START)},\n"gradients": [\n'
    text = "{\n" + shared + ",\n".join(map(json.dumps, rows)) + '\n],\n"cases": [\n'
    Path(__file__).with_name("optim.json").write_text(text + ",\n".join(lines) + "\n]\n}\n")


if __name__ == "__main__":
    main()
