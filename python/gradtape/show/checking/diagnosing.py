"""The likeliest faults of a backward pass: those that give the gradients that it gives."""

from dataclasses import dataclass, field, replace

import numpy as np

from gradtape.show.checking.faults import (
    Variant,
    bias_variants,
    factor_named,
    incoming,
    sums_variants,
    weight_variants,
)
from gradtape.show.checking.gradients import Array
from gradtape.show.checking.network import Network

__all__ = ["Evidence", "Finding", "explained", "told_alone"]

UNEXPLAINED = 7.0
BEAM = 16


@dataclass(frozen=True)
class Finding:
    """Why a gradient is what it is.

    Parameters
    ----------
    cause : str
        Empty if nothing is wrong with how it is made.
    cost : float
        How unlikely that is.
    follows : bool
        Whether it is made rightly of something that is wrong.
    """

    cause: str
    cost: float
    follows: bool = False


@dataclass(frozen=True)
class Evidence:
    """What is known of a gradient and about it.

    Parameters
    ----------
    names : list of str
        Of the parameters.
    parameters : list of numpy.ndarray
        Their arrays.
    got : list of numpy.ndarray or None
        The gradients that were returned.
    right : list of numpy.ndarray
        What is right; nan where that was not measured.
    extra : list of numpy.ndarray or None
        What the loss adds to the gradient by the parameter itself: regularisation.
    tolerance : float
        Relative to the largest element.
    rows, units : int
        Of the batch and the prediction.
    alone : dict
        What `told_alone` has found so far.
    """

    names: list[str]
    parameters: list[Array]
    got: list[Array | None]
    right: list[Array]
    extra: list[Array | None]
    tolerance: float
    rows: int
    units: int
    alone: dict[int, "Finding"] = field(default_factory=dict)

    def same(self, got: Array, array: Array) -> bool:
        """Whether two gradients agree, where they are known."""
        if got.shape != array.shape:
            return False
        known = np.isfinite(array)
        size = float(np.max(np.abs(array[known]), initial=0.0))
        return bool(np.all(np.abs(got - array)[known] <= self.tolerance * size))

    def made_as(self, got: Array, array: Array, right: Array) -> bool:
        """Whether a gradient of some other shape than is due agrees with an array."""
        # Its numbers may cancel to nothing, so the right ones say what is small.
        small = 1e-12 * float(np.max(np.abs(right), initial=0.0))
        for one, other in ((np.squeeze(got), np.squeeze(array)), (got, array.T)):
            if one.shape == other.shape and np.allclose(one, other, self.tolerance, small):
                return True
        return False

    def plain(self, i: int, array: Array, scalable: bool = True) -> Finding | None:
        """Why a parameter's gradient is what it is, if this array would be right."""
        got = self.got[i]
        assert got is not None
        extra = self.extra[i]
        with_extra = array if extra is None else array + extra
        if got.size == array.size and got.ndim != array.ndim:
            # (n,) and (n, 1) are the same gradient; the shape is told by whoever reports.
            got = got.reshape(array.shape)
        if self.same(got, with_extra):
            return Finding("", 0.0)
        if extra is not None and self.same(got, array):
            return Finding("the regularisation term is missing", 1.5)
        if array.ndim == 2 and self.same(got, with_extra.T):
            return Finding("transposed", 1.5)
        if not scalable:
            return None
        return self._scaled(i, got, with_extra) or self._shifted(i, got, with_extra)

    def _scaled(self, i: int, got: Array, array: Array) -> Finding | None:
        for right, prefix in ((array, ""), (array.T, "transposed, and ")):
            if got.shape != right.shape or (prefix and array.ndim < 2):
                continue
            known = np.isfinite(right)
            norm = float(np.sum(right[known] ** 2))
            factor = float(np.sum(got[known] * right[known])) / norm if norm > 0 else 0.0
            if factor and np.isfinite(factor) and got.size > 1:
                if self.same(got / factor, right):
                    text, cost = factor_named(factor, self.rows, self.units)
                    return Finding(prefix + text, cost + bool(prefix))
            elif factor and got.size == 1:
                # One number is some multiple of any other: only a telling factor says something.
                text, cost = factor_named(factor, self.rows, self.units)
                return Finding(text, cost) if cost < 2.5 else None
        return None

    def _shifted(self, i: int, got: Array, right: Array) -> Finding | None:
        """A multiple of the parameter, or of its signs, that is there or is not."""
        parameter = self.parameters[i]
        if got.shape != right.shape or got.size < 2:
            return None
        off = got - right
        known = np.isfinite(off)
        for direction, what in ((parameter, ""), (np.sign(parameter), "·sign")):
            norm = float(np.sum(direction[known] ** 2))
            if norm == 0:
                continue
            factor = float(np.sum(off[known] * direction[known])) / norm
            size = float(np.max(np.abs(right[known]), initial=0.0))
            if abs(factor) * np.max(np.abs(direction)) <= 10 * self.tolerance * size:
                continue
            slack = 10 * self.tolerance * max(size, float(np.max(np.abs(off[known]))))
            if np.all(np.abs(off - factor * direction)[known] <= slack):
                term = f"{abs(factor):.6g}{what}·{self.names[i]}"
                if factor < 0:
                    return Finding(f"the regularisation term is missing or too small: by {term}", 2)
                return Finding(f"a regularisation term {term} that the loss does not have", 2)
        return None


