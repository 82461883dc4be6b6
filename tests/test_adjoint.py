"""The adjoint as Python: it runs, and gives the gradients that the sweep gives."""

import ast
import importlib.util
import re
from pathlib import Path

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value
from gradtape.show.graph import Graph
from hypothesis import given, settings
from hypothesis import strategies as st

_spec = importlib.util.spec_from_file_location(
    "properties", Path(__file__).with_name("test_properties.py")
)
properties = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(properties)

steady = settings(deadline=None, derandomize=True, database=None)
HOSTILE = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "x\nimport os",
            "'''",
            'x"""',
            "lambda",
            "exp",
            "float",
            "sigmoid",
            "norm_cdf",
            "gradient",
            "gradtape",
            "v1",
            "dv1",
            "v2_in",
            "x#",
            "\\",
            "{x}",
            "__a__",
            "$x",
            "\u202ex",
            "א",
            "ﬁ",
            "fi",
            "9" * 10_000,
            "True",
            "match",
            "",
        ]
    ),
)


def only_arithmetic(source):
    """Nothing but imports and one function of assignments: no label has got out of its place."""
    *imports, function = ast.parse(source).body
    assert all(isinstance(line, (ast.Import, ast.ImportFrom)) for line in imports)
    modules = {line.module for line in imports if isinstance(line, ast.ImportFrom)}
    names = {name.name for line in imports if isinstance(line, ast.Import) for name in line.names}
    assert modules <= {"math", "gradtape"}
    assert names <= {"gradtape"}
    assert isinstance(function, ast.FunctionDef)
    assert function.name == "gradient"
    *body, last = function.body
    assert all(isinstance(line, (ast.Assign, ast.AugAssign)) for line in body)
    assert isinstance(last, ast.Return)


def close(got, want):
    scale = max(1.0, *map(abs, want))
    assert len(got) == len(want)
    assert all(abs(g - w) <= 1e-12 * scale for g, w in zip(got, want, strict=True)), (got, want)


def gradient(compute, xs, labels=()):
    """The result, and the gradient in the order in which the source has it."""
    leaves = [Value(x) for x in xs]
    for leaf, label in zip(leaves, labels, strict=False):
        leaf.label = label
    out = compute(leaves)
    out.backward()
    marks = Graph(out, leaves).marks
    order = sorted(range(len(leaves)), key=marks.__getitem__)
    return out, [leaves[i].grad for i in order if marks[i] >= 0], order


@settings(steady, max_examples=300)
@given(properties.programs, properties.points, st.lists(HOSTILE, max_size=4))
def test_source_of_random_programs(program, xs, labels):
    def compute(leaves):
        return properties.evaluate(program, leaves, properties.by_core)

    out, want, order = gradient(compute, xs, labels)
    found = gt.adjoint_source(out)
    only_arithmetic(found.source)
    close(found.function(), want)
    # Every step stays on its branch, so the source holds at other places too.
    other = [0.5 - x / 3 for x in xs]
    _, there, _ = gradient(compute, other)
    used = [other[i] for i in order][-len(there) :]
    close(found.function(*used), there)


KINKS = {
    "relu": lambda x, y: gt.relu(x),
    "abs": lambda x, y: abs(x - y),
    "maximum": gt.maximum,
    "minimum": gt.minimum,
    "clip": lambda x, y: gt.clip(x, -1.0, y),
    "leaky": lambda x, y: gt.leaky_relu(x, y),
    "elu": lambda x, y: gt.elu(x, 0.5) * y,
    "where": lambda x, y: gt.where(gt.greater(x, 0.0), gt.log(x) + gt.sqrt(x), y),
    "divided": lambda x, y: gt.where(gt.equal(y, 0.0), x, x / y),
    "root": lambda x, y: gt.sqrt(x * x) * y,
    "power": lambda x, y: gt.where(gt.greater(x, 0.0), x**y, x**2),
    "add": lambda x, y: x + y,
    "mul": lambda x, y: x * y,
}
kinked = st.lists(
    st.tuples(st.sampled_from(sorted(KINKS)), st.integers(0, 99), st.integers(0, 99)),
    min_size=1,
    max_size=8,
)


@settings(steady, max_examples=300)
@given(kinked, st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]), min_size=2, max_size=3))
def test_source_at_kinks_and_beside_branches_not_taken(program, xs):
    def compute(leaves):
        values = list(leaves)
        for name, i, j in program:
            squashed = gt.clip(KINKS[name](values[i % len(values)], values[j % len(values)]), -3, 3)
            values.append(squashed)
        return gt.sum(values)

    out, want, _ = gradient(compute, xs)
    if np.isfinite(out.data) and np.isfinite(want).all() and np.isfinite(Graph(out).adjoints).all():
        close(gt.adjoint_source(out).function(), want)


