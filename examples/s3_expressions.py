"""The arithmetic of one value node after the other: every operator and its gradient."""

from gradtape import Value


def gradients(expression, **numbers):
    """Value of an expression and the gradient of each of its operands."""
    values = {name: Value(number, label=name) for name, number in numbers.items()}
    out = expression(**values)
    out.backward()
    return out.data, {name: value.grad for name, value in values.items()}


EXPRESSIONS = {
    "a + b": (lambda a, b: a + b, {"a": 2.0, "b": -3.0}),
    "a * b": (lambda a, b: a * b, {"a": 2.0, "b": -3.0}),
    "a - b": (lambda a, b: a - b, {"a": 2.0, "b": -3.0}),
    "a / b": (lambda a, b: a / b, {"a": 2.0, "b": -4.0}),
    "a ** 3": (lambda a: a**3, {"a": 2.0}),
    "2 * a + 1": (lambda a: 2 * a + 1, {"a": 2.0}),
    "1 / a": (lambda a: 1 / a, {"a": 2.0}),
    "-a": (lambda a: -a, {"a": 2.0}),
    "exp(a)": (lambda a: a.exp(), {"a": 1.0}),
    "tanh(a)": (lambda a: a.tanh(), {"a": 0.5}),
    # A value that is used twice gets the sum over its uses: += and not =.
    "a + a": (lambda a: a + a, {"a": 3.0}),
    "(a * b) * (a + b)": (lambda a, b: (a * b) * (a + b), {"a": -2.0, "b": 3.0}),
    # tanh written out, and large enough to overflow if it were computed this way inside.
    "(e - 1) / (e + 1), e = exp(2 * a)": (
        lambda a: ((2 * a).exp() - 1) / ((2 * a).exp() + 1),
        {"a": 0.5},
    ),
    "tanh(1000 * a)": (lambda a: (1000 * a).tanh(), {"a": 1.0}),
}


def main():
    """Print the table; give {expression: (value, gradients)}."""
    results = {}
    for text, (expression, numbers) in EXPRESSIONS.items():
        results[text] = data, grads = gradients(expression, **numbers)
        shown = ", ".join(f"d/d{name} = {grad:.6g}" for name, grad in grads.items())
        at = ", ".join(f"{name} = {number:g}" for name, number in numbers.items())
        print(f"{text:34} = {data:9.6g}   at {at:16} {shown}")
    return results


if __name__ == "__main__":
    main()
