"""Layers as objects that keep what they need for the way back."""

import numpy as np


class Sigmoid:
    def forward(self, Z):
        return 1 / (1 + np.exp(-Z))

    def backward(self, dA, A, Z):
        return dA * A * (1 - A)


class ReLU:
    def forward(self, Z):
        return np.maximum(Z, 0)

    def backward(self, dA, A, Z):
        dZ = dA.copy()
        dZ[Z <= 0] = 0
        return dZ


class Softmax:
    def forward(self, Z):
        E = np.exp(Z - Z.max(axis=0))
        return E / E.sum(axis=0)

    def backward(self, dA, A, Z):
        return A * (dA - np.sum(dA * A, axis=0))


class Linear:
    def __init__(self, W, b, activation):
        self.W, self.b, self.activation = W, b, activation

    def forward(self, A_prev):
        self.A_prev = A_prev
        self.Z = np.dot(self.W, A_prev) + self.b
        self.A = self.activation.forward(self.Z)
        return self.A

    def backward(self, dA):
        m = self.A_prev.shape[1]
        dZ = self.activation.backward(dA, self.A, self.Z)
        self.dW = np.dot(dZ, self.A_prev.T) / m
        self.db = np.sum(dZ, axis=1, keepdims=True) / m
        return np.dot(self.W.T, dZ)


def network(parameters):
    kinds = [ReLU(), Sigmoid(), Softmax()]
    return [Linear(parameters[f"W{i}"], parameters[f"b{i}"], kinds[i - 1]) for i in (1, 2, 3)]


def run(layers, X):
    activations = [X]
    for layer in layers:
        activations.append(layer.forward(activations[-1]))
    return activations


def forward(parameters, X):
    return run(network(parameters), X)


def loss(predictions, targets):
    return -np.sum(targets * np.log(predictions)) / targets.shape[1]


def backward(activations, targets, parameters):
    layers = network(parameters)
    dA = -targets / run(layers, activations[0])[-1]
    for layer in reversed(layers):
        dA = layer.backward(dA)
    gradients = {}
    for i, layer in enumerate(layers):
        gradients[f"dW{i + 1}"] = layer.dW
        gradients[f"db{i + 1}"] = layer.db
    return gradients
