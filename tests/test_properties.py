"""Random expressions: the reverse sweep against finite differences and against tangents."""

import itertools
import math

import gradtape as gt
import pytest
from gradtape import Value, _core
from hypothesis import given, settings
from hypothesis import strategies as st

ROWS = {name: len(operands) for name, operands, *_ in _core.operations() if operands}

# Where each row is smooth: ranges of its operands, away from kinks, or a number that is not
# differentiated. A row that is missing here fails a test.
ANY = [[(-1.5, 1.5)]]
SIDES = [[(0.3, 1.5)], [(-1.5, -0.3)]]
POSITIVE = [[(0.3, 2.5)]]
APART = [[(0.0, 1.0), (2.0, 3.0)], [(2.0, 3.0), (0.0, 1.0)]]
INSIDE = [[(-0.8, 0.8)]]
PAIRS = [[(-1.5, 1.5), (-1.5, 1.5)]]
SLOPES = [[*side, (0.1, 1.0)] for side in SIDES]
PLANE = [[(0.5, 2.0), (-1.5, 1.5)], [(-1.5, 1.5), (0.5, 2.0)]]
DOMAINS = {
    **dict.fromkeys(
        ["neg", "exp", "expm1", "sin", "cos", "atan", "sinh", "cosh", "tanh", "asinh", "erf"], ANY
    ),
    **dict.fromkeys(["erfc", "norm_cdf", "sigmoid", "softplus", "gelu", "silu"], ANY),
    **dict.fromkeys(["abs", "sign", "relu", "cbrt"], SIDES),
    **dict.fromkeys(["log", "log2", "log10", "sqrt", "lgamma", "digamma"], POSITIVE),
    **dict.fromkeys(["maximum", "minimum", "greater", "greater_equal", "equal"], APART),
    **dict.fromkeys(["asin", "acos", "atanh"], INSIDE),
    **dict.fromkeys(["add", "sub", "mul"], PAIRS),
    **dict.fromkeys(["atan2", "hypot"], PLANE),
    **dict.fromkeys(["leaky_relu", "elu"], SLOPES),
    "log1p": [[(-0.5, 2.0)]],
    "acosh": [[(1.3, 3.0)]],
    "tan": [[(-1.0, 1.0)]],
    "norm_ppf": [[(0.1, 0.9)]],
    "div": [[(-1.5, 1.5), (0.5, 2.0)], [(-1.5, 1.5), (-2.0, -0.5)]],
    "pow": [[(0.3, 2.0), (-1.5, 2.5)], [(-1.5, 1.5), 3.0], [(-2.0, -0.5), -2.0]],
    "polygamma": [[1.0, (0.5, 3.0)], [2.0, (0.5, 3.0)], [3.0, (0.7, 3.0)]],
    "where": [[0.0, (-1.5, 1.5), (-1.5, 1.5)], [(0.5, 1.5), (-1.5, 1.5), (-1.5, 1.5)]],
    "clip": [
        [(-0.5, 0.5), (-2.0, -1.0), (1.0, 2.0)],
        [(2.5, 3.0), (-2.0, -1.0), (1.0, 2.0)],
        [(-3.0, -2.5), (-2.0, -1.0), (1.0, 2.0)],
    ],
}

STEPS = [(name, k) for name, domains in sorted(DOMAINS.items()) for k in range(len(domains))]
step = st.tuples(st.sampled_from(STEPS), st.tuples(*[st.integers(0, 1000)] * 3), st.booleans())
programs = st.lists(step, min_size=1, max_size=12)
coordinates = st.floats(-1.0, 1.0, allow_subnormal=False)
points = st.lists(coordinates, min_size=1, max_size=4)
steady = settings(deadline=None, derandomize=True, database=None)


def evaluate(program, xs, apply):
    """The sum of a program's values: every step squashes its operands into where it is smooth."""
    values = list(xs)
    for (name, k), picks, fold in program:
        operands = []
        for number, (pick, range_) in enumerate(zip(picks, DOMAINS[name][k], strict=False)):
            if isinstance(range_, float):
                operands.append(range_)
            elif fold and number == 1:
                operands.append(sum(range_) / 2)  # a constant beside a value
            else:
                low, high = range_
                squashed = apply("tanh", values[pick % len(values)])
                scaled = apply("mul", squashed, (high - low) / 2)
                operands.append(apply("add", scaled, (low + high) / 2))
        values.append(apply(name, *operands))
    total = apply("mul", values[0], 1.0)
    for value in values[len(xs) :]:
        total = apply("add", total, value)
    return total


