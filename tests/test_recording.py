"""What is recorded when a function is called with fresh values."""

import math

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value, _core

X, Y = ("input", 0), ("input", 1)
P, Q = ("parameter", 0), ("parameter", 1)


@pytest.fixture
def steps_of(recorded):
    """The steps of a function that asks nothing and captures nothing."""

    def read(call, *point):
        steps, guards, _, parameters = recorded(call, *point)
        assert guards == parameters == []
        return steps

    return read


# --- results, operands ---------------------------------------------------------------------------


def test_a_call_gets_a_list_of_values_at_the_point(recorded):
    got = []

    def call(values):
        got.append((type(values), [type(v) for v in values], [repr(v) for v in values]))
        return values

    *_, outputs, _ = recorded(call, 2.0, -0.0)
    assert got == [(list, [Value, Value], ["Value(data=2.0)", "Value(data=-0.0)"])]
    assert outputs == [X, Y]


def test_nodes_are_steps_in_their_order(steps_of):
    assert steps_of(lambda a: [(a[0] + a[1]) * a[0] - 2 / a[1]], 2.0, 3.0) == [
        ("add", "", (X, Y)),
        ("mul", "", (0, X)),
        ("div", "", (2.0, Y)),
        ("sub", "", (1, 2)),
    ]


def test_only_what_is_reached_is_recorded(steps_of):
    def call(a):
        gt.exp(a[0])
        dead = a[0] * 3
        dead = dead * dead
        return [a[0] + 1]

    assert steps_of(call, 2.0) == [("add", "", (X, 1.0))]


@pytest.mark.parametrize("constant", [-0.0, 5e-324, math.inf, 0.1, 1e308])
def test_constants_keep_their_bits(steps_of, constant):
    for expression in (
        lambda x: x * constant,
        lambda x: constant * x,
        lambda x: x * Value(constant),
        lambda x: gt.where(x, constant, x),
        lambda x: gt.sum([x, constant]),
        lambda x: gt.dot([constant], [x]),
        lambda x: gt.affine([x], [x], constant),
    ):
        ((_, _, operands),) = steps_of(lambda a, e=expression: [e(a[0])], 2.0)
        (number,) = {x for x in operands if isinstance(x, float)}
        assert (number, math.copysign(1, number)) == (constant, math.copysign(1, constant))


def test_nan_is_a_constant_too(steps_of):
    ((_, _, (_, number)),) = steps_of(lambda a: [a[0] + math.nan], 2.0)
    assert math.isnan(number)


def test_n_ary_operations_are_one_step(steps_of):
    def call(a):
        x, y = a
        layer = _core.layer([x, 2.0], (x, y, 1.0, y, y, y), "tanh")
        return [gt.sum([x, y, 3]), gt.dot([x, 4], [5, y]), gt.logsumexp([y, x]), *layer]

    assert steps_of(call, 0.5, 0.25) == [
        ("affine", "tanh", (X, 2.0, X, Y, 1.0)),
        ("affine", "tanh", (X, 2.0, Y, Y, Y)),
        ("sum", "", (X, Y, 3.0)),
        ("dot", "", (X, 4.0, 5.0, Y)),
        ("logsumexp", "", (Y, X)),
    ]


def test_empty_sums_are_steps_without_operands(steps_of):
    assert steps_of(lambda a: [a[0] + gt.sum([])], 2.0) == [("add", "", (X, 0.0))]
    steps = steps_of(lambda a: [_core.network([[]], [((a[0],), "exp")])[0][0]], 2.0)
    assert steps == [("affine", "exp", (X,))]


def test_operations_of_three_operands(steps_of):
    assert steps_of(lambda a: [gt.clip(a[0], -1, a[1])], 2.0, 3.0) == [("clip", "", (X, -1.0, Y))]


def test_outputs_may_be_anything_that_is_a_number(recorded):
    w = Value(7.0)

    def call(a):
        y = a[0] * 2
        return (y, y, a[0], w, 3, 4.5, True, np.float32(0.5), np.array(6), Value(8.0))

    steps, guards, outputs, parameters = recorded(call, 2.0)
    assert (len(steps), guards) == (1, [])
    assert outputs == [0, 0, X, P, 3.0, 4.5, 1.0, 0.5, 6.0, 8.0]
    assert all(type(x) is float for x in outputs[4:])
    assert parameters == [w]
    assert parameters[0] is w


