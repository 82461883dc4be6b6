import builtins
import math
import sys

import numpy as np
import pytest
from gradtape import Value, _core, training
from gradtape.history import History
from gradtape.losses import binary_cross_entropy, categorical_cross_entropy, hinge, on_logits
from gradtape.losses import mean_squared_error as mse
from gradtape.nn import MLP
from gradtape.optim import SGD
from gradtape.training import fit
from hypothesis import given, settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=30)
ROWS = [[0.0, 0.1], [1.0, 0.2], [0.3, 1.0], [1.1, 1.2], [-0.7, 0.5]]
CLASSES = [0, 1, 1, 0, 2]


def small(seed=1):
    return MLP([2, 4, 3], ["tanh", "softmax"], seed=seed)


def bits(model):
    return [x.hex() for x in _core.data(model.parameters())]


@quick
@given(st.integers(0, 2**32), st.integers(1, 6), st.booleans(), st.sampled_from([0.0, 0.9]))
def test_same_seed_same_bits(seed, batch, shuffle, momentum):
    runs = []
    for _ in range(2):
        model = small(seed)
        optimizer = SGD(model.parameters(), 0.1, momentum)
        history = fit(
            model,
            ROWS,
            CLASSES,
            optimizer=optimizer,
            epochs=3,
            batch_size=batch,
            shuffle=shuffle,
            seed=seed,
            validation=(ROWS[:2], CLASSES[:2]),
        )
        runs.append((history, bits(model)))
    assert runs[0] == runs[1]


def test_another_seed_takes_the_rows_in_another_order():
    results = []
    for seed in (0, 1):
        model = small()
        fit(model, ROWS, CLASSES, epochs=2, batch_size=2, seed=seed)
        results.append(bits(model))
    assert results[0] != results[1]


@quick
@given(st.integers(1, 7), st.integers(1, 3))
def test_fit_is_the_loop_by_hand(batch, epochs):
    model, twin = small(), small()
    optimizer, other = SGD(model.parameters(), 0.2, 0.5), SGD(twin.parameters(), 0.2, 0.5)
    history = fit(
        model,
        ROWS,
        CLASSES,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=batch,
        shuffle=False,
        native=False,
    )
    for epoch in range(epochs):
        total, right = 0.0, 0
        for start in range(0, len(ROWS), batch):
            rows, classes = ROWS[start : start + batch], CLASSES[start : start + batch]
            outputs = [twin.logits(row) for row in rows]
            loss = categorical_cross_entropy(outputs, classes)
            other.zero_grad()
            loss.backward()
            total += loss.data * len(rows)
            for row, c in zip(outputs, classes, strict=True):
                data = _core.data(row)
                right += data.index(max(data)) == c
            other.step()
        assert history.loss[epoch] == pytest.approx(total / len(ROWS), rel=1e-14)
        assert history.accuracy[epoch] == right / len(ROWS)
    assert bits(model) == bits(twin)


def test_gradients_left_from_before_do_not_count():
    model, twin = small(), small()
    for p in model.parameters():
        p.grad = 100.0
    for m in (model, twin):
        fit(m, ROWS, CLASSES, epochs=1)
    assert bits(model) == bits(twin)


def test_validation_is_looked_at_after_the_epoch_and_never_trained_on():
    model, twin = small(), small()
    other = [[5.0, -5.0], [2.0, 2.0]]
    history = fit(model, ROWS, CLASSES, epochs=2, validation=(other, [0, 1]))
    plain = fit(twin, ROWS, CLASSES, epochs=2)
    assert bits(model) == bits(twin)
    assert (history.loss, history.accuracy) == (plain.loss, plain.accuracy)
    want = categorical_cross_entropy([model.logits(row) for row in other], [0, 1]).data
    assert history.validation_loss[-1] == want
    right = [p == c for p, c in zip(model.predict(other), [0, 1], strict=True)]
    assert history.validation_accuracy[-1] == sum(right) / 2
    assert plain.validation_loss == plain.validation_accuracy == []


@pytest.mark.parametrize(
    ("loss", "targets", "outputs"),
    [(binary_cross_entropy, [0, 1, 1, 0], 1), (hinge, [-1, 1, 1, -1], 1), (hinge, [0, 1, 1, 0], 2)],
)
def test_xor_is_learned_with_every_loss_on_scores(loss, targets, outputs):
    model = MLP([2, 8, outputs], "tanh", seed=2)
    rows = [[0, 0], [0, 1], [1, 0], [1, 1]]
    optimizer = SGD(model.parameters(), 0.1, 0.9)
    history = fit(model, rows, targets, loss=loss, optimizer=optimizer, epochs=300)
    assert history.accuracy[-1] == 1.0
    if outputs == 1:
        assert [score > 0 for score in model.predict(rows)] == [t > 0 for t in targets]
    else:
        assert model.predict(rows) == targets


