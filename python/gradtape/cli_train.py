"""``gradtape train``: a network that tells classes apart, from a file to a report."""

import argparse
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradtape.cli_arguments import Help, Named, check_place, positive, rate, seed, share, sizes

if TYPE_CHECKING:
    from gradtape.data import Dataset
    from gradtape.history import History
    from gradtape.nn import MLP

# Those that several outputs learn classes by.
LOSSES = ("categorical_cross_entropy", "focal", "hinge")
SCHEDULES = ("constant", "step", "cosine")
DTYPES = ("float64", "float32")


def _optimizers() -> "dict[str, Any]":
    """Every optimizer that `fit` knows; looking takes NumPy, which takes its time."""
    from gradtape.choosing import OPTIMIZERS

    return dict(OPTIMIZERS)


def add_train(commands: Any) -> None:
    """Add the subcommand to a parser's."""
    train = commands.add_parser(
        "train",
        help="train a network that tells classes apart",
        description="Train a network that tells classes apart, on three quarters of the rows, and "
        "test it on the rest. Columns are standardised first.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        add_help=False,
    )
    option = train.add_argument
    named: list[argparse.Action] = []
    option("-h", "--help", action=Help, named=named)

    def choice(flag: str, names: Callable[[], Iterable[str]], default: str, text: str) -> None:
        named.append(option(flag, action=Named, names=names, default=default, help=text))

    option("data", metavar="DATA", help="iris, or a CSV file of numeric columns with a header")
    option("--target", metavar="COLUMN", help="the file's column of classes")
    option("--hidden", type=sizes, default="10,5", metavar="N,N", help="sizes of hidden layers")
    option("--activation", default="relu", metavar="NAME", help="what the hidden layers apply")
    choice("--loss", lambda: LOSSES, LOSSES[0], "what is made small")
    option("--epochs", type=positive, default=60, metavar="N", help="passes over the rows")
    option(
        "--batch-size",
        type=positive,
        default=argparse.SUPPRESS,
        metavar="N",
        help="rows a step (default: 16; lbfgs takes all)",
    )
    choice("--optimizer", _optimizers, "sgd", "how steps are taken")
    option(
        "--learning-rate",
        type=rate,
        default=argparse.SUPPRESS,
        metavar="X",
        help="length of a step (default: 0.05 for sgd, 0.01 for the others)",
    )
    option(
        "--momentum",
        type=rate,
        default=argparse.SUPPRESS,
        metavar="X",
        help="how much velocity is kept, by sgd and rmsprop (default: 0.9 for sgd, else 0)",
    )
    option(
        "--weight-decay", type=rate, default=0.0, metavar="X", help="how weights are pulled to 0"
    )
    choice("--schedule", lambda: SCHEDULES, SCHEDULES[0], "how the rate falls")
    choice("--dtype", lambda: DTYPES, DTYPES[0], "what steps compute rows in")
    option("--validation", type=share, default=0.0, metavar="X", help="share not trained on")
    option(
        "--patience",
        type=positive,
        default=argparse.SUPPRESS,
        metavar="N",
        help="stop after N epochs without a better validation loss, and keep the best",
    )
    option("--seed", type=seed, default=42, metavar="N", help="for split, weights and order")
    _add_places(option)
    train.set_defaults(run=run)


def _add_places(option: Callable[..., Any]) -> None:
    """Where results go."""
    option(
        "-o",
        "--output",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="PATH",
        help="save the model, for gradtape predict",
    )
    option(
        "--report",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FOLDER",
        help="write curves.png, confusion.png and report.json there",
    )
    option(
        "--plot",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="PATH",
        help="where the picture goes (default: gradtape-NAME.png here)",
    )
    option("--no-plot", action="store_true", help="make no picture")
    option("--quiet", action="store_true", help="print the final accuracies only")


def _plot_path(given: argparse.Namespace, name: str) -> Path | None:
    """Where the picture goes, or `None`; an unusable path is refused before the training."""
    if given.no_plot:
        return None
    path: Path = getattr(given, "plot", Path(f"gradtape-{name}.png"))
    check_place(path, "picture")
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        message = "no picture without matplotlib: python -m pip install 'gradtape[plot]'"
        if hasattr(given, "plot"):
            raise ImportError(message) from None
        print(f"gradtape: {message}", file=sys.stderr)
        return None
    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in kinds:
        raise ValueError(
            f"the picture's name must end in one of .{', .'.join(sorted(kinds))}, not {path.name!r}"
        )
    return path


def _check_settings(given: argparse.Namespace) -> None:
    """Refuse before the training what does not go together."""
    if hasattr(given, "patience") and not given.validation:
        raise ValueError(
            "--patience needs --validation X: were the rows of the test to choose the parameters, "
            "they would test nothing"
        )
    if hasattr(given, "output"):
        check_place(given.output, "model")
    if hasattr(given, "report"):
        from gradtape.reporting import check_folder

        check_folder(given.report)


def _takes(name: str, setting: str) -> bool:
    """Whether the optimizer of this name has such a setting."""
    return setting in signature(_optimizers()[name]).parameters


def _check_optimizer(given: argparse.Namespace) -> None:
    """Refuse before the training what the optimizer has no use for."""
    name = given.optimizer
    if hasattr(given, "momentum") and not _takes(name, "momentum"):
        with_momentum = [known for known in _optimizers() if _takes(known, "momentum")]
        raise ValueError(f"--momentum goes with {' and '.join(with_momentum)}, not with {name}")
    if _takes(name, "learning_rate"):
        return
    far = "finds by itself how far to go"
    for option, there, why in (
        ("--batch-size", hasattr(given, "batch_size"), "looks at all rows in every step"),
        ("--learning-rate", hasattr(given, "learning_rate"), far),
        ("--schedule", given.schedule != SCHEDULES[0], far),
        ("--dtype", given.dtype != DTYPES[0], "needs all digits of the loss"),
    ):
        if there:
            raise ValueError(f"{option} does not go with {name}, which {why}")


