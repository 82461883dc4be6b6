"""Write elementary.txt: the elementary functions at many points, to a thousandth of a unit.

Run by hand with `python tests/vectors/elementary.py`; the points are the same each time. A line
holds the function, the bits of the operands and of the nearest f64 to its value, and what that
lacks, in thousandths of a unit in the last place.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from mpmath import mp, mpf  # type: ignore[import-untyped]

Number = Any  # mpmath's mpf
Points = Callable[[], float]

mp.prec = 240
COUNT = 40  # points a range
TARGET = Path(__file__).parent / "elementary.txt"
random = Random(2718)


def between(low: float, high: float) -> Points:
    """Points spread evenly."""
    return lambda: random.uniform(low, high)


def scales(low: float, high: float) -> Points:
    """Points whose logarithms are spread evenly."""
    return lambda: math.exp(random.uniform(math.log(low), math.log(high)))


def both(points: Points) -> Points:
    """Points of either sign."""
    return lambda: random.choice((-1.0, 1.0)) * points()


def seams(unit: float, count: int) -> Points:
    """Points next to where the reduction by multiples of a unit goes on to the next one."""
    return lambda: (
        (random.randint(-count, count) + 0.5) * unit * (1 + random.uniform(-1, 1) * 1e-15)
    )


def multiples(unit: float, count: int) -> Points:
    """Points next to multiples of a unit, where the reduction leaves little."""
    return lambda: random.randint(-count, count) * unit


FUNCTIONS: dict[str, tuple[Callable[[Number], Number], list[Points]]] = {
    "exp": (
        mp.exp,
        [between(-1, 1), between(-708, 709.7), between(-745, -708), seams(math.log(2), 1000)],
    ),
    "expm1": (
        mp.expm1,
        [both(scales(1e-300, 1)), between(-1, 1), between(-50, 709.7), seams(math.log(2), 50)],
    ),
    "log": (
        mp.log,
        [between(0.5, 2), between(0.99, 1.01), scales(1e-307, 1e308), scales(1e-322, 1e-300)],
    ),
    "log1p": (
        mp.log1p,
        [
            between(-0.9, 1),
            both(scales(1e-300, 0.9)),
            scales(1e-3, 1e308),
            lambda: -1 + math.exp(random.uniform(-36, 0)),
        ],
    ),
    "log2": (
        lambda x: mp.log(x) / mp.ln2,
        [between(0.5, 2), between(0.99, 1.01), scales(1e-307, 1e308), scales(1e-322, 1e-300)],
    ),
    "log10": (
        lambda x: mp.log(x) / mp.ln10,
        [between(0.5, 2), between(0.99, 1.01), scales(1e-307, 1e308), scales(1e-322, 1e-300)],
    ),
    "sigmoid": (
        lambda x: 1 / (1 + mp.exp(-x)),
        [between(-5, 5), between(-700, -5), both(scales(1e-17, 40))],
    ),
    "softplus": (
        lambda x: mp.log1p(mp.exp(x)),
        [between(-5, 5), between(-700, 40), both(scales(1e-17, 40))],
    ),
    "tanh": (
        mp.tanh,
        [between(-1, 1), both(scales(1e-300, 20)), between(-5, 5), seams(math.log(2) / 2, 20)],
    ),
    "sinh": (
        mp.sinh,
        [between(-1, 1), both(scales(1e-300, 20)), between(-710, 710), seams(math.log(2), 40)],
    ),
    "cosh": (
        mp.cosh,
        [between(-1, 1), both(scales(1e-17, 20)), between(-710, 710), seams(math.log(2), 40)],
    ),
    "sin": (
        mp.sin,
        [
            between(-4, 4),
            between(-1e6, 1e6),
            both(scales(1e-300, 1e6)),
            multiples(math.pi / 2, 600_000),
            seams(math.pi / 2, 600_000),
        ],
    ),
    "cos": (
        mp.cos,
        [
            between(-4, 4),
            between(-1e6, 1e6),
            both(scales(1e-17, 1e6)),
            multiples(math.pi / 2, 600_000),
            seams(math.pi / 2, 600_000),
        ],
    ),
    "tan": (
        mp.tan,
        [
            between(-4, 4),
            between(-1e6, 1e6),
            both(scales(1e-300, 1e6)),
            multiples(math.pi / 2, 600_000),
            seams(math.pi / 2, 600_000),
        ],
    ),
    "erf": (mp.erf, [between(-1, 1), both(scales(1e-300, 1)), between(-6, 6)]),
    "erfc": (
        mp.erfc,
        [between(-6, 1), both(scales(1e-17, 1)), between(0, 5), between(5, 26.5)],
    ),
    "norm_cdf": (
        lambda x: mp.erfc(-x / mp.sqrt(2)) / 2,
        [between(-3, 9), both(scales(1e-17, 1)), between(-8, 0), between(-37.5, -5)],
    ),
}


def powers() -> Iterator[tuple[float, float]]:
    """Bases and exponents whose power is a normal number."""
    for _ in range(COUNT):
        yield random.uniform(0.1, 3), random.uniform(-5, 5)
        for bases in (scales(1e-300, 1e300), between(0.9, 1.1), scales(1e-320, 1e-308)):
            base = bases()
            yield base, random.uniform(-700, 700) / math.log(base)
        yield float(random.randint(-40, 40) or 3), float(random.randint(-20, 20))


def bits(x: float) -> str:
    """Write the bits of an f64."""
    return struct.pack(">d", x).hex()


def line(name: str, operands: tuple[float, ...], value: Number) -> str:
    """Write a point and the value there."""
    near = float(value)
    lacks = int(mp.nint((value - mpf(near)) / mpf(math.ulp(near)) * 1000))
    return f"{name} {' '.join(map(bits, operands))} {bits(near)} {lacks}\n"


def main() -> None:
    """Write the file."""
    lines = []
    for name, (function, ranges) in FUNCTIONS.items():
        for points in ranges:
            for _ in range(COUNT):
                x = points()
                lines.append(line(name, (x,), function(mpf(x))))
    lines += [line("pow", (x, y), mp.power(mpf(x), mpf(y))) for x, y in powers()]
    TARGET.write_text("".join(lines))
    print(TARGET, len(lines))


if __name__ == "__main__":
    main()