def by_core(name, *operands):
    return getattr(_core, name)(*operands)


def by_tangents(name, *operands):
    """Pairs of value and tangent, through the rows' own derivatives."""
    pairs = [x if isinstance(x, tuple) else (x, 0.0) for x in operands]
    value, first, _ = _core.derivatives(name, [x for x, _ in pairs])
    return value, math.fsum(t * p for (_, t), p in zip(pairs, first, strict=True) if t and p)


def test_every_row_takes_part():
    assert set(DOMAINS) == set(ROWS)
    for name, k in STEPS:
        assert len(DOMAINS[name][k]) == ROWS[name]


@settings(steady, max_examples=300)
@given(programs, points)
def test_gradients_agree_with_tangents(program, xs):
    leaves = [Value(x) for x in xs]
    out = evaluate(program, leaves, by_core)
    plain = evaluate(program, xs, by_core)
    assert out.data == plain
    out.backward()
    scale = 1.0
    for i, leaf in enumerate(leaves):
        dual = [(x, float(i == k)) for k, x in enumerate(xs)]
        value, tangent = evaluate(program, dual, by_tangents)
        assert value == plain
        scale = max(scale, abs(tangent))
        assert abs(leaf.grad - tangent) <= 1e-12 * scale
    first = [leaf.grad for leaf in leaves]
    out.backward()
    assert [leaf.grad for leaf in leaves] == [2 * g for g in first]


@settings(steady, max_examples=200)
@given(programs, points)
def test_gradients_agree_with_finite_differences(program, xs):
    leaves = [Value(x) for x in xs]
    evaluate(program, leaves, by_core).backward()
    for i, leaf in enumerate(leaves):

        def along(t, i=i):
            return evaluate(program, [x + t * (k == i) for k, x in enumerate(xs)], by_core)

        def difference(h, along=along):
            return (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)

        fine, coarse = difference(2.5e-4), difference(1e-3)
        error = abs(fine - coarse) + 1e-9 * (1 + abs(fine))  # what the step itself leaves open
        assert abs(leaf.grad - fine) <= error
        assert error <= 1e-3 * (1 + abs(fine))


@pytest.mark.parametrize(("name", "k"), STEPS)
def test_each_row_alone_against_finite_differences(name, k):
    ranges = DOMAINS[name][k]
    for at in itertools.product(*([r] if isinstance(r, float) else _inside(*r) for r in ranges)):
        leaves = [Value(x) for x in at]
        by_core(name, *leaves).backward()
        for i, leaf in enumerate(leaves):
            if isinstance(ranges[i], float):
                continue
            h = 1e-3

            def along(t, i=i, at=at):
                return by_core(name, *(x + t * (j == i) for j, x in enumerate(at)))

            slope = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
            assert leaf.grad == pytest.approx(slope, rel=1e-7, abs=1e-8)


def _inside(low, high):
    return [low + (high - low) * t for t in (0.1, 0.37, 0.82)]


# --- n-ary nodes against + and * ----------------------------------------------------------------

numbers = st.floats(-2.0, 2.0, allow_subnormal=False)
# A run: constants, leaves that are shared, and inner values, as indices into a pool.
runs = st.lists(st.integers(0, 11), min_size=0, max_size=9)


def pool(xs):
    """Three leaves, three inner values of them (neighbours on the tape), and constants."""
    leaves = [Value(x) for x in xs]
    inner = _core.layer([leaves[0], 0.5], (*leaves, *reversed(leaves)), "sin")
    inner.append(leaves[0] * leaves[2])
    return leaves, [*leaves, *inner, *reversed(leaves), 1.25, -0.5, 0.0]


