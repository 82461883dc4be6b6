"""Derivatives by differences, with how far they can be trusted."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf, isfinite, isnan, nan

__all__ = ["Difference", "difference"]

EPS = sys.float_info.epsilon

# Steps shrink by 2 - sqrt(3): a step that meets a period of the function is followed by none that
# does.
RATIO = 0.2679491924311227
ORDERS = 5
# How many smaller steps have to bear a step out.
WITNESSES = 3


@dataclass(frozen=True)
class Difference:
    """What differences say about a derivative.

    Parameters
    ----------
    value : float
        The derivative; nan where they settle on none.
    error : float
        How far it may be off: what the last steps disagree by, and the rounding of the function.
    left, right : float
        The slopes on either side; they differ at a kink.
    kind : str
        ``"smooth"``, ``"kink"`` (the slopes differ at the smallest steps that tell anything),
        ``"near a kink"`` (they differ at larger steps), ``"steep"`` (slopes grow without bound),
        ``"edge"`` (one side only), ``"noisy"``, or ``"undefined"``.
    step : float
        The step that was used.
    """

    value: float
    error: float
    left: float
    right: float
    kind: str
    step: float


@dataclass(frozen=True)
class _Step:
    h: float
    value: float
    error: float
    left: float
    right: float
    noise: float
    change: float

    @property
    def jump(self) -> float:
        return abs(self.right - self.left)


def difference(
    f: Callable[[float], float],
    x: float,
    claimed: float | None = None,
    enough: float = 0.0,
    noise: float = 0.0,
    eps: float = EPS,
) -> Difference:
    """The derivative of a function of one number by differences.

    Central differences over shrinking steps are extrapolated to step 0 (Ridders). Truncation makes
    large steps wrong and rounding small ones; the step is taken where the two together are least.

    Parameters
    ----------
    f : callable
    x : float
    claimed : float, optional
        What the derivative is said to be. Steps go on until they bear that out, or are exhausted.
    enough : float
        An error that is small enough to stop at.
    noise : float
        The rounding error of `f`, if more is known than that its last digit is rounded.
    eps : float
        The unit of rounding of the arithmetic that `f` is computed in.

    Returns
    -------
    Difference

    References
    ----------
    C. J. F. Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering
    Software 4 (1982), 75-76.

    Examples
    --------
    >>> from math import exp
    >>> found = difference(exp, 1.0)
    >>> abs(found.value - exp(1.0)) < 1e-8, found.kind
    (True, 'smooth')
    >>> found = difference(abs, 0.0)
    >>> found.kind, found.left, found.right
    ('kink', -1.0, 1.0)
    """
    centre = f(x)
    if not isfinite(centre) or not isfinite(x):
        return Difference(nan, inf, nan, nan, "undefined", 0.0)
    least = max(abs(x) * 2 * eps, 1e-30) if eps == EPS else abs(x) * 2 * eps or 1e-9
    steps: list[_Step] = []
    for step in _steps(f, x, centre, max(abs(x), 1.0) * 0.38, least, noise, eps):
        steps.append(step)
        if _settled(steps, claimed, enough):
            return _judged(steps, step)
    if not steps:
        return _one_sided(f, x, centre, eps)
    steps = _borne_out(_coarse(steps, centre))
    best = _best(steps)
    if best.error > 1e-7 * abs(best.value) and not _steep(steps):
        # A function whose value dwarfs its slope: larger steps drown less in its rounding.
        start = max(abs(x), 1.0) * 1e6
        # The last of them, too, have smaller ones to bear them out.
        least = start * 1e-6 * RATIO**WITNESSES
        larger = list(_steps(f, x, centre, start, least, noise, eps))
        # They must agree with what the others know, lest they step over all that the function does.
        better = [
            step
            for step in _straight(_borne_out(larger))
            if step.error < 0.1 * best.error and abs(step.value - best.value) <= best.error
        ]
        if better:
            return _judged([*larger, *steps], min(better, key=lambda step: step.error))
    return _judged(steps, best)


def _steps(
    f: Callable[[float], float],
    x: float,
    centre: float,
    start: float,
    least: float,
    noise: float,
    eps: float,
) -> Iterator[_Step]:
    """Steps with the extrapolation that ends in each, as far as the function is finite there."""
    h, before, widths = start, [], []  # type: float, list[float], list[float]
    while h >= least:
        high, low = x + h, x - h
        above, below = f(high), f(low)
        if isfinite(above) and isfinite(below):
            row = [(above - below) / (high - low)]
            # The last digit of x is rounded too, somewhere in f: as much as x * slope * eps.
            size = max(abs(above), abs(below), abs(centre), abs(x * row[0]))
            rounding = 4 * max(noise, eps * size) / h
            widths.append(h)
            value, error = row[0], inf if not before else abs(row[0] - before[0])
            for j in range(min(len(before), ORDERS)):
                step = row[j] - before[j]
                row.append(row[j] + step / ((widths[-2 - j] / h) ** 2 - 1))
                off = max(abs(row[-1] - row[-2]), abs(row[-1] - before[j]))
                if off < error:
                    value, error = row[-1], off
            before = row
            left, right = (centre - below) / (x - low), (above - centre) / (high - x)
            change = max(abs(centre - below), abs(above - centre))
            yield _Step(h, value, error + rounding, left, right, rounding, change)
        h *= RATIO


def _bent(steps: list[_Step]) -> bool:
    """Whether the two sides differ, and not less so for smaller steps: no smooth function's do."""
    last = steps[-1]
    if last.jump <= 4 * last.noise + 1e-7 * max(abs(last.left), abs(last.right)):
        return False
    return len(steps) < 2 or last.jump > 0.6 * steps[-2].jump


