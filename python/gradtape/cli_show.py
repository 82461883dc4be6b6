"""The commands ``explain``, ``draw`` and ``animate``: an expression from the shell, shown."""

import argparse
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradtape import Value

__all__ = ["add_commands", "shielded"]

_EXPRESSION = (
    "such as 'tanh(x*w + b)': numbers, names, + - * / **, comparisons, brackets, pi, e, and the "
    "functions of docs/operations.md"
)


def _digits(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 17:
        raise argparse.ArgumentTypeError(f"an integer from 1 to 17 is expected, not {text!r}")
    return int(text)


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands to the shell's parser."""
    explain = _command(
        commands,
        "explain",
        "explain how a derivative is computed",
        "Print the hand calculation of an expression and its derivatives.",
    )
    explain.add_argument(
        "--wrt", metavar="NAME", action="append", help="show only the paths to NAME (repeatable)"
    )
    explain.add_argument(
        "--digits", type=_digits, default=4, metavar="N", help="significant digits (default: 4)"
    )
    explain.set_defaults(run=_explain)
    for name, suffix, picture in (
        ("draw", ".svg", "the graph of an expression"),
        ("animate", ".html", "a page that steps through an expression's sweeps"),
    ):
        parser = _command(commands, name, f"{name} an expression", f"Make {picture}.")
        parser.add_argument(
            "-o",
            "--output",
            type=Path,
            default=Path(f"expression{suffix}"),
            metavar="PATH",
            help=f"where it goes (default: expression{suffix})",
        )
        parser.set_defaults(run=_draw if name == "draw" else _animate)


def _command(
    commands: "argparse._SubParsersAction[Any]", name: str, brief: str, description: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=brief, description=description)
    parser.add_argument("expression", metavar="EXPRESSION", help=_EXPRESSION)
    parser.add_argument(
        "numbers",
        metavar="NAME=NUMBER",
        nargs="*",
        help="the number of each name, such as x=2 or x=-pi/2",
    )
    return parser


def shielded(argv: list[str]) -> list[str]:
    """Mark an expression that begins with a minus, so that it is not taken for an option.

    Examples
    --------
    >>> shielded(["explain", "-x**2", "x=3"])
    ['explain', ' -x**2', 'x=3']
    """
    if len(argv) < 2 or argv[0] not in ("explain", "draw", "animate"):
        return argv
    first = argv[1]
    if first.startswith("-") and first not in ("-h", "-o") and not first.startswith("--"):
        return [argv[0], f" {first}", *argv[2:]]
    return argv


def _number(text: str, name: str) -> float:
    """A number, or an expression without names."""
    from gradtape.show.expression import parse

    try:
        return float(text)
    except ValueError:
        pass
    try:
        expression = parse(text)
        for inner, column in expression.names.items():
            expression.fail(f"a number may not depend on {inner!r}", column)
        return float(expression.evaluate({}))
    except ValueError as error:
        raise ValueError(f"{name}={text}: {error}") from None


def _numbers(pairs: list[str]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        name = name.strip()
        if not sign or not name or not text.strip():
            raise ValueError(f"a name and its number are expected, such as x=2, not {pair!r}")
        if name in numbers:
            raise ValueError(f"{name} has two numbers: {numbers[name]!r} and {text}")
        numbers[name] = _number(text, name)
    return numbers


def _value(given: argparse.Namespace) -> "tuple[Value, dict[str, Value]]":
    from gradtape.show.expression import parse

    expression = parse(given.expression.strip())
    value, leaves = expression.record(_numbers(given.numbers))
    value.backward()
    return value, leaves


def _explain(given: argparse.Namespace) -> None:
    from gradtape.show.explaining.explaining import explain

    value, leaves = _value(given)
    for name in given.wrt or ():
        if name not in leaves:
            known = ", ".join(leaves) or "none"
            raise ValueError(f"--wrt {name}: the expression has the names: {known}")
    wrt = [leaves[name] for name in given.wrt] if given.wrt else None
    print(explain(value, wrt, digits=given.digits))


def _place(path: Path) -> Path:
    """Refuse a place that cannot be written before anything is made."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory, not a place for a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {path.parent} for {path.name}")
    return path


def _draw(given: argparse.Namespace) -> None:
    path, (value, _) = _place(given.output), _value(given)
    package: Any = import_module("gradtape")
    package.draw(value).save(path)
    print(f"drawing: {path}")


def _animate(given: argparse.Namespace) -> None:
    path, (value, _) = _place(given.output), _value(given)
    package: Any = import_module("gradtape")
    package.animate(value, path=path)
    print(f"animation: {path}")
