"""The hand calculation is right, whatever the graph, and reads as the textbooks' does."""

import itertools
import math
import re
from html.parser import HTMLParser

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value, _core
from gradtape.show.explaining.folding import Fold, folded
from gradtape.show.explaining.reckoning import Step
from gradtape.show.expression import parse
from gradtape.show.graph import Graph
from gradtape.show.named import NamedGraph
from hypothesis import given, settings
from hypothesis import strategies as st

DERIVATIVE = re.compile(r"d(\w+)/d(z\(\w+\)|\w+)")
# Where a row is defined and smooth; elsewhere all operands are .7.
POINTS = {"acosh": [1.5], "polygamma": [1.0, 0.7], "clip": [0.7, 0.1, 0.9], "where": [1, 0.7, 0.2]}
ACTIVATIONS = ["tanh", "relu", "sigmoid", "gelu", "softplus", "exp"]


def steps(lines):
    return [line for line in lines if isinstance(line, Step)]


def texts(step):
    return [step.name.text, *(way.text for way in step.ways)]


def made(kind, x, y, z, c, activation):
    """A node, or a few, of values that stay small."""
    return [
        lambda: gt.tanh(x * y),
        lambda: x + y,
        lambda: x - c,
        lambda: gt.tanh(x),
        lambda: gt.sin(x) / (2.0 + gt.cos(y)),
        lambda: gt.sum([x, y, x, c]),
        lambda: gt.tanh(gt.dot([x, y], [z, x])),
        lambda: gt.tanh(gt.affine([x, c], [y, z], y if c > 0 else c, activation)),
        lambda: gt.logsumexp([x, y, z]),
        lambda: gt.tanh(x) ** 2,
    ][kind]()


@st.composite
def graphs(draw, labels=None):
    """A value of a random graph, whose inner values all stay alive and small."""
    number = st.floats(-2.0, 2.0).map(lambda x: round(x, 3))
    pool = [Value(draw(number), label) for label in ("x", "y", "w1")]
    leaves = len(pool)
    for _ in range(draw(st.integers(1, 12))):
        operands = [draw(st.sampled_from(pool)) for _ in range(3)]
        kind, activation = draw(st.integers(0, 9)), draw(st.sampled_from(ACTIVATIONS))
        pool.append(made(kind, *operands, draw(number), activation))
        if draw(st.booleans()):
            pool[-1].label = draw(labels) if labels is not None else f"n{len(pool)}"
    inner = pool[leaves:]
    return draw(st.sampled_from(inner)), pool


def evaluate(text, names):
    """What a written formula comes to: derivatives and sums inside nodes are names, too."""
    text = DERIVATIVE.sub(lambda m: f"_d_{m[2].strip('()').replace('(', '_')}", text)
    return parse(re.sub(r"z\((\w+)\)", r"z_\1", text)).evaluate(names)


@settings(deadline=None)
@given(graphs())
def test_every_line_is_an_equation(found):
    value, _ = found
    explained = gt.explain(value, limit=None, digits=17)
    every = [*steps(explained.forward), *steps(explained.backward)]
    assert len(every) == len(explained.forward) + len(explained.backward)
    names = {}
    for step in every:
        key = DERIVATIVE.sub(lambda m: f"_d_{m[2].strip('()').replace('(', '_')}", step.name.text)
        names[re.sub(r"z\((\w+)\)", r"z_\1", key)] = step.value
    for step in every:
        for way in step.ways:
            if "…" not in way.text:
                got = evaluate(way.text, names)
                assert got == pytest.approx(step.value, rel=1e-9, abs=1e-9), texts(step)


@settings(deadline=None)
@given(graphs())
def test_the_last_lines_are_the_gradients(found):
    value, pool = found
    value.backward()
    gradients = {x.label: x.grad for x in pool[:3]}
    for step in steps(gt.explain(value, limit=None).backward):
        name = step.name.text.rpartition("/d")[2]
        if name in gradients:
            assert step.value == pytest.approx(gradients[name], rel=1e-12, abs=1e-300)


