"""Recordings as Python data: replayed step by step, read back, and refused when malformed."""

import copy
import math
import pickle
import struct

import gradtape as gt
import pytest
from gradtape import Value, _core
from hypothesis import given, settings
from hypothesis import strategies as st

ROWS = {name: len(operands) for name, operands, *_ in _core.operations() if operands}
ACTIVATIONS = [name for name in _core.activations() if name != "linear"]
steady = settings(deadline=None, derandomize=True, database=None)


def bits(x):
    """The number's bits; all nan are one."""
    return "nan" if math.isnan(x) else struct.pack("d", x)


# --- an evaluator in plain Python ---------------------------------------------------------------


def apply(name, activation, x):
    """A step, by the module's functions of values and numbers."""
    half = len(x) // 2
    if name == "detach":
        return x[0].detach() if isinstance(x[0], Value) else x[0]
    if name == "affine":
        return _core.affine(x[:half], x[half:-1], x[-1], activation)
    if name == "dot":
        return _core.dot(x[:half], x[half:])
    if name in ("sum", "logsumexp"):
        return getattr(_core, name)(x)
    return getattr(_core, name)(*x)


def replay(state, inputs, parameters):
    """The outputs of a recording, once every guard has got its answer again."""
    count, steps, guards, outputs, _ = state
    assert count == len(inputs)
    values = []

    def number(source):
        if isinstance(source, tuple):
            kind, k = source
            return {"input": inputs, "parameter": parameters}[kind][k]
        return source if isinstance(source, float) else values[source]

    for name, activation, operands in steps:
        values.append(apply(name, activation, [number(x) for x in operands]))
    for test, a, b, holds, _ in guards:
        a, b = (x.data if isinstance(x, Value) else x for x in (number(a), number(b)))
        answer = {"less": a < b, "less_equal": a <= b, "equal": a == b, "same": bits(a) == bits(b)}
        assert answer[test] == holds
    return [number(output) for output in outputs]


# --- random functions --------------------------------------------------------------------------

picks = st.tuples(*[st.integers(0, 1000)] * 5)
numbers = st.floats(-3, 3) | st.integers(-3, 3).map(float) | st.sampled_from([math.inf, math.nan])
deeds = st.sampled_from(
    [
        *(("row", name) for name in sorted(ROWS) for _ in range(2)),
        *(("nary", name) for name in ("sum", "dot", "affine", "logsumexp", "layer", "softmax")),
        *((name, "") for name in ("compare", "test", "read", "detach", "leaf", "assign", "die")),
        *((name, "") for name in ("no_grad", "grad", "elsewhere", "copy")),
    ]
)
functions = st.lists(st.tuples(deeds, picks, numbers), min_size=1, max_size=25)
points = st.lists(numbers, min_size=1, max_size=3)


