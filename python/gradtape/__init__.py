"""gradtape: exact derivatives of plain Python code.

Write arithmetic on :class:`Value`; ``backward()`` sweeps the recorded tape natively.

Examples
--------
>>> import gradtape as gt
>>> x = gt.Value(0.5, label="x")
>>> y = gt.tanh(2 * x) + x**2
>>> y.backward()
>>> round(x.grad, 6)
1.839949
"""

from gradtape import functions, losses
from gradtape._core import Value
from gradtape.functions import *  # noqa: F403  (the functions' own list of names)
from gradtape.nn import MLP, Layer, Neuron
from gradtape.optim import SGD
from gradtape.training import History, fit

__all__ = [
    "MLP",
    "SGD",
    "History",
    "Layer",
    "Neuron",
    "Value",
    "fit",
    "losses",
    *functions.__all__,
]