@settings(deadline=None)
@given(graphs())
def test_paths_add_up_to_the_gradient(found):
    value, pool = found
    value.backward()
    explained = gt.explain(value, wrt=pool[0], limit=None)
    if explained.paths:
        assert explained.paths[-1].value == pytest.approx(pool[0].grad, rel=1e-12, abs=1e-12)
        single = explained.paths[:-1] or explained.paths
        assert math.fsum(step.value for step in single) == pytest.approx(
            pool[0].grad, rel=1e-9, abs=1e-9
        )


ROWS = {name: operands for name, operands, *_ in _core.operations() if operands}


@pytest.mark.parametrize("name", ROWS)
def test_every_operation_is_explained(name):
    point = POINTS.get(name, [0.7 - 0.2 * k for k in range(len(ROWS[name]))])
    leaves = [Value(x, f"x{k}") for k, x in enumerate(point)]
    value = getattr(_core, name)(*leaves)
    value.label = "r"
    value.backward()
    explained = gt.explain(value, digits=17)
    names = {"_d_r": 1.0, "r": value.data, **{x.label: x.data for x in leaves}}
    assert evaluate(explained.forward[-1].ways[0].text, names) == pytest.approx(value.data)
    found = {step.name.text: step for step in explained.backward[1:]}
    for leaf in leaves:
        step = found[f"dr/d{leaf.label}"]
        assert step.value == leaf.grad
        for way in step.ways:
            assert evaluate(way.text, names) == pytest.approx(leaf.grad, rel=1e-12), way.text


def test_every_operation_of_any_number_of_operands_is_written_out():
    x, y = Value(0.3, "x"), Value(0.6, "y")
    values = {
        "sum": (gt.sum([x, y, x]), "x + y + x"),
        "dot": (gt.dot([x, y], [y, 2.0]), "x * y + y * 2"),
        "affine": (gt.affine([x, y], [y, y], 3.0), "x * y + y * y + 3"),
        "logsumexp": (gt.logsumexp([x, y]), "log(exp(x) + exp(y))"),
    }
    assert set(values) == {name for name, operands, *_ in _core.operations() if not operands}
    for value, formula in values.values():
        assert gt.explain(value).forward[-1].ways[0].text == formula


def test_an_activation_has_a_line_of_its_own():
    x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(5.5, "b")
    h = gt.affine([x], [w], b, "tanh")
    h.label = "h"
    explained = gt.explain(h)
    assert texts(explained.forward[-2]) == ["z(h)", "x * w + b", "2 * (-3) + 5.5"]
    assert texts(explained.forward[-1]) == ["h", "tanh(z(h))", "tanh(-0.5)"]
    assert texts(explained.backward[1])[:2] == ["dh/dz(h)", "dh/dh * (1 - h * h)"]
    assert texts(explained.backward[-1])[:2] == ["dh/dx", "dh/dz(h) * w"]


def test_a_neuron_step_by_step():
    inputs = [Value(x, f"I{k}") for k, x in enumerate((1.0, -2.0, 3.0), 1)]
    weights = [Value(w, f"w{k}") for k, w in enumerate((0.5, 0.25, -1.0), 1)]
    b1 = Value(0.75, "b1")
    values = [w * x for w, x in zip(weights, inputs, strict=True)]
    values.append(values[0] + values[1])
    values.append(values[3] + values[2])
    values.append(values[4] + b1)
    for k, value in enumerate(values, 1):
        value.label = f"value{k}"
    explained = gt.explain(values[-1])
    forward = {step.name.text: texts(step)[1:] for step in explained.forward}
    backward = {step.name.text: (*texts(step)[1:], step.value) for step in explained.backward}
    assert forward["value1"] == ["w1 * I1", "0.5 * 1"]
    assert forward["value4"] == ["value1 + value2", "0.5 + (-0.5)"]
    assert forward["value5"] == ["value4 + value3", "0 + (-3)"]
    assert forward["value6"] == ["value5 + b1", "(-3) + 0.75"]
    out = "dvalue6"
    for k, x in enumerate((1.0, -2.0, 3.0), 1):
        number = "1 * 1" if k == 1 else f"1 * {'(-2)' if k == 2 else 3}"
        assert backward[f"{out}/dw{k}"] == (f"{out}/dvalue{k} * I{k}", number, x)
    for k, user in ((1, 4), (2, 4), (3, 5), (4, 5), (5, 6)):
        assert backward[f"{out}/dvalue{k}"] == (f"{out}/dvalue{user} * 1", "1 * 1", 1.0)
    assert backward[f"{out}/db1"] == (f"{out}/dvalue6 * 1", "1 * 1", 1.0)


