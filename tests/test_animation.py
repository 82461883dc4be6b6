"""Animations: their arithmetic, and that nothing gets out of a page or has to come into it."""

import json
import re

import gradtape as gt
import pytest
from gradtape import Value, functions
from gradtape.losses import binary_cross_entropy
from gradtape.nn import MLP
from gradtape.show.drawing.learning import GRID
from gradtape.show.drawing.page import embedded
from gradtape.show.drawing.steps import steps
from gradtape.show.drawing.view import number
from gradtape.show.named import NamedGraph
from hypothesis import given, settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=60)
XOR = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--",
    "{{data}}{{script}}",
    "<!--picture-->",
    "\u2028\u2029\x00'\"\\",
    "$x $r \\1 \\g<0>",
    "שלום \u202eevil",
    "x" * 10_000,
]
numbers = st.integers(-20, 20).map(lambda k: k / 8)


@st.composite
def expressions(draw):
    """A value of operations whose numbers five digits can hold."""
    values = [Value(draw(numbers), f"x{i}") for i in range(draw(st.integers(1, 3)))]
    for kind in draw(st.lists(st.integers(0, 7), min_size=1, max_size=12)):
        a = values[draw(st.integers(0, len(values) - 1))]
        b = values[draw(st.integers(0, len(values) - 1))]
        made = [
            lambda a=a, b=b: a + b,
            lambda a=a, b=b: 0.5 * a * gt.tanh(b),
            lambda a=a: gt.tanh(a),
            lambda a=a: 3 - a,
            lambda a=a: 1 / (2 + gt.tanh(a)),
            lambda a=a, b=b: gt.maximum(a, b),
            lambda a=a, b=b: gt.dot([a, b, 0.25], [0.5, gt.sin(a), b]),
            lambda a=a, b=b: MLP([2, 1], ["tanh"], seed=1)([a, b])[0],
        ][kind]()
        values.append(made)
    return values[-1]


def data_of(html):
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])


@quick
@given(expressions())
def test_steps_end_at_the_gradients(value):
    graph = NamedGraph(value, digits=5, terms=24)
    known, adjoints = set(), {}
    every = steps(graph)
    for step in every[:-1]:
        known.update(step.data)
        adjoints.update(step.adjoints)
    assert known == set(range(len(graph)))
    for node in graph:
        shown = float(adjoints.get(node.index, "0"))
        assert shown == pytest.approx(node.adjoint, rel=1e-3, abs=1e-4)
    assert every[-1].adjoints == {node.index: number(node.adjoint) for node in graph}
    assert sorted(step.node for step in every if step.phase == "forward") == list(
        range(graph.leaves, len(graph))
    )


def python(formula):
    return formula.replace("…", "0")


NAMESPACE = {name: getattr(functions, name) for name in functions.__all__} | {
    "max": max,
    "min": min,
    "nan": float("nan"),
    "inf": float("inf"),
}


@quick
@given(expressions())
def test_the_numbers_of_a_step_give_its_value(value):
    """Python itself works out what stands there."""
    graph = NamedGraph(value, digits=5, terms=24)
    for step in steps(graph):
        if step.phase == "forward":
            found = eval(python(step.lines[1].removeprefix("= ")), dict(NAMESPACE))
            assert float(found) == pytest.approx(graph.values[step.node], rel=1e-3, abs=2e-3)
        for term in step.terms:
            partial = float(term.partial)
            if term.numbers:
                found = eval(python(term.numbers), dict(NAMESPACE))
                assert float(found) == pytest.approx(partial, rel=1e-2, abs=2e-3)
            adjoint, rest = term.share.split(" × ", 1)
            share = float(rest.split(" = ")[1])
            assert share == pytest.approx(float(adjoint) * partial, rel=1e-3, abs=1e-6)
            before, after = float(term.before), float(term.after)
            assert after - before == pytest.approx(share, rel=1e-3, abs=2e-3)


def test_formulas_have_the_names():
    a, b = Value(2.0, "a"), Value(-3.0, "b - c")
    out = gt.tanh(a * b)
    out.label = "out"
    every = steps(NamedGraph(out))
    assert every[1].title == "v1 = a * (b - c)"
    assert every[1].lines[1:] == ["= 2 * (-3)", "= -6"]
    term = every[-3].terms[0]
    assert (term.name, term.formula) == ("v1", "1 - out * out")
    first, second = every[-2].terms
    assert (first.formula, second.formula) == ("b - c", "a")


def test_a_neuron_is_unfolded():
    model = MLP([2, 1], ["tanh"], seed=1)
    out = model([Value(1.0, "x1"), 2.0])[0]
    out.label = "out"
    every = steps(NamedGraph(out))
    w = "layer1.neuron1.w"
    forward = next(step for step in every if step.phase == "forward")
    assert forward.title == f"out = tanh(x1 * {w}1 + 2 * {w}2 + layer1.neuron1.b)"
    terms = {t.name: t.formula for t in every[-2].terms}
    assert terms["x1"] == f"(1 - out * out) * {w}1"
    assert terms[f"{w}2"] == "(1 - out * out) * 2"
    assert terms["layer1.neuron1.b"] == "1 - out * out"


