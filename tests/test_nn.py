import copy
import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from gradtape import Value, _core, no_grad
from gradtape.nn import MLP, Layer, Neuron
from hypothesis import given, settings
from hypothesis import strategies as st

PLAIN = {
    "linear": lambda z: z,
    "relu": lambda z: max(z, 0.0),
    "tanh": math.tanh,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "sin": math.sin,
}

quick = settings(deadline=None, max_examples=60)
sizes = st.lists(st.integers(1, 5), min_size=2, max_size=4)
names = st.sampled_from(sorted(PLAIN))
inits = st.sampled_from(["he", "glorot", "small"])
numbers = st.floats(-3, 3)


@st.composite
def networks(draw):
    counts = draw(sizes)
    activations = draw(st.lists(names, min_size=len(counts) - 1, max_size=len(counts) - 1))
    model = MLP(counts, activations, init=draw(inits), seed=draw(st.integers(0, 10**6)))
    for p in model.parameters():
        p.data += draw(numbers) / 10
    row = draw(st.lists(numbers, min_size=counts[0], max_size=counts[0]))
    return model, row


def by_hand(model, row):
    """The outputs in plain floats, from the parameters' order alone."""
    data = iter(p.data for p in model.parameters())
    for layer in model.layers:
        outputs = []
        for _ in range(layer.outputs):
            z = sum(next(data) * x for x in row) + next(data)
            outputs.append(PLAIN[layer.activation](z))
        row = outputs
    assert next(data, None) is None
    return row


@quick
@given(networks())
def test_outputs_are_those_of_plain_floats(case):
    model, row = case
    outputs = model(row)
    assert isinstance(outputs, list)
    assert all(isinstance(out, Value) for out in outputs)
    assert _core.data(outputs) == pytest.approx(by_hand(model, row), rel=1e-12, abs=1e-12)
    assert model.values([row]) == [_core.data(outputs)]


@quick
@given(networks())
def test_gradients_are_those_of_the_network_in_operators(case):
    model, row = case
    inputs = [Value(x) for x in row]
    _core.sum(model(inputs)).backward()
    native = [p.grad for p in model.parameters()] + [x.grad for x in inputs]
    model.zero_grad()
    assert [p.grad for p in model.parameters()] == [0.0] * len(model.parameters())
    again, values = [Value(x) for x in row], None
    values = again
    for layer in model.layers:
        sums = [
            sum((w * x for w, x in zip(n.weights, values, strict=True)), n.bias)
            for n in layer.neurons
        ]
        values = [
            s if layer.activation == "linear" else getattr(s, layer.activation)() for s in sums
        ]
    _core.sum(values).backward()
    want = [p.grad for p in model.parameters()] + [x.grad for x in again]
    assert native == pytest.approx(want, rel=1e-11, abs=1e-12)


@quick
@given(sizes, inits, st.integers(0, 2**40))
def test_same_seed_same_bits_and_another_seed_others(counts, init, seed):
    first, second, other = (MLP(counts, init=init, seed=s) for s in (seed, seed, seed + 1))
    data = [_core.data(m.parameters()) for m in (first, second, other)]
    assert data[0] == data[1]
    assert data[0] != data[2]
    assert len(data[0]) == sum(k * (n + 1) for n, k in pairwise(counts))


@quick
@given(st.integers(1, 4), st.lists(numbers, min_size=2, max_size=4), st.integers(0, 99))
def test_softmax_layer_gives_probabilities_in_the_order_of_its_logits(outputs, row, seed):
    layer = Layer(len(row), outputs, "softmax", seed=seed)
    logits, shares = _core.data(layer.logits(row)), _core.data(layer(row))
    exps = [math.exp(z - max(logits)) for z in logits]
    assert shares == pytest.approx([e / sum(exps) for e in exps], rel=1e-12)
    assert layer.logits(row)[0].op == "affine"


@pytest.mark.parametrize("init", ["he", "glorot", "small"])
def test_spread_of_the_initial_weights(init):
    layer = Layer(40, 60, init=init, seed=5)
    weights = [w.data for n in layer.neurons for w in n.weights]
    want = {"he": 2 / 40, "glorot": 2 / (40 + 60), "small": 1e-4}[init]
    # 2,400 draws: the variance of a normal sample is within 15 % far beyond five sigma.
    assert np.var(weights) == pytest.approx(want, rel=0.15)
    assert abs(np.mean(weights)) < 5 * math.sqrt(want / len(weights))
    assert [n.bias.data for n in layer.neurons] == [0.0] * 60