def _data(given: argparse.Namespace) -> "tuple[str, Dataset, list[str], str]":
    """What the data are called, the data, the names of their columns and of the target."""
    from gradtape import data

    if given.data == "iris":
        if given.target is not None:
            raise ValueError("iris needs no --target; for a file of that name write ./iris")
        name, path, target = "iris", Path(data.__file__).with_name("iris.csv"), "species"
    elif given.target is None:
        raise ValueError(f"--target COLUMN must say which column of {given.data} has classes")
    else:
        name, path, target = Path(given.data).stem, Path(given.data), given.target
    found = data.read_csv(path, target)
    return name, found, [c for c in data.column_names(path) if c != target], target


def _optimizer(given: argparse.Namespace, model: "MLP", steps: int) -> Any:
    """The optimizer, with the schedule over so many steps."""
    from gradtape.optim import cosine, step_decay

    make = _optimizers()[given.optimizer]
    settings = {"weight_decay": given.weight_decay}
    if not _takes(given.optimizer, "learning_rate"):
        return make(model.parameters(), **settings)
    if _takes(given.optimizer, "momentum"):
        usual = 0.9 if given.optimizer == "sgd" else 0.0
        settings["momentum"] = getattr(given, "momentum", usual)
    top = getattr(given, "learning_rate", 0.05 if given.optimizer == "sgd" else 0.01)
    schedules: dict[str, Any] = {
        "constant": lambda: top,
        "step": lambda: step_decay(top, max(1, -(-steps // 3))),
        "cosine": lambda: cosine(top, max(2, steps), warm_up=steps // 20),
    }
    return make(model.parameters(), schedules[given.schedule](), **settings)


def run(given: argparse.Namespace) -> None:
    """Train, test, and write what is asked for."""
    name, data, columns, target = _data(given)
    _check_settings(given)
    plot = _plot_path(given, name)
    _check_optimizer(given)
    # What needs NumPy is loaded once nothing is left that only a look at the arguments shows.
    from gradtape.data import train_test_split
    from gradtape.nn import MLP

    parts = train_test_split(data.rows, data.targets, seed=given.seed)
    counts = [len(columns), *given.hidden, len(data.names)]
    last = "linear" if given.loss == "hinge" else "softmax"
    model = MLP(counts, [given.activation] * len(given.hidden) + [last], seed=given.seed)
    if not given.quiet:
        print(
            f"{name}: {len(data.rows)} rows of {counts[0]} numbers, {counts[-1]} classes; "
            f"{len(parts[0])} rows to train on, {len(parts[1])} to test\n{model}"
        )
        if given.validation:
            held = math.ceil(given.validation * len(parts[0]))
            print(f"{held} of the rows to train on are only looked at after each epoch")
    history = _fit(given, model, parts, data.names)
    assert model.fitted is not None
    model.fitted = replace(model.fitted, columns=tuple(columns), target=target)
    _tell(given, model, history, parts, plot, name)


def _fit(given: argparse.Namespace, model: "MLP", parts: Any, names: list[str]) -> "History":
    from gradtape.nn.initial import USUAL_BATCH
    from gradtape.progress import Progress

    train, test, train_targets, test_targets = parts
    left = len(train) - math.ceil(given.validation * len(train))
    batch = getattr(given, "batch_size", USUAL_BATCH)
    steps = given.epochs * max(1, math.ceil(left / batch))
    seen: dict[str, Any] = {"validation_share": given.validation}
    if not given.validation:
        seen = {"validation_data": (test, test_targets)}
    called = "validation" if given.validation else "test"
    return model.fit(
        train,
        train_targets,
        loss=given.loss,
        optimizer=_optimizer(given, model, steps),
        epochs=given.epochs,
        batch_size=batch,
        dtype=given.dtype,
        patience=getattr(given, "patience", None),
        standardise=True,
        classes=names,
        seed=given.seed,
        progress=False if given.quiet else Progress(given.epochs, validation=called),
        **seen,
    )


def _tell(
    given: argparse.Namespace,
    model: "MLP",
    history: "History",
    parts: Any,
    plot: Path | None,
    name: str,
) -> None:
    from gradtape.reporting import Report, confusion

    train, test, train_targets, test_targets = parts
    names = model.classes or ()
    scores = {
        "training": model.score(train, train_targets),
        "test": model.score(test, test_targets),
    }
    called = "validation" if given.validation else "test"
    matrix = confusion([names[i] for i in test_targets], model.predict(test), names)
    report = Report(f"{name}: {model}", history, names, matrix, scores, called)
    if not given.quiet:
        if history.best_epoch is not None:
            print(f"the parameters are those of epoch {history.best_epoch}")
        elif len(history.loss) < given.epochs:
            print(f"nothing got better any more after {len(history.loss)} epochs")
        print(f"test rows by class (down) and prediction (across):\n{report.text()}")
    print(f"training accuracy {scores['training']:.4f}, test accuracy {scores['test']:.4f}")
    places = {}
    if hasattr(given, "output"):
        model.save(given.output)
        places["model"] = given.output
    if hasattr(given, "report"):
        report.write(given.report)
        places["report"] = given.report
    if plot is not None:
        history.plot(plot, report.title, validation=called)
        places["loss and accuracy"] = plot
    if not given.quiet:
        for what, path in places.items():
            print(f"{what}: {path}")
