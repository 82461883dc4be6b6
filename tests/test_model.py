"""A model learns, predicts and scores: by names, by arrays, natively."""

import copy
import pickle

import gradtape as gt
import numpy as np
import pytest
from gradtape import MLP, Value, _core, losses
from gradtape.data import load_iris
from gradtape.nn import Model
from gradtape.optim import Adam, step_decay
from gradtape.stopping import EarlyStopping
from hypothesis import given, settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=25, derandomize=True, database=None)
random = np.random.default_rng(0)
X = random.normal(size=(90, 3))
CLASSES = (X @ [1.0, -2.0, 0.5] > 0).astype(int) + (X[:, 0] > 1)
NAMES = np.array(["plum", "apple", "fig"])[CLASSES]
NUMBERS = np.tanh(X @ [0.5, 0.5, -1.0])
activations = st.sampled_from(["linear", "relu", "tanh", "sigmoid", "softmax"])


@quick
@given(st.integers(1, 5), st.lists(activations, min_size=1, max_size=3), st.integers(0, 9))
def test_many_rows_run_natively_as_each_on_the_tape(outputs, names, seed):
    model = MLP([3, *[4] * (len(names) - 1), outputs], names, seed=seed)
    want = np.array(model.values(X.tolist()))
    np.testing.assert_allclose(model.outputs_of(X), want, rtol=1e-12, atol=1e-14)
    assert model.predict(X).tolist() == pytest.approx(model.predict(X.tolist()), abs=1e-12)
    # Parameters are read when rows are run, not when the network was recorded.
    for p in model.parameters():
        p.data += 0.25
    want = np.array(model.values(X.tolist()))
    np.testing.assert_allclose(model.outputs_of(X), want, rtol=1e-12, atol=1e-14)


@quick
@given(st.lists(activations, min_size=1, max_size=2), st.integers(1, 4), st.integers(0, 9))
def test_probabilities_are_such_and_the_prediction_is_the_largest(names, outputs, seed):
    model = MLP([3, *[4] * (len(names) - 1), outputs], names, seed=seed)
    p = model.predict_proba(X)
    assert p.shape == (len(X), max(outputs, 2))
    if not (outputs == 1 and names[-1] in ("relu", "softmax")):
        assert np.all((p >= 0) & (p <= 1))
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)
    if outputs > 1:
        assert model.predict(X).tolist() == np.argmax(p, axis=1).tolist()


def test_many_rows_take_one_recording(monkeypatch):
    calls, batch = [], MLP.batch
    monkeypatch.setattr(MLP, "batch", lambda *a, **k: calls.append(a) or batch(*a, **k))
    model = MLP([3, 4, 2], "tanh")
    for _ in range(3):
        assert model.predict(X).shape == (90,)
        model.parameters()[0].data += 1.0
    assert len(calls) <= 2


def test_a_fit_is_the_one_fit():
    one, other = MLP([3, 4, 3], "tanh"), MLP([3, 4, 3], "tanh")
    history = one.fit(X, CLASSES, optimizer="adam", learning_rate=0.02, epochs=5, seed=4)
    optimizer = Adam(other.parameters(), 0.02)
    want = gt.fit(other, X, CLASSES, optimizer=optimizer, epochs=5, seed=4)
    assert history == want
    assert _core.data(one.parameters()) == _core.data(other.parameters())


