"""The eager engine against numbers of fifty digits: the vectors that the Rust tests read too."""

import json
import math
from pathlib import Path

import pytest
from gradtape import Value, _core

VECTORS = Path(__file__).parent / "vectors"
OPERATIONS = json.loads((VECTORS / "operations.json").read_text())
GRAPHS = json.loads((VECTORS / "graphs.json").read_text())

ROWS = {name: operands for name, operands, *_ in _core.operations()}
N_ARY = [name for name, operands in ROWS.items() if not operands] + ["softmax", "log_softmax"]
OPERATORS = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "neg": lambda x: -x,
    "abs": lambda x: abs(x),
}


class Checker:
    """Collects what is wrong in all cases of one operation, so that one run tells everything."""

    def __init__(self):
        self.failures = []

    def check(self, what, case, default, got, want):
        got, want = float(got), float(want)
        ulp = case.get("ulp", default)
        if math.isfinite(got) and math.isfinite(want):
            good = abs(got - want) <= ulp * 2.0**-52 * max(1.0, abs(want))
        else:
            good = got == want or (math.isnan(got) and math.isnan(want))
        if not good:
            at = case.get("at", "")
            self.failures.append(f"{what} at {at}: {got!r}, not {want!r}")

    def finish(self):
        assert not self.failures, f"{len(self.failures)} failures:\n" + "\n".join(self.failures)


def call(name, operands, case):
    """The operation on these operands, as the vectors write them; a list for softmax's kind."""
    function = getattr(_core, name)
    if name == "dot":
        return function(operands[: case["n"]], operands[case["n"] :])
    if name == "affine":
        n = case["n"]
        return function(operands[:n], operands[n:-1], operands[-1], case["activation"])
    return function(operands) if name in N_ARY else function(*operands)


def number(json_number):
    return float(json_number)  # "inf", "-inf" and "nan" are strings there


def numbers(json_numbers):
    return [number(x) for x in json_numbers]


@pytest.mark.parametrize("name", [*ROWS, "softmax", "log_softmax"])
def test_every_row_has_vectors(name):
    cases = OPERATIONS.get(name, [])
    assert len(cases) >= 10
    assert sum("first" in case for case in cases) >= 10
    if ROWS.get(name):
        assert sum("second" in case for case in cases) >= 10


def test_no_vectors_without_a_row():
    assert set(OPERATIONS) == {*ROWS, *N_ARY}


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_values_of_numbers_and_of_values_agree(name):
    checker = Checker()
    for case in OPERATIONS[name]:
        at = numbers(case["at"])
        results = [call(name, at, case), call(name, [Value(x) for x in at], case)]
        if name in OPERATORS and len(at) == len(ROWS[name]):
            results.append(OPERATORS[name](*map(Value, at)))
        for result, kind in zip(results, (float, Value, Value), strict=False):
            got = result if isinstance(result, list) else [result]
            want = case["value"] if isinstance(result, list) else [case["value"]]
            assert len(got) == len(want)
            for g, w in zip(got, want, strict=True):
                assert type(g) is kind
                checker.check(f"{name} of {kind.__name__}", case, 4, getattr(g, "data", g), w)
    checker.finish()


@pytest.mark.parametrize("name", [name for name, operands in ROWS.items() if operands])
def test_first_derivatives_of_each_operand_and_of_all(name):
    checker = Checker()
    for case in OPERATIONS[name]:
        if "first" not in case:
            continue
        at, first = numbers(case["at"]), case["first"]
        functions = [getattr(_core, name)]
        functions += [OPERATORS[name]] if name in OPERATORS else []
        functions += [getattr(Value, name)] if len(at) == 1 else []
        for function in functions:
            operands = [Value(x) for x in at]
            function(*operands).backward()
            for i, (operand, want) in enumerate(zip(operands, first, strict=True)):
                checker.check(f"d{i} {name}", case, 16, operand.grad, want)
                if len(at) > 1 and function is not getattr(Value, name, None):
                    mixed = list(at)
                    mixed[i] = alone = Value(at[i])
                    out = function(*mixed)
                    assert len(out.prev) == 1
                    assert out.prev[0] is alone
                    out.backward()
                    checker.check(f"d{i} {name} of constants", case, 16, alone.grad, want)
    checker.finish()


@pytest.mark.parametrize("name", [name for name, operands in ROWS.items() if operands])
def test_tangents_give_first_and_second_derivatives(name):
    checker = Checker()
    for case in OPERATIONS[name]:
        at = numbers(case["at"])
        value, first, second = _core.derivatives(name, at)
        checker.check(name, case, 4, value, case["value"])
        for i, want in enumerate(case.get("first", [])):
            checker.check(f"d{i} {name}", case, 16, first[i], want)
        for i, row in enumerate(case.get("second", [])):
            for j, want in enumerate(row):
                checker.check(f"d{i}{j} {name}", case, 64, second[i][j], want)
    checker.finish()