numbers = st.lists(st.floats(-2, 2, allow_subnormal=False), min_size=1, max_size=20)


@settings(steady, max_examples=150)
@given(numbers, st.sampled_from(["sum", "dot", "affine", "logsumexp", "softmax"]), st.data())
def test_source_of_runs(xs, name, data):
    activation = data.draw(st.sampled_from(["", *gt._core.activations()]))
    if activation in ("log", "sqrt", "log2", "log10", "log1p", "asin", "acos", "atanh", "acosh"):
        activation = "tanh"  # not everywhere defined
    if activation in ("norm_ppf", "lgamma", "digamma", "cbrt"):
        activation = "sigmoid"

    def compute(leaves):
        if name == "affine":
            bounded = [gt.tanh(x) * 0.1 for x in leaves]
            return gt.affine(bounded, [*leaves[1:], 0.5], leaves[0], activation) * 1.0
        if name == "dot":
            return gt.dot(leaves, [2.0, *leaves[1:]])
        if name == "softmax":
            return gt.softmax(leaves)[0] * leaves[-1]
        return getattr(gt, name)([*leaves, 1.5, leaves[0]])

    out, want, _ = gradient(compute, xs)
    close(gt.adjoint_source(out).function(), want)


def test_a_label_is_kept_where_it_is_a_name():
    x, w = Value(2.0, "x"), Value(3.0, "w")
    total = x * w
    total.label = "total"
    found = gt.adjoint_source(total + 1)
    assert "total = x * w" in found.source
    assert "dx += dtotal * w" in found.source
    assert found.labels == {"x": "x", "w": "w"}
    assert found.values == {"x": 2.0, "w": 3.0}


@pytest.mark.parametrize("label", ["relu", "max", "tanh", "exp", "sign", "logsumexp", "pi"])
def test_a_label_does_not_hide_a_function(label):
    x = Value(0.5, label)
    y = gt.relu(x) + gt.tanh(x) + abs(x) + gt.erf(x) + gt.logsumexp([x, 1.0])
    y.backward()
    close(gt.adjoint_source(y).function(), [x.grad])


def test_equal_labels_become_different_names():
    a, b, c = Value(2.0, "a b"), Value(3.0, "a.b"), Value(4.0, "da_b")
    found = gt.adjoint_source(a * b * c)
    assert list(found.labels.values()) == ["a b", "a.b", "da_b"]
    assert found.function() == (12.0, 8.0, 6.0)
    assert "'a b'" in found.source


def test_a_function_is_written_with_its_arguments():
    weight = Value(0.5, "weight")

    def f(x, ws, *rest, unused=1.0):
        return x * ws[0] * weight + ws[1] * rest[0] if x > 0 else x

    found = gt.adjoint_source(f, 2.0, [3.0, 4.0], 5.0)
    assert list(found.labels.values()) == ["x", "ws[0]", "ws[1]", "rest1", "weight"]
    assert found.function() == (1.5, 1.0, 5.0, 4.0, 6.0)
    assert found.function(1.0, 1.0, 1.0, 1.0, 1.0) == (1.0,) * 5
    assert gt.adjoint_source(f, -2.0, [3.0, 4.0], 5.0).function() == (1.0, 0.0, 0.0, 0.0)


def test_an_argument_that_is_not_used_gets_zero():
    assert gt.adjoint_source(lambda x, y: y * 2, 1.0, 2.0).function() == (0.0, 2.0)


def test_a_leaf_is_its_own_derivative():
    assert gt.adjoint_source(Value(3.0, "x")).function() == (1.0,)


def test_constants_decide_what_they_can():
    x = Value(3.0, "x")
    source = gt.adjoint_source(x**2).source
    assert "dx += dv1 * (2.0 * x)" in source


def test_a_long_one_is_folded_for_the_eye_and_whole_to_run():
    x = Value(0.5, "x")
    y = x
    for _ in range(3000):
        y = gt.sin(y + x)
    found = gt.adjoint_source(y)
    assert len(str(found).splitlines()) < 400
    assert "nodes …" in str(found)
    assert len(found.source.splitlines()) > 12_000
    y.backward()
    close(found.function(), [x.grad])


