"""Layers train natively as they do on the tape."""

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value, _core, fit, losses
from gradtape.data.checking import checked_rows
from gradtape.nn import (
    GRU,
    LSTM,
    MLP,
    RNN,
    AvgPool,
    Conv1d,
    Conv2d,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    Linear,
    MaxPool,
    Residual,
    Sequential,
)
from gradtape.nn.nested import Steps
from gradtape.nn.noise import Noise, drawn
from gradtape.optim import SGD, Adam
from gradtape.packing import Packing
from hypothesis import given, settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=30, derandomize=True, database=None)
random = np.random.default_rng(0)


def bars(count):
    """Images of 8 × 8 with a row, a column or the diagonal that is brighter."""
    images, classes = random.normal(scale=0.3, size=(count, 8, 8)), random.integers(0, 3, count)
    for image, kind in zip(images, classes, strict=True):
        at = random.integers(0, 8)
        bright = [image[at], image[:, at], np.einsum("ii->i", image)][kind]
        bright += 1.0
    return images, classes


def sequences(count, features=2):
    rows = [random.normal(size=(n, features)) for n in random.integers(1, 9, count)]
    return [row.tolist() for row in rows], [float(row[:, 0].sum() > 0) for row in rows]


IMAGES, BARS = bars(60)
STEPS, SIGNS = sequences(60)
WORDS = [random.integers(0, 6, n).tolist() for n in random.integers(1, 6, 60)]
ODD = [float(max(word) > 3) for word in WORDS]
X = random.normal(size=(90, 6))
LINES = X.reshape(90, 2, 3)
NUMBERS = np.tanh(X @ np.arange(6.0))
bce, mse = losses.binary_cross_entropy, losses.mean_squared_error


def bent(z):
    """An activation of the user's own, with a branch."""
    return z if z > 0 else 0.1 * z * z


def smooth(z):
    """An activation of the user's own, for many units."""
    return z * gt.sigmoid(1.7 * z)


class Own:
    """A layer of the user's own in plain Python."""

    def __init__(self):
        self.scale, self.dropout = Value(1.5), Dropout(0.5)

    def parameters(self):
        return [self.scale]

    def __call__(self, x):
        return [self.scale * v if v < 1 else v for v in self.dropout(x)]


class Twice:
    """A model of the user's own that goes through a sequence both ways."""

    def __init__(self):
        self.there, self.back, self.out = LSTM(2, 2, seed=1), RNN(2, 2, seed=2), Linear(4, 1)

    def parameters(self):
        return [p for x in (self.there, self.back, self.out) for p in x.parameters()]

    def __call__(self, row):
        return self.out([*self.there(row), *self.back(row[::-1])])


class Jittered:
    """A model of the user's own, with noise of its own."""

    def __init__(self):
        self.w, self.random = Value(0.3), np.random.default_rng(0)

    def parameters(self):
        return [self.w]

    def __call__(self, row):
        shift = drawn(1, lambda random, shape: random.normal(size=shape), self.random)[0]
        return [self.w * row[0] + 0.1 * shift]


works = {
    "cnn": (
        lambda: Sequential(
            Conv2d(1, 4, 3, "relu"), MaxPool(2), Flatten(), Linear(36, 3, "softmax"), seed=1
        ),
        (IMAGES, BARS),
        losses.categorical_cross_entropy,
    ),
    "deep": (
        lambda: Sequential(
            Conv2d(1, 2, 3, smooth, stride=2, padding=1),
            Residual(Conv2d(2, 2, 3, "tanh", padding=1)),
            AvgPool(2),
            Flatten(),
            Dropout(0.25),
            Linear(8, 3),
            seed=1,
        ),
        (IMAGES, BARS),
        losses.hinge,
    ),
    "lines": (
        lambda: Sequential(Conv1d(2, 3, 2, "tanh"), Flatten(), LayerNorm(6), Linear(6, 1)),
        (LINES, NUMBERS),
        mse,
    ),
    "dropout": (
        lambda: Sequential(Dropout(0.1), Linear(6, 8, "tanh"), Dropout(0.5), Linear(8, 1), seed=1),
        (X, NUMBERS),
        mse,
    ),
    "rnn": (lambda: Sequential(RNN(2, 4), Linear(4, 1)), (STEPS, SIGNS), bce),
    "gru": (lambda: Sequential(GRU(2, 3), Linear(3, 1)), (STEPS, SIGNS), bce),
    "lstm": (
        lambda: Sequential(LSTM(2, 3, sequence=True), Dropout(0.2), GRU(3, 2), Linear(2, 1)),
        (STEPS, SIGNS),
        bce,
    ),
    "bidirectional": (Twice, (STEPS, SIGNS), bce),
    "residual": (
        lambda: Sequential(Residual(RNN(2, 2, sequence=True)), RNN(2, 2), Linear(2, 1)),
        (STEPS, SIGNS),
        bce,
    ),
    "equal": (
        lambda: Sequential(LSTM(3, 4), "tanh", Linear(4, 1)),
        (LINES, NUMBERS),
        mse,
    ),
    "words": (
        lambda: Sequential(Embedding(6, 2), LayerNorm(2), RNN(2, 3), Linear(3, 1)),
        (WORDS, ODD),
        bce,
    ),
    "own": (lambda: Sequential(Linear(6, 3), Own(), Linear(3, 1)), (X, NUMBERS), mse),
    "own activation": (lambda: MLP([6, 4, 3, 1], bent), (X, NUMBERS), mse),
    "jittered": (Jittered, (X, NUMBERS), mse),
}


