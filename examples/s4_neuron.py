"""One neuron by hand and by gradtape, after a derivative from its definition."""

from gradtape import Value


def f(x):
    return 4 * x**2 - 2 * x + 5


def derivative():
    """f'(3), as the limit that one takes by hand and as the sweep gives it."""
    h = 0.001
    by_hand = (f(3.0 + h) - f(3.0)) / h
    x = Value(3.0, label="x")
    f(x).backward()
    print(f"f'(3): (f(3 + h) - f(3)) / h = {by_hand:.6f}, gradtape {x.grad}")
    return by_hand, x.grad


def neuron():
    """The neuron o = tanh(x1*w1 + x2*w2 + b): every value with its gradient."""
    x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
    w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
    b = Value(6.8813735870195432, label="b")
    x1w1 = x1 * w1
    x1w1.label = "x1*w1"
    x2w2 = x2 * w2
    x2w2.label = "x2*w2"
    x1w1x2w2 = x1w1 + x2w2
    x1w1x2w2.label = "x1*w1 + x2*w2"
    n = x1w1x2w2 + b
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    o.backward()
    return [o, n, x1w1x2w2, b, x1w1, x2w2, x1, w1, x2, w2]


def main():
    """Print both; give f'(3) twice and the neuron's gradients by label."""
    by_hand, by_sweep = derivative()
    values = neuron()
    print(f"{'':14}      data      grad")
    for value in values:
        print(f"{value.label:14} {value.data:9.4f} {value.grad:9.4f}")
    return by_hand, by_sweep, {value.label: value.grad for value in values}


if __name__ == "__main__":
    main()
