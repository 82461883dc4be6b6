"""What the subcommands share: kinds of arguments, and places for files."""

import argparse
import math
from pathlib import Path


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
