"""What compiled functions refuse, and what they say then."""

import decimal

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value


def price(S, K, T=1.0):
    return gt.maximum(S - K, 0.0) * T


def loss(x, t):
    return (x @ x - t) ** 2


f = gt.compile(price)
v = gt.compile(loss, signature="(n),()->()")
m = gt.compile(lambda a, x: a @ x, signature="(m,n),(n)->(m)")
one, three, four = np.ones(1), np.ones(3), np.ones(4)

CALLS = [
    (lambda: f(None, 1.0), TypeError, r"price\(\): argument 'S' must be a real number.*not None"),
    (lambda: f(1.0, "9"), TypeError, r"price\(\): argument 'K' must be a real number.*not str '9'"),
    (lambda: f(1.0, [2.0, None]), TypeError, r"argument 'K\[1\]' must be a real number"),
    (lambda: f(1.0, {"a": {1}}), TypeError, r"argument \"K\['a'\]\" must be .*not set \{1\}"),
    (lambda: f(1j, 1.0), TypeError, r"argument 'S' .*not complex 1j"),
    (lambda: f(np.array([1j]), 1.0), TypeError, r"argument 'S' .*real numbers, not complex128"),
    (lambda: f(np.array(["a"]), 1.0), TypeError, r"argument 'S' .*real numbers, not str"),
    (lambda: f(np.array([1, None]), 1.0), TypeError, r"'S' must hold real numbers, not object"),
    (lambda: f(np.array(["2020"], "M8[D]"), 1.0), TypeError, r"argument 'S' .*not datetime64"),
    (lambda: f(np.ma.masked_equal([1.0, 2.0], 2.0), 1.0), TypeError, r"'S' has masked elements"),
    (lambda: f(decimal.Decimal(1), 1.0), TypeError, r"argument 'S' must be a real number"),
    (lambda: f(range(3), 1.0), TypeError, r"argument 'S' must be .*not range range\(0, 3\)"),
    (lambda: f(1.0), TypeError, r"price\(\): missing a required argument: 'K'"),
    (lambda: f(1.0, 2.0, 3.0, 4.0), TypeError, r"price\(\): too many positional arguments"),
    (lambda: f(1.0, 2.0, Q=1), TypeError, r"price\(\): got an unexpected keyword argument 'Q'"),
    (
        lambda: f(three, four),
        ValueError,
        r"price\(\): the arguments do not broadcast together: S \(3,\); K \(4,\)",
    ),
    (
        lambda: v(np.ones((3, 2)), four),
        ValueError,
        r"loss\(\): the arguments do not broadcast together: x \(3, 2\), rows \(3,\); t \(4,\)",
    ),
    (lambda: v(1.0, 2.0), ValueError, r"'x' has shape \(\).*\(n\) asks for 1 dimension or more"),
    (
        lambda: m(np.ones((5, 2, 3)), four),
        ValueError,
        r"argument 'x' has shape \(4,\): its n of \(n\) is 4, but 3 in argument 'a'",
    ),
    (lambda: v([[1.0], [1.0, 2.0]], 2.0), ValueError, r"argument 'x' has rows of different"),
    (lambda: f.grad(Value(1.0), 1.0), TypeError, r"argument 'S' is a Value where numbers"),
    (lambda: f.backward(1.0, [Value(1.0)]), TypeError, r"argument 'K\[0\]' is a Value"),
    (lambda: f.grad(1.0, 1.0, wrt="T"), ValueError, r"wrt='T' is no argument.*these are S, K"),
    (lambda: f.grad(1.0, 1.0, wrt=2), ValueError, r"wrt=2 is no argument of this call"),
    (lambda: f.grad(1.0, 1.0, wrt=1.0), TypeError, r"wrt must be the index or the name.*not 1.0"),
    (lambda: f.grad(1.0, 1.0, wrt=True), TypeError, r"wrt must be the index or the name.*not True"),
    (lambda: f.jacobian(1.0, 1.0, wrt=["S", 7]), ValueError, r"wrt=7 is no argument"),
    (lambda: f.grad(1.0, 1.0, reduce="max"), ValueError, r"reduce must be None, 'sum' or 'mean'"),
    (lambda: f.backward(1.0, 1.0, reduce=None), ValueError, r"reduce must be 'sum' or 'mean'"),
    (lambda: f.backward(1.0, 1.0, seed="x"), (TypeError, ValueError), r"x"),
    (lambda: f.grad(1.0, 1.0, threads=-1), ValueError, r"threads must be a whole number.*not -1"),
    (lambda: f.grad(1.0, 1.0, threads=1.5), ValueError, r"threads must be a whole number"),
    (lambda: m.grad(np.ones((2, 3)), three), ValueError, r"gives 2 numbers a row.*jacobian\(\)"),
]