@pytest.mark.parametrize(
    ("loss", "targets", "outputs", "task"),
    [
        (None, NAMES, 3, "class"),
        (None, CLASSES, 3, "class"),
        (None, NUMBERS, 1, "numbers"),
        (None, X[:, :2], 2, "numbers"),
        (None, np.where(NUMBERS > 0, "yes", "no"), 1, "class"),
        ("categorical_cross_entropy", np.eye(3)[CLASSES], 3, "class"),
        ("focal", NAMES, 3, "class"),
        ("binary_cross_entropy", (X[:, :2] > 0).astype(float), 2, "labels"),
        ("binary_cross_entropy", (NUMBERS > 0).astype(int), 1, "class"),
        ("hinge", NAMES, 3, "scores"),
        ("hinge", np.where(NUMBERS > 0, 1, -1), 1, "scores"),
        ("hinge", np.where(NUMBERS > 0, "yes", "no"), 1, "scores"),
        ("huber", NUMBERS, 1, "numbers"),
        (losses.tuned("quantile", level=0.5), NUMBERS, 1, "numbers"),
        ("squared_loss", X[:, :2], 2, "numbers"),
        ("poisson", np.round(np.exp(X[:, 0])), 1, "rates"),
    ],
)
@pytest.mark.parametrize("standardise", [False, True])
def test_every_task_is_learned(loss, targets, outputs, task, standardise):
    model = MLP([3, 12, outputs], "tanh", seed=1)
    far = 1000.0 + 50.0 * X if standardise else X
    history = model.fit(
        far,
        targets,
        loss=loss,
        optimizer="adam",
        learning_rate=0.02,
        epochs=150,
        standardise=standardise,
        native=True,
    )
    assert history.loss[-1] < history.loss[0]
    assert model.fitted.task == task
    assert model.score(far, targets) > 0.85
    found = model.predict(far)
    assert found.shape == targets.shape or task == "class"
    if targets.dtype.kind == "U":
        assert set(found) <= set(targets)
        assert model.classes == tuple(sorted(set(targets)))
    if task in ("class", "labels"):
        p = model.predict_proba(far)
        assert np.all((p >= 0) & (p <= 1))
    else:
        with pytest.raises(ValueError, match="gives no probabilities"):
            model.predict_proba(far)
    few, many = model.predict(far[:5].tolist()), found[:5].tolist()
    assert few == many or np.asarray(few) == pytest.approx(np.asarray(many), rel=1e-12)


def test_score_is_the_share_or_the_coefficient_of_determination():
    model = MLP([1, 1], init="small")
    weight, bias = model.parameters()
    weight.data, bias.data = 1.0, 0.0
    x, t = [[1.0], [2.0], [3.0]], [1.0, 2.0, 5.0]
    # 1 - 4 / (25/9 + 4/9 + 49/9)
    assert model.score(x, t) == pytest.approx(1 - 4 / (78 / 9))
    assert model.score(x, [2.0, 2.0, 2.0]) == 0.0
    assert model.score([[2.0], [2.0]], [2.0, 2.0]) == 1.0
    with pytest.raises(ValueError, match="3 rows take as many targets"):
        model.score(x, [1.0])


def test_iris_with_names():
    iris = load_iris()
    names = [iris.names[t] for t in iris.targets]
    model = MLP([4, 10, 3], "relu", seed=1)
    history = model.fit(
        iris.rows, names, optimizer="adamw", learning_rate=0.02, epochs=60, standardise=True,
        validation_share=0.25, seed=42,
    )  # fmt: skip
    assert model.score(iris.rows, names) > 0.95
    assert len(history.validation_loss) == 60
    assert model.predict(iris.rows[:1]) == ["setosa"]
    assert model.predict_proba(iris.rows[:1])[0, 0] > 0.9


def test_early_stopping_puts_back_the_best():
    model, seen = MLP([3, 16, 1], "tanh", seed=3), []
    noise = NUMBERS + random.normal(size=90)
    history = model.fit(
        X[:40], noise[:40], validation_data=(X[40:], noise[40:]), optimizer="adam",
        learning_rate=0.05, epochs=500, patience=7,
        callback=lambda epoch, history: seen.append(_core.data(model.parameters())),
    )  # fmt: skip
    best = int(np.argmin(history.validation_loss))
    assert history.best_epoch == best + 1
    assert len(history.loss) == best + 8 < 500
    assert _core.data(model.parameters()) == seen[best]
    again = losses.mean_squared_error(model.values(X[40:]), noise[40:]).data
    assert again == pytest.approx(history.validation_loss[best])


