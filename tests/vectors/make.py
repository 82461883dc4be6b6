"""Write the test vectors operations.json and graphs.json next to this file.

Values come from mpmath's own functions, derivatives from differences of those values at several
hundred digits (`mpmath.diff`), so that no rule of differentiation is shared with the library.
Where the derivative is a convention (kinks, poles, ties), the case is written out by hand.
Run by hand with `python tests/vectors/make.py`; README.md tells what the fields mean.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from mpmath import mp, mpf  # type: ignore[import-untyped]

Number = Any  # mpmath's mpf: a real number with as many digits as the context has
Function = Callable[..., Number]
Case = dict[str, Any]
Table = dict[str, list[Case]]

INF, NAN = math.inf, math.nan
BELOW_ONE = 1.0 - 2.0**-53  # the largest f64 below 1

# Ordinary points, by domain.
REAL = [-9.7, -4.2, -2.5, -1.3, -0.6, -0.1, 0.05, 0.3, 0.9, 1.7, 3.3, 8.4]
POSITIVE = [0.001, 0.05, 0.3, 0.75, 1.1, 1.9, 3.6, 12.5, 80.0, 12345.6]
UNIT = [-0.99, -0.8, -0.45, -0.2, -0.03, 0.01, 0.15, 0.5, 0.7, 0.95]
PAIRS = [(1.3, 2.7), (-0.4, 3.1), (2.2, -1.7), (-5.6, -0.3), (0.07, 12.5), (-41.0, 7.9),
         (1234.5, 0.6), (0.003, -0.02), (-7.7, 8.8), (19.3, 6.1)]  # fmt: skip
TINY = [1e-300, -1e-300, 1e-8, -1e-8]
HUGE = [1e8, -1e8, 1e300, -1e300]
FAR = [1000.0, -1000.0]
ZERO = [0.0, -0.0]


# ---------------------------------------------------------------- numbers, values, derivatives


def nearest(number: Number) -> float:
    """Round to the nearest f64; overflow gives inf, underflow a subnormal or 0.

    Parameters
    ----------
    number : mpf, int or float
        Any real number; nan and the infinities pass through.

    Returns
    -------
    float
        Rounded once, half to even (`float(mpf)` rounds a subnormal twice).

    Examples
    --------
    >>> nearest(mpf(10) ** 400), nearest(mpf(1) / 3)
    (inf, 0.3333333333333333)
    """
    number = mp.mpf(number)
    if not mp.isfinite(number):
        return float(number)
    if mp.mag(number) < -1080:
        return 0.0
    if mp.mag(number) > 1030:
        return math.copysign(INF, number)
    mantissa, exponent = mp.frexp(number)
    digits = int(mp.ldexp(mantissa, mp.prec))
    try:
        return float(Fraction(digits) * Fraction(2) ** (int(exponent) - mp.prec))
    except OverflowError:
        return math.copysign(INF, number)


def step(at: Sequence[float]) -> tuple[Number, int]:
    """Step of the differences at a point, and the digits that they need.

    The step is 60 digits below the smallest operand (and below 1): that is far inside the
    distance of any point used here from the nearest kink, pole or branch cut, and the
    truncation error, of the order of the step squared, is far below an f64's last place.
    """
    scale = min([mpf(1)] + [abs(mpf(a)) for a in at if a])
    return scale * mpf(10) ** -60, 350 - int(mp.log10(scale))


def derivative(f: Function, at: Sequence[float], orders: Sequence[int]) -> float:
    """Partial derivative of f by central differences.

    Parameters
    ----------
    f : callable
        Function of `len(at)` mpf, analytic near `at`.
    at : sequence of float
        The point; each f64 is taken exactly.
    orders : sequence of int
        How often to differentiate with respect to each operand.

    Returns
    -------
    float

    Examples
    --------
    >>> derivative(lambda x, y: x**3 * y, [2.0, 5.0], [1, 1])
    12.0
    """
    h, digits = step(at)
    with mp.workdps(digits):  # mp.diff itself multiplies this by 1 + the order
        return nearest(mp.diff(f, [mpf(a) for a in at], list(orders), h=h))


def value(f: Function, at: Sequence[float]) -> float:
    """Value of f at a point, taken with the digits that its derivatives need."""
    with mp.workdps(step(at)[1]):
        return nearest(f(*[mpf(a) for a in at]))


def gradient(f: Function, at: Sequence[float]) -> list[float]:
    """All first partial derivatives of f."""
    n = len(at)
    return [derivative(f, at, [int(k == i) for k in range(n)]) for i in range(n)]


def hessian(f: Function, at: Sequence[float]) -> list[list[float]]:
    """All second partial derivatives of f, n by n, each mixed one computed once."""
    n = len(at)
    second = [[0.0] * n for _ in at]
    for i in range(n):
        for j in range(i + 1):
            orders = [int(k == i) + int(k == j) for k in range(n)]
            second[i][j] = second[j][i] = derivative(f, at, orders)
    return second


def computed(f: Function, at: Sequence[float], kind: str) -> Case:
    """Case at a point where f is analytic."""
    return {"at": list(at), "value": value(f, at), "first": gradient(f, at),
            "second": hessian(f, at), "kind": kind}  # fmt: skip


def written(
    at: Sequence[float], value: Any, first: list[Any], second: list[Any] | None = None
) -> Case:
    """Edge case whose derivatives are a convention or a limit, written out by hand."""
    case: Case = {"at": list(at), "value": value, "first": first}
    if second is not None:
        case["second"] = second
    return {**case, "kind": "edge"}


def row(
    f: Function,
    ordinary: Iterable[Any],
    extreme: Iterable[Any] = (),
    edge: Iterable[Any] = (),
    by_hand: Iterable[Case] = (),
) -> list[Case]:
    """All cases of one operation; a point of a unary operation may be a bare number."""
    kinds = (("ordinary", ordinary), ("extreme", extreme), ("edge", edge))
    cases = [
        computed(f, at if isinstance(at, tuple) else (at,), kind)
        for kind, points in kinds
        for at in points
    ]
    return cases + list(by_hand)


def loosen(cases: list[Case], ulp: Callable[[Case], float], limit: float, why: str) -> list[Case]:
    """Set "ulp" and "why" where the tolerance that the point needs is above a limit."""
    for case in cases:
        if limit < ulp(case) < INF:
            case |= {"ulp": math.ceil(ulp(case)), "why": why}
    return cases


# ---------------------------------------------------------------- functions mpmath has not


def cbrt(x: Number) -> Number:
    """Real cube root (mpmath takes the complex one below 0)."""
    return mp.sign(x) * mp.cbrt(abs(x))


def erfc(x: Number) -> Number:
    """Complementary error function; mpmath fails beyond 1e150, where no digit differs from this."""
    return mp.erfc(x) if abs(x) < 1e6 else mpf(2 * (x < 0))


def norm_cdf(x: Number) -> Number:
    """Distribution function of the standard normal distribution, for any size of x."""
    return mp.ncdf(x) if abs(x) < 1e6 else mpf(x > 0)


def lgamma(x: Number) -> Number:
    """Logarithm of the absolute value of the gamma function."""
    return mp.re(mp.loggamma(x))


def sigmoid(x: Number) -> Number:
    """Logistic function."""
    return 1 / (1 + mp.exp(-x))


def softplus(x: Number) -> Number:
    """log(1 + exp(x)), for any size of x."""
    return mp.log1p(mp.exp(x))


def norm_ppf(p: Number) -> Number:
    """Root x of norm_cdf(x) = p, by Newton's method on the logarithm.

    log(norm_cdf) is concave, so the iteration converges from any start left of the root; the
    upper half goes by symmetry, so that no digit of 1 - p is lost.
    """
    if p > 0.5:
        return -norm_ppf(1 - p)
    x = -mp.sqrt(-2 * mp.log(p)) - 1
    for _ in range(200):
        change = mp.log(mp.ncdf(x) / p) * mp.ncdf(x) / mp.npdf(x)
        x -= change
        if abs(change) <= mp.eps * 2**20:
            return x
    raise ArithmeticError(f"norm_ppf({mp.nstr(p, 17)}) does not converge")


def logsumexp(*xs: Number) -> Number:
    """Logarithm of the sum of the exponentials."""
    return mp.log(mp.fsum(mp.exp(x) for x in xs))


def softmax(i: int, *xs: Number) -> Number:
    """Entry i of softmax."""
    return mp.exp(xs[i]) / mp.fsum(mp.exp(x) for x in xs)


ACTIVATIONS: dict[str, Function] = {
    "": lambda x: x,
    "relu": lambda x: x if x > 0 else mpf(0),
    "tanh": mp.tanh,
    "sigmoid": sigmoid,
}


# ---------------------------------------------------------------- unary operations


def not_a_number(*points: float) -> list[Case]:
    """Cases outside the domain, and nan itself: nan all the way."""
    return [written([x], NAN, [NAN], [[NAN]]) for x in points] + [written([NAN], NAN, [NAN])]


def limits(*triples: tuple[float, float, float]) -> list[Case]:
    """Cases of a unary operation given as (operand, value, derivative)."""
    return [written([x], v, [d]) for x, v, d in triples]


def arithmetic_unary() -> Table:
    """Return the cases of the operations that are piecewise linear, of powers and logarithms."""
    relu, logs = ACTIVATIONS["relu"], [1e-300, 1e-8, 1.0 + 1e-8, BELOW_ONE, 1e8, 1e300]
    log_edges = limits((0.0, -INF, INF), (INF, INF, 0.0)) + not_a_number(-1.0)
    return {
        "neg": row(lambda x: -x, REAL, TINY + HUGE, ZERO),
        # abs'(0) = 0, relu'(0) = 0 and a derivative 0 of sign are conventions.
        "abs": row(abs, REAL, TINY + HUGE, (), limits((0.0, 0.0, 0.0), (-0.0, 0.0, 0.0))),
        "sign": row(mp.sign, REAL, TINY + HUGE, (), limits((0.0, 0.0, 0.0), (-0.0, 0.0, 0.0))),
        "relu": row(relu, REAL, TINY + HUGE, (), limits(
            (0.0, 0.0, 0.0), (-0.0, 0.0, 0.0), (INF, INF, 1.0), (-INF, 0.0, 0.0))),
        "exp": row(mp.exp, REAL, TINY + HUGE + FAR + [709.7, -744.0], ZERO,
                   limits((INF, INF, INF), (-INF, 0.0, 0.0)) + not_a_number()),
        "expm1": row(mp.expm1, REAL, TINY + HUGE + FAR + [709.7], ZERO,
                     limits((INF, INF, INF), (-INF, -1.0, 0.0)) + not_a_number()),
        "log": row(mp.log, POSITIVE, logs, [1.0], log_edges),
        "log2": row(lambda x: mp.log(x, 2), POSITIVE, logs, [1.0], log_edges),
        "log10": row(mp.log10, POSITIVE, logs, [1.0], log_edges),
        "log1p": row(mp.log1p, POSITIVE + UNIT, TINY + [-BELOW_ONE, 1e8, 1e300], ZERO,
                     limits((-1.0, -INF, INF), (INF, INF, 0.0)) + not_a_number(-2.0)),
        # The slope of a root at 0 is infinite, and stays so: only a zero adjoint makes it 0.
        "sqrt": row(mp.sqrt, POSITIVE, [1e-300, 1e-8, 1e8, 1e300], [1.0],
                    limits((0.0, 0.0, INF), (INF, INF, 0.0)) + not_a_number(-1.0)),
        "cbrt": row(cbrt, REAL, TINY + HUGE, [1.0], limits((0.0, 0.0, INF)) + not_a_number()),
    }  # fmt: skip


def trigonometric() -> Table:
    """Return the cases of the circular and hyperbolic functions and their inverses."""
    big = [1e8, -1e8, 1e22, 1e300, -1e300]
    pole, half_pi = 1.5707963267948966, nearest(mp.pi / 2)
    wide = [1.2, 1.5, 2.0, 2.9, 4.4, 7.3, 15.0, 88.8, 1e3, 54321.0]
    one = [BELOW_ONE, -BELOW_ONE]
    return {
        "sin": row(mp.sin, REAL, TINY + big + [pole], ZERO, not_a_number(INF)),
        "cos": row(mp.cos, REAL, TINY + big + [pole], ZERO, not_a_number(INF)),
        "tan": row(mp.tan, REAL, TINY + big + [pole, -pole], ZERO, not_a_number(INF)),
        # At the ends of their interval the inverses have a vertical tangent.
        "asin": row(mp.asin, UNIT, TINY + one, ZERO,
                    limits((1.0, half_pi, INF), (-1.0, -half_pi, INF)) + not_a_number(2.0)),
        "acos": row(mp.acos, UNIT, TINY + one, ZERO,
                    limits((1.0, 0.0, -INF), (-1.0, nearest(mp.pi), -INF)) + not_a_number(-2.0)),
        "atan": row(mp.atan, REAL, TINY + HUGE, ZERO,
                    limits((INF, half_pi, 0.0), (-INF, -half_pi, 0.0)) + not_a_number()),
        "sinh": row(mp.sinh, REAL, TINY + HUGE + FAR + [710.0], ZERO, not_a_number()),
        "cosh": row(mp.cosh, REAL, TINY + HUGE + FAR + [710.0], ZERO, not_a_number()),
        "tanh": row(mp.tanh, REAL, TINY + HUGE + FAR + [20.0, -20.0], ZERO,
                    limits((INF, 1.0, 0.0), (-INF, -1.0, 0.0)) + not_a_number()),
        "asinh": row(mp.asinh, REAL, TINY + HUGE, ZERO, not_a_number()),
        "acosh": row(mp.acosh, wide, [1.0 + 2.0**-52, 1.0 + 1e-8, 1e8, 1e300], (),
                     limits((1.0, 0.0, INF)) + not_a_number(0.5)),
        "atanh": row(mp.atanh, UNIT, TINY + one, ZERO,
                     limits((1.0, INF, INF), (-1.0, -INF, INF)) + not_a_number(2.0)),
    }  # fmt: skip


def special() -> Table:
    """Return the cases of the special functions and the smooth activations."""
    poles = [-0.5, -1.5, -2.7, -10.3, -100.5]
    tails = [-40.0, -38.0, -20.0, 20.0, 40.0]
    unit = [0.001, 0.02, 0.1, 0.25, 0.4, 0.6, 0.77, 0.9, 0.975, 0.9999]
    both = TINY + HUGE + FAR
    quantile = row(norm_ppf, unit, [1e-300, 1e-100, 1e-8, 1.0 - 1e-8, BELOW_ONE], [0.5],
                   limits((0.0, -INF, INF), (1.0, INF, INF)) + not_a_number(-1.0))  # fmt: skip
    return {
        "erf": row(mp.erf, REAL, both, ZERO, limits((INF, 1.0, 0.0)) + not_a_number()),
        "erfc": row(erfc, REAL, both + [26.0], ZERO, limits((INF, 0.0, 0.0)) + not_a_number()),
        "norm_cdf": row(norm_cdf, REAL, both + tails, ZERO,
                        limits((INF, 1.0, 0.0), (-INF, 0.0, 0.0)) + not_a_number()),
        "norm_ppf": loosen(quantile, lambda case: 2 * case["value"] ** 2, 200,
                           "exp(r*r/2) multiplies the rounding of r by r*r"),
        "lgamma": row(lgamma, POSITIVE + poles, [1e-300, 1e-8, 1e8, 1e300], [1.0, 2.0],
                      not_a_number()),
        "digamma": row(mp.digamma, POSITIVE + poles, [1e-300, 1e-8, 1e8, 1e300], [1.0, 2.0],
                       not_a_number()),
        "sigmoid": row(sigmoid, REAL, both + [40.0, -40.0, -745.0], ZERO,
                       limits((INF, 1.0, 0.0), (-INF, 0.0, 0.0)) + not_a_number()),
        "softplus": row(softplus, REAL, both + [40.0, -40.0], ZERO,
                        limits((INF, INF, 1.0), (-INF, 0.0, 0.0)) + not_a_number()),
        "gelu": row(lambda x: x * norm_cdf(x), REAL, both + tails, ZERO, not_a_number()),
        "silu": row(lambda x: x * sigmoid(x), REAL, both + tails, ZERO, not_a_number()),
    }  # fmt: skip


# ---------------------------------------------------------------- binary and ternary operations


def arithmetic_binary() -> Table:
    """Return the cases of the four operators, the power, the angle and the length."""
    wide = [(1e300, 1e-300), (1e-300, 1e300), (-1e8, 1e-8), (1e300, -1e300), (1e-300, 1e-300)]
    powers = [(2.0, 3.0), (0.5, 2.5), (0.001, -2.0), (10.0, -3.5), (1.7, 0.3), (7.2, 1.0),
              (0.9, 40.0), (3.0, 0.5), (25.0, -0.5), (1.1, 100.0)]  # fmt: skip
    return {
        "add": row(lambda x, y: x + y, PAIRS, wide, [(0.0, 0.0), (1.5, -1.5)]),
        "sub": row(lambda x, y: x - y, PAIRS, wide, [(0.0, 0.0), (1.5, 1.5)]),
        "mul": row(lambda x, y: x * y, PAIRS, [*wide, (1e300, 1e300)], [(0.0, 0.0), (0.0, 5.0)]),
        # 1/0 follows IEEE: the quotient and both partials are infinite.
        "div": row(lambda x, y: x / y, PAIRS, [*wide, (1.0, 1e-300)], [(0.0, 2.0)], [
            written([1.0, 0.0], INF, [INF, -INF]), written([-1.0, 0.0], -INF, [INF, INF])]),
        # Powers of 0 and of negative numbers: d/dx of x**0 is 0, d/dy at x = 0, y >= 0 is 0; the
        # logarithm of a negative x is nan and so is d/dy, but d/dx is ordinary for whole y.
        "pow": row(mp.power, powers,
                   [(1e150, 2.0), (1e-300, 2.0), (1.0 + 2.0**-52, 1e8), (2.0, -1000.0)],
                   [(3.0, 0.0), (0.5, 0.0), (1.0, 0.0)], [
            written([0.0, 0.0], 1.0, [0.0, 0.0]), written([-2.0, 0.0], 1.0, [0.0, NAN]),
            written([0.0, 2.0], 0.0, [0.0, 0.0], [[2.0, 0.0], [0.0, 0.0]]),
            written([0.0, 1.0], 0.0, [1.0, 0.0]), written([0.0, 0.5], 0.0, [INF, 0.0]),
            written([0.0, -1.0], INF, [-INF, -INF]), written([-2.0, 0.5], NAN, [NAN, NAN]),
            written([-2.0, 3.0], -8.0, [12.0, NAN], [[-12.0, NAN], [NAN, NAN]]),
            written([-1.5, -2.0], 4 / 9, [16 / 27, NAN], [[32 / 27, NAN], [NAN, NAN]])]),
        # (0, -2) lies on the branch cut: the derivative exists but no difference crosses the cut.
        "atan2": row(mp.atan2, PAIRS,
                     [(3e-100, 4e-100), (1e300, 1e300), (1e-300, 1e8), (1e8, 1e-8)],
                     [(0.0, 1.0), (1.0, 0.0), (-1.0, 0.0)],
                     [written([0.0, -2.0], nearest(mp.pi), [-0.5, 0.0],
                              [[0.0, -0.25], [-0.25, 0.0]])]),
        # hypot has a kink at the origin; both derivatives are 0 by convention.
        "hypot": row(mp.hypot, PAIRS,
                     [(3e-300, 4e-300), (3e300, 4e300), (1e-300, 1e8), (1e300, 1e-300)],
                     [(0.0, 3.0), (-3.0, 0.0)], [written([0.0, 0.0], 0.0, [0.0, 0.0])]),
    }  # fmt: skip


def piecewise_binary() -> Table:
    """Return the cases of the operations that compare, the leaky activations and polygamma."""
    ties = [(2.5, 2.5), (0.0, 0.0), (-1e300, -1e300)]
    close = [(1.0, 1.0 + 2.0**-52), (1e-300, -1e-300), (1e300, 1e8), (-1e300, 1e-8)]
    sloped = [(x, s) for x in REAL[::2] for s in (0.01, 0.3, 1.5)]
    far = [(1e-300, 0.01), (-1e-300, 0.01), (-1e8, 0.01), (1e300, 0.5), (-1e300, 0.5)]

    def flag(test: Callable[[Number, Number], bool]) -> list[Case]:
        # A comparison is constant between its jumps; at a jump its derivative is 0 by convention.
        at_jump = [written(at, float(test(*at)), [0.0, 0.0]) for at in ties]
        return row(lambda x, y: mpf(bool(test(x, y))), PAIRS, close, (), at_jump)

    def psi(n: float, x: float, kind: str) -> Case:
        # The order n is a whole number and counts as constant: its derivatives are 0.
        one = computed(lambda t: mp.psi(int(n), t), [x], kind)
        first, second = one["first"][0], one["second"][0][0]
        return one | {"at": [n, x], "first": [0.0, first], "second": [[0.0, 0.0], [0.0, second]]}

    # At a tie of max and min each operand gets one half.
    halves = [written([a, b], a, [0.5, 0.5]) for a, b in ties]
    return {
        "leaky_relu": row(lambda x, s: x if x > 0 else s * x, sloped, far, (),
                          [written([0.0, s], 0.0, [s, 0.0]) for s in (0.01, 0.3)]),
        "elu": row(lambda x, a: x if x > 0 else a * mp.expm1(x), sloped, far, (),
                   [written([0.0, a], 0.0, [a, 0.0]) for a in (1.0, 0.7)]),
        "maximum": row(max, PAIRS, close, (), halves),
        "minimum": row(min, PAIRS, close, (), halves),
        "greater": flag(lambda x, y: x > y),
        "greater_equal": flag(lambda x, y: x >= y),
        "equal": flag(lambda x, y: x == y),
        "polygamma":
            [psi(n, x, "ordinary") for n in (1.0, 2.0, 3.0, 4.0) for x in (0.2, 1.0, 2.6, 17.5)]
            + [psi(n, x, "extreme") for n in (1.0, 4.0) for x in (1e-300, 1e-8, 1e8)],
    }  # fmt: skip


def ternary() -> Table:
    """Return the cases of where and clip."""
    chosen = [(q, x, y) for q in (1.0, 0.0, -2.5, 0.3) for x, y in PAIRS[:3]]
    inside = [(-0.4, -1.0, 1.0), (0.9, -1.0, 1.0), (3.3, 2.2, 8.0), (0.05, 0.0, 0.1)]
    outside = [(-1.7, -1.0, 1.0), (4.2, -1.0, 1.0), (0.3, 0.5, 0.7), (0.8, 0.5, 0.7),
               (-9.0, -8.5, -3.0), (12.0, -8.5, -3.0)]  # fmt: skip
    huge = [(1e300, -1e8, 1e8), (-1e300, -1e8, 1e8), (1e-300, 0.0, 1.0), (-1e-300, 0.0, 1.0)]

    def where(q: Number, x: Number, y: Number) -> Number:
        return x if q else y

    def taken(q: float, x: float, y: float) -> Case:
        # The condition is a flag: its derivative is 0, also where a small step would flip it.
        case = computed(lambda x, y: where(q, x, y), [x, y], "ordinary")
        return {"at": [q, x, y], "value": case["value"], "first": [0.0, *case["first"]],
                "second": [[0.0] * 3 for _ in range(3)], "kind": "ordinary"}  # fmt: skip

    return {
        "where": [taken(*at) for at in chosen] + [
            taken(1e-300, 4.0, 5.0) | {"kind": "extreme"},
            taken(1.0, 1e300, -1e300) | {"kind": "extreme"},
            # A branch that is not taken does not matter, be it infinite or nan.
            written([1.0, 2.0, INF], 2.0, [0.0, 1.0, 0.0]),
            written([0.0, NAN, 3.0], 3.0, [0.0, 0.0, 1.0])],
        # The interval is closed: on a bound the operand has derivative 1 and the bound 0.
        "clip": row(lambda x, low, high: min(max(x, low), high), inside + outside, huge, (), [
            written([-1.0, -1.0, 1.0], -1.0, [1.0, 0.0, 0.0]),
            written([1.0, -1.0, 1.0], 1.0, [1.0, 0.0, 0.0]),
            written([0.0, 0.0, 6.0], 0.0, [1.0, 0.0, 0.0]),
            written([2.0, 2.0, 2.0], 2.0, [1.0, 0.0, 0.0])]),
    }  # fmt: skip


# ---------------------------------------------------------------- n-ary operations


def draws(seed: int, scale: float = 0.5) -> Iterator[float]:
    """Yield uniform numbers in [-scale, scale) with four decimals.

    A linear congruential generator, x <- (6364136223846793005 x + 1442695040888963407) mod 2**64
    (Knuth, The Art of Computer Programming 2, 3.3.4), whose upper 32 bits are used.

    Examples
    --------
    >>> stream = draws(1)
    >>> [next(stream) for _ in range(3)]
    [-0.0768, 0.0094, 0.1484]
    """
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield round(scale * ((state >> 32) / 2.0**31 - 1.0), 4)


def take(stream: Iterator[float], *shape: int) -> Any:
    """Fill a nested list of the given shape from a stream."""
    if not shape:
        return next(stream)
    return [take(stream, *shape[1:]) for _ in range(shape[0])]


def linear(f: Function, at: list[float], kind: str, **fields: Any) -> Case:
    """Case of an n-ary operation with one result: no second derivatives."""
    return {"at": at, **fields, "value": value(f, at), "first": gradient(f, at), "kind": kind}


def sums() -> Table:
    """Return the cases of sum, dot and affine."""
    stream, table = draws(11, 3.0), Table(sum=[], dot=[], affine=[])
    total = lambda *xs: mp.fsum(xs)  # noqa: E731
    for n in (1, 2, 2, 3, 3, 4, 5, 6, 7, 9):
        table["sum"].append(linear(total, take(stream, n), "ordinary"))
        table["dot"].append(linear(inner(n), take(stream, 2 * n), "ordinary", n=n))
    table["sum"] += [linear(total, [1e300, 1e-300], "extreme"),
                     linear(total, [1e8, 1.0, -1e8], "extreme"),
                     linear(total, [0.0, 0.0], "edge")]  # fmt: skip
    table["dot"] += [linear(inner(2), [1e300, 1e-300, 1e-300, 1e300], "extreme", n=2),
                     linear(inner(2), [1e200, 1.0, 1e200, 1.0], "extreme", n=2),
                     linear(inner(2), [0.0, 0.0, 0.0, 3.0], "edge", n=2)]  # fmt: skip
    for name, f in ACTIVATIONS.items():
        fields, ends = {"activation": name}, [[500.0, 1.0, 2.0, -1.0, 1.0]]
        for n in (1, 2, 3, 5):
            at = take(stream, 2 * n + 1)
            table["affine"].append(linear(inner(n, f), at, "ordinary", n=n, **fields))
        ends.append([-500.0, 1.0, 2.0, 1.0, -1.0])
        table["affine"] += [linear(inner(2, f), at, "extreme", n=2, **fields) for at in ends]
    # The argument of relu is exactly 0 here, so by convention all its derivatives are 0.
    kink = written([1.5, -2.0, 2.0, 1.0, -1.0], 0.0, [0.0] * 5)
    table["affine"].append(kink | {"n": 2, "activation": "relu"})
    return table


def inner(n: int, activation: Function | None = None) -> Function:
    """Return dot for n pairs of operands or, given an activation, affine."""

    def dot(*at: Number) -> Number:
        return mp.fsum(x * w for x, w in zip(at[:n], at[n : 2 * n], strict=True))

    if activation is None:
        return dot
    return lambda *at: activation(dot(*at) + at[-1])


def exponentials() -> Table:
    """Return the cases of logsumexp, softmax and log_softmax."""
    stream = draws(12, 4.0)
    points = [(take(stream, n), "ordinary") for n in (2, 2, 3, 3, 4, 4, 5, 5, 6, 8)]
    points += [(at, "extreme") for at in (
        [1000.0, 999.0], [-1000.0, -1001.0, -1002.0], [1000.0, -1000.0], [1e300, 1e8],
        [1e-300, 1e-8], [700.0, 709.0, 710.0])]  # fmt: skip
    points += [([2.5], "edge"), ([0.3, 0.3, 0.3], "edge"), ([0.0, -0.0], "edge")]

    def vector(f: Function, at: list[float], kind: str) -> Case:
        entries = [lambda *xs, i=i: f(i, *xs) for i in range(len(at))]
        return {"at": at, "value": [value(e, at) for e in entries],
                "first": [gradient(e, at) for e in entries], "kind": kind}  # fmt: skip

    # An operand -inf has the weight 0 and takes part in nothing but its own logarithm.
    gone = [0.0, -INF]
    return {
        "logsumexp": [linear(logsumexp, at, kind) for at, kind in points]
        + [written(gone, 0.0, [1.0, 0.0])],
        "softmax": [vector(softmax, at, kind) for at, kind in points]
        + [written(gone, [1.0, 0.0], [[0.0, 0.0], [0.0, 0.0]])],
        "log_softmax": [
            vector(lambda i, *xs: xs[i] - logsumexp(*xs), at, kind) for at, kind in points]
        + [written(gone, [0.0, -INF], [[0.0, 0.0], [-1.0, 1.0]])],
    }  # fmt: skip


# ---------------------------------------------------------------- graphs

OPERATORS: dict[str, Function] = {
    "+": lambda x, y: x + y,
    "*": lambda x, y: x * y,
    "tanh": mp.tanh,
}


def scalar_graph(inputs: dict[str, float], steps: list[tuple[str, str, list[str]]]) -> Case:
    """Values and gradients of every node of a small graph.

    Parameters
    ----------
    inputs : dict
        Label and value of each leaf.
    steps : list of (label, operator, operands)
        The inner nodes in the order of evaluation; the last one is the output.

    Returns
    -------
    dict
        "inputs", "steps", "output", "values" and "gradients". A gradient is the derivative of
        the output with respect to a number added at that node.
    """

    def run(nudged: str = "", nudge: Number = 0) -> dict[str, Number]:
        nodes: dict[str, Number] = {}
        for label, operator, operands in [(key, "", []) for key in inputs] + steps:
            node = OPERATORS[operator](*[nodes[o] for o in operands]) if operator else None
            nodes[label] = mpf(inputs[label]) if node is None else node
            if label == nudged:
                nodes[label] += nudge
        return nodes

    output = steps[-1][0]
    values = {label: nearest(node) for label, node in run().items()}
    gradients = {k: derivative(lambda t, k=k: run(k, t)[output], [0.0], [1]) for k in values}
    return {"inputs": inputs, "steps": steps, "output": output,
            "values": values, "gradients": gradients}  # fmt: skip


def flat(nested: Any) -> list[float]:
    """All numbers of a nested list."""
    return [x for part in nested for x in flat(part)] if isinstance(nested, list) else [nested]


def shaped(numbers: Iterator[Any], like: Any) -> Any:
    """Arrange a flat stream in the nesting of another list."""
    return [shaped(numbers, part) for part in like] if isinstance(like, list) else next(numbers)


def network(rows: list[list[float]], parameters: list[Any], hidden: Function) -> list[list[Number]]:
    """Return the outputs of a dense network with the parameters W1, b1, W2, b2, and so on."""
    # The last layer is linear.
    signals: list[list[Number]] = [[mpf(x) for x in row] for row in rows]
    for layer in range(0, len(parameters), 2):
        weights, biases = parameters[layer : layer + 2]
        f = hidden if layer + 2 < len(parameters) else ACTIVATIONS[""]
        signals = [
            [f(mp.fdot(w, x) + b) for w, b in zip(weights, biases, strict=True)] for x in signals
        ]
    return signals


def trained(
    names: list[str], parameters: list[Any], loss: Callable[[list[Any]], Number]
) -> dict[str, Any]:
    """Loss and gradients, the derivative of the whole loss with respect to each parameter."""
    start, gradients = flat(parameters), []
    with mp.workdps(120):
        exact = [mpf(p) for p in start]
        for i in range(len(start)):

            def moved(t: Number, i: int = i) -> Number:
                return loss(shaped(iter(exact[:i] + [t] + exact[i + 1 :]), parameters))

            gradients.append(nearest(mp.diff(moved, exact[i])))
        total = nearest(loss(shaped(iter(exact), parameters)))
    named = dict(zip(names, shaped(iter(gradients), parameters), strict=True))
    return {"loss": total, "gradients": named}


def layers(stream: Iterator[float], *sizes: int) -> tuple[list[str], list[Any]]:
    """Names and numbers of the parameters of dense layers: W [n_out][n_in] and b [n_out]."""
    names, parameters = [], []
    for k, (n_in, n_out) in enumerate(zip(sizes, sizes[1:], strict=False), start=1):
        names += [f"W{k}", f"b{k}"]
        parameters += [take(stream, n_out, n_in), take(stream, n_out)]
    return names, parameters


def s1_network() -> Case:
    """Return a 3-4-4-2 sigmoid network, linear output, mean over rows of half the squared norm."""
    names, parameters = layers(draws(1), 3, 4, 4, 2)
    data = draws(2, 1.0)
    inputs, targets = take(data, 5, 3), take(data, 5, 2)

    def loss(numbers: list[Any]) -> Number:
        outputs = network(inputs, numbers, sigmoid)
        squares = zip(flat(outputs), flat(targets), strict=True)
        return mp.fsum((p - t) ** 2 for p, t in squares) / 2 / len(inputs)

    outputs = [[nearest(p) for p in row] for row in network(inputs, parameters, sigmoid)]
    return {"sizes": [3, 4, 4, 2], "activations": ["sigmoid", "sigmoid", ""],
            "loss_function": "mean over rows of 1/2 * |prediction - target|^2",
            "inputs": inputs, "targets": targets,
            "parameters": dict(zip(names, parameters, strict=True)),
            "outputs": outputs, **trained(names, parameters, loss)}  # fmt: skip


def mlp() -> Case:
    """Return a 4-5-3 tanh network with categorical cross-entropy on its logits."""
    names, parameters = layers(draws(3), 4, 5, 3)
    inputs, targets = take(draws(4, 2.0), 3, 4), [2, 0, 1]

    def loss(numbers: list[Any]) -> Number:
        rows = zip(network(inputs, numbers, mp.tanh), targets, strict=True)
        return mp.fsum(-mp.log(softmax(t, *row)) for row, t in rows) / len(inputs)

    logits = network(inputs, parameters, mp.tanh)
    chances = [[nearest(softmax(i, *row)) for i in range(3)] for row in logits]
    return {"sizes": [4, 5, 3], "activations": ["tanh", ""],
            "loss_function": "mean over rows of -log(softmax(output)[target])",
            "inputs": inputs, "targets": targets,
            "parameters": dict(zip(names, parameters, strict=True)),
            "outputs": [[nearest(p) for p in row] for row in logits],
            "probabilities": chances, **trained(names, parameters, loss)}  # fmt: skip


def graphs() -> dict[str, Case]:
    """All whole graphs."""
    neuron = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.8813735870195432}
    plus = "x1*w1 + x2*w2"
    s0_neuron = {"I1": 0.5, "I2": -1.5, "I3": 2.25, "w1": 0.8, "w2": -0.3, "w3": 1.1, "b1": 0.4}
    quadratic = lambda x: 4 * x**2 - 2 * x + 5  # noqa: E731
    return {
        "neuron": scalar_graph(neuron, [
            ("x1*w1", "*", ["x1", "w1"]), ("x2*w2", "*", ["x2", "w2"]),
            (plus, "+", ["x1*w1", "x2*w2"]), ("n", "+", [plus, "b"]), ("o", "tanh", ["n"])]),
        "quadratic": {"formula": "4*x**2 - 2*x + 5", "x": 3.0, "value": value(quadratic, [3.0]),
                      "gradient": derivative(quadratic, [3.0], [1]),
                      "second": derivative(quadratic, [3.0], [2])},
        "s0_neuron": scalar_graph(s0_neuron, [
            ("value1", "*", ["w1", "I1"]), ("value2", "*", ["w2", "I2"]),
            ("value3", "*", ["w3", "I3"]), ("value4", "+", ["value1", "value2"]),
            ("value5", "+", ["value4", "value3"]), ("value6", "+", ["value5", "b1"])]),
        "s1_network": s1_network(),
        "mlp": mlp(),
    }  # fmt: skip


# ---------------------------------------------------------------- files


def text(item: Any) -> str:
    """JSON of one item on one line, with inf and nan as strings (JSON has no number for them)."""

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: plain(entry) for key, entry in part.items()}
        if isinstance(part, list | tuple):
            return [plain(entry) for entry in part]
        return str(part) if isinstance(part, float) and not math.isfinite(part) else part

    return json.dumps(plain(item), allow_nan=False)


def main() -> None:
    """Write both files, one case or field a line."""
    mp.dps = 50
    here = Path(__file__).resolve().parent
    table: Table = {}
    for part in (arithmetic_binary, arithmetic_unary, trigonometric, special, piecewise_binary,
                 ternary, sums, exponentials):  # fmt: skip
        table |= part()
    blocks = [f'"{op}": [\n' + ",\n".join(map(text, table[op])) + "\n]" for op in table]
    (here / "operations.json").write_text("{\n" + ",\n".join(blocks) + "\n}\n")
    blocks = [
        f'"{name}": {{\n' + ",\n".join(f'"{k}": {text(v)}' for k, v in graph.items()) + "\n}"
        for name, graph in graphs().items()
    ]
    (here / "graphs.json").write_text("{\n" + ",\n".join(blocks) + "\n}\n")


if __name__ == "__main__":
    main()