def test_an_adjoint_of_zero_passes_on_zero():
    x = Value(0.0, "x")
    out = gt.where(x > -1, x, gt.sqrt(x))
    root = [s for s in steps(NamedGraph(out)) if s.phase == "reverse"]
    assert all("nan" not in str(step.plain()) for step in root)


def test_the_running_sum_is_shown():
    x = Value(3.0, "x")
    terms = steps(NamedGraph(x * x))[3].terms
    assert [(t.share, t.before, t.after) for t in terms] == [
        ("1 × 3 = 3", "0", "3"),
        ("1 × 3 = 3", "3", "6"),
    ]


def made(label):
    x = Value(2.0, label)
    y = gt.tanh(x * 3.0)
    y.label = label
    return gt.animate(y)


@quick
@given(st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=30))
def test_no_label_gets_out_of_the_page(tags, label):
    html = made(label).html
    assert tags(html) == tags(made("plain").html)
    assert html.count("<!--picture-->") == 0 or label in ("<!--picture-->",)
    assert len(data_of(html)["steps"]) == 7


@given(
    st.recursive(st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_embedded_data_comes_back(data):
    text = embedded(data)
    assert json.loads(text) == data
    assert not set("<>&") & set(text)


@pytest.mark.parametrize("what", ["sweep", "training"])
def test_pages_need_nothing_else(what):
    page = made("x") if what == "sweep" else gt.animate(MLP([2, 2, 2]), *XOR, epochs=2)
    text = page.html.replace("http://www.w3.org/2000/svg", "")
    assert "default-src 'none'" in text
    for needle in ("http:", "https:", "//cdn", "@import", "url(", " src=", "<link", "fetch("):
        assert needle not in text
    assert "{{" not in text


def test_training_is_recorded():
    model, twin = MLP([2, 4, 2], "tanh", seed=3), MLP([2, 4, 2], "tanh", seed=3)
    seen = []
    page = gt.animate(model, *XOR, epochs=7, callback=lambda epoch, _: seen.append(epoch), seed=5)
    history = gt.fit(twin, *XOR, epochs=7, seed=5, native=False)
    assert [p.data for p in model.parameters()] == [p.data for p in twin.parameters()]
    assert seen == list(range(1, 8))
    frames = data_of(page.html)["frames"]
    assert [frame["epoch"] for frame in frames] == list(range(8))
    assert [f["loss"] for f in frames[1:]] == pytest.approx(history.loss, rel=1e-3)
    assert [f["accuracy"] for f in frames[1:]] == history.accuracy
    weights = [w for layer in twin.layers for n in layer.neurons for w in n.weights]
    assert frames[-1]["grads"] == pytest.approx([w.grad for w in weights], rel=1e-3)
    assert frames[-1]["weights"] == pytest.approx([w.data for w in weights], rel=1e-3)
    assert {len(frame["field"]) for frame in frames} == {GRID * GRID}
    assert set(frames[-1]["field"]) <= {0, 1}


def test_long_trainings_keep_eighty_epochs():
    frames = data_of(gt.animate(MLP([3, 2]), [[1, 2, 3]], [0], epochs=500).html)["frames"]
    assert 80 <= len(frames) <= 82
    assert frames[-1]["epoch"] == 500
    assert frames[0]["field"] == []


def test_a_score_is_shown_as_its_probability():
    page = gt.animate(MLP([2, 1]), *XOR, epochs=1, loss=binary_cross_entropy)
    assert all(0 <= x <= 1 for x in data_of(page.html)["frames"][-1]["field"])


def test_saving_and_showing(tags, tmp_path):
    page = made('x"<')
    assert page.save(tmp_path / "a.html").read_text(encoding="utf-8") == page.html
    assert gt.animate(Value(1.0) + 1, path=tmp_path / "b.html").html
    assert (tmp_path / "b.html").exists()
    (frame,) = tags(page._repr_html_())
    assert frame == ("iframe", ["sandbox", "srcdoc", "style", "title"])
    with pytest.raises(ValueError, match=r"saved as \.html, not as 'a\.svg'"):
        page.save(tmp_path / "a.svg")


def test_what_is_refused():
    v = Value(1.0)
    with pytest.raises(TypeError, match="a Value or an MLP, not float"):
        gt.animate(1.0)
    with pytest.raises(TypeError, match="needs rows and targets"):
        gt.animate(MLP([1, 1]))
    with pytest.raises(TypeError, match="a Value alone"):
        gt.animate(v, [[1.0]], [1])


@pytest.mark.parametrize("count", [700, 100_000])
def test_large_graphs_are_stepped_through_folded(count):
    v = leaf = Value(1.0, "leaf")
    for _ in range(count):
        v = v * 1.0001
    made = gt.animate(v)
    steps = data_of(made.html)["steps"]
    assert len(steps) < 200
    assert any("nodes between" in step["title"] for step in steps)
    assert [step["phase"] for step in steps][-1] == "end"
    v.backward()
    ends = steps[-1]["adjoints"]
    assert ends["0"] == number(leaf.grad)
    assert ends[str(count)] == number(1.0)
    # What a step tells, the last one tells again.
    for step in steps:
        assert step["adjoints"].items() <= ends.items()
