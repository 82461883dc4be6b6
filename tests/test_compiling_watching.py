"""What a function reads outside itself may change: the answer is always the plain function's."""

import gc
import types
import weakref
from functools import cached_property

import gradtape as gt
import pytest
from gradtape import Value
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

NUMBERS = st.sampled_from([0.0, -0.0, 1.0, 2.0, -3.0, float("inf"), 1, True])
SETTINGS = types.SimpleNamespace(rate=1.0, inner=types.SimpleNamespace(rate=1.0))
MODULE = types.ModuleType("constants")
exec("def times(x):\n    return x * factor", vars(MODULE))
SCALE = 1.0


class Base:
    shift = 1.0

    def shifted(self, x):
        return x + self.shift


class Model(Base):
    __slots__ = ("slot",)
    factor = 1.0

    def __init__(self):
        self._rate, self.slot, self.power = 1.0, 1.0, 1.0
        self.weight = Value(1.0)
        self.layers = [Value(1.0), 2.0]

    @property
    def rate(self):
        return self._rate

    @staticmethod
    def scaled(x):
        return x * SCALE

    def __call__(self, x):
        y = self.shifted(x) * self.rate + self.slot
        y = y * self.weight + self.layers[0] * self.factor
        y = self.scaled(y) + x * SETTINGS.rate + SETTINGS.inner.rate * x
        return y + MODULE.rate * x + MODULE.times(x)

    compiled = gt.compile(__call__)


def default(x, k=1.0, *, j=2.0):
    return x * k + j


class Changes(RuleBasedStateMachine):
    """Whatever changes between two calls, compiled and plain functions give the same bits."""

    def __init__(self):
        super().__init__()
        MODULE.rate = MODULE.factor = SETTINGS.rate = 1.0
        self.model = Model()
        self.default = gt.compile(default)
        self.free = gt.compile(self.model.__call__)
        model = self.model
        self.closed = gt.compile(lambda x: model.shifted(x) * model.rate)

    def teardown(self):
        Base.shift = Model.factor = 1.0
        default.__defaults__, default.__kwdefaults__ = (1.0,), {"j": 2.0}

    @rule(name=st.sampled_from(["_rate", "slot", "factor", "shift", "power"]), x=NUMBERS)
    def of_the_object(self, name, x):
        setattr(self.model, name, x)

    @rule(owner=st.sampled_from([(Base, "shift"), (Model, "factor")]), x=NUMBERS)
    def of_a_class(self, owner, x):
        setattr(*owner, x)

    @rule(holder=st.sampled_from([SETTINGS, SETTINGS.inner, MODULE]), x=NUMBERS)
    def of_a_thing_with_a_name(self, holder, x):
        holder.rate = x

    @rule(x=NUMBERS)
    def read_by_a_function_of_another_module(self, x):
        MODULE.factor = x

    @rule(x=NUMBERS)
    def of_the_module(self, x):
        global SCALE
        SCALE = x

    @rule(x=NUMBERS)
    def another_value(self, x):
        self.model.weight = Value(x)

    @rule(x=NUMBERS)
    def another_list(self, x):
        self.model.layers = [Value(x), x]

    @rule(x=NUMBERS)
    def another_default(self, x):
        default.__defaults__, default.__kwdefaults__ = (x,), {"j": x}

    @invariant()
    def the_same(self):
        for x in (1.5, -0.0):
            plain = Value(x)
            for one in (self.model.compiled, self.free):
                assert repr(one(x)) == repr(self.model(plain).data)
            assert repr(self.closed(x)) == repr((self.model.shifted(plain) * self.model.rate).data)
            assert repr(self.default(x)) == repr(default(plain).data)


TestChanges = Changes.TestCase
TestChanges.settings = settings(
    deadline=None, derandomize=True, database=None, max_examples=40, stateful_step_count=12
)


def test_nothing_is_recorded_anew_while_nothing_changes():
    model = Model()
    model.compiled(1.0), model.compiled(2.0)
    form = next(iter(model.compiled._recordings.forms.values()))
    for _ in range(3):
        model.compiled(3.0)
    model.weight.data = 5.0
    model.other = 1.0
    assert model.compiled(1.0) == model(Value(1.0)).data
    assert next(iter(model.compiled._recordings.forms.values())) is form


def test_a_method_that_was_replaced_is_called():
    class Square:
        def power(self, x):
            return x * x

        @gt.compile
        def twice(self, x):
            return 2 * self.power(x)

    square = Square()
    assert square.twice(3.0) == 18.0
    Square.power = lambda self, x: x
    assert square.twice(3.0) == 6.0
    square.power = lambda x: x + 1
    assert square.twice(3.0) == 8.0


def test_a_cached_property_is_no_change():
    class Once:
        @cached_property
        def rate(self):
            return 2.0

        @gt.compile
        def times(self, x):
            return x * self.rate

    once = Once()
    assert once.times(3.0) == 6.0
    assert once.times(3.0) == 6.0
    once.rate = 5.0
    assert once.times(3.0) == 15.0


@pytest.mark.parametrize("attribute", ["list", "object", "itself"])
def test_an_object_dies_though_its_attributes_lead_back_to_it(attribute):
    class Owner:
        @gt.compile
        def method(self, x):
            return x if self.back else -x

    owner = Owner()
    owner.back = {
        "list": [owner],
        "object": types.SimpleNamespace(owner=owner),
        "itself": owner,
    }[attribute]
    assert owner.method(1.0) == 1.0
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None