def test_ten_thousand_operands_compile():
    xs = [Value(0.001 * i) for i in range(10_000)]
    found = gt.adjoint_source(gt.dot(xs, [2.0] * len(xs)))
    assert found.function() == (2.0,) * len(xs)
    assert len(str(found).splitlines()) < 600


shapes = st.lists(st.integers(1, 4), min_size=2, max_size=4)


@settings(steady, max_examples=60)
@given(shapes, st.integers(1, 5), st.sampled_from(["columns", "rows"]), st.data())
def test_matrices_of_a_network_give_its_gradients(sizes, m, examples, data):
    names = ["linear", "softmax", "relu", "tanh", "sigmoid", "gelu", "sin", "abs", "norm_cdf"]
    chosen = [data.draw(st.sampled_from(names)) for _ in sizes[1:]]
    seed = data.draw(st.integers(0, 1000))
    model = gt.MLP(sizes, activations=chosen, init="glorot", seed=seed)
    random = np.random.default_rng(seed)
    for parameter in model.parameters():
        parameter.data = random.normal()
    rows, by_outputs = random.normal(size=(m, sizes[0])), random.normal(size=(m, sizes[-1]))
    outputs = model.batch(rows.tolist())
    gt.dot([o for row in outputs for o in row], by_outputs.ravel().tolist()).backward()
    found = gt.adjoint_source(model, examples=examples)

    def turned(matrix):
        return matrix.T if examples == "columns" else matrix

    got = found.function(turned(rows), turned(by_outputs), **found.values)
    for layer, dw, db in zip(model.layers, got[::2], got[1::2], strict=True):
        w = np.array([[p.grad for p in neuron.weights] for neuron in layer.neurons])
        b = np.array([[neuron.bias.grad for neuron in layer.neurons]])
        want_w, want_b = (w, b.T) if examples == "columns" else (w.T, b)
        np.testing.assert_allclose(dw, want_w, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(db, want_b, rtol=1e-11, atol=1e-12)
    assert all(
        found.values[name].shape == g.shape for name, g in zip(found.values, got, strict=True)
    )


def test_the_scalar_sums_beside_the_matrices_are_true():
    """Each comment that gives an element as a sum is evaluated, for every element."""
    model = gt.MLP([3, 4, 2], activations=["tanh", "softmax"], seed=1)
    for examples in ("columns", "rows"):
        found = gt.adjoint_source(model, examples=examples)
        random = np.random.default_rng(3)
        rows, outs = random.normal(size=(5, 3)), random.normal(size=(5, 2))
        given = (rows.T, outs.T) if examples == "columns" else (rows, outs)
        names = dict(
            zip(["X", "dA2", *found.values], [*given, *found.values.values()], strict=True)
        )
        body = ast.parse(found.source).body[-1].body[:-1]
        exec(ast.unparse(ast.Module(body, [])), {"np": np}, names)
        checked = 0
        for line in found.source.splitlines():
            left, _, right = line.strip().removeprefix("# ").partition(" = ")
            if " over " not in right or not line.strip().startswith("#"):
                continue
            second = "2" in re.sub(r"\[.*?\]", "", right)
            inner = {"i": 2, "j": 4, "k": 5, "l": 2} if second else {"i": 4, "j": 3, "k": 5, "l": 1}
            for index in np.ndindex(*inner.values()):
                at = dict(zip(inner, index, strict=True))
                want = eval(left, {}, names | at)
                assert np.isclose(summed(right, inner, names | at), want, rtol=1e-12, atol=1e-14)
            checked += 1
        assert checked == 8


def summed(text, sizes, names):
    """The value of ``a * (b - sum over l of c)`` and the like."""
    before, _, rest = text.partition("sum over ")
    word, _, term = rest.removeprefix("examples ").partition(" of ")
    term, _, more = term.partition(", + ")
    closing = ")" if before.count("(") else ""
    term = term.removesuffix(closing)
    total = sum(eval(term, {}, names | {word: n}) for n in range(sizes[word]))
    added = eval(more, {}, names) if more else 0.0
    return eval(f"{before}total{closing}", {}, names | {"total": total}) + added


def test_what_cannot_be_written_is_refused():
    with pytest.raises(TypeError, match="not str"):
        gt.adjoint_source("x")
    with pytest.raises(TypeError, match="one Value, not float"):
        gt.adjoint_source(lambda x: 1.0, 2.0)
    with pytest.raises(TypeError, match="computed already"):
        gt.adjoint_source(Value(1.0), 2.0)
    with pytest.raises(ValueError, match="'columns' or 'rows'"):
        gt.adjoint_source(gt.Layer(1, 1), examples="both")
