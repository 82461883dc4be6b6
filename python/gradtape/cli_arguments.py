"""What the subcommands share: kinds of arguments, and places for files."""

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from gradtape.errors import nearest


class Named(argparse.Action):
    """Takes one of some names; a wrong one is told the nearest.

    Parameters
    ----------
    names : callable
        Gives the names; called only where the option is given, or by `Help`, since what is to be
        imported for them may take longer than everything else that a start does.
    """

    def __init__(
        self,
        option_strings: Sequence[str],
        dest: str,
        names: Callable[[], Iterable[str]],
        **settings: Any,
    ) -> None:
        super().__init__(option_strings, dest, metavar="NAME", **settings)
        self.names = names

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Keep the name."""
        known = list(self.names())
        if values not in known:
            raise argparse.ArgumentError(self, f"unknown name {values!r}; {nearest(values, known)}")
        setattr(namespace, self.dest, values)


class Help(argparse.Action):
    """Prints the help, and in it the names that the options `named` take."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, named: Sequence[argparse.Action]
    ) -> None:
        text = "show this help message and exit"
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=text)
        self._named = named

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it, and leave."""
        for action in self._named:
            assert isinstance(action, Named)
            action.help = f"{action.help}: {', '.join(action.names())}"
        parser.print_help()
        parser.exit()


def integer(text: str) -> int:
    """An integer; the bounds are for `positive` and the like."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"an integer is expected, not {text!r}") from None


def positive(text: str) -> int:
    """An integer from 1."""
    number = integer(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"an integer of at least 1 is expected, not {text!r}")
    return number


def seed(text: str) -> int:
    """An integer that NumPy's old generator takes."""
    number = integer(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(
            f"an integer from 0 to 2**32 - 1 is expected, not {text!r}"
        )
    return number


def rate(text: str) -> float:
    """A finite number that is not negative."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 <= number < math.inf:
        raise argparse.ArgumentTypeError(
            f"a finite number that is not negative is expected, not {text!r}"
        )
    return number


def sizes(text: str) -> list[int]:
    """Integers from 1, with commas between; none where there is no text."""
    return [positive(part.strip()) for part in text.split(",")] if text.strip() else []


def share(text: str) -> float:
    """A number from 0 and less than 1."""
    number = rate(text)
    if number >= 1.0:
        raise argparse.ArgumentTypeError(f"a share less than 1 is expected, not {text!r}")
    return number


def check_place(path: Path, what: str) -> None:
    """Refuse a path at which no file can be made; `what` the file holds.

    Raises
    ------
    OSError
        If it is a directory, or in none.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory, not a place for a {what}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {path.parent} for the {what} {path.name}")
