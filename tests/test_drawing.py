"""Drawings: every node is there, folded or not, and nothing gets out of a label."""

import re
import sys
from xml.etree import ElementTree

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value, _core
from gradtape.nn import MLP
from gradtape.show import notebook
from gradtape.show.drawing.folding import fold
from gradtape.show.drawing.network import network
from gradtape.show.drawing.theme import safe, shortened
from gradtape.show.drawing.view import number, view
from gradtape.show.graph import Graph
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=60)
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    '"/><image href="x" onerror="alert(1)"/>',
    "]]></title></svg>",
    "a|b{c}<p>\\",
    'n0" [label="{x}"] }',
    "\\",
    "two\nlines\r\n\tand tabs",
    "x" * 10_000,
    "שלום ‮evil‬ عربى",
    "\x00\x07\x1b\ufffe",
    "&lt;&amp;{{data}}<!--picture-->",
    "変数🙂",
]
labels = st.text(max_size=40) | st.sampled_from(HOSTILE)


def with_all_labels(test):
    for label in HOSTILE:
        test = example(label)(test)
    return given(labels)(test)


@st.composite
def expressions(draw, most=40):
    """A value of random operations, and all values that it was made of."""
    values = [Value(draw(st.floats(-2, 2)), f"x{i}") for i in range(draw(st.integers(1, 4)))]
    made = []
    for kind in draw(st.lists(st.integers(0, 6), min_size=1, max_size=most)):
        a = values[draw(st.integers(0, len(values) - 1))]
        b = values[draw(st.integers(0, len(values) - 1))]
        made.append(
            [
                lambda a=a, b=b: a + b,
                lambda a=a, b=b: a * b,
                lambda a=a: gt.tanh(a),
                lambda a=a: 3 - a,
                lambda a=a, b=b: gt.where(a > b, a, b),
                lambda a=a, b=b: _core.sum([a, b, 1.5]),
                lambda a=a, b=b: gt.dot([a, b, 2.0], [b, 0.5, a]),
            ][kind]()
        )
        values.append(made[-1])
    return made[-1], values


def groups(svg):
    """The boxes of a drawing by the number of their node."""
    found = ElementTree.fromstring(svg).iter(f"{SVG}g")
    return {int(g.get("data-node")): g for g in found if g.get("data-node")}


def cell(group, kind):
    (text,) = group.findall(f"{SVG}text[@class='gt-{kind}']")
    return text.text


@quick
@given(expressions(), st.sampled_from(["LR", "TB"]))
def test_every_node_has_its_box(case, rankdir):
    value, _ = case
    value.backward()
    graph = Graph(value)
    boxes = groups(gt.draw(value, rankdir=rankdir).svg)
    assert sorted(boxes) == list(range(len(graph)))
    for node in graph:
        assert cell(boxes[node.index], "label") == shortened(node.name)
        assert cell(boxes[node.index], "data") == number(node.value)
        assert cell(boxes[node.index], "grad") == number(node.grad)
        ops = boxes[node.index].findall(f"{SVG}text[@class='gt-op-text']")
        assert [op.text for op in ops] == ([node.symbol] if node.row else [])


@quick
@given(expressions())
def test_edges_are_the_operands(case):
    value, _ = case
    graph, drawn = Graph(value), gt.draw(value).view
    named = sorted(
        (drawn.boxes[a].node, drawn.boxes[b].node)
        for a, b in drawn.edges
        if drawn.boxes[a].kind != "constant"
    )
    operands = [(o.node, node.index) for node in graph for o in node.operands]
    assert named == sorted(edge for edge in operands if edge[0] is not None)


@quick
@given(expressions(120), st.integers(1, 40))
def test_a_fold_is_a_quotient(case, limit):
    value, _ = case
    graph = Graph(value)
    folds = fold(graph, limit, None)
    units = [i if unit < 0 else -1 - unit for i, unit in enumerate(folds.unit.tolist())]
    wanted = {
        (units[o.node], units[node.index])
        for node in graph
        for o in node.operands
        if o.node is not None and units[o.node] != units[node.index]
    }
    assert set(folds.edges) == wanted
    assert units[-1] == len(graph) - 1
    assert len(set(units)) <= max(limit, 2 * 12 + 32 + 2)
    assert gt.draw(value, limit=limit).svg


@settings(deadline=None, max_examples=100)
@with_all_labels
def test_no_label_gets_out_of_svg(label):
    assume(not re.fullmatch(r"\w+(\.\w+)+", label))  # such a label has a frame of its own
    x = Value(2.0, label)
    y = x * 3.0
    y.label = label
    plain = Value(2.0, "x") * 3.0
    for rankdir in ("LR", "TB"):
        root = ElementTree.fromstring(gt.draw(y, rankdir=rankdir).svg)
        tame = ElementTree.fromstring(gt.draw(plain, rankdir=rankdir).svg)
        assert [e.tag for e in root.iter()] == [e.tag for e in tame.iter()]
        assert [sorted(e.attrib) for e in root.iter()] == [sorted(e.attrib) for e in tame.iter()]
        boxes = groups(ElementTree.tostring(root, encoding="unicode"))
        if label:
            assert (cell(boxes[0], "label") or "") == shortened(label)
            assert boxes[0].find(f"{SVG}title").text.startswith(safe(f"{label}: data"))


STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
LINE = re.compile(
    r"digraph gradtape \{|rankdir=\w+|label=S|[no]\d+ \[label=S( shape=\w+)?( tooltip=S)?\]"
    r"|[no]\d+ -> [no]\d+|subgraph cluster\d+ \{|\}"
)


@settings(deadline=None, max_examples=100)
@with_all_labels
def test_no_label_gets_out_of_dot(label):
    x = Value(2.0, label)
    y = gt.tanh(x * 3.0)
    y.label = label
    text = gt.draw(y).dot
    for line in STRING.sub("S", text).splitlines():
        assert LINE.fullmatch(line.strip()), line
    # In a record only the two bars and the braces that are ours are not escaped.
    records = [s for s in STRING.findall(text) if s.startswith('"{ ') and f"label={s}" in text]
    assert len(records) == 3
    for record in records:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*[|]", record)) == 2
        assert len(re.findall(r"(?<!\\)(?:\\\\)*[{}<>]", record)) == 2


@quick
@with_all_labels
def test_no_label_gets_out_of_html(tags, label):
    y = Value(2.0, label) * 3.0
    y.label = label
    tame = gt.draw(Value(2.0, "x") * 3.0).html
    assert tags(gt.draw(y).html) == tags(tame)


def test_before_backward():
    x = Value(2.0, "x")
    y = x * x
    text = gt.draw(y).svg
    assert "before backward()" in text
    assert [cell(g, "grad") for g in groups(text).values()] == ["–", "–"]
    y.backward()
    text = gt.draw(y).svg
    assert "backward()" not in text
    assert cell(groups(text)[0], "grad") == "4.0000"
    z = y + 1
    assert "began elsewhere" in gt.draw(z).svg


def test_layers_have_frames():
    model, xs = MLP([2, 3, 1], "tanh"), [Value(1.0, "x1"), Value(2.0, "x2")]
    loss = (model(xs)[0] - 1) ** 2
    root = ElementTree.fromstring(gt.draw(loss).svg)
    frames = [e.text for e in root.iter(f"{SVG}text") if e.get("class") == "gt-band-text"]
    assert frames == ["layer1: 3 neurons, 9 parameters", "layer2: 1 neuron, 4 parameters"]
    assert "subgraph cluster" in gt.draw(loss).dot


def test_shared_weights_are_drawn_without_frames():
    # A cell that is used over time is no column.
    model, state = MLP([1, 1], ["tanh"]), Value(0.5, "state")
    for _ in range(3):
        state = gt.sin(model([state])[0])
    assert len(groups(gt.draw(state).svg)) == len(Graph(state))
    assert gt.draw(state, fold=True).svg


@pytest.mark.parametrize(("limit", "titles"), [(150, 18), (12, 3)])
def test_networks_are_folded_by_neurons_then_by_layers(limit, titles):
    model = MLP([4, 10, 5, 3], ["relu", "relu", "softmax"])
    loss = gt.losses.categorical_cross_entropy([model.logits([5.1, 3.5, 1.4, 0.2])], [1])
    loss.backward()
    drawn = view(Graph(loss), limit)
    folded = [box for box in drawn.boxes if box.kind == "fold"]
    assert len(folded) == titles
    counts = [int(re.search(r"(\d+) parameter", box.label)[1]) for box in folded]
    assert sum(counts) == len(model.parameters())
    if titles == 3:
        first = folded[0]
        assert first.label == "layer1: 10 neurons, 50 parameters"
        grads = [p.grad for p in model.layers[0].parameters()]
        low = float(dict(first.fields)["grad"].split(" … ")[0])
        assert low <= min(grads) + 1e-4


def test_a_million_nodes_are_a_few_boxes():
    v = Value(1.0, "v")
    for _ in range(500_000):
        v = v * 1.0000001 + 1e-6
    v.label = "end"
    drawing = gt.draw(v)
    assert len(drawing.view.boxes) < 60
    assert any("999,976 nodes between" in box.label for box in drawing.view.boxes)
    assert drawing.svg
    with pytest.raises(ValueError, match="1,000,001 nodes cannot be drawn"):
        gt.draw(v, fold=False)


def test_a_wide_node_is_a_few_boxes():
    xs = [Value(float(i), f"x{i}") for i in range(20_000)]
    drawing = gt.draw(_core.sum(xs))
    assert len(drawing.view.boxes) < 60
    assert any("leaves" in box.label for box in drawing.view.boxes)


def test_three_hundred_nodes_are_laid_out():
    values = [Value(i / 20, f"x{i}") for i in range(20)]
    for i in range(280):
        values.append(values[-1 - i % 7] * values[-3 - i % 11] + values[i % 20])
    drawing = gt.draw(_core.sum(values), limit=2000)
    assert len(groups(drawing.svg)) > 300