def _straight(steps: list[_Step]) -> list[_Step]:
    return [steps[i] for i in range(1, len(steps)) if not _bent(steps[: i + 1])]


def _settled(steps: list[_Step], claimed: float | None, enough: float) -> bool:
    """Whether the last step says all that is asked."""
    step = steps[-1]
    if claimed == 0.0 and abs(step.value) <= 2 * step.noise and step.error <= 4 * step.noise:
        # Unless larger steps, less drowned in rounding, saw a slope.
        return not _bent(steps) and all(abs(s.value) <= 10 * s.error for s in steps)
    if not _small(step, enough) or _bent(steps):
        return False
    if claimed is not None:
        return abs(claimed - step.value) <= 3 * step.error + 1e-8 * abs(claimed)
    # Nothing else speaks for the value, so the step before must have had it.
    return len(steps) > 1 and _small(steps[-2], enough) and _apart(steps[-2], step) <= 0


def _small(step: _Step, enough: float) -> bool:
    return step.error <= max(enough, 1e-7 * abs(step.value))


def _apart(step: _Step, smaller: _Step) -> float:
    """How much farther two steps are apart than the first's error and the other's rounding."""
    return abs(step.value - smaller.value) - step.error - smaller.noise


def _borne_out(steps: list[_Step]) -> list[_Step]:
    """The steps with errors that the smaller ones do not contradict.

    An extrapolation is said to be off by what it moved last. Now and then it moves by next to
    nothing while it is still far off: the steps that come next show that, as truncation is less
    in them.
    """
    found = []
    for i, step in enumerate(steps):
        witnesses = [x for x in steps[i + 1 : i + 1 + WITNESSES] if x.error < 0.1 * abs(x.value)]
        apart = max((_apart(step, other) for other in witnesses), default=0.0)
        found.append(replace(step, error=step.error + apart) if apart > 0 else step)
    return found


def _coarse(steps: list[_Step], centre: float) -> list[_Step]:
    """The steps with the rounding that shows where a function moves in quanta.

    What is left of large numbers that cancel has their last digits as its quantum, and is constant
    in between.
    """
    if any(later.change for later in steps[-2:]):
        return steps
    changes = [step.change for step in steps if step.change][::-1]
    if len(changes) < 4:
        return steps
    quantum = min(changes)
    if quantum < 64 * EPS * abs(centre):
        return steps
    ratios = [change / quantum for change in changes[:4]]
    slack = 4 * EPS * abs(centre) / quantum
    whole = all(abs(ratio - round(ratio)) < 1e-9 * ratio + slack for ratio in ratios)
    if not whole or ratios[3] < 3:
        return steps
    return [
        replace(step, error=step.error + 4 * quantum / step.h, noise=4 * quantum / step.h)
        for step in steps
    ]


def _differ(one: _Step, other: _Step) -> bool:
    return abs(one.value - other.value) > 10 * (one.error + other.error)


