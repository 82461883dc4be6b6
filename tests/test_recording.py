"""What is recorded when a function is called with fresh values."""

import copy
import math
import pickle

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value, _core

X, Y = ("input", 0), ("input", 1)
P, Q = ("parameter", 0), ("parameter", 1)


def recorded(call, *point):
    """Steps, guards without their places, outputs and parameters; the tape is left as it was."""
    before = _core.tape_size()
    (inputs, steps, guards, outputs, places), parameters = _core._record(call, point)
    assert inputs == len(point)
    assert _core.tape_size() == before
    assert all(0 <= guard[4] < len(places) for guard in guards)
    return steps, [guard[:4] for guard in guards], outputs, parameters


def steps_of(call, *point):
    """The steps of a function that asks nothing and captures nothing."""
    steps, guards, _, parameters = recorded(call, *point)
    assert guards == parameters == []
    return steps


def guards_of(call, *point):
    steps, guards, _, parameters = recorded(call, *point)
    assert steps == parameters == []
    return guards


# --- results, operands ---------------------------------------------------------------------------


def test_a_call_gets_a_list_of_values_at_the_point():
    got = []

    def call(values):
        got.append((type(values), [type(v) for v in values], [repr(v) for v in values]))
        return values

    *_, outputs, _ = recorded(call, 2.0, -0.0)
    assert got == [(list, [Value, Value], ["Value(data=2.0)", "Value(data=-0.0)"])]
    assert outputs == [X, Y]


def test_nodes_are_steps_in_their_order():
    assert steps_of(lambda a: [(a[0] + a[1]) * a[0] - 2 / a[1]], 2.0, 3.0) == [
        ("add", "", (X, Y)),
        ("mul", "", (0, X)),
        ("div", "", (2.0, Y)),
        ("sub", "", (1, 2)),
    ]


def test_only_what_is_reached_is_recorded():
    def call(a):
        gt.exp(a[0])
        dead = a[0] * 3
        dead = dead * dead
        return [a[0] + 1]

    assert steps_of(call, 2.0) == [("add", "", (X, 1.0))]


@pytest.mark.parametrize("constant", [-0.0, 5e-324, math.inf, 0.1, 1e308])
def test_constants_keep_their_bits(constant):
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


def test_nan_is_a_constant_too():
    ((_, _, (_, number)),) = steps_of(lambda a: [a[0] + math.nan], 2.0)
    assert math.isnan(number)


def test_n_ary_operations_are_one_step():
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


def test_empty_sums_are_steps_without_operands():
    assert steps_of(lambda a: [a[0] + gt.sum([])], 2.0) == [("add", "", (X, 0.0))]
    steps = steps_of(lambda a: [_core.network([[]], [((a[0],), "exp")])[0][0]], 2.0)
    assert steps == [("affine", "exp", (X,))]


def test_operations_of_three_operands():
    assert steps_of(lambda a: [gt.clip(a[0], -1, a[1])], 2.0, 3.0) == [("clip", "", (X, -1.0, Y))]


def test_outputs_may_be_anything_that_is_a_number():
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


def test_no_outputs_and_no_inputs():
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


def test_values_from_outside_are_parameters():
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


def test_parameters_of_a_layer_are_numbered_as_they_stand():
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


def test_subclasses_are_captured_as_they_are():
    class Weight(Value):
        pass

    w = Weight(2.0, label="w")
    *_, parameters = recorded(lambda a: [a[0] * w], 1.0)
    assert parameters[0] is w


# --- leaves made inside --------------------------------------------------------------------------


def test_leaves_made_inside_are_constants():
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


def test_leaves_made_inside_may_be_assigned_to():
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


def test_a_detached_value_may_be_assigned_to():
    def call(a):
        d = a[0].detach()
        early = a[0] + d
        d.data = 7.0
        return [early, a[0] + d]

    steps = steps_of(call, 5.0)
    assert steps == [("detach", "", (X,)), ("add", "", (X, 0)), ("add", "", (X, 7.0))]


# --- comparisons ----------------------------------------------------------------------------

COMPARISONS = [
    (lambda x, y: x < y, "less", False, False),
    (lambda x, y: x <= y, "less_equal", False, False),
    (lambda x, y: x == y, "equal", False, False),
    (lambda x, y: x != y, "equal", False, True),
    (lambda x, y: x > y, "less", True, False),
    (lambda x, y: x >= y, "less_equal", True, False),
]


@pytest.mark.parametrize(("compare", "test", "swapped", "negated"), COMPARISONS)
@pytest.mark.parametrize("point", [(1.0, 2.0), (2.0, 1.0), (2.0, 2.0), (math.nan, 2.0)])
def test_comparisons_are_guards(compare, test, swapped, negated, point):
    answers = []

    def call(a):
        answers.append(compare(*a))
        answers.append(compare(a[0], point[1]))
        return []

    guards = guards_of(call, *point)
    want = compare(*point)
    assert answers == [want, want]
    assert all(type(answer) is bool for answer in answers)
    for guard, other in zip(guards, (Y, point[1]), strict=True):
        assert guard == (test, *((other, X) if swapped else (X, other)), want != negated)


@pytest.mark.parametrize("other", [2, True, np.float32(2), np.int64(2), np.array(2.0), 2**60])
def test_comparisons_with_numbers_on_either_side(other):
    number = float(other)
    assert guards_of(lambda a: [other < a[0]], 3.0) == [("less", number, X, number < 3)]
    assert guards_of(lambda a: [a[0] < other], 3.0) == [("less", X, number, number > 3)]