def test_early_stopping_without_validation_watches_the_loss():
    model = MLP([3, 1])
    history = model.fit(X, 0 * NUMBERS, learning_rate=0.0, optimizer="sgd", epochs=50, patience=4)
    assert len(history.loss) == history.best_epoch + 4
    assert history.best_epoch < 10


@pytest.mark.parametrize("kind", [np.asarray, list])
def test_a_share_for_validation_is_drawn_from_the_seed(kind):
    model, twin = MLP([3, 4, 3], "tanh"), MLP([3, 4, 3], "tanh")
    history = model.fit(kind(X), kind(NAMES), validation_share=0.3, epochs=3, seed=5)
    places = list(range(90))
    kept, held, *_ = gt.data.train_test_split(places, places, 0.3, 5)
    assert len(held) == 27
    other = (X[held], NAMES[held])
    assert twin.fit(X[kept], NAMES[kept], validation_data=other, epochs=3, seed=5) == history
    assert _core.data(model.parameters()) == _core.data(twin.parameters())
    with pytest.raises(ValueError, match="one too many"):
        model.fit(X, NAMES, validation_share=0.3, validation_data=other)


def test_a_schedule_goes_with_a_name():
    model = MLP([3, 4, 3], "tanh")
    model.fit(X, CLASSES, optimizer="sgd", learning_rate=step_decay(0.5, 6, 0.0), epochs=1)
    one = _core.data(model.parameters())
    model.fit(X, CLASSES, optimizer="sgd", learning_rate=step_decay(0.0, 6, 0.0), epochs=3)
    assert _core.data(model.parameters()) == one


def test_the_first_scale_and_classes_stay():
    model = MLP([3, 4, 3], "tanh")
    model.fit(X + 5, NAMES, standardise=True, epochs=2)
    scaling = model.fitted.scaling
    model.fit(X[:9], NAMES[:9], epochs=2)
    assert model.fitted.scaling is scaling
    assert model.classes == ("apple", "fig", "plum")
    with pytest.raises(ValueError, match="row 1: the class 'pear' is not one of 'apple', 'fig'"):
        model.fit(X[:2], ["fig", "pear"])


@pytest.mark.parametrize(
    ("targets", "settings_of_it", "error", "message"),
    [
        (CLASSES, {"loss": "hingee"}, ValueError, "unknown loss 'hingee'; did you mean 'hinge'"),
        (CLASSES, {"optimizer": "adma"}, ValueError, "unknown optimizer 'adma'; did you mean 'ada"),
        (CLASSES, {"loss": 3}, TypeError, "loss must be a callable or a name, not int 3"),
        (CLASSES, {"patience": 0}, ValueError, "patience must be at least 1, not 0"),
        (CLASSES, {"validation_data": X}, TypeError, r"must be a pair \(rows, targets\)"),
        (CLASSES, {"validation_share": 1.5}, ValueError, "between 0 and 1, not 1.5"),
        (NAMES[:2], {}, ValueError, "90 rows take as many targets, not 2"),
        (
            np.where(CLASSES > 0, "a", "b"),
            {},
            ValueError,
            r"2 classes .* \(a, b\); .* tells 3 apart",
        ),
        ([*NAMES[:-1], 3], {}, TypeError, "row 89: a class name is expected .*not int 3"),
        (
            NAMES,
            {"validation_data": (X[:1], ["pear"])},
            ValueError,
            "validation data, target of row 0: the class 'pear'",
        ),
        (CLASSES, {"epoch": 3}, TypeError, "epoch"),
        (CLASSES, {"classes": "abc"}, TypeError, "a sequence of names, not the str 'abc'"),
        (CLASSES, {"classes": ["a", "b", "b"]}, ValueError, r"3 classes are named \(a, b, b\)"),
    ],
)
def test_what_is_refused_changes_nothing(targets, settings_of_it, error, message):
    model = MLP([3, 4, 3])
    before = _core.data(model.parameters())
    with pytest.raises(error, match=message):
        model.fit(X, targets, **settings_of_it)
    assert _core.data(model.parameters()) == before
    assert model.fitted is None


