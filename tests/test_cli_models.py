"""The command trains with every option, saves, reports and predicts."""

import csv
import io
import json
import re

import gradtape as gt
import numpy as np
import pytest
from gradtape.choosing import OPTIMIZERS
from gradtape.data import column_names, load_iris, read_columns
from gradtape.reporting import Report, _shade, check_folder, confusion
from hypothesis import given
from hypothesis import strategies as st

LBFGS = ["train", "iris", "--optimizer", "lbfgs"]
IRIS = str(gt.data.__path__[0]) + "/iris.csv"


pytestmark = pytest.mark.usefixtures("elsewhere")


def table(text):
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize("loss", ["categorical_cross_entropy", "focal", "hinge"])
@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [
        (name, schedule)
        for name in OPTIMIZERS
        for schedule in ("constant", "step", "cosine")
        if (name, schedule) not in {("lbfgs", "step"), ("lbfgs", "cosine")}
    ],
)
def test_every_choice_learns_iris(run, loss, optimizer, schedule):
    code, out, err = run(
        "train", "iris", "--loss", loss, "--optimizer", optimizer, "--schedule", schedule,
        "--weight-decay", "1e-4", "--no-plot", "--quiet", "--epochs", "80",
    )  # fmt: skip
    assert (code, err) == (0, "")
    scores = re.fullmatch(r"training accuracy (\S+), test accuracy (\S+)\n", out).groups()
    assert min(map(float, scores)) >= (0.8 if schedule == "step" or optimizer == "adagrad" else 0.9)


def test_options_reach_the_training(run):
    base = ["train", "iris", "--no-plot", "--epochs", "5", "-o", "m"]
    found = set()
    for more in (
        [], ["--optimizer", "adam"], ["--optimizer", "adamw", "--weight-decay", "0.1"],
        ["--schedule", "step"], ["--schedule", "cosine"], ["--weight-decay", "0.1"],
        ["--loss", "focal"], ["--loss", "hinge"], ["--momentum", "0.5"], ["--learning-rate", "0.1"],
        ["--validation", "0.3"], ["--optimizer", "rmsprop"],
        ["--optimizer", "rmsprop", "--momentum", "0.3"], ["--seed", "1"], ["--batch-size", "8"],
        ["--dtype", "float32"], ["--optimizer", "lbfgs"],
        ["--optimizer", "lbfgs", "--weight-decay", "0.1"],
    ):  # fmt: skip
        assert run(*base, *more)[0] == 0
        found.add(gt.load("m").parameters()[0].data)
    assert len(found) == 18


def test_a_model_travels_with_its_columns_classes_and_scales(run):
    code, out, _ = run("train", "iris", "--no-plot", "-o", "m.safetensors")
    assert code == 0
    assert out.splitlines()[-1] == "model: m.safetensors"
    model, iris = gt.load("m.safetensors"), load_iris()
    assert model.classes == tuple(iris.names)
    assert model.fitted.target == "species"
    assert list(model.fitted.columns) == column_names(IRIS)[:-1]
    code, out, err = run("predict", "m.safetensors", IRIS)
    assert (code, err) == (0, "")
    header, *rows = table(out)
    assert header == ["species", *(f"probability of {name}" for name in iris.names)]
    assert [row[0] for row in rows] == model.predict(iris.rows)
    want = model.predict_proba(np.array(iris.rows))
    assert [[float(x) for x in row[1:]] for row in rows] == want.tolist()
    right = np.mean([row[0] == iris.names[t] for row, t in zip(rows, iris.targets, strict=True)])
    assert right > 0.95


def test_columns_are_found_by_name(run, tmp_path):
    run("train", "iris", "--no-plot", "-o", "m")
    want = run("predict", "m", IRIS)[1]
    lines = table((tmp_path / IRIS).read_text())
    order = [4, 2, 0, 3, 1]
    with open("other.csv", "w", newline="") as file:
        rows = [[*(line[i] for i in order), f"n{i}"] for i, line in enumerate(lines)]
        csv.writer(file).writerows(rows)
    assert run("predict", "m", "other.csv", "-o", "p.csv") == (0, "", "")
    assert (tmp_path / "p.csv").read_text(encoding="utf-8") == want


