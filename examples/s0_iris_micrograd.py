"""A 4-5-5-3 relu network on iris, written in plain operators with a training loop by hand.

Nothing of gradtape but `Value` and its operations is used: the neuron is a sum of products, the
loss is written out, and the update is ``parameter = parameter - learning_rate * gradient``.
"""

import random

from gradtape import Value, exp, log
from gradtape.data import load_iris, standardise, train_test_split


class Layer:
    """Neurons on the same inputs: weights, a bias and perhaps a relu each."""

    def __init__(self, in_dim, out_dim, relu, generator):
        scale = (2 / in_dim) ** 0.5
        self.weights = [
            [Value(generator.gauss(0, scale)) for _ in range(in_dim)] for _ in range(out_dim)
        ]
        self.biases = [Value(0.0) for _ in range(out_dim)]
        self.relu = relu

    def __call__(self, inputs):
        """a1 = w1*I1 + w2*I2 + ... + b1 for every neuron, then the relu."""
        outputs = [
            sum((w * i for w, i in zip(weights, inputs, strict=True)), bias)
            for weights, bias in zip(self.weights, self.biases, strict=True)
        ]
        return [output.relu() for output in outputs] if self.relu else outputs

    def parameters(self):
        """All weights, then all biases."""
        return [w for weights in self.weights for w in weights] + self.biases


class Model:
    """Three layers; the last one gives logits."""

    def __init__(self, in_dim, out_dim, seed):
        generator = random.Random(seed)
        self.layer1 = Layer(in_dim, 5, True, generator)
        self.layer2 = Layer(5, 5, True, generator)
        self.layer3 = Layer(5, out_dim, False, generator)

    def __call__(self, row):
        """The logits of one row."""
        return self.layer3(self.layer2(self.layer1(row)))

    def parameters(self):
        """The parameters of all three layers."""
        return [p for layer in (self.layer1, self.layer2, self.layer3) for p in layer.parameters()]


def cross_entropy(logits, target):
    """-log of the probability that softmax gives to the right class."""
    # Shifted by the largest logit, a plain number, so that no exp overflows.
    top = max(logit.data for logit in logits)
    return log(sum(exp(logit - top) for logit in logits)) + top - logits[target]


def accuracy(model, rows, targets):
    """Share of the rows whose largest logit is the right class's."""
    right = 0
    for row, target in zip(rows, targets, strict=True):
        logits = [logit.data for logit in model(row)]
        right += logits.index(max(logits)) == target
    return right / len(rows)


def main(epochs=50, learning_rate=0.05, batch=8, seed=3):
    """Train; give the test accuracy after every epoch."""
    rows, targets, _ = load_iris()
    train, test, train_targets, test_targets = train_test_split(rows, targets, 0.25, seed=42)
    train, test = standardise(train, test)
    model, order = Model(4, 3, seed), random.Random(seed)
    parameters, pairs = model.parameters(), list(zip(train, train_targets, strict=True))
    accuracies = []
    for epoch in range(epochs):
        order.shuffle(pairs)
        for start in range(0, len(pairs), batch):
            part = pairs[start : start + batch]
            loss = sum(cross_entropy(model(row), target) for row, target in part) / len(part)
            for parameter in parameters:
                parameter.grad = 0.0
            loss.backward()
            for parameter in parameters:
                parameter.data = parameter.data - learning_rate * parameter.grad
        accuracies.append(accuracy(model, test, test_targets))
        print(f"epoch {epoch + 1:2}  loss {loss.data:.4f}  test accuracy {accuracies[-1]:.4f}")
    return accuracies


if __name__ == "__main__":
    main()
