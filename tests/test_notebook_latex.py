"""The formula that a notebook shows means the value, and stays readable."""

import re

import gradtape as gt
import pytest
from gradtape import Value
from gradtape.show.notebook import latex
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = {"x": 0.75, "y": -1.25, "z": 3.0}


def python_of(text):
    """The Python that a formula of sums, products, quotients and powers means."""
    text = text.replace(r"\left(", "(").replace(r"\right)", ")").replace(r"\cdot", "*")
    text = re.sub(r"\\sin\(", "sin(", text)
    while True:
        shorter = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))", text)
        shorter = re.sub(r"\^\{([^{}]*)\}", r"**(\1)", shorter)
        if shorter == text:
            return text
        text = shorter


def build(draw, pool):
    x, y = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
    return draw(
        st.sampled_from(
            [lambda: x + y, lambda: x - y, lambda: x * y, lambda: x / y, lambda: -x, lambda: x**2,
             lambda: x**3.0, lambda: gt.sin(x), lambda: 2.5 - x, lambda: x * -3.0]
        )
    )()  # fmt: skip


@settings(deadline=None)
@given(st.data())
def test_the_formula_means_the_value(data):
    pool = [Value(number, name) for name, number in NAMES.items()]
    for _ in range(data.draw(st.integers(1, 5))):
        pool.append(build(data.draw, pool))
    found = latex(pool[-1])
    if found is None:
        return
    formula = re.fullmatch(r"\$\\displaystyle (.*) = [^=]*\$", found)[1]
    code = python_of(formula)
    assert "{" not in code
    try:
        got = eval(code, {"sin": gt.sin, **NAMES})
    except (ZeroDivisionError, OverflowError):
        return  # Python's floats raise where a Value has inf or nan
    assert got == pytest.approx(pool[-1].data, rel=1e-9, abs=1e-9, nan_ok=True)


def test_as_written_by_hand():
    x, w, b, y = (Value(v, n) for v, n in ((2.0, "x"), (-3.0, "w"), (5.5, "b"), (0.0, "y")))
    loss = (x * w + b - y) ** 2
    loss.label = "L"
    assert latex(loss) == r"$\displaystyle L = \left(x \cdot w + b - y\right)^{2} = 0.25$"
    assert loss._repr_latex_() == latex(loss)
    n = x * w + b
    n.label = "n"
    assert latex(gt.tanh(n) * x) == r"$\displaystyle \tanh(n) \cdot x = -0.9242$"
    assert latex(gt.exp(x) ** 2) == r"$\displaystyle \left(e^{x}\right)^{2} = 54.6$"
    assert latex(x - (w - b)) == r"$\displaystyle x - \left(w - b\right) = 10.5$"
    assert latex(gt.affine([x], [w], b, "relu")) == (
        r"$\displaystyle \operatorname{relu}(x \cdot w + b) = 0$"
    )
    assert latex(Value(1.5) * x) == r"$\displaystyle 1.5 \cdot x = 3$"


def test_leaves_and_large_graphs():
    assert latex(Value(2.0, "x")) == r"$\displaystyle x = 2$"
    assert latex(Value(2.0)) is None
    x = v = Value(0.5, "x")
    for _ in range(30):
        v = v * v + x
    assert latex(v) is None
    assert latex(gt.sum([x * k for k in range(2, 200)])) is None


@pytest.mark.parametrize("label", ["<script>", "$$", "a}b{c", "a_b%#&", "x\ny", "\\end", "^~"])
def test_labels_cannot_break_out(label):
    found = latex(Value(1.0, label) ** 2).removeprefix("$").removesuffix("$")
    bare = re.sub(r"\\[{}$&#_%]", "", found)
    assert not set("<$%#&\n") & set(bare)
    assert bare.count("{") == bare.count("}")