def trained(work, native, **settings):
    make, (rows, targets), loss = works[work]
    model = make()
    settings = {"epochs": 4, "batch_size": 16, "seed": 3, **settings}
    optimizer = settings.pop("optimizer", Adam)(model.parameters(), 0.02)
    history = fit(model, rows, targets, loss=loss, optimizer=optimizer, native=native, **settings)
    return _core.data(model.parameters()), history


@pytest.mark.parametrize("work", works)
def test_the_same_parameters_as_on_the_tape(work):
    validation = works[work][1]
    one, history = trained(work, True, validation=validation)
    other, by_tape = trained(work, False, validation=validation)
    assert one == pytest.approx(other, rel=1e-10, abs=1e-10)
    assert history.loss == pytest.approx(by_tape.loss, rel=1e-10)
    assert history.validation_loss == pytest.approx(by_tape.validation_loss, rel=1e-10)
    assert history.accuracy == by_tape.accuracy


@quick
@given(st.integers(1, 70), st.integers(0, 5), st.booleans())
def test_any_batch_of_sequences_and_masks(batch, seed, shuffle):
    runs = [
        trained("lstm", flag, batch_size=batch, seed=seed, shuffle=shuffle, epochs=1, optimizer=SGD)
        for flag in (True, False)
    ]
    assert runs[0][0] == pytest.approx(runs[1][0], rel=1e-10, abs=1e-10)


def test_a_training_goes_on_on_the_tape_where_there_are_too_many_paths():
    runs = []
    for native in (None, False):
        model = MLP([6, 30, 1], bent)
        optimizer = SGD(model.parameters(), 0.01)
        history = fit(
            model, X, NUMBERS, loss=mse, optimizer=optimizer, epochs=3, batch_size=7, native=native
        )
        runs.append((_core.data(model.parameters()), history.loss))
    assert runs[0][0] == pytest.approx(runs[1][0], rel=1e-10, abs=1e-10)
    assert runs[0][1] == pytest.approx(runs[1][1], rel=1e-10)
    with pytest.raises(gt.GradtapeError, match="paths"):
        fit(model, X, NUMBERS, loss=mse, optimizer=optimizer, native=True)


def test_masks_come_from_the_seed_and_are_new_each_epoch():
    settings = {"native": True, "batch_size": None, "shuffle": False}
    assert trained("dropout", seed=1, **settings)[0] == trained("dropout", seed=1, **settings)[0]
    assert trained("dropout", seed=1, **settings)[0] != trained("dropout", seed=2, **settings)[0]
    model = works["dropout"][0]()
    still = SGD(model.parameters(), 0.0)
    history = fit(model, X, NUMBERS, loss=mse, optimizer=still, epochs=5, native=True)
    assert len({round(x, 9) for x in history.loss}) == 5


@pytest.mark.parametrize("native", [True, False])
def test_nothing_is_dropped_in_validation_and_after_training(native):
    model = works["dropout"][0]()
    history = fit(
        model, X, NUMBERS, loss=mse, epochs=2, validation=(X, NUMBERS), seed=5, native=native
    )
    assert not model.training
    total = mse([model(row) for row in X.tolist()], NUMBERS.tolist()).data
    assert history.validation_loss[-1] == pytest.approx(total, rel=1e-12)
    model.train()
    fit(model, X, NUMBERS, loss=mse, epochs=1, native=native)
    assert model.layers[0].training


def test_a_small_cnn_learns():
    images, classes = bars(300)
    model = Sequential(
        Conv2d(1, 8, 3, "relu"), MaxPool(2), Dropout(0.2), Flatten(), Linear(72, 3), seed=1
    )
    fit(model, images, classes, optimizer=Adam(model.parameters(), 0.01), epochs=15, native=True)
    more, kinds = bars(100)
    assert np.mean(np.array(model.predict(more)) == kinds) > 0.9


