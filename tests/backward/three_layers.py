"""A network of three layers with the backward pass written out, columns as rows of the batch."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def loss(predictions, targets):
    return np.mean(0.5 * np.linalg.norm(predictions - targets, axis=0, ord=2) ** 2, axis=0)


def deriv_loss(predictions, targets):
    return (predictions - targets) / targets.shape[-1]


def forward(parameters, X):
    W1, b1, W2, b2, W3, b3 = parameters
    hid_1 = sigmoid(W1 @ X + b1[:, np.newaxis])
    hid_2 = sigmoid(W2 @ hid_1 + b2[:, np.newaxis])
    outputs = W3 @ hid_2 + b3[:, np.newaxis]
    return [X, hid_1, hid_2, outputs]


def backward(activations, targets, parameters):
    X, hid_1, hid_2, predictions = activations
    W1, b1, W2, b2, W3, b3 = parameters  # noqa: RUF059
    batch_size = X.shape[-1]
    dL_dPredictions = deriv_loss(predictions, targets)
    dL_db3 = np.dot(dL_dPredictions, np.ones((batch_size,)))
    dL_dW3 = np.dot(dL_dPredictions, hid_2.T)
    dL_hid_2 = np.dot(W3.T, dL_dPredictions) * hid_2 * (1 - hid_2)
    dL_db2 = np.dot(dL_hid_2, np.ones((batch_size,)))
    dL_dW2 = np.dot(dL_hid_2, hid_1.T)
    dL_hid_1 = np.dot(W2.T, dL_hid_2) * hid_1 * (1 - hid_1)
    dL_db1 = np.dot(dL_hid_1, np.ones((batch_size,)))
    dL_dW1 = np.dot(dL_hid_1, X.T)
    return [dL_dW1, dL_db1, dL_dW2, dL_db2, dL_dW3, dL_db3]