def test_he_weights_keep_their_bits():
    # The first draws of random.Random(0).gauss: no other generator may sneak in.
    assert [w.data for w in Neuron(2, seed=0).weights] == [0.9417154046806644, -1.3965781047011498]


def test_labels_name_layer_neuron_and_weight():
    labels = [p.label for p in MLP([2, 2, 1]).parameters()]
    assert labels == [
        "layer1.neuron1.w1",
        "layer1.neuron1.w2",
        "layer1.neuron1.b",
        "layer1.neuron2.w1",
        "layer1.neuron2.w2",
        "layer1.neuron2.b",
        "layer2.neuron1.w1",
        "layer2.neuron1.w2",
        "layer2.neuron1.b",
    ]
    assert [p.label for p in Neuron(1).parameters()] == ["w1", "b"]
    assert [p.label for p in Layer(1, 1).parameters()] == ["neuron1.w1", "neuron1.b"]


def test_repr():
    assert repr(MLP([4, 5, 5, 3])) == "MLP(4 → 5 relu → 5 relu → 3 linear, 73 parameters)"
    assert repr(MLP([1, 1], [""])) == "MLP(1 → 1 linear, 2 parameters)"
    assert repr(Layer(2, 3, "softmax")) == "Layer(2 → 3 softmax, 9 parameters)"
    assert repr(Neuron(2, "tanh")) == "Neuron(2 → 1 tanh, 3 parameters)"


def test_a_softmax_at_the_end_is_left_out_of_the_logits_only():
    with_softmax = MLP([2, 3, 3], ["tanh", "softmax"], seed=3)
    without = MLP([2, 3, 3], ["tanh", "linear"], seed=3)
    row = [0.5, -1.0]
    assert _core.data(with_softmax.logits(row)) == _core.data(without(row))
    assert _core.data(without.logits(row)) == _core.data(without(row))
    assert with_softmax.predict([row]) == without.predict([row])


@quick
@given(st.lists(st.sampled_from([*PLAIN, "softmax"]), min_size=1, max_size=3), st.integers(0, 99))
def test_a_network_is_its_layers_one_after_the_other(activations, seed):
    model = MLP([2, *[3] * len(activations)], activations, seed=seed)
    values = [0.5, -1.5]
    for layer in model.layers:
        last, values = values, layer(values)
    assert _core.data(model([0.5, -1.5])) == _core.data(values)
    assert _core.data(model.logits([0.5, -1.5])) == _core.data(model.layers[-1].logits(last))


def test_rows_of_numpy_and_of_values():
    model = MLP([2, 3, 1], "tanh", seed=1)
    want = model.values([[1.0, -2.0]])
    assert model.values(np.array([[1.0, -2.0]])) == want
    assert model.values([(Value(1.0), -2)]) == want


def test_predict_records_nothing_and_one_output_is_given_as_it_is():
    model = MLP([1, 1], ["linear"])
    for p, number in zip(model.parameters(), [2.0, 0.5], strict=True):
        p.data = number
    assert model.predict([[1.0], [-1.0]]) == [2.5, -1.5]
    with no_grad():
        (out,) = model([1.0])
    assert out.prev == ()
    (out,) = model([1.0])
    assert len(out.prev) == 2, "recording is on again"


def test_copies_have_their_own_parameters():
    model = MLP([2, 3, 2], ["relu", "softmax"], seed=4)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.values([[1.0, 2.0]]) == model.values([[1.0, 2.0]])
        assert [p.label for p in twin.parameters()] == [p.label for p in model.parameters()]
        before = model.values([[1.0, 2.0]])
        twin.layers[0].neurons[0].bias.data += 1.0
        twin.layers[1].neurons[0].bias.data += 1.0
        assert twin.values([[1.0, 2.0]]) != before
        assert model.values([[1.0, 2.0]]) == before


