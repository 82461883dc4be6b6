"""Values and derivatives with hundreds of digits, rounded once to an f64.

Values come from mpmath's own functions, derivatives from differences of those values at several
hundred digits (`mpmath.diff`), so that no rule of differentiation is shared with the library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from mpmath import mp, mpf  # type: ignore[import-untyped]

Number = Any  # mpmath's mpf: a real number with as many digits as the context has
Function = Callable[..., Number]
Case = dict[str, Any]

INF, NAN = math.inf, math.nan

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


# ---------------------------------------------------------------- numbers drawn in a fixed order


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


def flat(nested: Any) -> list[float]:
    """All numbers of a nested list."""
    return [x for part in nested for x in flat(part)] if isinstance(nested, list) else [nested]
