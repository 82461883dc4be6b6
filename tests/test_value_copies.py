"""Subclasses, attributes, weak references, copies and pickles of graphs."""

import copy
import gc
import pickle
import weakref

import gradtape as gt
import pytest
from gradtape import Value, _core


class Parameter(Value):
    """A subclass whose `__init__` takes other arguments."""

    def __init__(self, name, scale=1.0, *, unit="m"):
        super().__init__(2.0 * scale, label=name)
        self.unit = unit


class Bare(Value):
    """A subclass that never calls `Value.__init__`."""

    def __init__(self, anything):
        self.anything = anything


class Slotted(Value):
    """A subclass with slots of its own."""

    __slots__ = ("extra",)


def test_subclasses():
    p = Parameter("p", 1.5, unit="s")
    assert (p.data, p.label, p.unit, isinstance(p, Value)) == (3.0, "p", "s", True)
    assert repr(p) == "Parameter(data=3.0, label='p')"
    y = 2 * p + p**2 + gt.dot([p], [p])
    y.backward()
    assert (y.data, p.grad, type(y)) == (24.0, 14.0, Value)
    assert y.prev[0].prev[0].prev[0] is p
    b = Bare("thing")
    assert (b.data, b.anything) == (0.0, "thing")
    s = Slotted(4.0)
    s.extra = [s]  # a cycle, which the collector breaks
    assert (s * 2).data == 8.0
    gone = weakref.ref(s)
    del s
    gc.collect()
    assert gone() is None
    with pytest.raises(TypeError, match="str"):
        Parameter(2)


def test_user_attributes_and_weak_references():
    x = Value(1.0)
    y = x * 2
    y.note, x.history = "inner", [1, 2]
    assert (y.note, vars(x)) == ("inner", {"history": [1, 2]})
    with pytest.raises(AttributeError):
        _ = x.nothing
    events = []
    ref, proxy = weakref.ref(y, events.append), weakref.proxy(x)
    assert ref() is y
    assert (proxy.data, len(weakref.WeakSet([x, y]))) == (1.0, 2)
    del y
    assert ref() is None
    assert len(events) == 1
    fresh = [Value(0.0) for _ in range(10)]  # some in the dead one's memory
    assert all(vars(v) == {} and v.label == "" for v in fresh)


def copies():
    yield "deepcopy", copy.deepcopy
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield f"pickle {protocol}", lambda v, p=protocol: pickle.loads(pickle.dumps(v, p))


COPIES = dict(copies())
each_copy = pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)


@each_copy
def test_a_copied_graph_stays_one_graph(duplicate):
    x, p = Value(0.5, label="x"), Parameter("p", 0.25, unit="kg")
    h = x * p
    h.note = ["attribute"]
    out = gt.tanh(h + x) * gt.affine([h, 2.0], [x, p], 1.0, "sigmoid") / gt.where(1.0, h, x)
    out.backward()
    x2, p2, h2, out2 = duplicate([x, p, h, out])
    assert [v.data for v in (x2, p2, h2, out2)] == [v.data for v in (x, p, h, out)]
    assert [v.grad for v in (x2, p2, h2, out2)] == [v.grad for v in (x, p, h, out)]
    assert (x2.label, p2.label, p2.unit, h2.note) == ("x", "p", "kg", ["attribute"])
    assert (type(p2), h2.op, out2.op) == (Parameter, "*", "/")
    assert h2.prev[0] is x2
    assert h2.prev[1] is p2
    assert h2.note is not h.note
    assert [v.data for v in out2.prev] == [v.data for v in out.prev]
    out2.backward()
    assert [v.grad for v in (x2, p2, h2)] == [2 * x.grad, 2 * p.grad, h.grad]
    assert out2.prev[0].prev[0].prev[0].prev[0] is h2
    assert out2.prev[0].prev[1].prev[0] is h2
    x2.data = 9.0
    assert (x.data, out2.data) == (0.5, out.data)


@each_copy
def test_a_copied_graph_with_shared_dead_temporaries_has_the_same_gradients(duplicate):
    x = Value(0.5)
    t = x * 2.0
    a, b = t + 1.0, t * 3.0
    del t
    x2, a2, b2 = duplicate([x, a, b])
    (a2 * b2).backward()
    (a * b).backward()
    assert (x2.grad, a2.grad, b2.grad) == (x.grad, a.grad, b.grad)


@each_copy
def test_copies_of_graphs_whose_leaves_are_dead(duplicate):
    x = Value(2.0)
    out = gt.sum([Value(3.0) * x, Value(4.0), x])
    x2, out2 = duplicate([x, out])
    out2.backward()
    assert (out2.data, x2.grad, x.grad) == (12.0, 4.0, 0.0)
    assert out2.prev[1].data == 4.0


def test_a_shallow_copy_shares_its_operands():
    x = Value(2.0)
    y = copy.copy(x * 3)
    assert y.prev[0] is x
    y.backward()
    assert x.grad == 3.0
    assert copy.copy(x) is not x


def test_what_is_no_state_is_refused():
    ok = ("mul", None, [(-2, 3.0), (-1, 3.0)])
    x = Value(2.0)
    assert _core._restore(Value, 6.0, 0.0, None, (x,), [ok]).prev[0] is x
    for nodes in (
        [("nope", None, [(-2, 1.0)])],
        [("mul", None, [(-2, 3.0)])],
        [("mul", None, [(0, 3.0), (-2, 1.0)])],
        [("mul", None, [(-3, 3.0), (-2, 1.0)])],
        [("affine", "nope", [(-2, 1.0), (-1, 1.0), (-1, 0.0)])],
    ):
        with pytest.raises(ValueError, match="state"):
            _core._restore(Value, 6.0, 0.0, None, (x,), nodes)
    with pytest.raises(ValueError, match="state"):
        _core._restore(float, 6.0, 0.0, None, (), [])
