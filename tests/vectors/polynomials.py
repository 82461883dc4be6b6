"""Write rust/core/elementary/coefficients.rs: polynomials and split constants.

Run by hand with `python tests/vectors/polynomials.py`. The polynomials are best in the sense of
Chebyshev, found by Remez' exchange with 60 digits; the two quotients of polynomials are fitted by
least squares whose weights are raised where the error is large (Loeb, "Algorithms for best
approximations by rational functions", 1957; Lawson's weights). The error that is printed is that of
the coefficients as they are rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from mpmath import mp, mpf  # type: ignore[import-untyped]

Number = Any  # mpmath's mpf
Function = Callable[[Number], Number]

mp.dps = 60
TARGET = Path(__file__).parents[2] / "rust" / "core" / "elementary" / "coefficients.rs"

# ---------------------------------------------------------------- fits


def horner(coefficients: Sequence[Number], x: Number) -> Number:
    """Value of a polynomial, lowest coefficient first."""
    return mp.polyval(list(reversed(coefficients)), x)


def rounded(coefficients: Sequence[Number]) -> list[Number]:
    """Round each coefficient to the nearest f64."""
    return [mpf(float(c)) for c in coefficients]


def nodes(low: Number, high: Number, count: int) -> list[Number]:
    """Chebyshev's nodes, and the ends."""
    middle, half = (low + high) / 2, (high - low) / 2
    inner = [middle - half * mp.cos(mp.pi * (i + mpf(1) / 2) / count) for i in range(count)]
    return [low, *inner, high]


def alternating(errors: Sequence[Number], count: int) -> list[int]:
    """Places of the largest errors of alternating sign."""
    places: list[int] = []
    for i, error in enumerate(errors):
        if not places or (error > 0) != (errors[places[-1]] > 0):
            places.append(i)
        elif abs(error) > abs(errors[places[-1]]):
            places[-1] = i
    while len(places) > count:
        places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
    return places


def best(
    f: Function, weight: Function, low: Number, high: Number, degree: int
) -> tuple[list[Number], Number]:
    """Fit the polynomial p with the least maximum of |weight * (f - p)|.

    Parameters
    ----------
    f, weight : callable
        Function of an mpf on the interval; the weight is positive inside it.
    low, high : mpf
        The interval.
    degree : int
        Degree of the polynomial.

    Returns
    -------
    tuple of list of mpf, mpf
        Coefficients that are f64s, lowest first, and their error.
    """
    count = degree + 2
    grid = nodes(low, high, 40 * count)[1:-1]
    values, weights = [f(x) for x in grid], [weight(x) for x in grid]
    places = [(2 * i + 1) * 20 for i in range(count)]
    coefficients: list[Number] = []
    for _ in range(12):
        rows = [
            [grid[i] ** k for k in range(degree + 1)] + [(-1) ** j / weights[i]]
            for j, i in enumerate(places)
        ]
        solution = mp.lu_solve(mp.matrix(rows), mp.matrix([values[i] for i in places]))
        coefficients = list(solution)[:-1]
        errors = [
            w * (v - horner(coefficients, x)) for x, v, w in zip(grid, values, weights, strict=True)
        ]
        last, places = places, alternating(errors, count)
        if places == last or len(places) < count:
            break
    coefficients = rounded(coefficients)
    columns = zip(grid, values, weights, strict=True)
    return coefficients, max(abs(w * (v - horner(coefficients, x))) for x, v, w in columns)


