"""Networks of values: layers, in plain Python, that are trained on the tape or natively.

A layer is called with one row: a list of numbers, or lists in lists, such as an image
[rows][columns] or [channels][rows][columns], or a sequence [steps][features] of any length.

Examples
--------
>>> from gradtape.nn import MLP, Linear, Sequential
>>> MLP([4, 10, 5, 3], activations=["relu", "relu", "softmax"])
MLP(4 → 10 relu → 5 relu → 3 softmax, 123 parameters)
>>> Sequential(Linear(4, 10, "relu"), Linear(10, 3, "softmax"), seed=1)
Sequential(
    Layer(4 → 10 relu, 50 parameters),
    Layer(10 → 3 softmax, 33 parameters),
)
"""

from gradtape.nn.convolution import AvgPool, Conv1d, Conv2d, MaxPool
from gradtape.nn.layers import Activation, Dropout, Embedding, Flatten, LayerNorm, Residual
from gradtape.nn.mlp import MLP
from gradtape.nn.model import Model
from gradtape.nn.neuron import Layer, Module, Neuron
from gradtape.nn.recurrent import GRU, LSTM, RNN
from gradtape.nn.sequential import Sequential

# What most of the field calls it.
Linear = Layer

__all__ = [
    "GRU",
    "LSTM",
    "MLP",
    "RNN",
    "Activation",
    "AvgPool",
    "Conv1d",
    "Conv2d",
    "Dropout",
    "Embedding",
    "Flatten",
    "Layer",
    "LayerNorm",
    "Linear",
    "MaxPool",
    "Model",
    "Module",
    "Neuron",
    "Residual",
    "Sequential",
]
