"""Steps that run natively are the steps on the tape."""

import math
import signal

import gradtape as gt
import numpy as np
import pytest
from gradtape import MLP, SGD, Value, _core, fit, losses
from gradtape.optim import Adagrad, Adam, AdamW, RMSprop, cosine, step_decay
from hypothesis import given, settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=25, derandomize=True, database=None)
random = np.random.default_rng(0)
X = random.normal(size=(70, 3))
CLASSES = (X @ [1.0, -2.0, 0.5] > 0).astype(int) + (X[:, 0] > 1)
NUMBERS = np.tanh(X @ [0.5, 0.5, -1.0])


def quantile(predictions, targets):
    """A user's own loss, with a branch."""
    total = 0.0
    for row, target in zip(predictions, targets, strict=True):
        gap = target - row[0]
        total = total + (0.9 * gap if gap > 0 else -0.1 * gap)
    return total / len(predictions)


def focal(predictions, targets):
    """A user's own loss that takes classes by their index."""
    terms = []
    for row, target in zip(predictions, targets, strict=True):
        p = gt.exp(gt.log_softmax(row)[target])
        terms.append((1 - p) ** 2 * -gt.log(p))
    return gt.sum(terms) / len(terms)


class Plain:
    """A model in plain operators."""

    def __init__(self):
        self.w = [Value(x, f"w{i}") for i, x in enumerate([0.3, -0.2, 0.1, 0.0])]

    def __call__(self, row):
        hidden = gt.tanh(sum(w * x for w, x in zip(self.w, row, strict=False)))
        return [hidden + self.w[3] if hidden > 0 else hidden * 2 + self.w[3]]

    def parameters(self):
        return self.w


works = {
    "classes": (lambda: MLP([3, 6, 3], ["tanh", "softmax"]), CLASSES, None),
    "relu": (lambda: MLP([3, 8, 5, 3], "relu"), CLASSES, losses.categorical_cross_entropy),
    "hinge": (lambda: MLP([3, 5, 3], "tanh"), CLASSES, losses.hinge),
    "two classes": (
        lambda: MLP([3, 4, 1], "tanh"),
        (NUMBERS > 0).astype(int),
        losses.binary_cross_entropy,
    ),
    "numbers": (lambda: MLP([3, 4, 1], "tanh"), NUMBERS, losses.mean_squared_error),
    "rows": (lambda: MLP([3, 4, 2], "tanh"), X[:, :2], losses.squared_loss),
    "quantile": (lambda: MLP([3, 4, 1], "tanh"), NUMBERS, quantile),
    "focal": (lambda: MLP([3, 4, 3], "tanh"), CLASSES, focal),
    "own focal": (lambda: MLP([3, 4, 3], "tanh"), CLASSES, losses.focal),
    "own quantile": (
        lambda: MLP([3, 4, 2], "tanh"),
        X[:, :2],
        losses.tuned("quantile", level=0.9),
    ),
    "huber": (lambda: MLP([3, 4, 2], "tanh"), X[:, :2], losses.tuned("huber", delta=0.5)),
    "poisson": (lambda: MLP([3, 4, 1], "tanh"), np.floor(np.abs(3 * X[:, 0])), losses.poisson),
    "plain": (Plain, NUMBERS, losses.mean_squared_error),
}
methods = {
    "sgd": lambda p: SGD(p, 0.1, 0.9, 1e-3),
    "nesterov": lambda p: SGD(p, 0.1, 0.9, nesterov=True, clip_norm=0.5),
    "rmsprop": lambda p: RMSprop(p, 0.01, momentum=0.5, centred=True),
    "adagrad": lambda p: Adagrad(p, 0.1, decay=0.01, clip_value=0.2),
    "adam": lambda p: Adam(p, 0.01, l1=1e-3),
    "adamw": lambda p: AdamW(p, cosine(0.02, 60, warm_up=5), weight_decay=0.01),
    "steps": lambda p: Adam(p, step_decay(0.05, 10, 0.5)),
}


@pytest.mark.parametrize("method", methods)
@pytest.mark.parametrize("work", works)
def test_the_same_parameters_as_on_the_tape(work, method):
    make, targets, loss = works[work]
    runs = []
    for native in (True, False):
        model = make()
        history = fit(
            model,
            X,
            targets,
            **({} if loss is None else {"loss": loss}),
            optimizer=methods[method](model.parameters()),
            epochs=20 if method == "sgd" else 4,
            batch_size=16,
            seed=3,
            native=native,
            validation=(X[:31] + 0.1, targets[:31]),
        )
        runs.append((_core.data(model.parameters()), history))
    (one, history), (other, by_tape) = runs
    assert one == pytest.approx(other, rel=1e-10, abs=1e-10)
    assert history.loss == pytest.approx(by_tape.loss, rel=1e-10)
    assert history.accuracy == by_tape.accuracy
    assert history.validation_loss == pytest.approx(by_tape.validation_loss, rel=1e-10)
    assert history.validation_accuracy == by_tape.validation_accuracy


@quick
@given(st.integers(1, 80), st.integers(0, 3), st.booleans())
def test_any_batch_size(batch, seed, shuffle):
    runs = []
    for native in (True, False):
        model = MLP([3, 4, 3], "tanh", seed=seed)
        fit(
            model, X, CLASSES, epochs=2, batch_size=batch, seed=seed, shuffle=shuffle, native=native
        )
        runs.append(_core.data(model.parameters()))
    assert runs[0] == pytest.approx(runs[1], rel=1e-10, abs=1e-10)