def quotient(
    f: Function, weight: Function, points: Sequence[Number], degree: int
) -> tuple[list[Number], list[Number], Number]:
    """Fit p / q with a small maximum of |weight * (f - p / q)|; q begins with 1.

    Parameters
    ----------
    f, weight : callable
        Positive function of an mpf.
    points : sequence of mpf
        Where the error is to be small.
    degree : int
        Degree of q; p has one less.

    Returns
    -------
    tuple of list of mpf, list of mpf, mpf
        Coefficients of p and q that are f64s, lowest first, and their error.
    """
    values, weights = [f(x) for x in points], [weight(x) for x in points]
    divisors, emphasis = [(1 + x) ** degree for x in points], [mpf(1)] * len(points)
    found: list[tuple[Number, list[Number], list[Number]]] = []
    for turn in range(20):
        scale = [e * w / d for e, w, d in zip(emphasis, weights, divisors, strict=True)]
        rows = mp.matrix(len(points), 2 * degree)
        for i, x in enumerate(points):
            for k in range(degree):
                rows[i, k] = scale[i] * x**k
                rows[i, degree + k] = -scale[i] * values[i] * x ** (k + 1)
        right = mp.matrix([s * v for s, v in zip(scale, values, strict=True)])
        solution = list(mp.lu_solve(rows.T * rows, rows.T * right))
        above, below = solution[:degree], [mpf(1), *solution[degree:]]
        divisors = [horner(below, x) for x in points]
        errors = misses(points, values, weights, above, below)
        found.append((max(errors), above, below))
        if turn > 1:
            mean = sum(errors) / len(errors)
            emphasis = [
                w * mp.sqrt(e / mean + mpf("0.02")) for w, e in zip(emphasis, errors, strict=True)
            ]
    _, above, below = min(found, key=lambda one: one[0])
    above, below = rounded(above), rounded(below)
    return above, below, max(misses(points, values, weights, above, below))


def misses(
    points: Sequence[Number],
    values: Sequence[Number],
    weights: Sequence[Number],
    above: Sequence[Number],
    below: Sequence[Number],
) -> list[Number]:
    """Weighted errors of a quotient of polynomials."""
    columns = zip(points, values, weights, strict=True)
    return [w * abs(v - horner(above, x) / horner(below, x)) for x, v, w in columns]


def split(number: Number, *digits: int) -> list[Number]:
    """Split a number into parts of so many binary digits each, and what is left."""
    parts = []
    for count in digits:
        unit = mpf(2) ** (mp.mag(number) - count)
        parts.append(mp.floor(number / unit) * unit)
        number -= parts[-1]
    return [*parts, mpf(float(number))]


# ---------------------------------------------------------------- Rust


