"""The points of every operation, with what is promised there.

A case holds a point and, from mpmath, the value and the derivatives there. Where the derivative
is a convention (kinks, poles, ties), the case is written out by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from exact import (
    ACTIVATIONS,
    INF,
    NAN,
    Case,
    Function,
    Number,
    cbrt,
    draws,
    erfc,
    gradient,
    hessian,
    lgamma,
    logsumexp,
    nearest,
    norm_cdf,
    norm_ppf,
    sigmoid,
    softmax,
    softplus,
    take,
    value,
)
from mpmath import mp, mpf  # type: ignore[import-untyped]

Table = dict[str, list[Case]]

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


# ---------------------------------------------------------------- cases


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


def outside(*at: float) -> Case:
    """Edge case outside the domain: the value is nan, nothing is promised of derivatives."""
    return {"at": list(at), "value": NAN, "kind": "edge"}


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


def without_second(cases: list[Case], where: Callable[[Case], bool]) -> list[Case]:
    """Leave out the second derivatives of some cases."""
    return [{k: v for k, v in case.items() if k != "second" or not where(case)} for case in cases]


def loosen(cases: list[Case], ulp: Callable[[Case], float], limit: float, why: str) -> list[Case]:
    """Set "ulp" and "why" where the tolerance that the point needs is above a limit."""
    for case in cases:
        if limit < ulp(case) < INF:
            case |= {"ulp": math.ceil(ulp(case)), "why": why}
    return cases


# ---------------------------------------------------------------- unary operations


def not_a_number(*points: float) -> list[Case]:
    """Cases outside the domain, and nan itself, whose derivative is nan as well."""
    return [outside(x) for x in points] + [written([NAN], NAN, [NAN])]


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
        "log1p": row(mp.log1p, POSITIVE + UNIT, [*TINY, -BELOW_ONE, 1e8, 1e300], ZERO,
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
    digamma = row(mp.digamma, POSITIVE + poles, [1e-300, 1e-8, 1e8, 1e300], [1.0, 2.0],
                  not_a_number())  # fmt: skip
    quantile = row(norm_ppf, unit, [1e-300, 1e-100, 1e-8, 1.0 - 1e-8, BELOW_ONE], [0.5],
                   limits((0.0, -INF, INF), (1.0, INF, INF)) + not_a_number(-1.0))  # fmt: skip
    return {
        "erf": row(mp.erf, REAL, both, ZERO, limits((INF, 1.0, 0.0)) + not_a_number()),
        "erfc": row(erfc, REAL, [*both, 26.0], ZERO, limits((INF, 0.0, 0.0)) + not_a_number()),
        "norm_cdf": row(norm_cdf, REAL, both + tails, ZERO,
                        limits((INF, 1.0, 0.0), (-INF, 0.0, 0.0)) + not_a_number()),
        "norm_ppf": loosen(quantile, lambda case: 2 * case["value"] ** 2, 200,
                           "exp(r*r/2) multiplies the rounding of r by r*r"),
        "lgamma": row(lgamma, POSITIVE + poles, [1e-300, 1e-8, 1e8, 1e300], [1.0, 2.0],
                      not_a_number()),
        # The second derivative is polygamma(2, x), which is promised for x > 0 only.
        "digamma": without_second(digamma, lambda case: case["at"][0] < 0),
        "sigmoid": row(sigmoid, REAL, [*both, 40.0, -40.0, -745.0], ZERO,
                       limits((INF, 1.0, 0.0), (-INF, 0.0, 0.0)) + not_a_number()),
        "softplus": row(softplus, REAL, [*both, 40.0, -40.0], ZERO,
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
            written([0.0, -1.0], INF, [-INF, -INF]), outside(-2.0, 0.5),
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


def operations() -> Table:
    """All cases of all operations."""
    table: Table = {}
    for part in (arithmetic_binary, arithmetic_unary, trigonometric, special, piecewise_binary,
                 ternary, sums, exponentials):  # fmt: skip
        table |= part()
    return table