@pytest.mark.parametrize("huge", [2**53 + 1, -(10**400), 10**400])
def test_ints_that_no_float_equals_pin_the_number(huge):
    assert guards_of(lambda a: [a[0] < huge], 2.0**53) == [("same", X, 2.0**53, True)]
    assert guards_of(lambda a: [a[0] == huge], 3.0) == [("same", X, 3.0, True)]


def test_truth_is_a_guard():
    assert guards_of(lambda a: [bool(a[0])], 3.0) == [("equal", X, 0.0, False)]
    assert guards_of(lambda a: [not a[0]], 0.0) == [("equal", X, 0.0, True)]
    assert guards_of(lambda a: [not a[0]], math.nan) == [("equal", X, 0.0, False)]


def test_python_s_own_functions_ask_through_comparisons():
    asked = guards_of(lambda a: [max(a), sorted(a)[0]], 1.0, 2.0)
    assert asked == [("less", X, Y, True), ("less", Y, X, False)]


def test_comparisons_with_other_things_record_nothing():
    def call(a):
        assert (a[0] == "a") is False
        assert (a[0] != None) is True  # noqa: E711
        with pytest.raises(TypeError):
            a[0] < "a"  # noqa: B015
        return a

    assert guards_of(call, 1.0) == []


def test_what_is_the_same_in_every_call_is_no_guard():
    def call(a):
        c = Value(2.0)
        assert c > 1
        assert c
        assert c == Value(2.0)
        assert c.data == 2.0
        return a

    assert guards_of(call, 1.0) == []


def test_guards_on_steps_and_parameters_reach_them():
    w = Value(3.0)

    def call(a):
        unused = gt.exp(a[0] * w)
        return [1.0 if unused > w else 2.0]

    steps, guards, outputs, parameters = recorded(call, 1.0)
    assert steps == [("mul", "", (X, P)), ("exp", "", (0,))]
    assert (guards, outputs) == ([("less", P, 1, True)], [1.0])
    assert parameters[0] is w


def test_guards_name_the_line_outside_the_package():
    def call(a):
        elementwise = np.array([a[0]], dtype=object) > 1
        with pytest.raises(ValueError, match="target is -1 or 1"):
            gt.losses.hinge([elementwise[0]], [a[0]])
        return a

    (_, _, guards, _, places), _ = _core._record(call, [2.0])
    first = call.__code__.co_firstlineno
    assert [guard[1:3] for guard in guards] == [(1.0, X), (X, -1.0), (X, 1.0)]
    assert [places[guard[4]] for guard in guards] == [
        (__file__, first + 1),
        (__file__, first + 3),
        (__file__, first + 3),
    ]


def test_guards_of_one_line_share_its_place():
    (_, _, guards, _, places), _ = _core._record(lambda a: [a[0] < i for i in range(9)], [2.0])
    assert len(guards) == 9
    assert len(places) == 1


# --- numbers taken out -------------------------------------------------------------------------


def test_reading_the_data_pins_the_number():
    w = Value(3.0)
    node = w * 2

    def call(a):
        y = a[0] * 2
        return [y.data, w.data, *_core.data([a[0], node]), a[0].detach().data]

    steps, guards, outputs, _ = recorded(call, 5.0)
    assert steps == [("mul", "", (X, 2.0))]
    assert guards == [
        ("same", 0, 10.0, True),
        ("same", P, 3.0, True),
        ("same", X, 5.0, True),
        ("same", Q, 6.0, True),
        ("same", X, 5.0, True),
    ]
    assert outputs == [10.0, 3.0, 5.0, 6.0, 5.0]


def test_looking_is_free():
    def call(a):
        y = a[0] * 2
        assert (repr(y), f"{y}", y.op, y.prev, y.label) == (str(y), str(y), "*", (a[0],), "")
        return [y if hash(y) == hash(y) and y is not None and y in [y] else 0.0]

    assert recorded(call, 5.0) == ([("mul", "", (X, 2.0))], [], [0], [])


def test_copies_and_pickles_pin_the_number():
    for copied in (copy.deepcopy, copy.copy, lambda v: pickle.loads(pickle.dumps(v))):
        steps, guards, outputs, _ = recorded(lambda a, c=copied: [c(a[0]) * a[0]], 3.0)
        assert guards == [("same", X, 3.0, True)]
        assert steps == [("mul", "", (3.0, X))]
        assert outputs == [0]


def test_a_copied_graph_stands_on_pinned_leaves():
    steps, guards, _, _ = recorded(lambda a: [copy.deepcopy(gt.exp(a[0] * 2)) * a[0]], 3.0)
    assert ("same", X, 3.0, True) in guards
    assert [step for step in steps if step[0] != "mul"] == [
        ("exp", "", (0,)),  # the one that is copied: its number is pinned
        ("exp", "", (2,)),
    ]
    assert steps[2] == ("mul", "", (3.0, 2.0))


# --- derivatives cut off -------------------------------------------------------------------------


def test_detach_is_a_step():
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


def test_no_grad_computes_on_and_cuts_off():
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


def test_no_grad_outside_is_not_the_function_s():
    def call(a):
        return [a[0] * 2]

    with gt.no_grad():
        assert steps_of(call, 3.0) == [("mul", "", (X, 2.0))]
        assert (Value(1.0) * 2).prev == ()
    assert (Value(1.0) * 2).op == "*"


def test_no_grad_that_is_left_on_ends_with_the_function():
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