def told_alone(evidence: Evidence, i: int) -> Finding:
    """Why a gradient is wrong, judged by the right ones alone."""
    if i not in evidence.alone:
        with np.errstate(all="ignore"):  # squares of large gradients may be beyond all numbers
            evidence.alone[i] = _told_alone(evidence, i)
    return evidence.alone[i]


def _told_alone(evidence: Evidence, i: int) -> Finding:
    got = evidence.got[i]
    assert got is not None
    right = evidence.right[i]
    if not np.any(got) and np.any(np.nan_to_num(right)):
        return Finding("all zeros: it is never computed, or overwritten", 1.0)
    found = evidence.plain(i, right)
    if found is not None:
        return found
    for k, other in enumerate(evidence.right):
        if k != i and np.any(np.nan_to_num(other)) and evidence.same(got, other):
            return Finding(f"this is the gradient of {evidence.names[k]}: swapped", 1.2)
        if k != i and got.ndim == 2 and evidence.same(got.T, other):
            return Finding(f"this is the gradient of {evidence.names[k]}, transposed", 1.4)
    return Finding("", UNEXPLAINED)


@dataclass(frozen=True)
class _State:
    """A reading of the user's backward pass down to some layer."""

    cost: float = 0.0
    sums: Array | None = None
    after: Array | None = None
    tainted: bool = False
    found: dict[int, Finding] = field(default_factory=dict)
    parts: dict[int, list[Array]] = field(default_factory=dict)


def explained(network: Network, evidence: Evidence) -> dict[int, Finding]:
    """The cheapest set of faults that gives every gradient that was returned.

    The backward pass is followed from the last layer down, with each fault that is known of put in
    at each place; what follows from a fault further down is thereby no fault of its own.
    """
    states = [_State()]
    with np.errstate(all="ignore"):  # another activation's derivative may be beyond all numbers
        for number in reversed(range(len(network.layers))):
            states = [more for state in states for more in _layer(network, evidence, number, state)]
            states = _distinct(sorted(states, key=lambda state: state.cost))
    return states[0].found


def _distinct(states: list[_State]) -> list[_State]:
    """The cheapest states, of those that go on alike only the first."""
    kept: list[_State] = []
    for state in states:
        if len(kept) == BEAM:
            break
        if not any(
            np.array_equal(_known(state.sums), _known(other.sums))
            and np.array_equal(_known(state.after), _known(other.after))
            for other in kept
        ):
            kept.append(state)
    return kept


def _known(array: Array | None) -> Array:
    assert array is not None
    return array


def _layer(network: Network, evidence: Evidence, number: int, state: _State) -> list[_State]:
    states = []
    for after in incoming(network, number, state.sums, state.after):
        for sums in sums_variants(network, number, after.array, state.sums):
            if not (after.fault and sums.fault):
                found = _judged(network, evidence, number, state, after, sums)
                states.append(found)
    # Whatever else is wrong with a delta, it may be off by a factor.
    plain = states[0]
    factor = _common_factor(network, evidence, number, plain)
    if factor is not None:
        text, cost = factor_named(factor, evidence.rows, evidence.units)
        assert plain.sums is not None
        assert plain.after is not None
        place = "the loss's derivative is" if state.sums is None else f"delta {number + 1} is"
        after = Variant(f"{place} {text}", plain.after * factor, cost)
        states.append(
            _judged(network, evidence, number, state, after, Variant("", plain.sums * factor, 0.0))
        )
    return states