def test_a_line_is_learned_and_a_regression_has_no_accuracy():
    model = MLP([1, 1], seed=0)
    rows = [[x / 5] for x in range(-5, 6)]
    optimizer = SGD(model.parameters(), 0.1, 0.5)
    history = fit(
        model, rows, [3 * x - 1 for (x,) in rows], loss=mse, optimizer=optimizer, epochs=300
    )
    assert _core.data(model.parameters()) == pytest.approx([3.0, -1.0], abs=1e-9)
    assert history.accuracy == []
    assert "accuracy" not in repr(history)


def test_probabilities_are_judged_at_one_half_and_logits_at_zero():
    # sigmoid(0.3) > 0.5 and the logit 0.3 > 0: right in both; -0.3 is right for neither.
    for loss, activation in ((mse, "sigmoid"), (binary_cross_entropy, "linear")):
        for bias, want in ((0.3, 1.0), (-0.3, 0.0)):
            model = MLP([1, 1], [activation])
            for p, number in zip(model.parameters(), [0.0, bias], strict=True):
                p.data = number
            frozen = SGD(model.parameters(), 0.0)
            history = fit(model, [[1.0]], [1], loss=loss, optimizer=frozen, epochs=1)
            assert history.accuracy == [want]


def test_a_loss_of_ones_own_gets_logits_if_it_asks_for_them():
    seen = []

    def own(predictions, targets):
        seen.append(sum(x.data if isinstance(x, Value) else x for x in predictions[0]))
        return categorical_cross_entropy(predictions, targets)

    fit(small(), ROWS, CLASSES, loss=own, epochs=1)
    assert seen == pytest.approx([1.0] * len(seen))
    seen.clear()
    fit(small(), ROWS, CLASSES, loss=on_logits(own), epochs=1)
    assert all(abs(total - 1.0) > 1e-6 for total in seen)


def test_any_callable_with_parameters_is_a_model():
    class Line:
        def __init__(self):
            self.slope = Value(0.0)

        def __call__(self, row):
            return [self.slope * row[0]]

        def parameters(self):
            return [self.slope]

    model = Line()
    fit(model, [[1.0], [2.0]], [2.0, 4.0], loss=mse, epochs=300)
    assert model.slope.data == pytest.approx(2.0)


def test_numpy_rows_and_targets_give_the_same_bits():
    model, twin = small(), small()
    fit(model, ROWS, CLASSES, epochs=2)
    fit(twin, np.array(ROWS), np.array(CLASSES), epochs=2)
    assert bits(model) == bits(twin)


def test_callback_sees_every_epoch_and_can_stop():
    seen = []

    def stop(epoch, history):
        seen.append((epoch, len(history.loss)))
        return epoch == 3

    history = fit(small(), ROWS, CLASSES, epochs=10, callback=stop)
    assert seen == [(1, 1), (2, 2), (3, 3)]
    assert len(history.loss) == 3


ROW_1 = "row 1, column 0"


@pytest.mark.parametrize(
    ("rows", "targets", "error", "message"),
    [
        ([[1.0, 2.0], [math.nan, 1.0]], [0, 1], ValueError, f"{ROW_1}: a finite .* not nan"),
        ([[1.0, 2.0], [math.inf, 1.0]], [0, 1], ValueError, f"{ROW_1}: a finite .* not inf"),
        ([[1.0, 2.0], ["x", 1.0]], [0, 1], TypeError, f"{ROW_1}: a real number .* not str 'x'"),
        ([[1.0, 2.0], [None, 1.0]], [0, 1], TypeError, f"{ROW_1}: .* not NoneType"),
        ([[1.0, 2.0], [1.0]], [0, 1], ValueError, "row 1 has 1 columns where row 0 has 2"),
        ([1.0, 2.0], [0, 1], TypeError, "row 0: a sequence of numbers .* not float 1.0"),
        ([], [], ValueError, "training data: at least one row"),
        ([[1.0, 2.0]], [0, 1], ValueError, "1 rows take as many targets, not 2"),
        ([[1.0, 2.0]] * 2, [0, 3], ValueError, "row 1: target 3 is outside the 3 classes"),
        ([[1.0, 2.0]] * 2, [0, math.nan], ValueError, "target of row 1: a finite .* not nan"),
        ([[1.0, 2.0]] * 2, [0, 0.5], TypeError, "row 1: the target must be a class index"),
        ([[1.0, 2.0, 3.0]], [0], ValueError, "layer1 takes 2 inputs, not 3"),
    ],
)
@pytest.mark.parametrize("where", ["the training data", "the validation data"])
def test_bad_data_is_refused_before_anything_is_trained(rows, targets, error, message, where):
    model = small()
    before = bits(model)
    if where == "the training data":
        with pytest.raises(error, match=message):
            fit(model, rows, targets)
    else:
        with pytest.raises(error, match=message.replace("training", "validation")):
            fit(model, ROWS, CLASSES, validation=(rows, targets))
    assert bits(model) == before
    assert model([1.0, 2.0])[0].prev, "recording is on again"


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be at least 1, not 0"),
        ({"epochs": 1.5}, TypeError, "epochs must be an integer, not float 1.5"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, not 0"),
        ({"batch_size": "8"}, TypeError, "batch_size must be .* or None for all .* not '8'"),
        ({"seed": "x"}, TypeError, "seed must be an integer"),
    ],
)
def test_bad_settings(setting, error, message):
    model = small()
    before = bits(model)
    with pytest.raises(error, match=message):
        fit(model, ROWS, CLASSES, **setting)
    assert bits(model) == before