def literal(number: Number) -> str:
    """Write an f64 as Rust's lints want it: digits in groups of three."""
    mantissa, e, exponent = repr(float(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    groups = [fraction[i : i + 3] for i in range(0, len(fraction), 3)] or ["0"]
    return f"{whole}.{'_'.join(groups)}{e}{exponent.lstrip('+')}"


def constant(name: str, number: Number, doc: str) -> str:
    """Write a constant."""
    return f"/// {doc}\npub const {name}: f64 = {literal(number)};\n"


def array(name: str, numbers: Sequence[Number], doc: str) -> str:
    """Write an array of constants, lowest coefficient first."""
    lines = "".join(f"    {literal(number)},\n" for number in numbers)
    return f"/// {doc}\npub const {name}: [f64; {len(numbers)}] = [\n{lines}];\n"


def polynomial(
    name: str, what: str, f: Function, weight: Function, ends: tuple[Number, Number], degree: int
) -> str:
    """Fit and write a polynomial; the weight makes its error the relative one of the function."""
    coefficients, error = best(f, weight, *ends, degree)
    low, high = (mp.nstr(end, 5) for end in ends)
    print(f"{name}: degree {degree}, error 2^{mp.nstr(mp.log(error, 2), 4)}")
    doc = f"`{what}` on [{low}, {high}]; relative error below 2^{int(mp.log(error, 2))}."
    return array(name, coefficients, doc)


# ---------------------------------------------------------------- the functions


def series(f: Function, terms: Function) -> Function:
    """Return f with more digits, since its first terms cancel near 0, and `terms` at 0."""

    def value(x: Number) -> Number:
        with mp.workdps(150):
            return +(f(x) if x else terms(x))

    return value


def exponentials() -> list[str]:
    """Fit what is left after an argument has lost a multiple of ln 2; of ln 2 / 2 for tanh."""
    half = mp.ln(2) / 2 * (1 + mpf(2) ** -20)
    high, low = split(mp.ln(2), 32)
    exp = series(lambda r: (mp.expm1(r) - r) / r**2, lambda _: mpf(1) / 2)
    sinh = series(lambda z: (mp.sinh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda _: mpf(1) / 6)
    cosh = series(lambda z: (mp.cosh(mp.sqrt(z)) - 1) / z, lambda _: mpf(1) / 2)
    tanh = series(lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda _: -mpf(1) / 3)
    one = lambda z: z / mp.cosh(mp.sqrt(z))  # noqa: E731
    return [
        constant("LN_2_HIGH", high,
                 "Upper 32 bits of ln 2: its products with exponents are exact."),
        constant("LN_2_LOW", low, "ln 2 less its upper 32 bits."),
        polynomial("EXP", "(exp(r) - 1 - r) / r^2", exp,
                   lambda r: r**2 / mp.exp(r), (-half, half), 9),
        polynomial("EXPM1", "(exp(r) - 1 - r) / r^2", exp,
                   lambda r: r**2 / abs(mp.expm1(r)), (-half, half), 10),
        polynomial("SINH", "(sinh(r) / r - 1) / r^2 in r^2", sinh,
                   lambda z: z, (mpf(0), half**2), 4),
        polynomial("COSH", "(cosh(r) - 1) / r^2 in r^2", cosh, one, (mpf(0), half**2), 5),
        polynomial("TANH", "(tanh(r) / r - 1) / r^2 in r^2", tanh,
                   lambda z: z * mp.sqrt(z) / mp.tanh(mp.sqrt(z)), (mpf(0), half**2 / 4), 5),
    ]  # fmt: skip


def logarithms() -> list[str]:
    """Fit log((1 + s) / (1 - s)), where (1 + s) / (1 - s) lies between sqrt(1/2) and sqrt(2)."""
    top = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1) * (1 + mpf(2) ** -20)) ** 2

    def atanh(z: Number) -> Number:
        return mp.atanh(mp.sqrt(z)) / mp.sqrt(z)

    log = series(lambda z: 2 * (atanh(z) - 1) / z, lambda _: mpf(2) / 3)
    power = series(lambda z: (3 * (atanh(z) - 1) - z) / z**2, lambda _: mpf(3) / 5)
    log10 = 1 / mp.ln(10)
    return [
        polynomial("LOG", "(log((1 + s) / (1 - s)) / s - 2) / s^2 in s^2", log,
                   lambda z: z / 2, (mpf(0), top), 6),
        polynomial("POW", "(1.5 log((1 + s) / (1 - s)) / s - 3 - s^2) / s^4 in s^2", power,
                   lambda z: z**2 / 3 * 2**8, (mpf(0), top), 6),
        constant("LOG2_E_HIGH", split(1 / mp.ln(2), 21)[0], "Upper 21 bits of 1 / ln 2."),
        constant("LOG2_E_LOW", split(1 / mp.ln(2), 21)[1], "1 / ln 2 less its upper 21 bits."),
        constant("LOG10_E_HIGH", split(log10, 21)[0], "Upper 21 bits of 1 / ln 10."),
        constant("LOG10_E_LOW", split(log10, 21)[1], "1 / ln 10 less its upper 21 bits."),
        constant("LOG10_2_HIGH", split(mp.log10(2), 40)[0], "Upper 40 bits of log10(2)."),
        constant("LOG10_2_LOW", split(mp.log10(2), 40)[1], "log10(2) less its upper 40 bits."),
        constant("POW_LOG2_HIGH", split(2 / (3 * mp.ln(2)), 21)[0],
                 "Upper 21 bits of 2 / (3 ln 2)."),
        constant("POW_LOG2_LOW", split(2 / (3 * mp.ln(2)), 21)[1],
                 "2 / (3 ln 2) less its upper 21 bits."),
    ]  # fmt: skip


def circular() -> list[str]:
    """Fit sine and cosine on an eighth of a turn to either side."""
    top = (mp.pi / 4 * (1 + mpf(2) ** -20)) ** 2
    parts = split(mp.pi / 2, 33, 33)
    sin = series(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda _: -mpf(1) / 6)
    cos = series(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, lambda _: mpf(1) / 24)
    return [
        constant("QUARTER_HIGH", parts[0], "Upper 33 bits of a quarter of a turn, pi / 2."),
        constant("QUARTER_MIDDLE", parts[1], "The next 33 bits of pi / 2."),
        constant("QUARTER_LOW", parts[2], "pi / 2 less the 66 bits above."),
        polynomial("SIN", "(sin(r) / r - 1) / r^2 in r^2", sin,
                   lambda z: z * mp.sqrt(z) / mp.sin(mp.sqrt(z)), (mpf(0), top), 5),
        polynomial("COS", "(cos(r) - 1 + r^2 / 2) / r^4 in r^2", cos,
                   lambda z: z**2 / mp.cos(mp.sqrt(z)), (mpf(0), top), 5),
    ]  # fmt: skip


def quotient_text(
    name: str, what: str, f: Function, weight: Function, points: Sequence[Number], degree: int
) -> list[str]:
    """Fit and write a quotient of polynomials."""
    above, below, error = quotient(f, weight, points, degree)
    bits = mp.log(error, 2)
    print(f"{name}: degrees {degree - 1}, {degree}, error 2^{mp.nstr(bits, 4)}")
    low, high = (mp.nstr(end, 3) for end in (min(points), max(points)))
    doc = f"of {what} on [{low}, {high}]; relative error below 2^{int(bits)}."
    return [
        array(f"{name}_ABOVE", above, f"Numerator {doc}"),
        array(f"{name}_BELOW", below, "Its denominator."),
    ]


def errors() -> list[str]:
    """Fit the error function near 0 and, farther out, exp(x^2) times its complement."""
    middle, root = mpf(3), mp.sqrt(2)
    erf = series(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, lambda _: 2 / mp.sqrt(mp.pi) - 1)

    def scaled(x: Number) -> Number:
        return mp.erfc(x) * mp.exp(x * x)

    def normal(x: Number) -> Number:
        return scaled(x / root) / 2

    def spread(end: Number) -> list[Number]:
        # The map of the half line that Shepherd and Laframboise use ("Chebyshev approximation of
        # (1 + 2x) exp(x^2) erfc x in 0 <= x < oo", 1981).
        last = (end - middle) / (end + middle)
        return [middle * (1 + t) / (1 - t) for t in nodes(mpf(-1), last, 140)[1:]]

    # erf(x) = 1 - erfc(x) asks for less: erfc(1) is 0.16 already.
    near = [mpf(7) / 2 + mpf(5) / 2 * t for t in nodes(mpf(-1), mpf(1), 100)]
    return [
        *quotient_text("ERFC", "`((1 + 2 x) exp(x^2) erfc(x) - 1) / x`",
                       lambda x: ((1 + 2 * x) * scaled(x) - 1) / x,
                       lambda x: x / ((1 + 2 * x) * scaled(x)), spread(mpf("27.3")), 10),
        *quotient_text("NORM", "`((2 + 2 x) exp(x^2 / 2) norm_cdf(-x) - 1) / x`",
                       lambda x: ((2 + 2 * x) * normal(x) - 1) / x,
                       lambda x: x / ((2 + 2 * x) * normal(x)), spread(mpf("38.7")), 10),
        polynomial("ERF", "erf(x) / x - 1 in x^2", erf,
                   lambda z: 1 / (erf(z) + 1), (mpf(0), mpf(1)), 11),
        *quotient_text("ERF", "`exp(x^2) erfc(x)`", scaled, lambda x: 1 / scaled(x), near, 7),
    ]  # fmt: skip


def main() -> None:
    """Write the file."""
    head = [
        "//! Coefficients of the elementary functions, lowest first. Written by",
        "//! tests/vectors/polynomials.py, which tells how they were found.",
    ]
    parts = [*exponentials(), *logarithms(), *circular(), *errors()]
    assert all(a != b for a, b in pairwise(parts))
    TARGET.write_text("\n".join(head) + "\n\n" + "\n".join(parts))
    print(TARGET)


if __name__ == "__main__":
    main()
