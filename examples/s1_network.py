"""A 3-4-4-2 sigmoid network with squared loss: gradtape against a backward pass by hand.

The NumPy formulas are those that one derives on paper for this network. gradtape needs none of
them, so each side checks the other.
"""

import numpy as np
from gradtape.losses import squared_loss
from gradtape.nn import MLP


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward(parameters, X):
    """Input, both hidden layers and the predictions; a column is a row of the data."""
    W1, b1, W2, b2, W3, b3 = parameters
    hid_1 = sigmoid(W1 @ X + b1[:, np.newaxis])
    hid_2 = sigmoid(W2 @ hid_1 + b2[:, np.newaxis])
    outputs = W3 @ hid_2 + b3[:, np.newaxis]
    return [X, hid_1, hid_2, outputs]


def backward(activations, targets, parameters):
    """The six gradients by hand."""
    X, hid_1, hid_2, predictions = activations
    _, _, W2, _, W3, _ = parameters
    ones = np.ones((X.shape[-1],))
    dL_dPredictions = (predictions - targets) / targets.shape[-1]
    dL_db3 = np.dot(dL_dPredictions, ones)
    dL_dW3 = np.dot(dL_dPredictions, hid_2.T)
    dL_hid_2 = np.dot(W3.T, dL_dPredictions) * hid_2 * (1 - hid_2)
    dL_db2 = np.dot(dL_hid_2, ones)
    dL_dW2 = np.dot(dL_hid_2, hid_1.T)
    dL_hid_1 = np.dot(W2.T, dL_hid_2) * hid_1 * (1 - hid_1)
    dL_db1 = np.dot(dL_hid_1, ones)
    dL_dW1 = np.dot(dL_hid_1, X.T)
    return [dL_dW1, dL_db1, dL_dW2, dL_db2, dL_dW3, dL_db3]


def arrays(model, what):
    """W1, b1, W2, b2, W3, b3: the parameters' ``data`` or ``grad`` as arrays."""
    result = []
    for layer in model.layers:
        result.append(
            np.array([[getattr(w, what) for w in neuron.weights] for neuron in layer.neurons])
        )
        result.append(np.array([getattr(neuron.bias, what) for neuron in layer.neurons]))
    return result


def main(batch_size=5, seed=0, init="small"):
    """Compare; give the largest difference of each of the six gradients, and of the loss."""
    random = np.random.default_rng(seed)
    X, Y = random.random((3, batch_size)), random.normal(size=(2, batch_size))
    model = MLP([3, 4, 4, 2], activations="sigmoid", init=init, seed=seed)
    print(model)

    predictions = [model(row) for row in X.T]
    loss = squared_loss(predictions, Y.T)
    loss.backward()

    parameters = arrays(model, "data")
    activations = forward(parameters, X)
    by_hand = backward(activations, Y, parameters)
    loss_by_hand = np.mean(0.5 * np.linalg.norm(activations[-1] - Y, axis=0, ord=2) ** 2)
    differences = {"loss": abs(loss.data - loss_by_hand)}
    print(f"loss  gradtape {loss.data:.15f}  by hand {loss_by_hand:.15f}")
    print("gradient  shape   norm       largest difference")
    for name, ours, theirs in zip(
        ["W1", "b1", "W2", "b2", "W3", "b3"], arrays(model, "grad"), by_hand, strict=True
    ):
        differences[name] = np.max(np.abs(ours - theirs))
        print(f"dL/d{name}    {ours.shape!s:7} {np.linalg.norm(ours):.3e}  {differences[name]:.1e}")
    return {name: float(difference) for name, difference in differences.items()}


if __name__ == "__main__":
    main()
