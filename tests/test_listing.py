"""The Wengert list says what the tape holds."""

import gradtape as gt
import pytest
from gradtape import Value
from gradtape.show.graph import Graph
from hypothesis import given, settings
from hypothesis import strategies as st


def chain(kinds):
    x = v = Value(0.5, "x")
    for kind in kinds:
        v = (gt.tanh(v), v + 0.5, v * x, gt.sum([v, x, v]), gt.affine([v], [x], 1.0, "relu"))[kind]
    return v


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), max_size=30))
def test_rows_are_the_graph(kinds):
    value = chain(kinds)
    graph, rows = Graph(value), gt.tape(value).rows
    assert len(rows) == len(graph) == len(list(rows))
    for node, row in zip(graph, rows, strict=True):
        assert (row.index, row.label, row.value) == (node.index, node.name, node.value)
        assert row.adjoint == node.adjoint
        assert row.operation.split() == [
            part.name for part in (node.row, node.activation) if part is not None
        ]
        for name, partial, operand in zip(row.operands, row.partials, node.operands, strict=True):
            assert name == (operand.value if operand.node is None else graph.name(operand.node))
            assert partial == (None if operand.node is None else operand.partial)
    assert rows[-1] == rows[len(rows) - 1]
    assert rows[1:3] == [rows[i] for i in range(1, min(3, len(rows)))]


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), max_size=30))
def test_every_row_is_printed_in_columns(kinds):
    listing = gt.tape(chain(kinds), limit=None)
    lines = str(listing).splitlines()
    assert len(lines) == len(listing) + 1
    for row, line in zip(listing.rows, lines[1:], strict=True):
        assert line.split()[:2] == [str(row.index), row.label]
    for heading in ("label", "operation", "value", "adjoint"):
        column = lines[0].index(heading)
        assert all(line[column - 1 : column].strip() == "" for line in lines[1:])


def test_numbers_and_constants():
    x = Value(2.0, "x")
    y = x * 3.0
    lines = str(gt.tape(gt.log(y - 6.0), digits=3)).splitlines()
    assert lines[2].split() == ["1", "v1", "mul", "x,", "3", "6", "3,", "-", "inf"]
    assert lines[-1].split() == ["3", "v3", "log", "v2", "-inf", "inf", "1"]
    assert repr(gt.tape(x)) == str(gt.tape(x))


def test_large_lists_are_folded():
    x = v = Value(0.5, "x")
    for _ in range(5000):
        v = gt.tanh(v * x)
    lines = str(gt.tape(v)).splitlines()
    assert len(lines) < 15
    assert "… 4,998 times the same 2 nodes: v3 … v9998" in lines
    assert len(str(gt.tape(v, limit=None)).splitlines()) == 10_002
    wide = gt.sum([x * k for k in range(2, 1000)])
    assert "v1, v2, v3, …, v998" in str(gt.tape(wide))
    assert len(gt.tape(wide).rows[-1].operands) == 998


def test_labels_cannot_break_out():
    x = Value(1.0, "<b>|{\n</td>" + "y" * 10_000)
    listing = gt.tape(x * x)
    assert len(str(listing).splitlines()) == 3
    html = listing._repr_html_()
    assert html.count("<td>") == 14
    assert "<b>" not in html
    assert "\\n" in html
    assert len(html) < 2000
    assert listing.rows[0].label == x.label


def test_wrong_arguments():
    with pytest.raises(TypeError, match=r"tape\(\) takes a Value, not int"):
        gt.tape(3)
    with pytest.raises(ValueError, match="limit must be at least 3, or None, not 0"):
        gt.tape(Value(1.0), limit=0)
    with pytest.raises(ValueError, match="digits must be from 1 to 17, not 18"):
        gt.tape(Value(1.0), digits=18)