def test_parameters_cannot_be_replaced_behind_the_layers_back():
    neuron = Neuron(2)
    with pytest.raises(AttributeError):
        neuron.bias = Value(0.0)
    with pytest.raises(TypeError):
        neuron.weights[0] = Value(0.0)
    neuron.parameters().clear()
    assert len(neuron.parameters()) == 3


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MLP([4]), ValueError, r"at least two in all, not \[4\]"),
        (lambda: MLP([]), ValueError, r"at least two in all, not \[\]"),
        (lambda: MLP(4), TypeError, "sequence of integers, not int"),
        (lambda: MLP([4, 0, 3]), ValueError, "outputs of layer1 must be at least 1, not 0"),
        (lambda: MLP([0, 3]), ValueError, "inputs of layer1 must be at least 1, not 0"),
        (lambda: MLP([4, -2]), ValueError, "outputs of layer1 must be at least 1, not -2"),
        (lambda: MLP([4, 2.5]), TypeError, "outputs of layer1 must be an integer, not float 2.5"),
        (lambda: MLP([4, "3"]), TypeError, "outputs of layer1 must be an integer, not str '3'"),
        (lambda: MLP([4, True]), TypeError, "outputs of layer1 must be an integer, not bool True"),
        (lambda: MLP([4, 3], ["relu", "relu"]), ValueError, "list of 1, one a layer, not of 2"),
        (lambda: MLP([4, 3], None), TypeError, "list of one a layer, not NoneType"),
        (lambda: MLP([4, 3], ["rleu"]), ValueError, "layer1 has the unknown activation 'rleu'"),
        (
            lambda: MLP([4, 3, 3], [None, "relu"]),
            TypeError,
            "layer1 must be a name or a function of one number, not NoneType",
        ),
        (lambda: MLP([4, 3], init="big"), ValueError, "unknown init 'big'; known are he, glorot"),
        (lambda: MLP([4, 3], seed="x"), TypeError, "seed must be an integer.*not str 'x'"),
        (lambda: Layer(2, 0), ValueError, "outputs of a layer must be at least 1, not 0"),
        (lambda: Layer(0, 2), ValueError, "inputs of a layer must be at least 1, not 0"),
        (lambda: Neuron(0), ValueError, "inputs of a neuron must be at least 1, not 0"),
        (lambda: Neuron(2, "softmax"), ValueError, "softmax: that takes a whole layer"),
        (lambda: Neuron(2, "pow"), ValueError, "unknown activation 'pow'"),
    ],
)
def test_what_makes_no_network(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ([1.0], ValueError, "layer1 takes 2 inputs, not 1"),
        ([1.0, 2.0, 3.0], ValueError, "layer1 takes 2 inputs, not 3"),
        (3.0, TypeError, "layer1 takes a sequence of 2 inputs, not float"),
        (None, TypeError, "layer1 takes a sequence of 2 inputs, not NoneType"),
        ([1.0, "x"], TypeError, "str"),
        ([1.0, None], TypeError, "None"),
        ([1.0, 1j], TypeError, "complex"),
    ],
)
def test_what_is_no_row(row, error, message):
    model = MLP([2, 2])
    before = _core.data(model.parameters())
    with pytest.raises(error, match=message):
        model(row)
    with pytest.raises(error, match=message):
        model.predict([row])
    assert _core.data(model.parameters()) == before
    (out,) = MLP([1, 1])([1.0])
    assert out.op == "affine", "a failed predict leaves recording on"


@quick
@given(sizes, st.integers(0, 12), st.booleans())
def test_no_row_of_another_width_is_taken(counts, width, beside_a_good_one):
    model = MLP(counts)
    rows = [[0.5] * width]
    if beside_a_good_one:
        rows.insert(0, [0.5] * counts[0])
    if width == counts[0]:
        assert [len(row) for row in model.batch(rows)] == [counts[-1]] * len(rows)
        return
    message = f"layer1 takes {counts[0]} inputs?, not {width}"
    for call in (model.batch, model.values, model.predict, lambda rows: model(rows[-1])):
        with pytest.raises(ValueError, match=message):
            call(rows)
    with pytest.raises(ValueError, match=message.replace("layer1", "a layer")):
        Layer(counts[0], counts[1])([0.5] * width)


def test_neuron_and_layer_name_themselves_when_called_wrongly():
    with pytest.raises(ValueError, match="a neuron takes 2 inputs, not 1"):
        Neuron(2)([1.0])
    with pytest.raises(ValueError, match="a layer takes 1 input, not 2"):
        Layer(1, 2)([1.0, 2.0])