def test_constants_are_small_plain_nodes():
    x = Value(2.0, "x")
    boxes = gt.draw(x**2 - 1.5).view.boxes
    assert sorted(box.label for box in boxes if box.kind == "constant") == ["1.5", "2"]


def test_a_row_of_constants_is_one_box():
    boxes = gt.draw(_core.sum(MLP([4, 3])([1.0, 2.0, 3.0, 4.0]))).view.boxes
    assert [box.label for box in boxes if box.kind == "constant"] == ["1, 2, 3, 4"]


@pytest.mark.parametrize("kind", ["svg", "dot", "html"])
def test_saved_files(tmp_path, kind):
    drawing = gt.draw(Value(2.0, "é") * 3.0)
    path = drawing.save(tmp_path / f"picture.{kind}")
    assert path.read_text(encoding="utf-8") == getattr(drawing, kind)


def test_what_is_refused(tmp_path):
    with pytest.raises(TypeError, match="draw takes a Value, not float"):
        gt.draw(2.0)
    with pytest.raises(ValueError, match="rankdir must be 'LR' or 'TB', not 'RL'"):
        gt.draw(Value(1.0), rankdir="RL")
    with pytest.raises(ValueError, match="limit must be at least 1"):
        gt.draw(Value(1.0), limit=0)
    with pytest.raises(ValueError, match=r"not as 'a\.png'"):
        gt.draw(Value(1.0)).save(tmp_path / "a.png")


def test_digraph_needs_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match="pip install graphviz"):
        gt.draw(Value(1.0)).digraph()


def test_digraph():
    graphviz = pytest.importorskip("graphviz")
    drawing = gt.draw(Value(1.0, "x") + 1)
    made = drawing.digraph()
    assert isinstance(made, graphviz.Digraph)
    assert made.source == drawing.dot


def test_notebooks():
    x = Value(2.0, "x")
    assert (x * x)._repr_svg_() == notebook.svg(x * x)
    assert ElementTree.fromstring(MLP([2, 40, 1])._repr_svg_()).tag == f"{SVG}svg"


@pytest.mark.parametrize("sizes", [[1, 1], [3, 4, 2], [20, 16, 30, 1]])
def test_a_network_has_a_line_for_each_shown_weight(sizes):
    text = network(MLP(sizes))
    shown = [n if n <= 16 else 15 for n in sizes]
    assert text.count("data-weight") == sum(np.multiply(shown[:-1], shown[1:]))
    assert text.count("<circle") == sum(shown)
    assert text.count("more</text>") == sum(n > 16 for n in sizes)


def test_no_label_turns_the_writing_beside_it():
    assert shortened("a\u202eb\u2066c") == "abc"
    assert "\u202e" not in gt.draw(Value(1.0, "a\u202eb")).svg


def test_edges_come_in_the_order_of_the_operands():
    a, b, c = Value(1.0, "a"), Value(2.0, "b"), Value(3.0, "c")
    first = a + b + c
    drawn = gt.draw(gt.where(3.0, c, b) * first + gt.dot([c, a], [b, 2.0])).view
    for target, box in enumerate(drawn.boxes):
        if box.node is None or box.kind == "constant":
            continue
        into = [drawn.boxes[x].label for x, y in drawn.edges if y == target]
        if box.op == "where":
            assert into == ["3", "c", "b"]
        if box.op == "dot":
            assert into == ["c", "a", "b", "2"]


def test_folded_layers_are_joined():
    model = MLP([2, 40, 40, 40, 1])
    out = gt.sin(model([1.0, 2.0])[0])
    drawn = view(Graph(out), 50)
    titles = [box.label.split(":")[0] for box in drawn.boxes]
    joined = sorted((titles[a], titles[b]) for a, b in drawn.edges)
    chain = [f"layer{k}" for k in (1, 2, 3, 4)]
    assert joined == sorted(zip(chain, [*chain[1:], "v122"], strict=True))


def test_what_two_layers_make_together_is_in_neither():
    first, second = Value(1.0, "layer1.w"), Value(2.0, "layer2.w")
    made = first * second
    drawn = gt.draw(gt.sin(made), fold=True).view
    assert [box.label.split(":")[0] for box in drawn.boxes if box.kind == "fold"] == [
        "layer1",
        "layer2",
    ]
    assert [box.op for box in drawn.boxes if box.kind == "node"] == ["*"]


def test_hidden_leaves_lead_to_the_hidden_nodes():
    v = Value(1.0, "v")
    for k in range(200):
        v = v * Value(float(k), f"w{k}")
    drawn = gt.draw(v).view
    folds = [k for k, box in enumerate(drawn.boxes) if box.kind == "fold"]
    assert sorted(drawn.boxes[k].label for k in folds) == ["⋯ 176 leaves", "⋯ 176 nodes between"]
    assert [edge for edge in drawn.edges if set(edge) == set(folds)]