def test_a_run_that_explodes_keeps_the_last_good_parameters():
    model = MLP([2, 4, 1], seed=1)
    optimizer = SGD(model.parameters(), 1e200)
    with pytest.raises(ValueError, match=r"the loss became nan in epoch 2; .* no parameter was"):
        fit(model, ROWS, [1e9, -1e9, 1.0, 2.0, 3.0], loss=mse, optimizer=optimizer, epochs=50)
    assert all(map(math.isfinite, _core.data(model.parameters())))


def test_progress_prints_a_line_an_epoch(capsys):
    fit(small(), ROWS, CLASSES, epochs=2, progress=True, validation=(ROWS, CLASSES))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("[############------------] epoch 1/2  loss ")
    assert lines[1].startswith("[########################] epoch 2/2  loss ")
    assert all("  accuracy " in line and "  validation accuracy " in line for line in lines)


@pytest.mark.parametrize("installed", [True, False])
def test_a_terminal_gets_a_bar_if_tqdm_is_there(monkeypatch, capsys, installed):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    if installed:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    fit(small(), ROWS, CLASSES, epochs=2, progress=True)
    out, err = capsys.readouterr()
    assert [f"epoch {i}/2" in line for i, line in enumerate(out.split("\n")[:2], 1)] == [True] * 2
    assert ("training" in err and "1/2" in err) is installed
    assert ("[####" in out) is not installed


def test_fit_without_progress_is_silent(capfd):
    fit(small(), ROWS, CLASSES, epochs=1)
    assert capfd.readouterr() == ("", "")


def test_history_repr():
    assert repr(History()) == "History(0 epochs)"
    full = History([0.5], [0.25], [0.75], [1.0])
    assert repr(full) == (
        "History(1 epoch, loss 0.5, accuracy 0.25, validation loss 0.75, validation accuracy 1)"
    )


@pytest.mark.parametrize(
    "history",
    [
        History([3.0, 2.0], [0.5, 0.75], [4.0, 3.5], [0.25, 0.5]),
        History([3.0]),
        History([0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 1.0]),
        History([1e300, 1.0], [0.0, 0.0]),
    ],
)
def test_plot_is_written(tmp_path, history):
    pytest.importorskip("matplotlib")
    png = history.plot(tmp_path / "run.png", "a title")
    assert png.read_bytes().startswith(b"\x89PNG")
    svg = history.plot(str(tmp_path / "run.svg"))
    assert b"<svg" in svg.read_bytes()


def test_plots_that_cannot_be(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no epoch to plot"):
        History().plot(tmp_path / "x.png")
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"gradtape\[plot\]"):
        History([1.0]).plot(tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_the_inner_step_can_be_another(monkeypatch):
    calls = []

    def other(forward, loss, optimizer):
        def step(rows, targets):
            calls.append((rows, targets))
            return 2.0, [[1.0, 0.0, 0.0]] * len(rows)

        return step

    monkeypatch.setattr(training, "_eager_step", other)
    history = fit(small(), ROWS, CLASSES, epochs=1, batch_size=3, shuffle=False, native=False)
    assert calls == [(ROWS[:3], CLASSES[:3]), (ROWS[3:], CLASSES[3:])]
    assert (history.loss, history.accuracy) == ([2.0], [0.4])