class Function:
    """A function that does a list of deeds to its arguments and to values from outside."""

    def __init__(self, deeds, outside):
        self.deeds, self.outside = deeds, outside

    def __call__(self, arguments):
        self.pool = [*arguments, *self.outside, 0.5, -2.0]
        self.own = []  # leaves that may be assigned to
        before = _core.set_recording(True)
        try:
            for (kind, name), picks, x in self.deeds:
                getattr(self, kind)(name, [self.pool[i % len(self.pool)] for i in picks], x)
        finally:
            _core.set_recording(before)
        return self.pool

    def row(self, name, x, _):
        self.pool.append(getattr(_core, name)(*x[: ROWS[name]]))

    def nary(self, name, x, number):
        activation = ACTIVATIONS[int(abs(number) * 10) if abs(number) < 3 else 0]
        if name == "layer":
            self.pool += _core.layer(x[:2], (*x[2:], *x[:3]), activation)
        elif name == "softmax":
            self.pool += gt.softmax(x[:3]) + gt.log_softmax(x[2:])
        elif name == "affine":
            self.pool.append(_core.affine(x[:2], x[2:4], x[4], activation))
        elif name == "dot":
            self.pool.append(_core.dot(x[:2], x[2:4]))
        else:
            self.pool.append(getattr(_core, name)(x))

    def compare(self, _, x, number):
        answers = [x[0] < x[1], x[1] == x[2], x[0] >= number, x[1] != x[3], x[2] > 1, x[3] <= x[4]]
        self.pool += [x[k] for k, answer in enumerate(answers[:4]) if answer]

    def test(self, _, x, number):
        self.pool.append(x[0] if x[1] else number)

    def read(self, _, x, number):
        self.pool.append(x[0].data * 2 if isinstance(x[0], Value) else number)

    def detach(self, _, x, number):
        self.pool.append(x[0].detach() if isinstance(x[0], Value) else number)

    def leaf(self, _, x, number):
        self.own.append(Value(number))
        self.pool.append(self.own[-1])

    def assign(self, _, x, number):
        if self.own:
            self.own[int(abs(number)) % len(self.own) if abs(number) < 9 else 0].data = number

    def die(self, _, x, number):
        del self.pool[len(self.pool) // 2]
        del x[:]

    def no_grad(self, _, x, number):
        _core.set_recording(False)

    def grad(self, _, x, number):
        _core.set_recording(True)

    def elsewhere(self, _, x, number):
        """Values that have nothing to do with the result."""
        y = Value(number) * 2
        _core._record(lambda a: [a[0] * y], [1.0])
        assert (y > 1) == (2 * number > 1)

    def copy(self, _, x, number):
        self.pool.append(copy.deepcopy(x[0]))


def gradient(call, point):
    """Of the sum of all results."""
    leaves = [Value(x) for x in point]
    (gt.sum(call(leaves)) * 1.0).backward()
    return [bits(leaf.grad) for leaf in leaves]


@settings(steady, max_examples=400)
@given(functions, points)
def test_replaying_the_steps_gives_the_eager_numbers(deeds, point):
    w = Value(0.75)
    outside = [w, w * 1.5 - 1, Value(-1.25)]
    function = Function(deeds, outside)
    size = _core.tape_size()
    eager = [float(x.data if isinstance(x, Value) else x) for x in function(map(Value, point))]
    function.pool = function.own = None
    state, parameters = _core._record(function, point)
    function.pool = function.own = None
    assert _core.tape_size() == size
    assert all(any(p is v for v in outside) for p in parameters)
    got = replay(state, point, [p.data for p in parameters])
    assert list(map(bits, got)) == list(map(bits, eager))
    assert gradient(lambda a: replay(state, a, parameters), point) == gradient(function, point)
    again = _core._recording(pickle.loads(pickle.dumps(state)), len(parameters))
    assert repr(again) == repr(state)


# --- reading back ----------------------------------------------------------------------------

STATE = (
    2,
    [
        ("mul", "", (("input", 0), ("parameter", 2))),
        ("affine", "tanh", (0, ("input", 1), 2.0, -0.0, math.inf)),
        ("sum", "", ()),
        ("dot", "", (1, 2, 0, 0)),
        ("detach", "", (3,)),
        ("clip", "", (4, -1.0, 1.0)),
        ("logsumexp", "", (5,)),
        ("affine", "", (6,)),
    ],
    [("less", 7, ("input", 1), True, 1), ("same", ("parameter", 0), 3.0, False, 0)],
    [7, 5.0, ("input", 0), ("parameter", 1)],
    [("a.py", 3), ("b.py", 0)],
)


def test_a_state_is_told_again_as_it_is():
    assert _core._recording(STATE, 3) == STATE
    assert repr(_core._recording(list(map(_lists, STATE)), 3)) == repr(STATE)
    assert _core._recording((0, [], [], [], []), 0) == (0, [], [], [], [])


def _lists(x):
    """The same with lists for tuples, as other formats have it."""
    return [_lists(item) for item in x] if isinstance(x, (list, tuple)) else x


@pytest.mark.parametrize("payload", [0x7FF8000000000000, 0xFFF8000000000123, 0x8000000000000000])
def test_constants_keep_every_bit(payload):
    (constant,) = struct.unpack("d", struct.pack("Q", payload))
    state = (1, [("neg", "", (constant,))], [], [constant], [])
    (_, ((_, _, (step,)),), _, (output,), _) = _core._recording(state, 0)
    assert struct.pack("d", step) == struct.pack("d", output) == struct.pack("Q", payload)


def test_every_operation_and_activation_is_read():
    for name, arity in ROWS.items():
        state = (0, [(name, "", (1.0,) * arity)], [], [0], [])
        assert _core._recording(state, 0) == state
        for count in {0, 1, 2, 3, 4} - {arity}:
            with pytest.raises(ValueError, match="operands"):
                _core._recording((0, [(name, "", (1.0,) * count)], [], [], []), 0)
    for activation in ACTIVATIONS:
        state = (0, [("affine", activation, (1.0, 2.0, 3.0))], [], [0], [])
        assert _core._recording(state, 0) == state


def step(*step):
    return (2, [("neg", "", (("input", 0),)), step], [], [], [])


def guard(*guard):
    return (2, [("neg", "", (("input", 0),))], [guard], [], [("a.py", 1)])


MALFORMED = [
    None,
    7,
    "state",
    (),
    STATE[:4],
    (*STATE, 1),
    {0: 1},
    (-1, *STATE[1:]),
    (1, *STATE[1:]),
    (2.0, *STATE[1:]),
    (True, *STATE[1:]),
    (2**32, *STATE[1:]),
    (2**400, *STATE[1:]),
    (2, None, [], [], []),
    (2, "ab", [], [], []),
    (2, [], {}, [], []),
    (2, [], [], 0, []),
    (2, [], [], [], 0),
    (2, [()], [], [], []),
    (2, [], [()], [], []),
    (2, [], [], [0], []),
    (2, [], [], ["a"], []),
    (2, [], [], [None], []),
    (2, [], [], [()], []),
    (2, [], [], [("input", 2)], []),
    (2, [], [], [("input", -1)], []),
    (2, [], [], [("input", 0.0)], []),
    (2, [], [], [("input", True)], []),
    (2, [], [], [("input", 2**64)], []),
    (2, [], [], [("parameter", 3)], []),
    (2, [], [], [("constant", 0)], []),
    (2, [], [], [(0, 0)], []),
    (2, [], [], [("input", 0, 0)], []),
    (2, [], [], [2j], []),
    (2, [], [], [], [("a.py",)]),
    (2, [], [], [], [("a.py", -1)]),
    (2, [], [], [], [("a.py", 1.0)]),
    (2, [], [], [], [(b"a.py", 1)]),
    (2, [], [], [], [("\ud800", 1)]),
    step("mul", "", (1.0,)),
    step("mul", "", 1.0),
    step("mul", "", "ab"),
    step("mul", "tanh", (1.0, 2.0)),
    step("nope", "", (1.0,)),
    step("\ud800", "", (1.0,)),
    step(1, "", (1.0,)),
    step("neg", "", (1,)),
    step("neg", "", (2,)),
    step("neg", "", (-1,)),
    step("neg", "", (True,)),
    step("neg", "", (2**70,)),
    step("dot", "", (1.0,)),
    step("affine", "", (1.0, 2.0)),
    step("affine", "", ()),
    step("affine", "pow", (1.0,)),
    step("affine", "nope", (1.0,)),
    step("affine", None, (1.0,)),
    step("affine", "sum", (1.0,)),
    step("logsumexp", "", ()),
    step("detach", "", ()),
    step("detach", "", (1.0, 2.0)),
    step("detach", "exp", (1.0,)),
    guard("less", 0, 1.0, True),
    guard("less", 0, 1.0, 1, 0),
    guard("less", 0, 1.0, True, 1),
    guard("less", 0, 1.0, True, -1),
    guard("less", 0, 1, True, 0),
    guard("more", 0, 1.0, True, 0),
    guard("", 0, 1.0, True, 0),
    guard(0, 0, 1.0, True, 0),
]


@pytest.mark.parametrize("state", MALFORMED, ids=repr)
def test_malformed_states_are_value_errors(state):
    with pytest.raises(ValueError, match="not the state of a recording"):
        _core._recording(state, 3)


junk = st.sampled_from([None, -1, 0, 1, 10**6, 10**30, 0.5, "", "mul", "input", (), [], True])
paths = st.lists(st.integers(0, 10), min_size=1, max_size=4)


def changed(state, path, what):
    """The state with something else at a path through it."""
    if not isinstance(state, (list, tuple)) or not state or not path:
        return what
    at = path[0] % len(state)
    return type(state)([*state[:at], changed(state[at], path[1:], what), *state[at + 1 :]])


@settings(steady, max_examples=500)
@given(st.lists(st.tuples(paths, junk), min_size=1, max_size=3))
def test_changed_states_are_read_or_refused(changes):
    state = STATE
    for path, what in changes:
        state = changed(state, path, what)
    try:
        again = _core._recording(state, 3)
    except ValueError:
        return  # nothing else may be raised
    assert repr(_core._recording(again, 3)) == repr(again)