def test_values_that_are_not_trained_are_read_and_kept():
    scale, frozen = Value(2.0), Value(0.5)
    w = Value(0.1)

    class Model:
        def __call__(self, row):
            return [scale * w * row[0] + frozen]

        def parameters(self):
            return [w]

    optimizer = SGD([w], 0.1)
    fit(Model(), X, NUMBERS, loss=losses.mean_squared_error, optimizer=optimizer, native=True)
    assert (scale.data, frozen.data) == (2.0, 0.5)
    assert w.data != 0.1


def test_a_frozen_layer_stays():
    model = MLP([3, 4, 3], "tanh")
    before = _core.data(model.layers[0].parameters())
    fit(model, X, CLASSES, optimizer=SGD(model.layers[1].parameters(), 0.1), native=True)
    assert _core.data(model.layers[0].parameters()) == before


def test_what_cannot_be_recorded_is_trained_on_the_tape():
    w = Value(0.1)

    class Odd:
        def __call__(self, row):
            return [Value(random.normal()) * w * row[0]]

        def parameters(self):
            return [w]

    history = fit(Odd(), X, NUMBERS, loss=losses.mean_squared_error, epochs=2)
    assert len(history.loss) == 2
    with pytest.raises(ValueError, match="cannot run natively"):
        fit(Odd(), X, NUMBERS, loss=losses.mean_squared_error, native=True)


@pytest.mark.parametrize("native", [True, False])
def test_a_diverging_run_keeps_the_last_good_parameters(native):
    model = MLP([3, 4, 1], seed=1)
    optimizer = SGD(model.parameters(), 1e200)
    with pytest.raises(ValueError, match=r"the loss became (inf|nan) in epoch 1; .*changed"):
        fit(
            model,
            X,
            NUMBERS * 1e9,
            loss=losses.mean_squared_error,
            optimizer=optimizer,
            native=native,
        )
    assert all(map(math.isfinite, _core.data(model.parameters())))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer signals")
def test_an_interrupt_leaves_a_model_and_its_history():
    model, history = MLP([3, 30, 3], "tanh"), gt.History()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            fit(model, X, CLASSES, epochs=10**7, history=history, native=True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert len(history.loss) > 3
    assert history.loss[-1] < history.loss[0]
    assert len(model.predict(X)) == len(X)


def test_training_goes_on_where_it_stopped():
    runs = []
    for parts in ([6], [2, 4]):
        model = MLP([3, 4, 3], "tanh")
        optimizer, history = Adam(model.parameters(), 0.01), gt.History()
        for epochs in parts:
            fit(
                model,
                X,
                CLASSES,
                optimizer=optimizer,
                epochs=epochs,
                shuffle=False,
                history=history,
            )
        runs.append((_core.data(model.parameters()), history.loss))
    assert runs[0] == runs[1]


@quick
@given(st.lists(st.floats(0, 10), min_size=70, max_size=70).filter(any), st.integers(1, 80))
def test_weighted_steps_are_those_on_the_tape(weights, batch):
    runs = []
    for native in (True, False):
        model = MLP([3, 4, 3], "tanh")
        history = fit(
            model,
            X,
            CLASSES,
            epochs=2,
            batch_size=batch,
            sample_weight=weights,
            validation=(X[:9], CLASSES[:9]),
            native=native,
        )
        lines = [history.loss, history.validation_loss, history.validation_accuracy]
        runs.append(_core.data(model.parameters()) + [x for line in lines for x in line])
    assert runs[0] == pytest.approx(runs[1], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("work", works)
def test_a_weight_is_a_number_of_equal_rows(work, native):
    make, targets, loss = works[work]
    times = np.arange(70) % 4
    runs = []
    for repeat in (True, False):
        model = make()
        rows, wanted = (X.repeat(times, 0), targets.repeat(times, 0)) if repeat else (X, targets)
        fit(
            model,
            rows,
            wanted,
            **({} if loss is None else {"loss": loss}),
            batch_size=None,
            epochs=5,
            sample_weight=None if repeat else times,
            native=native,
        )
        runs.append(_core.data(model.parameters()))
    assert runs[0] == pytest.approx(runs[1], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 69, "70 rows take as many"),
        ([-1.0] + [1.0] * 69, r"sample_weight of row 0 must be a finite number from 0, not -1"),
        ([0.0] * 70, "must not be 0 in every row"),
        ([[1.0]] * 70, "sample_weight of row 0 must be a finite number"),
    ],
)
def test_wrong_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        fit(MLP([3, 3]), X, CLASSES, sample_weight=weights)


class Forking:
    """A model that branches at every neuron: nearly each row takes a path of its own."""

    def __init__(self):
        self.first = MLP([3, 12], ["linear"])
        self.last = MLP([12, 1], ["linear"], seed=1)

    def __call__(self, row):
        return self.last([x if x > 0 else 0.1 * x for x in self.first(row)])

    def parameters(self):
        return self.first.parameters() + self.last.parameters()


def test_too_many_paths_are_left_to_the_tape():
    rows = np.random.default_rng(1).normal(size=(400, 3))
    runs = []
    for native in (None, False):
        model = Forking()
        history = fit(
            model,
            rows,
            rows[:, 0],
            loss=losses.mean_squared_error,
            optimizer=Adam(model.parameters(), 0.01),
            epochs=3,
            validation=(rows[:50], rows[:50, 1]),
            native=native,
        )
        lines = history.loss + history.validation_loss
        runs.append(_core.data(model.parameters()) + lines)
    assert runs[0] == pytest.approx(runs[1], rel=1e-9, abs=1e-9)
    with pytest.raises(gt.GradtapeError, match="more than 64 paths"):
        fit(Forking(), rows, rows[:, 0], loss=losses.mean_squared_error, native=True)
