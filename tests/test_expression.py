"""Expressions from the shell: read as Python reads them, refused with the place of the fault."""

import math

import gradtape as gt
import pytest
from gradtape import Value
from gradtape.show.expression import DEEPEST, LONGEST, parse
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = {"x": 0.7, "y1": -1.3, "größe": 2.5}
SPACES = st.sampled_from(["", " ", "  ", "\n", "\t"])


def written(operand):
    binary = st.tuples(operand, SPACES, st.sampled_from(["+", "-", "*"]), SPACES, operand)
    calls = st.tuples(st.sampled_from(["tanh", "sin", "exp", "sigmoid"]), operand)
    return st.one_of(
        binary.map("".join),
        st.tuples(operand, st.sampled_from(["/ 2.5", "**2", "**-1", " ** 2 ** 0.5"])).map(
            lambda pair: f"abs({pair[0]}){pair[1]}"
        ),
        calls.map(lambda pair: f"{pair[0]}({pair[1]})"),
        operand.map(lambda text: f"({text})"),
        operand.map(lambda text: f"-{text}"),
        operand.map(lambda text: f"+ {text}"),
        st.tuples(operand, operand).map(lambda pair: f"maximum({pair[0]},{pair[1]})"),
    )


ATOMS = st.sampled_from([*NAMES, "pi", "e", "2", "0.5", ".25", "3.", "1e-3", "2E+1"])
EXPRESSIONS = st.recursive(ATOMS, written, max_leaves=12)


@settings(deadline=None)
@given(EXPRESSIONS)
def test_it_is_read_as_python_reads_it(text):
    scope = {**vars(gt), **NAMES, "pi": math.pi, "e": math.e}
    try:
        want = eval(f"({text.strip()})", {"__builtins__": {}}, scope)
    except (OverflowError, ZeroDivisionError):
        return
    got = parse(text).evaluate(NAMES)
    if isinstance(want, complex):
        return
    assert got == pytest.approx(want, rel=1e-12, abs=1e-12, nan_ok=True)


@settings(deadline=None)
@given(EXPRESSIONS)
def test_its_derivatives_are_those_of_the_code(text):
    expression = parse(text)
    numbers = {name: NAMES[name] for name in expression.names}
    value, leaves = expression.record(numbers)
    assert list(leaves) == list(expression.names)
    assert all(leaf.label == name for name, leaf in leaves.items())
    assert value.label
    value.backward()
    own = {name: Value(number) for name, number in numbers.items()}
    scope = {**vars(gt), **own, "pi": math.pi, "e": math.e}
    try:
        other = eval(f"({text.strip()})", {"__builtins__": {}}, scope)
    except (OverflowError, ZeroDivisionError):
        return
    if isinstance(other, Value) and math.isfinite(value.data):
        other.backward()
        for name in numbers:
            want = own[name].grad
            assert leaves[name].grad == pytest.approx(want, rel=1e-9, abs=1e-12, nan_ok=True)


@settings(deadline=None)
@given(st.text(st.sampled_from(list("xy1.()+-*/,=<>! ^é\n\\'\"[]{}@:;e")), max_size=30))
def test_whatever_it_is_given_it_answers_or_points_at_the_fault(text):
    fault = None
    try:
        names = parse(text).names
    except ValueError as error:
        names, fault = {}, str(error)
    assert fault is None or fault.splitlines()[-1].strip() == "^"
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 0, "the expression ends where a number, a name or a bracket is expected"),
        ("x +", 3, "the expression ends where"),
        ("x * * y", 4, r"'\*' stands where a number"),
        ("x y", 2, "'y' stands where an operator is expected"),
        ("2x", 1, "'x' stands where an operator is expected"),
        ("(x + y", 0, "this bracket is never closed"),
        ("tanh(x + y", 4, "this bracket is never closed"),
        ("x + y)", 5, "this bracket was never opened"),
        ("x ^ 2", 2, r"'\^' has no meaning here: a power is written \*\*"),
        ("x.y", 1, "'.' has no meaning here"),
        ("__import__('os')", 0, "there is no function '__import__'"),
        ("x + 'os'", 4, '"\'" has no meaning here'),
        ("1 + tanhh(x)", 4, "there is no function 'tanhh': did you mean tanh?"),
        ("sqr(x)", 0, "there is no function 'sqr': did you mean sqrt?"),
        ("qqqqq(x)", 0, "there is no function 'qqqqq'\n"),
        ("eval(x)", 0, "there is no function 'eval'"),
        ("x + tanh(x, y)", 4, r"tanh takes 1 operand \(x\), not 2"),
        ("hypot(x)", 0, r"hypot takes 2 operands \(x, y\), not 1"),
        ("tanh()", 5, r"'\)' stands where a number"),
        ("漢字 + ", 5, "the expression ends"),
    ],
)
def test_faults(text, column, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse(text)
    lines = str(caught.value).splitlines()
    assert lines[-1].startswith("  ")
    assert len(lines[-1]) - 3 == column + 2 * text.startswith("漢字")


def test_long_and_deep_expressions_are_refused():
    with pytest.raises(ValueError, match=f"has {LONGEST + 1} characters, more than {LONGEST}"):
        parse("x" * (LONGEST + 1))
    for text in ("(" * 5000, "-" * 5000, "x**" * 3000 + "x", "tanh(" * 1900):
        with pytest.raises(ValueError, match=f"more than {DEEPEST} brackets and signs deep") as e:
            parse(text)
        assert max(map(len, str(e.value).splitlines())) < 120
    assert parse("+".join(["x"] * 5000)).evaluate({"x": 1.0}) == 5000.0
    depth = DEEPEST - 1
    assert parse("(" * depth + "x" + ")" * depth).evaluate({"x": 2.0}) == 2.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-x**2", -4.0),
        ("2**3**2", 512.0),
        ("2 - 3 - 4", -5.0),
        ("8 / 4 / 2", 1.0),
        ("x**-1", 0.5),
        ("-x * -x", 4.0),
        ("where(x < 3, 10, 20)", 10.0),
        ("(x >= 2) + (x <= 2) + (x == 2) + (x > 2)", 3.0),
        ("max(x, 3) + min(x, 3)", 5.0),
        ("sum(x, x, 1)", 5.0),
        ("sum(x)", 2.0),
        ("logsumexp(0, 0)", math.log(2.0)),
    ],
)
def test_meaning(text, value):
    assert parse(text).evaluate({"x": 2.0}) == pytest.approx(value, rel=1e-15, abs=0)


def test_every_operation_can_be_called():
    for name, operands, *_ in gt._core.operations():
        if operands:
            names = [f"x{k}" for k in range(len(operands))]
            numbers = dict.fromkeys(names, 1.0)
            got = parse(f"{name}({', '.join(names)})").evaluate(numbers)
            want = getattr(gt, name)(*numbers.values())
            assert got == want or math.isnan(want)


def test_numbers_must_match_the_names():
    expression = parse("x * w")
    with pytest.raises(ValueError, match=r"w has no number: add w=…\n  x \* w\n      \^$"):
        expression.record({"x": 1.0})
    with pytest.raises(ValueError, match="no name 'b'; its names are: x, w"):
        expression.record({"x": 1.0, "w": 1.0, "b": 2.0})
    with pytest.raises(ValueError, match="its names are: none"):
        parse("2").record({"b": 2.0})


def test_the_result_has_a_label_of_its_own():
    assert parse("f * g").record({"f": 1.0, "g": 2.0})[0].label == "h"
    assert parse("x").record({"x": 1.0})[0].label == "x"
    assert parse("2 + 3").record({})[0].data == 5.0