def test_a_model_from_python_and_of_numbers(run, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3,4\n")
    model = gt.MLP([2, 1], init="small")
    model.save("m")
    code, out, _ = run("predict", "m", "x.csv")
    assert code == 0
    assert [float(row[0]) for row in table(out)[1:]] == model.predict([[1, 2], [3, 4]])
    two = gt.MLP([2, 2], init="small")
    two.fit([[1, 2], [3, 4]], [[0.5, 1.5], [1.0, 2.0]], epochs=1)
    two.save("m")
    assert table(run("predict", "m", "x.csv")[1])[0] == ["prediction 1", "prediction 2"]


def test_early_stopping_and_report(run, tmp_path):
    pytest.importorskip("matplotlib")
    code, out, err = run(
        "train", "iris", "--validation", "0.25", "--patience", "3", "--optimizer", "adam",
        "--learning-rate", "0.05", "--epochs", "300", "--report", "report", "--no-plot",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "28 of the rows to train on are only looked at" in out
    found = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    line = found["history"]["validation_loss"]
    best = int(np.argmin(line)) + 1
    assert found["history"]["best_epoch"] == best == len(line) - 3
    assert f"the parameters are those of epoch {best}" in out
    assert np.sum(found["confusion"]) == 38
    assert np.trace(found["confusion"]) / 38 == pytest.approx(found["scores"]["test"])
    for name in ("curves.png", "confusion.png"):
        assert (tmp_path / "report" / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["train", "iris", "--loss", "huber"], "--loss: unknown name 'huber'; known are cat"),
        (["train", "iris", "--loss", "hinges"], "unknown name 'hinges'; did you mean 'hinge'"),
        (["train", "iris", "--optimizer", "adma"], "unknown name 'adma'; did you mean 'adam'"),
        (["train", "iris", "--optimizer", "l-bfgs"], "did you mean 'lbfgs'"),
        (["train", "iris", "--dtype", "float23"], "did you mean 'float32'"),
        (["train", "iris", "--schedule", "cos"], "did you mean 'cosine'"),
        ([*LBFGS, "--batch-size", "16"], "--batch-size does not go with lbfgs, which looks at all"),
        ([*LBFGS, "--learning-rate", "1"], "--learning-rate does not go with lbfgs"),
        ([*LBFGS, "--schedule", "step"], "--schedule does not go with lbfgs"),
        ([*LBFGS, "--dtype", "float32"], "--dtype does not go with lbfgs"),
        ([*LBFGS, "--momentum", "0.1"], "--momentum goes with rmsprop and sgd, not with lbfgs"),
        (["train", "iris", "--validation", "1"], "a share less than 1 is expected, not '1'"),
        (["train", "iris", "--patience", "3"], "--patience needs --validation"),
        (["train", "iris", "--optimizer", "adam", "--momentum", "0.5"], "not with adam"),
        (["train", "iris", "-o", "."], "is a directory, not a place for a model"),
        (["train", "iris", "-o", "no/m"], "no directory no for the model m"),
        (["train", "iris", "--report", "no/m"], "no folder no for the report m"),
        (["train", "iris", "--report", "file"], "file is a file, not a folder"),
        (["predict", "none", "x.csv"], "there is no file none"),
        (["predict", "file", "x.csv"], "no saved compiled function and no saved model"),
        (["predict", "function", "x.csv"], "is a compiled function, not a model"),
        (["predict", "model", "none.csv"], "there is no file none.csv"),
        (["predict", "model", "x.csv"], "x.csv has 2 columns; the model.* takes 3"),
        (["predict", "model", "x.csv", "-o", "."], "not a place for a table"),
        (["predict", "named", "x.csv"], "no column 'c'; its columns are 'a', 'b'"),
    ],
)
def test_what_is_wrong_is_one_sentence(run, tmp_path, argv, message):
    if "--report" in argv:
        pytest.importorskip("matplotlib")
    (tmp_path / "file").write_text("something")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    f = gt.compile(lambda x: x)
    f(1.0)
    f.save("function")
    gt.MLP([3, 2]).save("model")
    named = gt.MLP([1, 2])
    named.fitted = gt.nn.fitted.Fitted("class", "focal", columns=("c",))
    named.save("named")
    before = sorted(tmp_path.iterdir())
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert re.search(message, err)
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


names = st.sampled_from("abc")


@given(st.lists(st.tuples(names, names)))
def test_confusion_counts_pairs(pairs):
    matrix = confusion([a for a, _ in pairs], [b for _, b in pairs], "abc")
    for i, a in enumerate("abc"):
        for j, b in enumerate("abc"):
            assert matrix[i][j] == pairs.count((a, b))
    lines = Report("", gt.History(), "abc", matrix, {}).text().splitlines()
    assert [[int(x) for x in line.split()[1:]] for line in lines[1:]] == matrix
    assert len(set(map(len, lines))) == 1


@pytest.mark.parametrize("count", [1, 6, 7, 40])
@pytest.mark.parametrize(
    "name", ["{}", "$\\x{}$", "a class with a very long name, the one of number {}"]
)
def test_a_report_of_any_classes_is_drawn(tmp_path, count, name):
    pytest.importorskip("matplotlib")
    classes = [name.format(i) for i in range(count)]
    matrix = np.diag(np.arange(count)).tolist()
    matrix[0][-1] = 10000
    history = gt.History([1.0, 0.5], [0.5, 1.0])
    Report("of many layers " * 20, history, classes, matrix, {}).write(tmp_path / "report")
    from matplotlib.image import imread

    height, width, _ = imread(tmp_path / "report" / "confusion.png").shape
    assert 300 < min(height, width) <= max(height, width) < 3500


def test_errors_stand_out_from_what_is_right():
    """A single wrong row is seen among many, in another hue; a share is a depth."""
    blank, few, many = (_shade([n, 9999], 1, 0) for n in (0, 1, 9999))
    right = _shade([5, 0], 0, 0)
    for channel, (paper, some, more) in enumerate(zip(blank, few, many, strict=True)):
        assert paper > some > more, channel
    assert few[0] > few[2] + 0.05
    assert right[2] > right[0]
    assert _shade([0, 0], 0, 0) == blank


def test_what_no_confusion_can_be_made_of():
    with pytest.raises(ValueError, match="2 targets take as many predictions, not 1"):
        confusion("ab", "a", "ab")
    with pytest.raises(ValueError, match="row 1: 'c' is none of the 2 classes"):
        confusion("ab", "ac", "ab")


def test_columns_of_a_file(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b,a\n1,2,3\n")
    with pytest.raises(ValueError, match="more than one column 'a'"):
        read_columns(path, ["a"])
    assert read_columns(path, ["b"]) == [[2.0]]
    path.write_text("a,b\n1,x\n")
    with pytest.raises(ValueError, match="column 'b' has the text 'x'"):
        read_columns(path, None)
    check_folder(tmp_path)
