"""The command ``gradtape``: train a network, or show the derivatives of an expression.

Everything but argparse is imported when needed, so that ``--help`` and errors come at once.
"""

import argparse
import io
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gradtape.cli_show import add_commands, shielded

if TYPE_CHECKING:
    from gradtape.history import History


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One sentence, without the whole usage before it."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """Prints the version: a look-up too slow for every start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"gradtape {version('gradtape')}")
        except PackageNotFoundError:
            print("gradtape (not installed)")
        parser.exit()


def _integer(text: str) -> int:
    """An integer; the bounds are for `_positive` and the like."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"an integer is expected, not {text!r}") from None


def _positive(text: str) -> int:
    number = _integer(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"an integer of at least 1 is expected, not {text!r}")
    return number


def _seed(text: str) -> int:
    number = _integer(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(
            f"an integer from 0 to 2**32 - 1 is expected, not {text!r}"
        )
    return number


def _rate(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 <= number < math.inf:
        raise argparse.ArgumentTypeError(
            f"a finite number that is not negative is expected, not {text!r}"
        )
    return number


def _sizes(text: str) -> list[int]:
    return [_positive(part.strip()) for part in text.split(",")] if text.strip() else []


def _parser() -> _Parser:
    parser = _Parser(prog="gradtape", description="Exact derivatives of plain Python code.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    train = commands.add_parser(
        "train",
        help="train a network that tells classes apart",
        description="Train a network that tells classes apart, on three quarters of the rows, and "
        "test it on the rest. Columns are standardised first.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    option = train.add_argument
    option("data", metavar="DATA", help="iris, or a CSV file of numeric columns with a header")
    option("--target", metavar="COLUMN", help="the file's column of classes")
    option("--epochs", type=_positive, default=60, metavar="N", help="passes over the rows")
    option("--batch-size", type=_positive, default=16, metavar="N", help="rows a step")
    option("--learning-rate", type=_rate, default=0.05, metavar="X", help="length of a step")
    option("--momentum", type=_rate, default=0.9, metavar="X", help="how much velocity is kept")
    option("--hidden", type=_sizes, default="10,5", metavar="N,N", help="sizes of hidden layers")
    option("--activation", default="relu", metavar="NAME", help="what the hidden layers apply")
    option("--seed", type=_seed, default=42, metavar="N", help="for split, weights and order")
    option(
        "--plot",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="PATH",
        help="where the picture goes (default: gradtape-NAME.png here)",
    )
    option("--no-plot", action="store_true", help="make no picture")
    option("--quiet", action="store_true", help="print the final accuracies only")
    train.set_defaults(run=_train)
    add_commands(commands)
    return parser


def _plot_path(given: argparse.Namespace, name: str) -> Path | None:
    """Where the picture goes, or `None`; an unusable path is refused before the training."""
    if given.no_plot:
        return None
    path: Path = getattr(given, "plot", Path(f"gradtape-{name}.png"))
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory, not a place for a picture")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {path.parent} for the picture {path.name}")
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


def _accuracy(predicted: Sequence[float], targets: Sequence[int]) -> float:
    return sum(p == t for p, t in zip(predicted, targets, strict=True)) / len(targets)


def _train(given: argparse.Namespace) -> None:
    from gradtape.data import load_iris, read_csv, standardise, train_test_split
    from gradtape.nn import MLP
    from gradtape.optim import SGD
    from gradtape.progress import Progress
    from gradtape.training import fit

    if given.data == "iris":
        if given.target is not None:
            raise ValueError("iris needs no --target; for a file of that name write ./iris")
        name, data = "iris", load_iris()
    else:
        if given.target is None:
            raise ValueError(f"--target COLUMN must say which column of {given.data} has classes")
        name, data = Path(given.data).stem, read_csv(given.data, given.target)
    plot = _plot_path(given, name)
    train, test, train_targets, test_targets = train_test_split(
        data.rows, data.targets, seed=given.seed
    )
    train, test = standardise(train, test)
    sizes = [len(train[0]), *given.hidden, len(data.names)]
    model = MLP(sizes, [given.activation] * len(given.hidden) + ["softmax"], seed=given.seed)
    if not given.quiet:
        print(
            f"{name}: {len(data.rows)} rows of {sizes[0]} numbers, {sizes[-1]} classes; "
            f"{len(train)} rows to train on, {len(test)} to test\n{model}"
        )
    history = fit(
        model,
        train,
        train_targets,
        optimizer=SGD(model.parameters(), given.learning_rate, given.momentum),
        epochs=given.epochs,
        batch_size=given.batch_size,
        seed=given.seed,
        validation=(test, test_targets),
        progress=False if given.quiet else Progress(given.epochs, validation="test"),
    )
    scores = [
        _accuracy(model.predict(train), train_targets),
        _accuracy(model.predict(test), test_targets),
    ]
    print(f"training accuracy {scores[0]:.4f}, test accuracy {scores[1]:.4f}")
    if plot is not None:
        _plot(history, plot, f"{name}: {model}", given.quiet)


def _plot(history: "History", path: Path, title: str, quiet: bool) -> None:
    history.plot(path, title, validation="test")
    if not quiet:
        print(f"loss and accuracy: {path}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; the process's own where none are given.

    Returns
    -------
    int
        The exit code: 0, or 2 after one sentence on stderr about what was wrong.

    Examples
    --------
    >>> main(["train", "iris", "--epochs", "20", "--quiet", "--no-plot"])  # doctest: +ELLIPSIS
    training accuracy 0.9..., test accuracy 0.9...
    0
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show an arrow shall show a question mark, not a traceback.
        sys.stdout.reconfigure(errors="replace")
    given = _parser().parse_args(shielded(sys.argv[1:] if argv is None else list(argv)))
    try:
        given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has left, as `| head` does: nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError, ImportError) as error:
        print(f"gradtape: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gradtape: stopped", file=sys.stderr)
        return 130
    return 0