def test_no_outputs_and_no_inputs(recorded):
    assert recorded(lambda a: []) == ([], [], [], [])


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, "the result must be a sequence .* not NoneType"),
        ([1.0, "a"], r"results\[1\] must be a Value or a real number, not str 'a'"),
        ([[1.0]], r"results\[0\] .* not list"),
        ([2j], r"results\[0\] .* not complex"),
        ([np.zeros(2)], r"results\[0\] .* not ndarray"),
    ],
)
def test_other_results_are_type_errors(result, text):
    before = _core.tape_size()
    with pytest.raises(TypeError, match=text):
        _core._record(lambda a: result, [1.0])
    with pytest.raises(TypeError, match=r"the result must be a sequence .* not Value"):
        _core._record(lambda a: a[0], [1.0])
    assert _core.tape_size() == before


# --- captured values -------------------------------------------------------------------------


def test_values_from_outside_are_parameters(recorded):
    w, b = Value(3.0), Value(4.0)
    node = w * b

    def call(a):
        return [a[0] * b + w * b + node]

    steps, guards, outputs, parameters = recorded(call, 2.0)
    assert steps == [
        ("mul", "", (X, P)),
        ("mul", "", (Q, P)),
        ("add", "", (0, 1)),
        ("add", "", (2, ("parameter", 2))),
    ]
    assert [id(p) for p in parameters] == [id(b), id(w), id(node)]
    assert (guards, outputs) == ([], [3])


def test_parameters_of_a_layer_are_numbered_as_they_stand(recorded):
    w = [Value(float(i)) for i in range(6)]
    steps, *_, parameters = recorded(lambda a: _core.layer(a, w), 1.0, 2.0)
    numbers = [[k for kind, k in step[2] if kind == "parameter"] for step in steps]
    assert numbers == [[0, 1, 2], [3, 4, 5]]
    assert all(p is v for p, v in zip(parameters, w, strict=True))


def test_captured_values_may_die_meanwhile():
    w = [Value(3.0), Value(4.0)]
    w.append(w[0] * w[1])

    def call(a):
        out = a[0] * w[0] + w[2]
        w.clear()
        [Value(9.0) for _ in range(10)]  # none of them gets the place of the dead
        return [out]

    ((inputs, steps, *_), parameters) = _core._record(call, [2.0])
    assert (inputs, steps) == (1, [("mul", "", (X, P)), ("add", "", (0, Q))])
    assert [p.data for p in parameters] == [3.0, 12.0]
    assert parameters[1].op == "*"
    assert [v.data for v in parameters[1].prev] == [3.0, 4.0]
    assert parameters[1].prev[0] is parameters[0]


def test_subclasses_are_captured_as_they_are(recorded):
    class Weight(Value):
        pass

    w = Weight(2.0, label="w")
    *_, parameters = recorded(lambda a: [a[0] * w], 1.0)
    assert parameters[0] is w


# --- leaves made inside --------------------------------------------------------------------------


def test_leaves_made_inside_are_constants(steps_of):
    class Mine(Value):
        def __init__(self, number):
            super().__init__(number + 1)

    def call(a):
        total = Value(0.0)
        for x in a:
            total = total + x * Value(3.0) + Mine(4)
        return [total]

    assert steps_of(call, 1.0) == [
        ("mul", "", (X, 3.0)),
        ("add", "", (0.0, 0)),
        ("add", "", (1, 5.0)),
    ]


def test_leaves_made_inside_may_be_assigned_to(recorded):
    def call(a):
        c = Value(1.0)
        early = a[0] * c
        c.data = 2.0
        late = a[0] * c
        _core.assign([c], [3.0])
        d = c.detach()
        d.data = c.data + 1
        return [early, late, a[0] * c, a[0] * d, c]

    steps, guards, outputs, _ = recorded(call, 5.0)
    assert steps == [("mul", "", (X, c)) for c in (1.0, 2.0, 3.0, 4.0)]
    assert guards == []
    assert outputs == [0, 1, 2, 3, 3.0]


def test_a_detached_value_may_be_assigned_to(steps_of):
    def call(a):
        d = a[0].detach()
        early = a[0] + d
        d.data = 7.0
        return [early, a[0] + d]

    steps = steps_of(call, 5.0)
    assert steps == [("detach", "", (X,)), ("add", "", (X, 0)), ("add", "", (X, 7.0))]


# --- derivatives cut off -------------------------------------------------------------------------


