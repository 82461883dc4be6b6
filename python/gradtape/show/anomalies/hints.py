"""What to write instead, by what went wrong."""

import math
from collections.abc import Callable, Sequence

__all__ = ["advised", "backward_hint", "forward_hint"]

_Test = Callable[..., bool]

# The largest number whose exponential is finite.
_MOST = 709.0

_LOGARITHMS = ("log", "log2", "log10")

_TOO_LARGE = (
    "the result is beyond 1.8e308: scale the numbers, or add logarithms instead of multiplying"
)

# Of a logarithm at 0, by the operation that gave the 0.
_LOG_OF = {
    "sigmoid": "log(sigmoid(x)) is -softplus(-x)",
    "exp": "log(exp(x)) is x",
    "sum": "a logarithm of a sum of exponentials is logsumexp(xs)",
    "add": "a logarithm of a sum of exponentials is logsumexp(xs), of 1 + exp(x) it is softplus(x)",
    "div": "a logarithm of a share of exponentials is an element of log_softmax(xs); "
    "log(x / y) is log(x) - log(y)",
    "mul": "a logarithm of a product is the sum of the logarithms",
    "norm_cdf": "norm_cdf(x) is 0 below x = -38: there its logarithm is close to "
    "-x * x / 2 - log(-x) - 0.5 * log(2 * pi)",
    "erfc": "erfc(x) is 0 above x = 27: there its logarithm is close to "
    "-x * x - log(x) - 0.5 * log(pi)",
    "pow": "log(x**y) is y * log(x)",
}

_FORWARD: tuple[tuple[tuple[str, ...], _Test, str], ...] = (
    (
        _LOGARITHMS,
        lambda x: x == 0,
        "keep the argument away from 0: clip(x, 1e-300, inf); for log(1 + x) take log1p(x), for "
        "the logarithm of a softmax log_softmax(xs), for that of a sum of exponentials "
        "logsumexp(xs)",
    ),
    (
        _LOGARITHMS,
        lambda x: x < 0,
        "a logarithm needs a number above 0: clip it, or look for a sign",
    ),
    (
        ("log1p",),
        lambda x: x <= -1,
        "log1p(x) needs x above -1: log1p(-exp(x)) is 0 apart from -1 only for x below -1e-308",
    ),
    (
        ("exp", "expm1", "sinh", "cosh"),
        lambda x: x > _MOST or x < -_MOST,
        "stay with the logarithm: logsumexp(xs) for log(sum of exp), softplus(x) for log(1 + "
        "exp(x)), sigmoid(x) for 1 / (1 + exp(-x)), softmax(xs) for shares of exponentials",
    ),
    (
        ("div",),
        lambda x, y: x == 0 and y == 0,
        "0 / 0: give the limit by hand and keep the divisor away from 0 in the branch that is not "
        "taken: where(y == 0, limit, x / where(y == 0, 1, y))",
    ),
    (
        ("div",),
        lambda x, y: y == 0,
        "keep the divisor away from 0: where(y == 0, otherwise, x / where(y == 0, 1, y)), or add a "
        "small number to it; for shares of exponentials take softmax(xs)",
    ),
    (
        ("div",),
        lambda x, y: math.isinf(x) and math.isinf(y),
        "inf / inf: divide before the parts overflow; exp(x) / (1 + exp(x)) is sigmoid(x), shares "
        "of exponentials are softmax(xs)",
    ),
    (("pow",), lambda x, y: x == 0 and y < 0, "0 to a negative power: keep the base away from 0"),
    (
        ("pow",),
        lambda x, y: x < 0 and y != math.floor(y),
        "a negative number has only whole powers: take abs(x)**y, or cbrt(x) for a third",
    ),
    (("pow",), lambda x, y: True, "the power overflows: compute with y * log(x) instead"),
    (
        ("sqrt",),
        lambda x: x < 0,
        "a square root needs a number that is not negative: where rounding made it so, "
        "take sqrt(maximum(x, 0)); for a length hypot(x, y)",
    ),
    (
        ("sub", "add", "sum"),
        lambda *xs: sum(map(math.isinf, xs)) > 1,
        "inf - inf: the parts overflowed before; for log(exp(x) + exp(y)) and the like take "
        "logsumexp",
    ),
    (
        ("mul", "dot", "affine"),
        lambda *xs: 0 in xs and any(map(math.isinf, xs)),
        "0 * inf: choose with where(condition, x, y) instead of multiplying with 0 or 1",
    ),
    (
        ("asin", "acos", "atanh"),
        lambda x: True,
        "the argument must lie between -1 and 1: where rounding put it outside take clip(x, -1, "
        "1); the angle between vectors is atan2(length of the cross product, dot product)",
    ),
    (("acosh",), lambda x: True, "acosh(x) needs x of at least 1: take maximum(x, 1)"),
    (
        ("norm_ppf",),
        lambda x: True,
        "norm_ppf(p) needs p between 0 and 1: clip(p, 1e-300, 1 - 1e-16); "
        "in the upper tail -norm_ppf(1 - p), with 1 - p as you have it",
    ),
    (
        ("lgamma", "digamma", "polygamma"),
        lambda *xs: True,
        "a pole: the function has none at positive arguments",
    ),
)