def test_an_lstm_learns():
    rows, signs = sequences(300)
    model = Sequential(LSTM(2, 6), Linear(6, 1), seed=1)
    optimizer = Adam(model.parameters(), 0.02)
    history = fit(model, rows, signs, loss=bce, optimizer=optimizer, epochs=25, native=True)
    assert history.accuracy[-1] > 0.95


nested = st.integers(1, 3).flatmap(
    lambda axes: st.lists(st.integers(1, 3), min_size=axes, max_size=axes)
)


@quick
@given(nested, st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_rows_are_packed_and_unpacked(inner, lengths):
    rows = [random.normal(size=(n, *inner)).tolist() for n in lengths]
    packing = Packing(checked_rows(rows, "the data"))
    assert [packing.row(columns.tolist()) for columns in packing.columns] == rows
    flat = [random.normal(size=n).tolist() for n in lengths]
    packing = Packing(checked_rows(flat, "the data", sequences=True))
    assert [packing.row(columns.tolist()) for columns in packing.columns] == flat


@pytest.mark.parametrize("cell", [RNN, GRU, LSTM])
@quick
@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(0, 99))
def test_a_padded_sequence_gives_what_the_sequence_gives(cell, lengths, seed):
    model = Sequential(cell(2, 3, sequence=True, seed=seed), "tanh", LayerNorm(3), cell(3, 2))
    assert model.padding
    rows = [random.normal(size=(n, 2)).tolist() for n in lengths]
    packing = Packing(rows, padded=True)
    assert all(b > 2 * a for a, b in zip(packing.lengths, packing.lengths[1:], strict=False))
    for columns, row in zip(packing.columns, rows, strict=True):
        padded = packing.row([Value(x) for x in columns])
        assert len(row) <= len(padded) <= max(2 * len(row), 1)
        assert isinstance(padded, Steps) or len(set(lengths)) == 1
        assert _core.data(model(padded)) == _core.data(model(row))


def test_which_models_take_padding():
    assert Sequential(Embedding(3, 2), Dropout(0.5), GRU(2, 2), Linear(2, 1)).padding
    assert LSTM(2, 2).padding
    assert not LSTM(2, 2, sequence=True).padding
    assert not Sequential(Residual(RNN(2, 2, sequence=True)), RNN(2, 2)).padding
    assert not Sequential(LSTM(2, 2, sequence=True), Flatten()).padding
    assert not Sequential(LayerNorm(2)).padding


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([[[1.0], [2.0, 3.0]]], ValueError, r"row 0, place \[1\] has 2 numbers or lists"),
        ([[[1.0]], [[2.0, 3.0]]], ValueError, r"row 1, place \[0\] has 2 numbers or lists"),
        ([[[1.0]], [2.0]], TypeError, r"row 1, place \[0\]: a sequence of numbers is expected"),
        ([[[1.0]], [[[2.0]]]], TypeError, r"row 1, place \[0, 0\]: a real number is expected"),
        ([[[1.0]], [[float("nan")]]], ValueError, r"row 1, place \[0, 0\]: a finite number"),
        ([[[1.0]], []], ValueError, "row 1: at least one step is expected, not none"),
        ([[[1.0], "a"]], TypeError, r"row 0, place \[1\]: a sequence"),
        ([[1.0, 2.0], [1.0]], ValueError, "row 1 has 1 columns where row 0 has 2"),
    ],
)
def test_rows_of_no_shape(rows, error, message):
    with pytest.raises(error, match=message):
        fit(Sequential(Flatten(), Linear(1, 1)), rows, [0.0] * len(rows), loss=mse)


@pytest.mark.parametrize("native", [True, False])
def test_a_kind_that_is_none_is_told_while_training(native):
    model = works["words"][0]()
    rows = [*WORDS[:-1], [7]]
    with pytest.raises(ValueError, match=r"takes kinds from 0 to 5, not 7\.0"):
        fit(model, rows, ODD, loss=bce, epochs=1, native=native)


def test_a_model_that_takes_more_noise_for_some_rows_is_told():
    class Uneven(Jittered):
        def __call__(self, row):
            total = super().__call__(row)[0]
            return [total if row[0] < X[0, 0] + 0.1 else total + super().__call__(row)[0]]

    with pytest.raises(ValueError, match="in training rows must take theirs"):
        fit(Uneven(), X, NUMBERS, loss=mse, epochs=1)


def test_each_asking_has_columns_of_its_own():
    def ask(*counts):
        return [list(drawn(n, lambda random, shape: random.random(shape), None)) for n in counts]

    noise = Noise(lambda: ask(2, 3))
    assert noise.columns(random, 4).shape == (4, 5)
    with noise.given([1, 2, 3, 4, 5]):
        assert ask(1, 2) == [[1], [3, 4]]
    with noise.given([1, 2, 3, 4, 5]), pytest.raises(ValueError, match=r"takes 3 .* took 2"):
        ask(3)
    assert not Noise(ask)
