"""The command ``gradtape``: its subcommands, and how what goes wrong is told.

Everything but argparse is imported when needed, so that ``--help`` and errors come at once.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from gradtape.cli_predict import add_predict
from gradtape.cli_show import add_commands, shielded
from gradtape.cli_train import add_train


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


def _parser() -> _Parser:
    parser = _Parser(prog="gradtape", description="Exact derivatives of plain Python code.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_train(commands)
    add_predict(commands)
    add_commands(commands)
    return parser


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
    training accuracy ..., test accuracy ...
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