def test_detach_is_a_step(recorded):
    w = Value(3.0)

    def call(a):
        y = a[0] * w
        d = y.detach()
        return [d + y, d.detach() * 2, w.detach() - a[0], Value(4.0).detach() * a[0], d]

    steps, guards, outputs, _ = recorded(call, 2.0)
    assert steps == [
        ("mul", "", (X, P)),
        ("detach", "", (0,)),
        ("add", "", (1, 0)),
        ("mul", "", (1, 2.0)),
        ("detach", "", (P,)),
        ("sub", "", (4, X)),
        ("mul", "", (4.0, X)),
    ]
    assert (guards, outputs) == ([], [2, 3, 5, 6, 1])


def test_no_grad_computes_on_and_cuts_off(recorded):
    w = Value(3.0)
    made = {}

    def call(a):
        x = a[0]
        with gt.no_grad():
            made["operators"] = -(x * w) + 1
            made["three"] = gt.clip(x, 0.0, 1.0)
            made["sum"] = gt.sum([x, w])
            made["dot"] = gt.dot([x], [w])
            made["affine"] = gt.affine([x], [w], 1.0, "exp")
            made["logsumexp"] = gt.logsumexp([x, w])
            made["layer"] = _core.layer([x], (w, w), "tanh")[0]
            made["softmax"] = gt.softmax([x, w])[0]
            assert all(v.prev == () for v in made.values())
        return [v * 1.0 for v in made.values()]

    steps, guards, outputs, _ = recorded(call, 2.0)
    assert guards == []
    for output, value in zip(outputs, made.values(), strict=True):
        name, _, (operand, _) = steps[output]
        assert name == "mul"
        assert steps[operand][0] == "detach"
        assert value.data == pytest.approx(value.data)
    names = {name for name, *_ in steps}
    assert {"neg", "clip", "sum", "dot", "affine", "logsumexp", "div"} <= names
    through = [steps[operand][2][0] for operand in (steps[o][2][0] for o in outputs)]
    assert [steps[k][0] for k in through] == [
        *("add", "clip", "sum", "dot", "affine", "logsumexp", "affine", "div")
    ]


def test_no_grad_outside_is_not_the_function_s(steps_of):
    def call(a):
        return [a[0] * 2]

    with gt.no_grad():
        assert steps_of(call, 3.0) == [("mul", "", (X, 2.0))]
        assert (Value(1.0) * 2).prev == ()
    assert (Value(1.0) * 2).op == "*"


def test_no_grad_that_is_left_on_ends_with_the_function(recorded):
    def call(a):
        _core.set_recording(False)
        return [a[0] * 2]

    steps, _, outputs, _ = recorded(call, 3.0)
    assert outputs == [1]
    assert steps == [("mul", "", (X, 2.0)), ("detach", "", (0,))]
    assert (Value(1.0) * 2).op == "*"


def test_softmax_takes_its_largest_operand_along():
    def call(a):
        return [*gt.softmax([*a, 1.0]), *gt.log_softmax(a)]

    (_, steps, guards, *_), _ = _core._record(call, [0.5, -2.0])
    assert guards == []
    numbers = {x for *_, operands in steps for x in operands if isinstance(x, float)}
    assert numbers == {0.0, 1.0, -math.inf}
    assert [name for name, *_ in steps].count("detach") == 2


# --- what a replay could not do again ------------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "text"),
    [
        (lambda a, w, node: setattr(w, "data", 4.0), "data is assigned to"),
        (lambda a, w, node: setattr(a[0], "data", 4.0), "data is assigned to"),
        (lambda a, w, node: setattr(a[0] * 2, "data", 4.0), "data is assigned to"),
        (lambda a, w, node: setattr(node, "data", 4.0), "data is assigned to"),
        (lambda a, w, node: w.__init__(4.0), "data is assigned to"),
        (lambda a, w, node: _core.assign([Value(1.0), w], [2.0, 4.0]), "data is assigned to"),
        (lambda a, w, node: (a[0] * 2).backward(), r"backward\(\)"),
        (lambda a, w, node: w.backward(), r"backward\(\)"),
        (lambda a, w, node: w.grad, "grad"),
        (lambda a, w, node: setattr(a[0], "grad", 0.0), "grad"),
        (lambda a, w, node: _core.zero_grad([w]), r"zero_grad\(\)"),
        (lambda a, w, node: _core.grads([w]), r"grads\(\)"),
    ],
)
def test_deeds_are_refused(deed, text):
    w = Value(3.0)
    node = w * 2
    before = w.grad, _core.tape_size()
    with pytest.raises(RuntimeError, match=text):
        _core._record(lambda a: [deed(a, w, node)], [1.0])
    assert (w.grad, _core.tape_size()) == before
    assert (w.data, node.data) == (3.0, 6.0)
    deed([Value(1.0)], w, node)