def _best(steps: list[_Step]) -> _Step:
    """The step of the least error, unless smaller ones tell that it was blind to something."""
    # Where the two sides differ, a central difference may be blind: an even function's is 0.
    steps = _straight(steps) or steps
    best = min(steps, key=lambda step: step.error)
    while True:
        # A slope of 0 may be what rounding has left of it, so it tells nothing against another.
        finer = [
            step
            for step in steps
            if step.h < best.h and _differ(step, best) and step.error < 0.1 * abs(step.value)
        ]
        if not finer:
            return best
        best = min(finer, key=lambda step: step.error)


def _judged(steps: list[_Step], best: _Step) -> Difference:
    """What kind of place the steps show."""
    # Steps whose rounding is small beside what the two sides last differed by.
    clear = [step.jump for step in steps if step.jump > 20 * step.noise]
    telling = [step for step in steps if clear and step.noise <= 0.05 * clear[-1]]
    kind, left, right = "smooth", best.value, best.value
    bent = [i for i in range(1, len(telling)) if _bent(telling[: i + 1])]
    if _steep(steps):
        kind, left, right = "steep", steps[-1].left, steps[-1].right
    elif len(bent) > 2 and bent[-1] == len(telling) - 1 and _steady(telling[-4:]):
        best = _sides(telling)
        kind, left, right = "kink", best.left, best.right
    elif (
        len(bent) > 2
        and bent[-1] + 1 < len(telling)
        and best.h < telling[bent[-1]].h
        and telling[bent[-1] + 1].jump < 0.05 * telling[bent[-1]].jump
    ):
        kind, left, right = "near a kink", telling[bent[-1]].left, telling[bent[-1]].right
    elif best.error > 0.1 * abs(best.value) and best.noise > 0.1 * abs(best.value) > 0:
        kind = "noisy"
    return Difference(best.value, best.error, left, right, kind, best.h)


def _steady(steps: list[_Step]) -> bool:
    """Whether the sides differ by the same at each step; by rounding they do more and more."""
    jumps = [step.jump for step in steps]
    return max(jumps) < 2 * min(jumps)


def _sides(steps: list[_Step]) -> _Step:
    """The step whose two slopes are the surest: they moved least, and are least rounded."""

    def off(i: int) -> float:
        step, before = steps[i], steps[i - 1]
        moved = max(abs(step.left - before.left), abs(step.right - before.right))
        return moved + 2 * step.noise

    surest = min(range(1, len(steps)), key=off)
    return replace(steps[surest], error=off(surest))


def _steep(steps: list[_Step]) -> bool:
    """Whether slopes grow all the way down."""
    if len(steps) < 8:
        return False
    slopes = [max(abs(step.left), abs(step.right)) for step in steps[-8:]]
    return all(b > 1.2 * a > 0 for a, b in pairwise(slopes))


def _one_sided(f: Callable[[float], float], x: float, centre: float, eps: float) -> Difference:
    """The derivative at the edge of where a function is defined."""
    for side in (1.0, -1.0):
        h, before, widths = max(abs(x), 1.0) * 0.38, [], []  # type: float, list[float], list[float]
        found, slopes = (nan, inf, 0.0), []
        while h >= max(abs(x) * 2 * eps, 1e-18):
            there = x + side * h
            beyond = f(there)
            if isfinite(beyond):
                row = [(beyond - centre) / (there - x)]
                widths.append(h)
                slopes.append(abs(row[0]))
                rounding = 4 * eps * max(abs(beyond), abs(centre)) / h
                for j in range(min(len(before), ORDERS)):
                    row.append(row[j] + (row[j] - before[j]) / (widths[-2 - j] / h - 1))
                    off = max(abs(row[-1] - row[-2]), abs(row[-1] - before[j])) + rounding
                    if off < found[1]:
                        found = row[-1], off, h
                before = row
            h *= RATIO
        if not isnan(found[0]):
            growing = all(b > 1.2 * a for a, b in pairwise(slopes[-8:]))
            left, right = (nan, found[0]) if side > 0 else (found[0], nan)
            return Difference(
                found[0], found[1], left, right, "steep" if growing else "edge", found[2]
            )
    return Difference(nan, inf, nan, nan, "undefined", 0.0)
