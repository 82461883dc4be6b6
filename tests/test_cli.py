import re
import subprocess
import sys
from importlib import metadata

import pytest
from gradtape.choosing import OPTIMIZERS
from gradtape.data import load_iris

FAST = ["--epochs", "2", "--no-plot"]


pytestmark = pytest.mark.usefixtures("elsewhere")


def fruit(path, count=12):
    lines = [f"{i},{i % 3}.5,{('plum', 'apple')[i % 2]}" for i in range(count)]
    path.write_text("weight,size,fruit\n" + "\n".join(lines) + "\n")
    return str(path)


def test_iris_reaches_95_percent_and_draws(run, tmp_path):
    pytest.importorskip("matplotlib")
    code, out, err = run("train", "iris")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("iris: 150 rows of 4 numbers, 3 classes; 112 rows to train on")
    assert lines[1] == "MLP(4 → 10 relu → 5 relu → 3 softmax, 123 parameters)"
    epochs = [line for line in lines if re.search(r"epoch +\d+/60  loss .*  accuracy ", line)]
    assert len(epochs) == 60
    scores = re.fullmatch(r"training accuracy (\S+), test accuracy (\S+)", lines[-2])
    assert min(map(float, scores.groups())) >= 0.95
    assert lines[-1] == "loss and accuracy: gradtape-iris.png"
    assert (tmp_path / "gradtape-iris.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_prints_the_same(run):
    first, second = (run("train", "iris", *FAST, "--seed", "7") for _ in range(2))
    other = run("train", "iris", *FAST, "--seed", "8")
    assert first == second
    assert first[1] != other[1]


def test_own_file_with_every_option(run, tmp_path):
    pytest.importorskip("matplotlib")
    code, out, err = run(
        "train", fruit(tmp_path / "fruit.csv"), "--target", "fruit", "--epochs", "3",
        "--batch-size", "4", "--learning-rate", "0.1", "--hidden", "3", "--activation", "tanh",
        "--momentum", "0.5", "--seed", "1", "--plot", "run.svg",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "fruit: 12 rows of 2 numbers, 2 classes; 9 rows to train on, 3 to test" in out
    assert "MLP(2 → 3 tanh → 2 softmax, 17 parameters)" in out
    assert "<svg" in (tmp_path / "run.svg").read_text()


def test_quiet_prints_one_line_and_no_hidden_layer_is_fine(run, tmp_path):
    code, out, err = run("train", "iris", *FAST, "--quiet", "--hidden", "")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"training accuracy \S+, test accuracy \S+\n", out)
    assert list(tmp_path.iterdir()) == []


def test_the_picture_of_a_file_is_named_after_it(run, tmp_path):
    pytest.importorskip("matplotlib")
    code, _, _ = run("train", fruit(tmp_path / "a.b.csv"), "--target", "fruit", *FAST[:2])
    assert code == 0
    assert (tmp_path / "gradtape-a.b.png").exists()


def test_without_matplotlib_it_trains_and_says_so(run, monkeypatch):
    for name in ("matplotlib", "matplotlib.backend_bases"):
        monkeypatch.setitem(sys.modules, name, None)
    code, out, err = run("train", "iris", "--epochs", "1")
    assert code == 0
    assert "test accuracy" in out
    assert "gradtape[plot]" in err
    code, out, err = run("train", "iris", "--plot", "x.png")
    assert (code, out) == (2, "")
    assert "gradtape[plot]" in err


BAD_FILES = {
    "empty.csv": ("", "empty.csv is empty"),
    "header.csv": ("x,c\n", "has a header but no rows"),
    "column.csv": ("x,y\n1,2\n", "no column 'c'"),
    "text.csv": ("x,c\n1,a\ntall,b\n", r"row 2 \(line 3\), column 'x' has the text 'tall'"),
    "nan.csv": ("x,c\n1,a\nnan,b\n", r"row 2 \(line 3\), column 'x' has nan"),
    "gap.csv": ("x,c\n1,a\n,b\n", r"row 2 \(line 3\), column 'x' is empty"),
    "ragged.csv": ("x,c\n1,a\n2\n", r"row 2 \(line 3\) has 1 cell where"),
    "single.csv": ("x,c\n1,a\n2,a\n", "single class 'a'"),
    "latin.csv": ("x,c\n1,é\n2,b\n", "line 2 has the byte 0xe9"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(run, tmp_path, name):
    content, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    code, out, err = run("train", name, "--target", "c")
    assert (code, out) == (2, "")
    assert re.search(message, err)
    assert err.startswith("gradtape: ")
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["train"], "required: DATA"),
        (["train", "none.csv", "--target", "c"], "there is no file none.csv"),
        (["train", ".", "--target", "c"], ". is a directory"),
        (["train", "x.csv"], "--target COLUMN must say which column of x.csv"),
        (["train", "iris", "--target", "species"], "iris needs no --target"),
        (["train", "iris", "--epochs", "0"], "at least 1 is expected, not '0'"),
        (["train", "iris", "--epochs", "many"], "an integer is expected, not 'many'"),
        (["train", "iris", "--batch-size", "-3"], "at least 1 is expected, not '-3'"),
        (["train", "iris", "--learning-rate", "-1"], "not negative is expected, not '-1'"),
        (["train", "iris", "--learning-rate", "nan"], "not negative is expected, not 'nan'"),
        (["train", "iris", "--momentum", "inf"], "not negative is expected, not 'inf'"),
        (["train", "iris", "--hidden", "10,,5"], "an integer is expected, not ''"),
        (["train", "iris", "--hidden", "0"], "at least 1 is expected, not '0'"),
        (["train", "iris", "--seed", "-1"], r"from 0 to 2\*\*32 - 1 is expected, not '-1'"),
        (["train", "iris", "--no-plot", "--activation", "rleu"], "unknown activation 'rleu'"),
        (["train", "iris", "--plot", "no/where.png"], "no directory no for the picture"),
        (["train", "iris", "--plot", "."], "is a directory, not a place for a picture"),
        (["train", "iris", "--plot", "x.docx"], "must end in one of .*not 'x.docx'"),
    ],
)
def test_bad_arguments(run, tmp_path, argv, message):
    if "--plot" in argv:
        pytest.importorskip("matplotlib")
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert re.search(message, err)
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_explodes_is_one_sentence(run):
    code, _, err = run("train", "iris", "--learning-rate", "1e300", "--no-plot")
    assert code == 2
    assert re.fullmatch(r"gradtape: .*no parameter was changed\n", err)


