"""Layers against plain floats, and their gradients against differences."""

import copy
import math
import pickle
from functools import partial

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value, _core, no_grad
from gradtape.nn import (
    GRU,
    LSTM,
    MLP,
    RNN,
    Activation,
    AvgPool,
    Conv1d,
    Conv2d,
    Dropout,
    Embedding,
    Flatten,
    Layer,
    LayerNorm,
    Linear,
    MaxPool,
    Neuron,
    Residual,
    Sequential,
)
from gradtape.nn.nested import flat, mapped, shape
from hypothesis import given, settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=40, derandomize=True, database=None)
few = st.integers(1, 3)


def leaky(z):
    return z if z > 0 else 0.1 * z


def numbers(x):
    return np.array(mapped(lambda v: v.data if isinstance(v, Value) else float(v), x))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def matrix(layer):
    """Weights (outputs, inputs) and biases of a dense layer."""
    data = np.array(_core.data(layer.parameters())).reshape(layer.outputs, layer.inputs + 1)
    return data[:, :-1], data[:, -1]


def correlated(x, w, b, stride, padding):
    """The sliding products of x (channels, h, w) with w (outputs, channels, k, k)."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    k = w.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    return np.einsum("cijab,ocab->oij", windows, w) + b[:, None, None]


@quick
@given(few, few, few, few, st.integers(0, 2), st.integers(3, 6), st.integers(3, 6))
def test_conv2d(inputs, outputs, kernel, stride, padding, h, w):
    layer = Conv2d(inputs, outputs, kernel, "tanh", stride=stride, padding=padding, seed=h)
    x = drawn(inputs, h, w)
    weights, bias = matrix(layer.layer)
    weights = weights.reshape(outputs, inputs, kernel, kernel)
    want = np.tanh(correlated(x, weights, bias, stride, padding))
    assert numbers(layer(x.tolist())) == pytest.approx(want, rel=1e-12, abs=1e-12)
    assert shape(layer(x)) == want.shape


@quick
@given(few, few, few, few, st.integers(0, 2), st.integers(3, 6))
def test_conv1d(inputs, outputs, kernel, stride, padding, n):
    layer = Conv1d(inputs, outputs, kernel, leaky, stride=stride, padding=padding, seed=n)
    x = np.pad(drawn(inputs, n), ((0, 0), (padding, padding)))
    weights, bias = matrix(layer.layer)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=1)[:, ::stride]
    want = np.einsum("cia,oca->oi", windows, weights.reshape(outputs, inputs, kernel))
    want = want + bias[:, None]
    want = np.where(want > 0, want, 0.1 * want)
    found = numbers(layer(x[:, padding : len(x[0]) - padding].tolist()))
    assert found == pytest.approx(want, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("pool", "summary"), [(MaxPool, np.max), (AvgPool, np.mean)])
@quick
@given(width=few, stride=few, h=st.integers(3, 6), w=st.integers(3, 6))
def test_pools(pool, summary, width, stride, h, w):
    x = drawn(2, h, w)
    k = (width, width)
    windows = np.lib.stride_tricks.sliding_window_view(x, k, axis=(1, 2))[:, ::stride, ::stride]
    found = numbers(pool(width, stride)(x.tolist()))
    assert found == pytest.approx(summary(windows, axis=(-2, -1)), rel=1e-14)
    windows = np.lib.stride_tricks.sliding_window_view(x[0], width, axis=1)[:, ::stride]
    found = numbers(pool(width, stride)(x[0].tolist()))
    assert found == pytest.approx(summary(windows, axis=-1), rel=1e-14)


def rnn_states(layer, x):
    weights, bias = matrix(layer.cell)
    h = np.zeros(layer.outputs)
    for row in x:
        h = np.tanh(weights @ [*row, *h] + bias)
        yield h


def gru_states(layer, x):
    (wg, bg), (wn, bn), (un, cn) = map(matrix, (layer.gates, layer.candidate, layer.memory))
    h = np.zeros(layer.outputs)
    for row in x:
        r, z = np.split(sigmoid(wg @ [*row, *h] + bg), 2)
        n = np.tanh(wn @ row + bn + r * (un @ h + cn))
        h = (1 - z) * n + z * h
        yield h


def lstm_states(layer, x):
    (wg, bg), (wc, bc) = matrix(layer.gates), matrix(layer.candidate)
    h = c = np.zeros(layer.outputs)
    for row in x:
        i, f, o = np.split(sigmoid(wg @ [*row, *h] + bg), 3)
        c = f * c + i * np.tanh(wc @ [*row, *h] + bc)
        h = o * np.tanh(c)
        yield h


recurrent = [(RNN, rnn_states), (GRU, gru_states), (LSTM, lstm_states)]


@pytest.mark.parametrize(("cell", "states"), recurrent)
@quick
@given(inputs=few, outputs=few, steps=st.integers(1, 6))
def test_recurrent_layers(cell, states, inputs, outputs, steps):
    x = drawn(steps, inputs)
    every, last = (cell(inputs, outputs, sequence=flag, seed=steps) for flag in (True, False))
    for p in [*every.parameters(), *last.parameters()]:
        p.data += 0.125
    want = np.array(list(states(every, x)))
    assert numbers(every(x.tolist())) == pytest.approx(want, rel=1e-12, abs=1e-14)
    assert numbers(last(x.tolist())) == pytest.approx(want[-1], rel=1e-12, abs=1e-14)


def test_an_lstm_begins_by_remembering():
    biases = matrix(LSTM(2, 3).gates)[1]
    assert biases.tolist() == [0] * 3 + [1] * 3 + [0] * 3


@quick
@given(st.integers(2, 6), st.integers(0, 99))
def test_layer_norm(n, seed):
    layer, x = LayerNorm(n), drawn(3, n, seed=seed)
    for i, p in enumerate(layer.parameters()):
        p.data += 0.25 * i
    gains, shifts = np.array(_core.data(layer.parameters())).reshape(2, n)
    scale = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    want = (x - x.mean(axis=1, keepdims=True)) / scale * gains + shifts
    assert numbers(layer(x.tolist())) == pytest.approx(want, rel=1e-12, abs=1e-12)


def test_an_embedding_gives_the_same_looked_up_and_recorded():
    layer = Embedding(5, 3, seed=1)
    for kind in range(5):
        grads = []
        for x in (kind, Value(float(kind))):
            gt.sum([(i + 1) * v * v for i, v in enumerate(layer(x))]).backward()
            grads.append(_core.grads(layer.parameters()))
            layer.zero_grad()
        assert grads[0] == grads[1]
        assert sum(map(bool, grads[0])) == 3
        assert numbers(layer(Value(float(kind)))).tolist() == numbers(layer(kind)).tolist()
    for wrong in (5, -1, 0.5, Value(5.0), Value(-1.0), Value(0.5)):
        with pytest.raises(ValueError, match=r"takes kinds from 0 to 4, not (5|-1|0\.5)"):
            layer(wrong)


sample = {
    "linear": (lambda: Linear(4, 2, leaky), (4,)),
    "conv1d": (lambda: Conv1d(2, 2, 2, "sigmoid", padding=1), (2, 3)),
    "conv2d": (lambda: Conv2d(2, 2, 2, "softmax", stride=2, padding=1), (2, 3, 3)),
    "max": (lambda: Sequential(Conv2d(1, 2, 2), MaxPool(2)), (4, 4)),
    "avg": (lambda: Sequential(Conv1d(1, 2, 2), AvgPool(2)), (5,)),
    "rnn": (lambda: RNN(2, 3, leaky), (4, 2)),
    "gru": (lambda: GRU(2, 3), (4, 2)),
    "lstm": (lambda: LSTM(2, 3, sequence=True), (4, 2)),
    "norm": (lambda: LayerNorm(4), (2, 4)),
    "residual": (lambda: Residual(Linear(3, 5, "tanh"), Linear(5, 3)), (3,)),
}


@pytest.mark.parametrize("name", sample)
def test_gradients_are_differences(name):
    make, size = sample[name]
    layer, x = make(), [Value(v) for v in drawn(int(np.prod(size))).tolist()]
    factors = drawn(200, seed=1)

    def total():
        outputs = flat(layer(np.array(x, dtype=object).reshape(size).tolist()))
        return gt.sum([w * v for w, v in zip(factors, outputs, strict=False)])

    total().backward()
    leaves = [*layer.parameters(), *x]
    assert any(leaf.grad for leaf in leaves)
    for leaf in leaves:
        at = leaf.data
        with no_grad():
            ends = []
            for step in (-1e-5, 1e-5):
                leaf.data = at + step
                ends.append(total().data)
        leaf.data = at
        assert leaf.grad == pytest.approx((ends[1] - ends[0]) / 2e-5, rel=1e-6, abs=1e-8)


def test_dropout_in_training_and_not():
    layer = Dropout(0.25, seed=3)
    x = [[1.0] * 200] * 50
    assert layer(x) is x
    layer.training = True
    found, again = numbers(layer(x)), numbers(layer(x))
    assert set(found.ravel()) == {0.0, 1 / 0.75}
    assert abs((found == 0).mean() - 0.25) < 0.03
    assert (found != again).any()
    other = Dropout(0.25, seed=3)
    other.training = True
    assert (numbers(other(x)) == found).all()
    assert Dropout(0)(x) is x


@quick
@given(st.lists(few, min_size=2, max_size=4), st.integers(0, 99))
def test_a_sequential_of_dense_layers_is_an_mlp(counts, seed):
    mlp = MLP(counts, "tanh", seed=seed)
    names = ["tanh"] * (len(counts) - 2) + ["linear"]
    pairs = zip(counts, counts[1:], names, strict=False)
    model = Sequential([Linear(n, k, name) for n, k, name in pairs], seed=seed)
    row = drawn(counts[0]).tolist()
    assert _core.data(model.parameters()) == _core.data(mlp.parameters())
    assert [p.label for p in model.parameters()] == [p.label for p in mlp.parameters()]
    assert _core.data(model(row)) == _core.data(mlp(row))
    assert model.predict([row]) == mlp.predict([row])


def test_activations_by_name_and_by_function():
    row = [0.5, -2.0, 1.0]
    for make in (
        lambda f: MLP([3, 4, 2], [f, "linear"], seed=1),
        lambda f: MLP([3, 4, 2], f, seed=1),
        lambda f: MLP([3, 2], [f], seed=1),
        lambda f: Layer(3, 4, f, seed=1),
        lambda f: Neuron(3, f, seed=1),
        lambda f: Sequential(Linear(3, 4, f), Linear(4, 2, f), seed=1),
        lambda f: Sequential(Linear(3, 4), Activation(f), seed=1),
        lambda f: RNN(3, 2, f),
    ):
        x = [row] if isinstance(make("relu"), RNN) else row
        plain, named = make(lambda z: z if z > 0 else 0), make("relu")
        assert numbers(flat(plain(x))).tolist() == numbers(flat(named(x))).tolist()
    model = MLP([3, 4, 2], [leaky, "softmax"], seed=1)
    assert repr(model) == "MLP(3 → 4 leaky → 2 softmax, 26 parameters)"
    assert math.fsum(model.values([row])[0]) == pytest.approx(1.0)
    assert _core.data(gt.softmax(model.logits(row))) == _core.data(model(row))


def test_modes_reach_layers_inside_a_users_own():
    class Own:
        def __init__(self):
            self.inner = {"a": [Dropout(0.5), Linear(2, 2)]}

        def parameters(self):
            return self.inner["a"][1].parameters()

        def __call__(self, x):
            return self.inner["a"][1](self.inner["a"][0](x))

    own = Own()
    model = Sequential(Residual(own), "relu", seed=1)
    assert model.train() is model
    assert own.inner["a"][0].training
    assert model.training
    row = [1.0, 2.0]
    assert model.values([row]) == model.values([row])
    assert own.inner["a"][0].training
    assert not model.eval().training
    assert not own.inner["a"][0].training
    assert _core.data(model.parameters()) == _core.data(
        Sequential(Linear(2, 2), seed=1).parameters()
    )


def test_parameters_of_a_layer_that_stands_twice_are_there_once():
    shared = Linear(2, 2)
    assert len(Sequential(shared, shared).parameters()) == 6


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies(copied):
    model = Sequential(
        Conv2d(1, 2, 3, leaky), MaxPool(2), Flatten(), Dropout(0.1), LayerNorm(8), Linear(8, 2)
    )
    row = drawn(6, 6).tolist()
    other = copied(model)
    assert _core.data(other(row)) == _core.data(model(row))
    model.parameters()[0].data += 1.0
    assert _core.data(other(row)) != _core.data(model(row))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Sequential(), ValueError, "at least one layer"),
        (lambda: Sequential(Linear(1, 1), 3), TypeError, "layer2 must be something to call"),
        (lambda: Sequential("rellu"), ValueError, "unknown activation 'rellu'"),
        (lambda: Conv2d(1, 1, 0), ValueError, "kernel of a Conv2d must be at least 1"),
        (lambda: Conv2d(1, 1, 3, padding=-1), ValueError, "padding of a Conv2d"),
        (lambda: Conv2d(1, 1, 3)([[1.0]]), ValueError, "a kernel of 3 takes axes of at least"),
        (lambda: Conv2d(2, 1, 1)([[1.0]]), ValueError, r"shape \(2, any, any\), not of shape"),
        (lambda: Conv1d(2, 1, 1)([1.0]), ValueError, r"shape \(2, any\), not of shape \(1, 1\)"),
        (lambda: MaxPool(2)([1.0, 2.0]), ValueError, r"takes \[channels\]\[places\] or"),
        (lambda: AvgPool(3)([[1.0, 2.0]]), ValueError, "of 3 takes axes of at least"),
        (lambda: LSTM(2, 3)([[1.0]]), ValueError, r"\[steps\]\[features\] of shape \(any, 2\)"),
        (lambda: GRU(1, 3)([]), ValueError, r"not of shape \(0,\)"),
        (lambda: RNN(0, 3), ValueError, "inputs of RNN must be at least 1"),
        (lambda: Dropout(1.0), ValueError, "less than 1, not 1.0"),
        (lambda: Dropout("a"), TypeError, "must be a number, not str"),
        (lambda: LayerNorm(2)([1.0]), ValueError, "a LayerNorm takes 2 inputs, not 1"),
        (lambda: Residual(Linear(1, 2))([1.0]), ValueError, "cannot be added"),
        (partial(Embedding, 0, 1), ValueError, "kinds of an Embedding must be at least 1"),
    ],
)
def test_what_makes_no_layer_or_takes_no_row(make, error, message):
    with pytest.raises(error, match=message):
        make()