def manual():
    x1, x2 = Value(2.0, "x1"), Value(0.0, "x2")
    w1, w2 = Value(-3.0, "w1"), Value(1.0, "w2")
    b = Value(6.8813735870195432, "b")
    x1w1, x2w2 = x1 * w1, x2 * w2
    both = x1w1 + x2w2
    n = both + b
    o = gt.tanh(n)
    x1w1.label, x2w2.label, both.label, n.label, o.label = (
        "x1*w1", "x2*w2", "x1*w1 + x2*w2", "n", "o",
    )  # fmt: skip
    return o, (x1, x2, w1, w2, b, x1w1, x2w2, both, n)


def test_the_manual_chain_rule():
    o, leaves = manual()
    printed = str(gt.explain(o)).splitlines()
    for line in (
        "  n             = (x1*w1 + x2*w2) + b = (-6) + 6.881 =  0.8814",
        "  o             = tanh(n)             = tanh(0.8814) =  0.7071",
        "  do/dn               = do/do * (1 - o * o)     = 1 * (1 - 0.7071 * 0.7071) "
        "= 1 * 0.5 =  0.5",
        "  do/d(x1*w1 + x2*w2) = do/dn * 1               = 0.5 * 1                   "
        "          =  0.5",
        "  do/dx1              = do/d(x1*w1) * w1        = 0.5 * (-3)                "
        "          = -1.5",
    ):
        assert line in printed
    found = {step.name.text: step.value for step in gt.explain(o).backward}
    wanted = {"x1": -1.5, "x2": 0.5, "w1": 1.0, "w2": 0.0, "b": 0.5, "n": 0.5}
    for name, gradient in wanted.items():
        assert found[f"do/d{name}"] == pytest.approx(gradient, abs=1e-12)
    path = gt.explain(o, wrt=leaves[2]).paths[0]
    assert texts(path)[1:] == [
        "do/dn * dn/d(x1*w1 + x2*w2) * d(x1*w1 + x2*w2)/d(x1*w1) * d(x1*w1)/dw1",
        "0.5 * 1 * 1 * 2",
    ]
    assert path.value == pytest.approx(1.0)


def test_gradients_are_summed_over_uses():
    a = Value(1.0, "a")
    b = a + a
    c = b + b
    b.label, c.label = "b", "c"
    lines = str(gt.explain(c)).splitlines()
    assert lines[-2:] == [
        "  dc/db = dc/dc * 1 + dc/dc * 1 = 1 * 1 + 1 * 1 = 1 + 1 = 2",
        "  dc/da = dc/db * 1 + dc/db * 1 = 2 * 1 + 2 * 1 = 2 + 2 = 4",
    ]
    x = Value(3.0, "x")
    square = x * x
    square.label = "L"
    last = str(gt.explain(square)).splitlines()[-1]
    assert last == "  dL/dx = dL/dL * x + dL/dL * x = 1 * 3 + 1 * 3 = 3 + 3 = 6"
    assert [step.value for step in gt.explain(c, wrt=a).paths] == [1.0, 1.0, 1.0, 1.0, 4.0]


def test_a_power_is_written_as_people_do():
    x = Value(3.0, "x")
    step = gt.explain(x**2).backward[-1]
    assert texts(step)[1:] == ["dv1/dv1 * (2 * x)", "1 * (2 * 3)", "1 * 6"]
    assert step.ways[0].latex.endswith(r"\left(2 \cdot x\right)")
    step = gt.explain(x**-1.5).backward[-1]
    assert texts(step)[1] == "dv1/dv1 * ((-1.5) * x**(-2.5))"


