"""A 4-10-5-3 network with one activation a layer, trained on iris by `fit`."""

from gradtape.data import load_iris, standardise, train_test_split
from gradtape.nn import MLP
from gradtape.optim import SGD
from gradtape.training import fit


def main(epochs=60, seed=42):
    """Train; give the test accuracy."""
    iris = load_iris()
    X_train, X_test, y_train, y_test = train_test_split(
        iris.rows, iris.targets, test_size=0.25, seed=42
    )
    X_train, X_test = standardise(X_train, X_test)

    net = MLP([4, 10, 5, 3], activations=["relu", "relu", "softmax"], seed=seed)
    print(net)
    optimizer = SGD(net.parameters(), learning_rate=0.05, momentum=0.9)
    history = fit(net, X_train, y_train, optimizer=optimizer, epochs=epochs, seed=seed)
    print(history)

    predicted = net.predict(X_test)
    accuracy = sum(p == y for p, y in zip(predicted, y_test, strict=True)) / len(y_test)
    print(f"test accuracy {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    main()