_BACKWARD: tuple[tuple[tuple[str, ...], _Test, str], ...] = (
    (
        ("sqrt",),
        lambda x: x == 0,
        "the derivative of sqrt at 0 is inf: for a length take hypot(x, y), whose derivatives at 0 "
        "are 0; else sqrt(x + 1e-12), or where(x > 0, sqrt(x), 0)",
    ),
    (
        ("cbrt",),
        lambda x: x == 0,
        "the derivative of cbrt at 0 is inf: where(x == 0, 0, cbrt(x)) leaves the point out",
    ),
    (
        ("pow",),
        lambda x, y: x == 0 and y < 1,
        "the derivative of x**y at 0 is inf for y below 1: where(x > 0, x**y, 0), or (x + "
        "1e-12)**y",
    ),
    (
        ("pow",),
        lambda x, y: x < 0,
        "a power of a negative number has no derivative by its exponent: give the exponent as a "
        "number, or as y.detach()",
    ),
    (
        ("asin", "acos", "atanh"),
        lambda x: abs(x) >= 1,
        "the derivative at -1 and 1 is inf: clip(x, -1 + 1e-12, 1 - 1e-12); the angle between "
        "vectors is atan2(length of the cross product, dot product)",
    ),
    (("acosh",), lambda x: x <= 1, "the derivative at 1 is inf: take maximum(x, 1 + 1e-12)"),
    (
        ("polygamma",),
        lambda n, x: x <= 0,
        "the derivatives of polygamma(n, x) are for x above 0",
    ),
    (
        ("atan2",),
        lambda y, x: x == 0 and y == 0,
        "no angle belongs to the origin: leave it out with where(...) around the operands",
    ),
)


def _first(
    table: tuple[tuple[tuple[str, ...], _Test, str], ...], name: str, xs: Sequence[float]
) -> str:
    for names, applies, text in table:
        if name in names and applies(*xs):
            return text
    # What has no advice of its own is defined everywhere: a finite operand was too large.
    return _TOO_LARGE if all(map(math.isfinite, xs)) else ""


def advised() -> tuple[frozenset[str], frozenset[str]]:
    """The operations with advice of their own: on their values, and on their derivatives."""
    forward, backward = (
        frozenset(name for names, *_ in table for name in names) for table in (_FORWARD, _BACKWARD)
    )
    return forward, backward


def forward_hint(name: str, operands: Sequence[float], made_by: Sequence[str]) -> str:
    """What to write instead of an operation that gave nan or inf.

    Parameters
    ----------
    name : str
        The operation.
    operands : sequence of float
        The numbers that it was given.
    made_by : sequence of str
        The operations that gave them; empty for leaves and constants.

    Examples
    --------
    >>> forward_hint("log", [0.0], ["sigmoid"])
    'log(sigmoid(x)) is -softplus(-x)'
    >>> forward_hint("tanh", [float("nan")], [""])
    'the operand was no finite number already: look where it comes from'
    """
    if name in _LOGARITHMS and operands[0] == 0 and made_by[0] in _LOG_OF:
        return _LOG_OF[made_by[0]]
    if any(map(math.isnan, operands)) or (len(operands) == 1 and math.isinf(operands[0])):
        return "the operand was no finite number already: look where it comes from"
    return _first(_FORWARD, name, operands)


def backward_hint(name: str, operands: Sequence[float]) -> str:
    """What to write instead of an operation whose derivative is nan or inf.

    Examples
    --------
    >>> backward_hint("acosh", [1.0])
    'the derivative at 1 is inf: take maximum(x, 1 + 1e-12)'
    """
    return _first(_BACKWARD, name, operands)