@pytest.mark.parametrize(("call", "kind", "text"), CALLS)
def test_bad_arguments_are_named(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


COMPILATIONS = [
    (lambda: gt.compile(3), TypeError, r"compile\(\) takes a function, not int 3"),
    (lambda: gt.compile(price, max_paths=0), ValueError, r"max_paths must be .* from 1 on, not 0"),
    (lambda: gt.compile(price, max_paths=2.0), ValueError, r"max_paths must be .*, not 2.0"),
    (lambda: gt.compile(price, threads=-2), ValueError, r"threads must be .*, not -2"),
    (lambda: gt.compile(price, threads=True), ValueError, r"threads must be .*, not True"),
    (lambda: gt.compile(price, signature=3), TypeError, r"signature must be a string such as"),
    (lambda: gt.compile(price, signature="(n),()"), ValueError, r"one '->' is expected"),
    (lambda: gt.compile(price, signature="(n->()"), ValueError, r"'\(n' cannot be read"),
    (lambda: gt.compile(price, signature="n->()"), ValueError, r"'n' cannot be read"),
    (lambda: gt.compile(price, signature="(n),->()"), ValueError, r"'' cannot be read"),
    (lambda: gt.compile(price, signature="(n?)->()"), ValueError, r"'n\?' is no dimension"),
    (lambda: gt.compile(price, signature="(-3)->()"), ValueError, r"'-3' is no dimension"),
    (lambda: gt.compile(price, signature="(n,)->()"), ValueError, r"'' is no dimension"),
    (lambda: gt.compile(price, signature="(n)->"), ValueError, r"names no result"),
    (
        lambda: gt.compile(price, signature="()->()")(1.0, 2.0),
        ValueError,
        r"argument 'K' has no place in the signature '\(\)->\(\)'",
    ),
]


@pytest.mark.parametrize(("call", "kind", "text"), COMPILATIONS)
def test_bad_options_are_named(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


RESULTS = [
    (lambda x: None, None, TypeError, r"the result must be .*not NoneType; is a return missing\?"),
    (lambda x: [x, "a"], None, TypeError, r"the result\[1\] must be a Value.*not str"),
    (lambda x: x * 1j, None, TypeError, r"complex"),
    (lambda x: (x, x), "()->()", TypeError, r"the result must be a Value.*not tuple"),
    (lambda x: x, "()->(),()", ValueError, r"asks for a tuple of 2 results, not one Value"),
    (lambda x: [x], "()->(),()", ValueError, r"asks for a tuple of 2 results, not a list of 1"),
    (lambda x: [x, x], "()->(3)", ValueError, r"the result has shape \(2,\).* 3 instead of 2"),
    (lambda x: x, "()->(n)", ValueError, r"the result has shape \(\), where .* asks for \(n\)"),
]


@pytest.mark.parametrize(("function", "signature", "kind", "text"), RESULTS)
def test_bad_results_are_named(function, signature, kind, text):
    with pytest.raises(kind, match=text):
        gt.compile(function, signature=signature)(1.0)


def test_an_error_of_the_function_arrives_as_it_is_with_the_row():
    class Odd(Exception):
        pass

    def picky(x, y):
        if x > 2:
            raise Odd("x is large", 7)
        return x * y

    g = gt.compile(picky)
    with pytest.raises(Odd) as caught:
        g(np.array([[1.0, 2.0], [5.0, 2.0]]), 3.0)
    assert caught.value.args == ("x is large", 7)
    notes = caught.value.__notes__
    assert notes == ["while picky() was recorded at row (1, 0), x=5.0, y=3.0"]
    np.testing.assert_array_equal(g(np.array([1.0, 2.0]), 3.0), [3.0, 6.0])


def test_results_must_have_one_structure():
    g = gt.compile(lambda x: (x, x) if x > 0 else x)
    with pytest.raises(
        gt.GradtapeError, match=r"same structure on every path; here it is a number"
    ):
        g(np.array([1.0, -1.0]))


def test_threads_come_from_the_environment(monkeypatch):
    g = gt.compile(lambda x: 2 * x)
    x = np.ones(300_000)
    for text in ["2", ""]:
        monkeypatch.setenv("GRADTAPE_THREADS", text)
        assert g(x).sum() == 600_000
    monkeypatch.setenv("GRADTAPE_THREADS", "many")
    with pytest.raises(ValueError, match=r"GRADTAPE_THREADS must be a whole number.*many"):
        g(x)
    assert g.value_and_grad(x, reduce="sum", threads=1)[0] == 600_000