@settings(deadline=None)
@given(graphs())
def test_wrt_shows_the_paths_and_nothing_else(found):
    value, pool = found
    explained = gt.explain(value, wrt=pool[1], limit=None)
    graph = Graph(value, [pool[1]])
    on_paths = {graph.marks[0]} - {-1}
    for node in graph:
        if any(operand.node in on_paths for operand in node.operands):
            on_paths.add(node.index)
    names = {graph.name(i) for i in on_paths}
    assert {step.name.text for step in explained.forward if "(" not in step.name.text} == names
    if graph.marks[0] < 0:
        assert any("not computed from the value 'y'" in note for note in explained.notes)


def test_notes():
    x, other = Value(0.0, "x"), Value(1.0)
    assert "x is a leaf" in gt.explain(x).notes[0]
    y = gt.sqrt(x) * 0.0
    explained = gt.explain(y, wrt=[x, other])
    assert "not computed from the value 1.0" in explained.notes[0]
    assert "a product with a factor of exactly 0 is 0" in explained.notes[1]
    assert "0 * inf = 0" in str(explained)
    assert "0 * inf + 1 * 1 = 0 + 1 " in re.sub(" +", " ", str(gt.explain(y + x)))
    y = x + 1.0
    y.backward()
    assert gt.explain(y).notes == []
    y.backward()
    assert "x.grad is 2: grad adds up" in gt.explain(y).notes[0]


def test_numbers_that_are_none_are_shown():
    x = Value(-1.0, "x")
    text = str(gt.explain(gt.log(x) + 1.0 / Value(0.0, "y") - math.inf))
    assert "v1 = log(x)" in text
    assert "log(-1)" in text
    assert "nan" in text
    assert "inf" in text
    latex = gt.explain(gt.log(x) - math.inf)._repr_latex_()
    assert r"\infty" in latex
    assert r"\mathrm{nan}" in latex


def test_long_sums_are_abridged():
    terms = [Value(float(k), f"t{k}") for k in range(100)]
    explained = gt.explain(gt.sum(terms), limit=None)
    assert texts(explained.forward[-1])[1] == "t0 + t1 + t2 + … + t99"
    x = Value(1.0, "x")
    used = gt.explain(gt.sum([x * k for k in range(2, 50)]), wrt=x)
    assert " + … + " in texts(used.backward[-1])[1]
    assert used.backward[-1].value == sum(range(2, 50))


@settings(deadline=None)
@given(graphs(), st.integers(3, 20))
def test_folding_keeps_every_node_and_the_order(found, limit):
    graph = NamedGraph(found[0])
    nodes = np.arange(len(graph))
    lines = folded(graph, nodes, limit)
    flat = [
        i for line in lines for i in (line.nodes.tolist() if isinstance(line, Fold) else [line])
    ]
    assert flat == nodes.tolist()
    assert len(lines) <= max(limit, 3)
    assert folded(graph, nodes, None) == nodes.tolist()


@given(st.lists(st.integers(0, 2), min_size=1, max_size=200), st.integers(3, 12))
@settings(deadline=None)
def test_folding_of_long_chains(kinds, limit):
    x = v = Value(0.5, "x")
    for kind in kinds:
        v = (gt.tanh(v), v + 0.5, v * x)[kind]
    graph = NamedGraph(v)
    lines = folded(graph, np.arange(len(graph)), limit)
    flat = [
        i for line in lines for i in (line.nodes.tolist() if isinstance(line, Fold) else [line])
    ]
    assert flat == list(range(len(graph)))
    assert len(lines) <= limit


def test_a_loop_is_told_once():
    x = v = Value(0.5, "x")
    for _ in range(1000):
        v = gt.tanh(v * x) + 0.5
    explained = gt.explain(v)
    assert [line.text for line in explained.forward if not isinstance(line, Step)] == [
        "998 times the same 3 nodes"
    ]
    assert "998 times the same 3 nodes: v2997 … v4" in str(explained)
    assert len(str(explained).splitlines()) < 30
    assert len(gt.explain(v, limit=None).forward) == 3001


def test_a_network_is_folded_by_neuron_or_layer():
    model = gt.MLP([3, 4, 4, 2], ["tanh", "tanh", "softmax"])
    value = model([1.0, 2.0, 3.0])[0]
    text = str(gt.explain(value, limit=30))
    assert "… layer1.neuron2: 4 values: layer1.neuron2.w1 … layer1.neuron2.b, from " in text
    text = str(gt.explain(value, limit=9))
    assert "… layer2: 20 values" in text
    assert "layer1.neuron1.w1 + " in str(gt.explain(value, limit=None))