def test_an_optimizer_has_its_own_rate():
    model = MLP([3, 3])
    with pytest.raises(TypeError, match="this Adam has its own"):
        model.fit(X, CLASSES, optimizer=Adam(model.parameters()), learning_rate=0.1)


def test_rows_of_another_width_are_told():
    model = MLP([3, 3])
    for rows in (np.ones((100, 4)), np.ones((2, 4)), [[1.0] * 4]):
        with pytest.raises(ValueError, match="layer1 takes 3 inputs, not 4"):
            model.predict(rows)
    model.fit(X, CLASSES, standardise=True, epochs=1)
    with pytest.raises(ValueError, match="rows of 3 numbers are expected"):
        model.predict(np.ones((100, 4)))


def test_the_order_of_classes_may_be_told():
    model, twin = MLP([3, 4, 3], "tanh"), MLP([3, 4, 3], "tanh")
    order = ["plum", "apple", "fig"]
    model.fit(X, NAMES, classes=order, epochs=3)
    twin.fit(X, CLASSES, classes=order, epochs=3)
    assert model.classes == twin.classes == tuple(order)
    assert _core.data(model.parameters()) == _core.data(twin.parameters())
    assert model.score(X, NAMES) == twin.score(X, CLASSES) == twin.score(X, NAMES)
    # Integers in a later training are the same classes.
    twin.fit(X, CLASSES, epochs=1)
    assert twin.classes == tuple(order)


@pytest.mark.parametrize("rows", [None, 3])
def test_what_are_no_rows(rows):
    with pytest.raises(TypeError, match="rows of numbers are expected, not"):
        MLP([3, 3]).predict(rows)


def test_no_rows_have_no_predictions():
    assert MLP([3, 3]).predict([]) == []
    assert MLP([3, 3]).predict(np.empty((0, 3))).shape == (0,)


def test_columns_of_one_number_and_huge_ones_are_scaled():
    rows = np.column_stack([np.full(90, 7.0), 1e308 * np.sign(X[:, 0]), X[:, 1] * 1e-300])
    model = MLP([3, 3])
    model.fit(rows, CLASSES, standardise=True, epochs=1)
    scaled = model.fitted.scaling(rows)
    assert np.all(scaled[:, 0] == 0.0)
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(scaled[:, 1:].std(axis=0), 1.0, rtol=1e-12)


def test_copies_stand_on_their_own():
    model = MLP([3, 4, 3], "tanh")
    model.fit(X, NAMES, epochs=2)
    want = model.predict_proba(X)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.copy(model)):
        np.testing.assert_array_equal(twin.predict_proba(X), want)
        assert twin.classes == model.classes
    twin = copy.deepcopy(model)
    twin.fit(X, NAMES, epochs=2)
    np.testing.assert_array_equal(model.predict_proba(X), want)


class Own(Model):
    """A user's own model, without anything but a call."""

    def __init__(self):
        self.w = [Value(0.1), Value(-0.2)]

    def __call__(self, row):
        total = self.w[0] * row[0] + self.w[1]
        return [total if total > 0 else 2 * total]

    def parameters(self):
        return self.w


def test_a_model_of_ones_own():
    model = Own()
    model.fit(X, 0.5 * X[:, 0], epochs=40, native=True)
    assert model.score(X, 0.5 * X[:, 0]) > 0.9
    np.testing.assert_allclose(
        model.predict(X)[:70],
        model.predict(X[:30].tolist() * 3)[:30] + model.predict(X[30:70].tolist()),
    )
    with pytest.raises(
        TypeError, match=r"Own models cannot be saved: there is no architecture\(\)"
    ):
        model.save("nowhere")


def test_an_early_stop_is_also_a_callback():
    model = MLP([3, 3])
    stop = EarlyStopping(model, 2, least=1e9)
    history = gt.fit(model, X, CLASSES, epochs=20, callback=stop)
    assert (len(history.loss), stop.epoch) == (3, 1)
    for bad in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="least must be"):
            EarlyStopping(model, 2, bad)
