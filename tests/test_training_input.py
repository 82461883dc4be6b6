"""What a user may give wrongly: told in one sentence, and nothing is changed."""

import math
import os
import signal
import subprocess
import sys
import textwrap

import gradtape as gt
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from gradtape import Value, _core, losses
from gradtape.data.checking import checked_rows, checked_targets
from gradtape.nn import MLP, Dropout, Linear, Sequential
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

quick = settings(deadline=None, max_examples=40)
X = np.random.default_rng(0).normal(size=(20, 3))
Y = (X[:, 0] > 0).astype(int)
HOLE = np.where(np.arange(60).reshape(20, 3) == 10, np.nan, X)


@quick
@given(arrays.arrays(float, arrays.array_shapes(min_dims=2, max_dims=3), elements=st.floats(-9, 9)))
def test_arrays_and_lists_are_the_same_rows(rows):
    found = checked_rows(rows.tolist(), "the data")
    assert np.array_equal(found, rows)
    assert np.array_equal(checked_rows([*rows], "the data"), rows)
    assert checked_rows(rows, "the data") is rows
    assert np.array_equal(checked_rows(rows.astype(object), "the data"), rows)


@quick
@given(st.lists(st.one_of(st.integers(-9, 9), st.booleans(), st.floats(-9, 9)), min_size=1))
def test_targets_stay_what_they_are(targets):
    found = checked_targets(targets, len(targets), "the data")
    listed = found.tolist() if isinstance(found, np.ndarray) else found
    assert [(type(x), x) for x in listed] == [(type(x), x) for x in targets]


@pytest.mark.parametrize("make", [np.array, np.ndarray.tolist, pd.DataFrame])
def test_any_table_trains_to_the_same_bits(make):
    model, twin = MLP([3, 4, 2]), MLP([3, 4, 2])
    gt.fit(model, make(X), Y.tolist(), epochs=2)
    gt.fit(twin, X, Y, epochs=2, native=None)
    assert _core.data(model.parameters()) == _core.data(twin.parameters())


def by_data(outputs, targets):
    return sum(row[0].data for row in outputs)


@pytest.mark.parametrize(
    ("rows", "targets", "message"),
    [
        (X[:, 0], Y, r"an array \(rows, columns\) is expected, not one of the shape \(20,\)"),
        (3, Y, "training data: rows of numbers are expected, not int 3"),
        ("abc", Y, "rows of numbers are expected, not str 'abc'"),
        ({"a": 1}, Y, "rows of numbers are expected, not dict"),
        (X, None, "targets are expected, not None"),
        (X[:, :2], Y, "the training data, row 0: layer1 takes 3 inputs, not 2"),
        (X * 1j, Y, "row 0, column 0: a real number is expected, not complex128"),
        (HOLE, Y, "the training data, row 3, column 1: a finite number .* not nan"),
        (HOLE.tolist(), Y, "the training data, row 3, column 1: a finite number .* not nan"),
        (X, np.where(Y, np.nan, 0.0), "the training data, target of row 0: a finite number"),
        (X, Y[:5], "20 rows take as many targets, not 5"),
        (X, Y.reshape(-1, 1), r"not 1; classes of rows are given flat, as by .ravel\(\)"),
        (X, Y + 1, "the training data, row 0: target 2 is outside the 2 classes 0 to 1"),
        (X, ["a"] * 20, r"1 class is named \(a\); a model with 2 outputs tells 2 apart"),
        (X, ["a", 1] * 10, "row 1: a class name is expected as in other rows, not int 1"),
        (scipy.sparse.csr_array(X), Y, r"training data: a csr_array is sparse, .*toarray\(\)"),
        (np.empty((0, 3)), [], "at least one row is expected"),
        (np.ma.masked_invalid(HOLE), Y, "row 3, column 1: a finite number is expected, not nan"),
    ],
)
@pytest.mark.filterwarnings("ignore:Warning. converting a masked:UserWarning")
def test_wrong_data_is_told(rows, targets, message):
    model = MLP([3, 4, 2])
    before = _core.data(model.parameters())
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(rows, targets)
    assert _core.data(model.parameters()) == before
    assert model.fitted is None


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"optimizer": "adamm"}, "unknown optimizer 'adamm'; did you mean 'adam'"),
        ({"optimizer": 0.1}, r"a name \(adagrad, .*\), a class or an object .*, not float 0.1"),
        ({"loss": "hubber"}, "unknown loss 'hubber'; did you mean 'huber'"),
        ({"loss": "mean_squared_error"}, "training data, row 0: 2 predictions take as many"),
        ({"loss": by_data}, "must give a Value, not float .* not from their .data"),
        ({"loss": by_data, "native": False}, "must give a Value, not float"),
        ({"loss": lambda o, t: None}, "must give one Value, .* not None"),
        ({"loss": lambda o, t: math.exp(o[0][0])}, "its gradient would be lost"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"batch_size": 2.5}, "batch_size must be an integer, not float 2.5"),
        ({"batch_size": "all"}, "an integer, or None for all rows in one step, not 'all'"),
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"epochs": -1}, "epochs must be at least 1, not -1"),
        ({"callback": 3}, "callback must be callable, not int 3"),
        ({"validation_data": X}, r"must be a pair \(rows, targets\)"),
        ({"validation_data": (X[:, :2], Y)}, "the validation data, row 0: layer1 takes 3 inputs"),
        ({"validation_data": (X, Y[:3])}, "the validation data: 20 rows .* not 3"),
        ({"validation_share": 2}, "validation_share must lie between 0 and 1, not 2"),
        ({"sample_weight": [1.0] * 3}, "sample_weight: 20 rows take as many weights, not 3"),
        ({"sample_weight": [-1.0] * 20}, "of row 0 must be a finite number from 0, not -1"),
        ({"sample_weight": [math.nan] * 20}, "of row 0 must be a finite number from 0, not nan"),
        ({"sample_weight": "balanced"}, "numbers, one a row, are expected, not str 'balanced'"),
    ],
)
def test_wrong_settings_are_told(setting, message):
    model = MLP([3, 4, 2])
    before = _core.data(model.parameters())
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(X, Y, **setting)
    assert _core.data(model.parameters()) == before