def test_a_large_graph_has_a_short_explanation():
    x = Value(0.5, "x")
    value = gt.sum([Value(float(k), f"w{k}") * x for k in range(30_000)])
    for wrt in (None, x):
        explained = gt.explain(value, wrt)
        assert len(str(explained).splitlines()) < 150
        assert len(explained._repr_html_()) < 50_000
        assert len(explained._repr_latex_()) < 50_000


@given(
    st.lists(st.sampled_from(["", "v1", "v2", "x1", "x3", "v10", "b"]), min_size=12, max_size=12)
)
def test_names_are_labels_or_count_past_them(labels):
    values = [Value(1.0, label) for label in labels[:4]]
    for k, label in enumerate(labels[4:]):
        values.append(values[k] + values[k + 3])
        values[-1].label = label
    value = gt.sum(values)
    graph = NamedGraph(value)
    counts = {"x": itertools.count(1), "v": itertools.count(1)}
    for node in graph:
        letter = "x" if node.row is None else "v"
        given = (f"{letter}{k}" for k in counts[letter])
        free = (name for name in given if name not in graph.labels.values())
        assert node.name == (graph.labels.get(node.index) or next(free))
    shown = [graph.named(i).text for i in range(len(graph))]
    assert len(set(shown)) == len(shown)


HOSTILE = st.text(
    st.sampled_from(list("ab<>&|{}$\\\"'`_^%~#\n\r\t;() +-*/=.,א‮\u2066\x00\x1b漢é")), max_size=12
) | st.sampled_from(
    ["<script>alert(1)</script>", "$$", "\\end{aligned}$$", "}}", "</td>", "&lt;", "x" * 10_000,
     "שלום", "\u202eabc", "a\nb", " ", "\x1b[31m"]
)  # fmt: skip


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = [], set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data):
        self.text.append(data)


def shape(html):
    parser = Tags()
    parser.feed(html)
    parser.close()
    return parser


def assert_latex_holds(latex):
    """Dollars only outside, and brackets that close."""
    outside = "$$" if latex.startswith("$$") else "$"
    body = latex.removeprefix(outside).removesuffix(outside)
    bare = re.sub(r"\\[\\{}$&#_%]", "", body.replace("\\\\\n", "\n"))
    assert "$" not in bare
    assert "<" not in bare
    assert "%" not in bare
    assert "#" not in bare
    assert body.count(r"\left") == body.count(r"\right")
    depth = 0
    for c in bare:
        depth += (c == "{") - (c == "}")
        assert depth >= 0
    assert depth == 0


@settings(deadline=None)
@given(graphs(labels=HOSTILE), HOSTILE)
def test_labels_cannot_break_out(found, label):
    value, pool = found
    pool[0].label = label
    explained = gt.explain(value, limit=None)
    text = str(explained)
    assert all(c.isprintable() or c in "\n\u2068\u2069" for c in text)
    assert max(map(len, text.splitlines())) < 1000
    html = shape(explained._repr_html_())
    assert set(html.tags) <= {"div", "p", "table", "caption", "tbody", "tr", "td"}
    assert html.attributes <= {"style", "colspan"}
    assert html.tags.count("tr") == len(explained.forward) + len(explained.backward)
    assert_latex_holds(explained._repr_latex_())
    # A label takes no line of its own, and no two nodes read the same.
    names = [step.name.text for step in explained.forward]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3.0,), {}, TypeError, r"explain\(\) takes a Value, not float"),
        ((Value(1.0), [2.0]), {}, TypeError, "wrt takes Values, not float"),
        ((Value(1.0), []), {}, ValueError, "wrt has no values"),
        ((Value(1.0),), {"limit": 2}, ValueError, "limit must be at least 3, or None, not 2"),
        ((Value(1.0),), {"digits": 0}, ValueError, "digits must be from 1 to 17, not 0"),
    ],
)
def test_wrong_arguments(arguments, options, error, message):
    with pytest.raises(error, match=message):
        gt.explain(*arguments, **options)
