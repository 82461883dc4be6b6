"""How far differences may be off is never less than how far they are, whatever the scales."""

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import gradtape as gt
import pytest
from gradtape import Value
from gradtape.show.checking.differences import Difference, difference
from hypothesis import example, given, settings
from hypothesis import strategies as st

EPS = 2.0**-52


def elu(x: float) -> float:
    return x if x > 0 else math.expm1(x)


def elu_slope(x: float) -> float:
    return 1.0 if x > 0 else math.exp(x)


# Functions with their derivatives; of the last two, the second derivative jumps at 0.
PAIRS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "sin": (math.sin, math.cos),
    "tanh": (math.tanh, lambda x: 1 - math.tanh(x) ** 2),
    "atan": (math.atan, lambda x: 1 / (1 + x * x)),
    "runge": (lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
    "wave": (
        lambda x: math.exp(-x * x) * math.cos(3 * x),
        lambda x: math.exp(-x * x) * (-2 * x * math.cos(3 * x) - 3 * math.sin(3 * x)),
    ),
    "elu": (elu, elu_slope),
    "elu squared": (
        lambda x: elu(x) ** 2 + 0.3 * math.sin(x),
        lambda x: 2 * elu(x) * elu_slope(x) + 0.3 * math.cos(x),
    ),
}


def scaled(name: str, wide: float, high: float, offset: float) -> Callable[[float], float]:
    f = PAIRS[name][0]

    def moved(x: float) -> float:
        try:
            return high * f(x / wide) + offset
        except OverflowError:
            return math.nan

    return moved


def covers(found: Difference, slope: float) -> bool:
    """Whether a right slope would not be called wrong."""
    size = max(abs(slope), abs(found.value))
    return abs(found.value - slope) <= 4 * found.error + 2e-8 * size or found.error > 0.05 * size


# An extrapolation moved by next to nothing here, and was off by 5 to 900 times as much as that.
LUCKY = [
    ("elu", -0.004114654718488051, 1.0, 0.001, 1000.0),
    ("elu", -0.4525900819193187, 0.001, 0.001, 1000.0),
    ("elu", 0.00030331228830950965, 1.0, 1000.0, 0.0),
    ("elu squared", 0.025114422559673708, 0.001, 1e12, 0.0),
    ("elu squared", 0.0962062046083104, 0.001, 1e3, 0.0),
    ("elu squared", 0.0005197588592861191, 1.0, 1e-8, 0.01e-8),
    ("runge", -0.5172688989340251, 1e-8, 0.001, 0.0),
    ("atan", -1.4186972976441399, 1.0, 0.001, 0.0),
]


@pytest.mark.parametrize(("name", "at", "wide", "high", "offset"), LUCKY)
def test_what_agrees_by_luck_is_not_trusted(
    name: str, at: float, wide: float, high: float, offset: float
) -> None:
    x = at * wide
    slope = high * PAIRS[name][1](x / wide) / wide
    f = scaled(name, wide, high, offset)
    assert covers(difference(f, x, enough=1e-9 * abs(slope)), slope)
    assert covers(difference(f, x, slope), slope)
    assert gt.check(f, x, gradient=lambda x: slope)


def test_a_tiny_scale_with_a_large_offset() -> None:
    assert gt.check(lambda x: 1e-8 * gt.sigmoid(x / 1e-3) + 1e-2, 0.8760222598895333e-3)


def drawn(count: int) -> Iterator[tuple[str, float, float, float, float]]:
    """Points at all distances from 0, where kinks are, with all scales and offsets."""
    source = random.Random(0)
    for _ in range(count):
        at = source.choice([-1, 1]) * 3 * 10 ** source.uniform(-4, 0)
        wide, high = 10 ** source.uniform(-8, 8), 10 ** source.uniform(-8, 8)
        offset = source.choice([0.0, 1.0, 1e3, -1e6]) * high
        yield source.choice(sorted(PAIRS)), at, wide, high, offset


def test_errors_cover_many_differences() -> None:
    for name, at, wide, high, offset in drawn(20_000):
        x = at * wide
        slope = high * PAIRS[name][1](x / wide) / wide
        f = scaled(name, wide, high, offset)
        for found in (difference(f, x, enough=1e-9 * abs(slope)), difference(f, x, slope)):
            assert covers(found, slope), (name, at, wide, high, offset)


def test_differences_still_see_what_is_a_percent_off() -> None:
    seen = 0
    for name, at, wide, high, offset in drawn(1_000):
        x = at * wide
        slope = high * PAIRS[name][1](x / wide) / wide
        # The rounding of the offset, at steps of a hundredth of what the function bends in.
        rounding = EPS * (abs(offset) + high) / (0.01 * min(abs(at), 1.0) * wide)
        if rounding > 1e-3 * abs(slope):
            continue
        seen += 1
        for factor in (0.0, 0.5, 0.99, 1.01, -1.0):
            report = gt.check(
                scaled(name, wide, high, offset), x, gradient=lambda x, s=slope * factor: s
            )
            assert not report, (name, at, wide, high, offset, factor)
    assert seen > 500


@settings(deadline=None)
@given(
    st.sampled_from([gt.exp, gt.sin, gt.tanh, gt.sigmoid, gt.atan, gt.softplus]),
    st.floats(-3, 3),
    st.floats(-10, 10),
    st.floats(-10, 10),
    st.floats(-10, 10),
)
@example(gt.sigmoid, 0.8760222598895333, -3.0, -8.0, 6.0)
def test_right_gradients_under_offsets_are_not_accused(
    f: Callable[[Any], Any], at: float, wide: float, high: float, offset: float
) -> None:
    scale = 10.0**high

    def moved(x: Any) -> Any:
        return scale * f(x / 10.0**wide) + scale * 10.0**offset

    x = Value(at * 10.0**wide)
    moved(x).backward()
    for report in (gt.check(moved, x.data), gt.check(moved, x.data, gradient=lambda _: x.grad)):
        assert report, str(report)