@pytest.mark.parametrize("loss", ["mean_squared_error", losses.poisson])
def test_names_are_no_numbers(loss):
    with pytest.raises(ValueError, match="targets are names of classes, such as 'a'; the loss"):
        MLP([3, 1]).fit(X, ["a", "b"] * 10, loss=loss)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP([3, 2], ["rleu"]), "unknown activation 'rleu'; did you mean 'relu'"),
        (lambda: MLP([3, 2], init="glorott"), "unknown init 'glorott'; did you mean 'glorot'"),
        (lambda: gt.fit(MLP, X, Y), "model must be a network .*, not the class MLP"),
        (lambda: gt.fit(len, X, Y), r"has parameters\(\), not <built-in function len>"),
        (lambda: gt.fit(MLP([3, 2]), X, Y, validation=X), "validation must be a pair"),
        (lambda: MLP([3, 2]).predict(HOLE), "row 3, column 1: a finite number is expected"),
        (lambda: MLP([3, 2]).predict(X[0]), r"not one of the shape \(3,\)"),
        (lambda: MLP([3, 2]).predict(scipy.sparse.csr_matrix(X)), "csr_matrix is sparse"),
    ],
)
def test_wrong_models_and_rows_are_told(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_one_of_many_targets_is_found():
    rows = np.zeros((5000, 3))
    counts, classes = np.arange(5000.0) + 0.5, np.zeros(5000, int)
    counts[4999], classes[4000] = -1.0, 7
    with pytest.raises(ValueError, match=r"the training data, row 4999: the count -1\.0"):
        MLP([3, 1]).fit(rows, counts, loss="poisson")
    with pytest.raises(ValueError, match="the training data, row 4000: target 7 is outside"):
        MLP([3, 2]).fit(rows, classes)
    two = np.stack([counts, counts], axis=1)
    with pytest.raises(ValueError, match=r"row 4999: the count -1\.0"):
        MLP([3, 2]).fit(rows, two, loss="poisson")


def test_one_class_and_truths_are_trained():
    assert MLP([3, 2]).fit(X, Y * 0, epochs=3).accuracy
    assert MLP([3, 2]).fit(X, Y > 0, epochs=3).accuracy
    model = MLP([3, 2])
    assert model.fit(X, Y, epochs=1).loss == MLP([3, 2]).fit(X, Y > 0, epochs=1).loss


@pytest.mark.parametrize("native", [True, False])
def test_a_diverging_run_says_so_at_the_first_loss_that_is_not_finite(native):
    model, history = MLP([3, 4, 2]), gt.History()
    with pytest.raises(ValueError, match=r"the loss became (inf|nan) in epoch \d.*was changed$"):
        model.fit(
            X,
            X[:, :2],
            optimizer="sgd",
            learning_rate=3.0,
            epochs=5000,
            native=native,
            history=history,
        )
    assert history.loss
    assert all(map(math.isfinite, history.loss + _core.data(model.parameters())))


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child")
@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_real_interrupt_leaves_a_model_and_its_history(native, optimizer):
    # L-BFGS would soon be at the minimum of a smaller problem.
    source = f"""
        import gradtape as gt, numpy as np
        rows = np.random.default_rng(0).normal(size=(3000, 3))
        model, history = gt.MLP([3, 40, 40, 1], "tanh"), gt.History()
        said = lambda epoch, history: epoch == 3 and print("started", flush=True)
        try:
            model.fit(rows, np.sin(9 * rows).prod(axis=1), optimizer="{optimizer}", epochs=10**9,
                      native={native}, callback=said, history=history)
        except KeyboardInterrupt:
            good = np.isfinite(model.predict(rows)).all() and model.fitted is not None
            print(len(history.loss) >= 3, good, history.loss[-1] < history.loss[0])
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    os.kill(child.pid, signal.SIGINT)
    assert child.communicate(timeout=120)[0] == "True True True\n"


def test_a_random_model_is_no_work_for_a_search():
    model = Sequential(Linear(3, 4), Dropout(0.5), Linear(4, 2))
    with pytest.raises(ValueError, match="draws random numbers"):
        gt.fit(model, X, Y, optimizer="lbfgs")


def test_a_value_of_ones_own_is_a_loss():
    w = Value(2.0)
    history = gt.fit(
        MLP([3, 2]), X, Y, loss=lambda o, t: losses.categorical_cross_entropy(o, t) + 0 * w
    )
    assert history.loss[-1] < history.loss[0]