def test_version_and_help(run):
    code, out, err = run("--version")
    assert (code, err) == (0, "")
    try:
        assert out == f"gradtape {metadata.version('gradtape')}\n"
    except metadata.PackageNotFoundError:
        assert out == "gradtape (not installed)\n"
    code, out, _ = run("train", "--help")
    assert code == 0
    assert "--learning-rate" in out


def command(*argv, **options):
    return subprocess.run(
        [sys.executable, "-m", "gradtape", *argv], capture_output=True, check=False, **options
    )


def test_as_a_module_in_a_terminal_without_arrows():
    import os

    done = command("train", "iris", *FAST, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"MLP(4 ? 10 relu" in done.stdout
    assert command("train", "nowhere.csv", "--target", "x").returncode == 2


def test_help_of_train_tells_every_optimizer_that_fit_knows(run):
    code, out, err = run("train", "--help")
    assert (code, err) == (0, "")
    names = re.search(r"how steps are taken: (.*?) \(default", " ".join(out.split()))[1]
    assert names.split(", ") == list(OPTIMIZERS)
    assert "what steps compute rows in: float64, float32 (default" in " ".join(out.split())


def test_help_and_errors_load_nothing_heavy():
    script = (
        "import sys\n"
        "from gradtape.cli import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "main(['train', 'nowhere.csv', '--target', 'x'])\n"
        "print(*sorted({'numpy', 'matplotlib', 'tqdm'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stderr.splitlines()[-1] == b""


def test_a_reader_that_leaves_early_is_no_error():
    script = "import sys\nfrom gradtape.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    with subprocess.Popen(
        [sys.executable, "-c", script, "train", "iris", "--no-plot", "--epochs", "200"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_iris_by_its_file_is_iris(run):
    from gradtape import data

    source = str(data.__path__[0]) + "/iris.csv"
    by_name = run("train", "iris", *FAST)
    by_file = run("train", source, "--target", "species", *FAST)
    assert by_name == by_file
    assert len(load_iris().rows) == 150