def _common_factor(
    network: Network, evidence: Evidence, number: int, state: _State
) -> float | None:
    """The factor that the weights' gradient is off by, if nothing else is wrong with it."""
    layer = network.layers[number]
    got = evidence.got[layer.weight]
    assert state.sums is not None
    pred = state.sums @ layer.before.T
    pred = pred.T if layer.flipped else pred
    if got is None or got.shape != pred.shape or not np.any(pred):
        return None
    extra = evidence.extra[layer.weight]
    bare = got if extra is None else got - extra
    factor = float(np.sum(bare * pred) / np.sum(pred * pred))
    if factor == 0 or not np.isfinite(factor) or abs(factor - 1) < 1e-5:
        return None
    return factor if evidence.same(bare / factor, pred) else None


def _judged(
    network: Network,
    evidence: Evidence,
    number: int,
    state: _State,
    after: Variant,
    sums: Variant,
) -> _State:
    """The state after a layer whose adjoints are made in these ways."""
    layer = network.layers[number]
    fault = after.fault or sums.fault
    findings, parts = dict(state.found), dict(state.parts)
    cost = state.cost + after.cost + sums.cost
    tainted = state.tainted or bool(fault)
    for place in (layer.weight, layer.bias):
        if place is None:
            continue
        weight = place == layer.weight
        make = weight_variants if weight else bias_variants
        variants = []
        for text, array, price in make(network, number, sums.array, after.array):
            kept = array.T if weight and layer.flipped else array
            variants.append(Variant(text, kept, price))
        earlier = parts.get(place, [])
        parts[place] = [*earlier, variants[0].array]
        if any(place in (other.weight, other.bias) for other in network.layers[:number]):
            continue
        if evidence.got[place] is None:
            continue
        found = _cheapest(evidence, place, variants, earlier)
        cost += found.cost
        follows = tainted and not found.cause and found.cost == 0
        findings[place] = replace(found, follows=follows)
    if fault:
        findings = _blamed(layer.weight, layer.bias, findings, fault, evidence)
    return _State(cost, sums.array, after.array, tainted, findings, parts)


def _blamed(
    weight: int, bias: int | None, findings: dict[int, Finding], fault: str, evidence: Evidence
) -> dict[int, Finding]:
    """The findings with a layer's fault put down to its first gradient."""
    for place in (weight, bias):
        if place in findings and not findings[place].cause:
            findings[place] = replace(findings[place], cause=fault, follows=False)
            return findings
    return findings


def _cheapest(
    evidence: Evidence, place: int, variants: list[Variant], earlier: list[Array]
) -> Finding:
    """How a gradient is likeliest made, given the adjoints of its layer."""
    got = evidence.got[place]
    assert got is not None
    best = Finding("", UNEXPLAINED)
    parameter = evidence.parameters[place]
    if not np.any(got) and any(np.any(variant.array) for variant in variants[:1]):
        best = Finding("all zeros: it is never computed, or overwritten", 2.0)
    uses = [*earlier, variants[0].array]
    if len(uses) > 1:
        for use, which in ((uses[-1], "last"), (uses[0], "first")):
            if evidence.same(got, use.reshape(parameter.shape)):
                text = f"'=' for '+=': of {len(uses)} uses only the {which} counts"
                best = Finding(text, 1.0)
    for variant in variants:
        if variant.cost >= best.cost:
            continue
        array = variant.array + sum(earlier) if earlier and not variant.fault else variant.array
        if array.size == parameter.size:
            array = array.reshape(parameter.shape)
            found = evidence.plain(place, array, not variant.fault)
        else:
            found = Finding("", 0.0) if evidence.made_as(got, array, variants[0].array) else None
        if found is None or found.cost + variant.cost >= best.cost:
            continue
        best = Finding(_joined(variant.fault, found.cause), found.cost + variant.cost)
    if best.cost > 1:
        alone = told_alone(evidence, place)
        if 0 < alone.cost < best.cost:
            return alone
    return best


def _joined(one: str, other: str) -> str:
    return f"{one}; and {other}" if one and other else one or other
