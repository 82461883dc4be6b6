"""Optimizers: from gradients to better parameters; and schedules of their learning rate.

The arithmetic is native and the same for ``step()`` and for training that runs natively; each
optimizer takes the steps that PyTorch's of the same name takes. `LBFGS` is scipy's.
"""

from gradtape.optim.lbfgs import LBFGS
from gradtape.optim.methods import SGD, Adagrad, Adam, AdamW, RMSprop
from gradtape.optim.optimizer import Optimizer, Schedule
from gradtape.optim.schedules import cosine, step_decay

__all__ = [
    "LBFGS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "cosine",
    "step_decay",
]