def by_hand(name, runs_, activation):
    if name == "sum":
        total = 0.0
        for x in runs_[0]:
            total = total + x
        return total
    total = 0.0
    for x, w in zip(runs_[0], runs_[1], strict=True):
        total = total + x * w
    if name == "dot":
        return total
    total = total + runs_[2]
    return getattr(_core, activation)(total) if activation else total


def natively(name, runs_, activation):
    if name == "layer":
        return _core.layer(runs_[0], (*runs_[1], runs_[2]), activation)[0]
    extra = [activation] if name == "affine" else []
    return getattr(_core, name)(*runs_, *extra)


def gradients(function, xs, first, second, bias, name, activation):
    leaves, p = pool(xs)
    n = min(len(first), len(second))
    arguments = {
        "sum": [[p[i] for i in first]],
        "dot": [[p[i] for i in first[:n]], [p[i] for i in second[:n]]],
    }.get(name, [[p[i] for i in first[:n]], [p[i] for i in second[:n]], p[bias]])
    out = function(name, arguments, activation)
    if not isinstance(out, Value):
        out = Value(out)  # of constants alone
    (out * 3.0).backward(0.5)
    return out.data, [leaf.grad for leaf in leaves]


@settings(steady, max_examples=400)
@given(
    st.lists(numbers, min_size=3, max_size=3),
    runs,
    runs,
    st.integers(0, 11),
    st.sampled_from(["sum", "dot", "affine", "layer"]),
    st.sampled_from(["", "tanh", "relu", "sigmoid", "softplus", "gelu", "abs", "exp"]),
)
def test_n_ary_nodes_are_what_their_steps_are(xs, first, second, bias, name, activation):
    arguments = (xs, first, second, bias, name, activation)
    data, got = gradients(natively, *arguments)
    steps, want = gradients(by_hand, *arguments)
    assert data == steps
    assert len(got) == len(want)
    scale = max([1.0, *map(abs, want)])
    assert all(abs(g - w) <= 1e-12 * scale for g, w in zip(got, want, strict=True))


@settings(steady, max_examples=150)
@given(st.lists(numbers, min_size=8, max_size=8), st.sampled_from(["", "tanh", "relu", "silu"]))
def test_layers_in_a_row_are_what_neurons_in_plain_operators_are(xs, activation):
    def network(dense):
        inputs = [Value(x) for x in xs[:3]]
        one = [Value(x * 0.5 + 0.1 * k) for k, x in enumerate(xs + xs)]
        two = [Value(x - 0.05 * k) for k, x in enumerate(xs + xs[:2])]
        hidden = dense(inputs, one, activation)
        outputs = dense([*hidden[:3], hidden[0]], two, "")
        loss = sum((o - 0.3) ** 2 for o in outputs) + hidden[3]
        loss.backward()
        return loss.data, [v.grad for v in (*inputs, *one, *two)]

    def plain(x, w, activation):
        width = len(x) + 1
        neurons = [w[k : k + width] for k in range(0, len(w), width)]
        return [by_hand("affine", [x, n[:-1], n[-1]], activation) for n in neurons]

    data, got = network(_core.layer)
    steps, want = network(plain)
    assert data == steps
    scale = max(1.0, *map(abs, want))
    assert all(abs(g - w) <= 1e-12 * scale for g, w in zip(got, want, strict=True))


@settings(steady, max_examples=100)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6), st.integers(0, 5))
def test_softmax_and_logsumexp_are_what_their_formulas_are(xs, k):
    k %= len(xs)

    def total(leaves):
        return sum(gt.exp(x) for x in leaves)

    for native, formula in (
        (lambda v: gt.logsumexp(v), lambda v: gt.log(total(v))),
        (lambda v: gt.softmax(v)[k], lambda v: gt.exp(v[k]) / total(v)),
        (lambda v: gt.log_softmax(v)[k], lambda v: v[k] - gt.log(total(v))),
    ):
        a, b = [Value(x) for x in xs], [Value(x) for x in xs]
        got, want = native(a), formula(b)
        assert got.data == pytest.approx(want.data, rel=1e-12, abs=1e-12)
        got.backward()
        want.backward()
        for x, y in zip(a, b, strict=True):
            assert x.grad == pytest.approx(y.grad, rel=1e-12, abs=1e-12)