@pytest.mark.parametrize("name", N_ARY)
def test_first_derivatives_of_n_ary_operations(name):
    checker = Checker()
    for case in OPERATIONS[name]:
        at = numbers(case["at"])
        several = isinstance(case["value"], list)
        rows = case.get("first", []) if several else [case.get("first", [])]
        for k, want in enumerate(rows):
            operands = [Value(x) for x in at]
            out = call(name, operands, case)
            (out[k] if several else out).backward()
            for i, (operand, w) in enumerate(zip(operands, want, strict=False)):
                checker.check(f"d{i} {name}[{k}]", case, 16, operand.grad, w)
                # The same derivative where every other operand is a number.
                mixed = list(at)
                mixed[i] = alone = Value(at[i])
                out = call(name, mixed, case)
                (out[k] if several else out).backward()
                checker.check(f"d{i} {name}[{k}] of constants", case, 16, alone.grad, w)
    checker.finish()


def test_derivatives_refuses_what_is_no_row():
    with pytest.raises(ValueError, match="sinn"):
        _core.derivatives("sinn", [1.0])
    with pytest.raises(ValueError, match="2 operands"):
        _core.derivatives("sin", [1.0, 2.0])


def close(got, want):
    return abs(got - want) <= 1e-14 * max(1.0, abs(want))


@pytest.mark.parametrize("name", ["neuron", "s0_neuron"])
def test_worked_neurons_node_by_node(name):
    graph = GRAPHS[name]
    nodes = {label: Value(x, label=label) for label, x in graph["inputs"].items()}
    functions = {"*": _core.mul, "+": _core.add, "tanh": _core.tanh}
    for label, symbol, operands in graph["steps"]:
        nodes[label] = functions[symbol](*(nodes[operand] for operand in operands))
        nodes[label].label = label
        assert nodes[label].op == symbol
        assert [p.label for p in nodes[label].prev] == operands
    nodes[graph["output"]].backward()
    for label, node in nodes.items():
        assert close(node.data, graph["values"][label]), label
        assert close(node.grad, graph["gradients"][label]), label


def test_numbers_that_the_documents_print():
    x1, x2, w1, w2 = Value(2.0), Value(0.0), Value(-3.0), Value(1.0)
    n = x1 * w1 + x2 * w2 + 6.8813735870195432
    n.tanh().backward()
    assert [round(v.grad, 12) for v in (n, x1, w1, x2, w2)] == [0.5, -1.5, 1.0, 0.5, 0.0]


def test_quadratic():
    graph = GRAPHS["quadratic"]
    x = Value(graph["x"])
    y = 4 * x**2 - 2 * x + 5
    y.backward()
    assert (y.data, x.grad) == (graph["value"], graph["gradient"])


def parameters(graph):
    """Leaves of a network by name: W [n_out][n_in] and b [n_out]."""
    return {
        name: [[Value(x) for x in row] if isinstance(row, list) else Value(row) for row in rows]
        for name, rows in graph["parameters"].items()
    }


def by_layer(p, k, x, activation):
    """Layer `k` in one native call."""
    flat = [v for w, b in zip(p[f"W{k}"], p[f"b{k}"], strict=True) for v in (*w, b)]
    return _core.layer(x, tuple(flat), activation)


def by_operators(p, k, x, activation):
    """Layer `k` in plain operators."""
    out = []
    for w, b in zip(p[f"W{k}"], p[f"b{k}"], strict=True):
        total = b
        for wi, xi in zip(w, x, strict=True):
            total = total + wi * xi
        out.append(getattr(total, activation)() if activation else total)
    return out


def forward(graph, p, dense):
    outputs = []
    for x in graph["inputs"]:
        for k, activation in enumerate(graph["activations"], start=1):
            x = dense(p, k, x, activation)
        outputs.append(x)
    return outputs


def check_network(graph, p, outputs, loss):
    assert close(loss.data, graph["loss"])
    loss.backward()
    for got, want in zip(outputs, graph["outputs"], strict=True):
        assert all(close(g.data, w) for g, w in zip(got, want, strict=True))
    for name, want in graph["gradients"].items():
        for got_row, want_row in zip(p[name], want, strict=True):
            rows = (got_row, want_row) if isinstance(want_row, list) else ([got_row], [want_row])
            assert all(close(g.grad, w) for g, w in zip(*rows, strict=True)), name


@pytest.mark.parametrize("dense", [by_layer, by_operators])
def test_squared_loss_network(dense):
    graph = GRAPHS["s1_network"]
    p = parameters(graph)
    outputs = forward(graph, p, dense)
    loss = 0.0
    for out, target in zip(outputs, graph["targets"], strict=True):
        for o, t in zip(out, target, strict=True):
            loss = loss + (o - t) ** 2 / (2 * len(outputs))
    check_network(graph, p, outputs, loss)


@pytest.mark.parametrize("dense", [by_layer, by_operators])
@pytest.mark.parametrize("entropy", ["log_softmax", "logsumexp", "softmax"])
def test_cross_entropy_network(dense, entropy):
    graph = GRAPHS["mlp"]
    p = parameters(graph)
    outputs = forward(graph, p, dense)
    loss = Value(0.0)
    for out, target in zip(outputs, graph["targets"], strict=True):
        if entropy == "log_softmax":
            loss -= _core.log_softmax(out)[target]
        elif entropy == "softmax":
            loss -= _core.log(_core.softmax(out)[target])
        else:
            loss += _core.logsumexp(out) - out[target]
    check_network(graph, p, outputs, loss / len(outputs))
    for out, want in zip(outputs, graph["probabilities"], strict=True):
        got = _core.softmax(out)
        assert all(close(g.data, w) for g, w in zip(got, want, strict=True))
