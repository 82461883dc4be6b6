"""Networks of values: a neuron, a layer, a stack of layers.

Examples
--------
>>> from gradtape.nn import MLP
>>> MLP([4, 10, 5, 3], activations=["relu", "relu", "softmax"])
MLP(4 → 10 relu → 5 relu → 3 softmax, 123 parameters)
"""

from gradtape.nn.mlp import MLP
from gradtape.nn.model import Model
from gradtape.nn.neuron import Layer, Module, Neuron

__all__ = ["MLP", "Layer", "Model", "Module", "Neuron"]
