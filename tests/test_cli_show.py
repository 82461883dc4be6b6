"""The shell's explain, draw and animate."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("elsewhere")


NEURON = ["tanh(x1*w1 + x2*w2 + b)", "x1=2", "x2=0", "w1=-3", "w2=1", "b=6.8813735870195432"]


def test_explain(run):
    code, out, err = run("explain", *NEURON)
    assert (code, err) == (0, "")
    assert "f  = tanh(v4) = tanh(0.8814) =  0.7071" in out
    assert re.search(r"df/dx1 = df/dv1 \* w1 += 0\.5 \* \(-3\) += -1\.5", out)


def test_explain_by_a_name(run):
    code, out, _ = run("explain", *NEURON, "--wrt", "w1", "--digits", "3")
    assert code == 0
    assert "Path by path" in out
    assert "df/dv4 * dv4/dv3 * dv3/dv1 * dv1/dw1 = 0.5 * 1 * 1 * 2 = 1" in out
    assert "w2" not in out.partition("Backward")[2]


def test_numbers_may_be_expressions_and_begin_with_a_minus(run):
    code, out, _ = run("explain", "-x**2", "x=-pi/2")
    assert code == 0
    assert "x = -1.571" in out
    code, out, _ = run("explain", "x / y", "x=nan", "y=inf")
    assert code == 0
    assert "nan / inf" in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required: EXPRESSION"),
        (["tanhh(x)", "x=1"], r"no function 'tanhh': did you mean tanh\?\n  tanhh\(x\)\n  \^\n$"),
        (["x*w", "x=1"], r"w has no number: add w=…\n  x\*w\n    \^\n$"),
        (["x", "x=1", "w=2"], "no name 'w'; its names are: x"),
        (["x", "x=1", "x=2"], "x has two numbers: 1.0 and 2"),
        (["x", "x"], "a name and its number are expected, such as x=2, not 'x'"),
        (["x", "x="], "such as x=2, not 'x='"),
        (["x", "=2"], "such as x=2, not '=2'"),
        (["x", "x=1a"], r"x=1a: 'a' stands where an operator is expected\n  1a\n   \^\n$"),
        (["x", "x=y"], "x=y: a number may not depend on 'y'"),
        (["x", "x=1", "--wrt", "y"], "--wrt y: the expression has the names: x"),
        (["x", "x=1", "--digits", "0"], "from 1 to 17 is expected, not '0'"),
        (["x", "x=1", "--digits", "²"], "from 1 to 17 is expected, not '²'"),
    ],
)
def test_wrong_input(run, argv, message):
    code, out, err = run("explain", *argv)
    assert (code, out) == (2, "")
    assert err.startswith("gradtape")
    assert re.search(message, err)


def test_draw(run):
    code, out, err = run("draw", "x*x", "x=3", "-o", "o.svg")
    assert (code, out, err) == (0, "drawing: o.svg\n", "")
    drawn = Path("o.svg").read_text(encoding="utf-8")
    assert all(text in drawn for text in ("<svg", "9.0000", "6.0000"))
    assert run("draw", "x*x", "x=3")[0] == 0
    assert Path("expression.svg").exists()


def test_animate(run):
    code, out, err = run("animate", "-x", "x=3", "-o", "o.html")
    assert (code, out, err) == (0, "animation: o.html\n", "")
    page = Path("o.html").read_text(encoding="utf-8")
    assert page.startswith("<!")
    assert "-3.0000" in page


@pytest.mark.parametrize("command", ["draw", "animate"])
def test_places_that_cannot_be_written(run, command):
    for path, message in ((".", "is a directory"), ("no/o.svg", "there is no directory no")):
        code, out, err = run(command, "x*x", "x=3", "-o", path)
        assert (code, out) == (2, "")
        assert message in err
    code, _, err = run(command, "x*y", "x=3", "-o", "o.svg")
    assert code == 2
    assert "y has no number" in err
    assert not Path("o.svg").exists()
