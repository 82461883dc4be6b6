"""Expressions such as ``tanh(x1*w1 + x2*w2 + b)``, read without running anything."""

import difflib
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from gradtape import functions
from gradtape._core import Value
from gradtape.show.table import Row, row_of, table
from gradtape.show.texts import width

__all__ = ["SIGN", "STRENGTHS", "Expression", "parse"]

LONGEST = 10_000
DEEPEST = 50

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)"
    r"|(?P<sign>\*\*|>=|<=|==|[-+*/(),<>])|(?P<end>$)|(?P<other>.))",
    re.DOTALL,
)
_CONSTANTS = {"pi": math.pi, "e": math.e}
# How strongly the operators hold; the operations themselves are the table's, by their symbols.
STRENGTHS = {"==": 1, ">": 1, ">=": 1, "<": 1, "<=": 1, "+": 2, "-": 2, "*": 3, "/": 3, "**": 5}
SIGN = 4
_MIRRORED = {"<": ">", "<=": ">="}


class _Token(NamedTuple):
    kind: str
    text: str
    column: int


class _Step(NamedTuple):
    """A constant, a name, or an operation on as many of the latest results as it says."""

    name: str
    constant: float
    operands: int
    mirrored: bool = False


@lru_cache(maxsize=1)
def _calls() -> dict[str, Row]:
    """The operations by name, and by symbol where that is a word."""
    # Of the operations of any number of operands those that take one list of them.
    rows = [row for row in table() if row.run is None or not row.run.paired]
    return {name: row for row in rows for name in (row.symbol, row.name) if name.isidentifier()}


@lru_cache(maxsize=1)
def _operators() -> dict[str, str]:
    found = {row.symbol: row.name for row in table()}
    return {sign: found[_MIRRORED.get(sign, sign)] for sign in STRENGTHS}


class Expression:
    """What was read.

    Attributes
    ----------
    text : str
    names : dict of str to int
        The names in the order of their appearance, and the columns where they stand first.
    """

    def __init__(self, text: str, steps: list[_Step], names: dict[str, int]) -> None:
        self.text, self.names, self._steps = text, names, steps

    def evaluate(self, operands: Mapping[str, Any]) -> Any:
        """Compute it.

        Parameters
        ----------
        operands : mapping of str to Value or float
            One for each name.

        Returns
        -------
        Value or float
            A float where all operands are floats.
        """
        stack: list[Any] = []
        for name, constant, count, mirrored in self._steps:
            if count:
                taken = stack[-count:][:: -1 if mirrored else 1]
                del stack[-count:]
                function = getattr(functions, name)
                run = row_of(name).run
                stack.append(function(*(run.arguments(taken) if run is not None else taken)))
            else:
                stack.append(operands[name] if name else constant)
        return stack[0]

    def record(self, numbers: Mapping[str, float]) -> tuple[Value, dict[str, Value]]:
        """Record it on leaves that have the names as labels.

        Parameters
        ----------
        numbers : mapping of str to float
            One for each name, and no others.

        Returns
        -------
        value : Value
            The result, with a label of its own.
        leaves : dict of str to Value

        Raises
        ------
        ValueError
            If a number is missing, or one has no place.

        Examples
        --------
        >>> parse("x * w").record({"x": 2.0, "w": 0.5})[0]
        Value(data=1.0, label='f')
        """
        for name, column in self.names.items():
            if name not in numbers:
                self.fail(f"{name} has no number: add {name}=…", column)
        for name in numbers:
            if name not in self.names:
                known = ", ".join(self.names) or "none"
                raise ValueError(f"the expression has no name {name!r}; its names are: {known}")
        leaves = {name: Value(numbers[name], name) for name in self.names}
        result = self.evaluate(leaves)
        if not isinstance(result, Value):
            result = Value(result)
        if not result.label:
            result.label = next(c for c in ("f", "g", "h", "y", "z", "L") if c not in self.names)
        return result, leaves

    def fail(self, message: str, column: int) -> NoReturn:
        """Raise what is wrong, with a caret under the column."""
        raise _error(self.text, message, column)


def _error(text: str, message: str, column: int) -> ValueError:
    start = max(0, column - 50)
    window = "".join(c if c.isprintable() else " " for c in text[start : start + 70])
    before = ("…" if start else "") + window[: column - start]
    line = ("…" if start else "") + window + ("…" if len(text) > start + 70 else "")
    return ValueError(f"{message}\n  {line}\n  {' ' * width(before)}^")


class _Parser:
    """Precedence climbing; what it reads comes out in the order of computation."""

    def __init__(self, text: str) -> None:
        self.text, self.depth = text, 0
        self.steps: list[_Step] = []
        self.names: dict[str, int] = {}
        self.at = 0
        self.token = self._next()

    def fail(self, message: str, column: int) -> ValueError:
        return _error(self.text, message, column)

    def _next(self) -> _Token:
        match = _TOKEN.match(self.text, self.at)
        assert match is not None, "every character is of some kind"
        kind = str(match.lastgroup)
        token = _Token(kind, match[kind], match.start(kind))
        if kind == "other":
            hint = ": a power is written **" if token.text == "^" else ""
            raise self.fail(f"{token.text!r} has no meaning here{hint}", token.column)
        self.at = match.end()
        self.token = token
        return token

    def _expected(self, what: str) -> ValueError:
        found = "the expression ends" if self.token.kind == "end" else f"{self.token.text!r} stands"
        return self.fail(f"{found} where {what} is expected", self.token.column)

    def expression(self, strength: int = 1) -> None:
        """Read operands and the operators between them that hold at least so strongly."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fail(f"more than {DEEPEST} brackets and signs deep", self.token.column)
        self._operand()
        while (own := STRENGTHS.get(self.token.text, 0)) >= strength:
            sign = self.token.text
            self._next()
            # A power is read from the right: 2**3**2 is 2**(3**2).
            self.expression(own if sign == "**" else own + 1)
            self.steps.append(_Step(_operators()[sign], 0.0, 2, sign in _MIRRORED))
        self.depth -= 1

    def _operand(self) -> None:
        kind, text, column = self.token
        if kind == "number":
            self._next()
            self.steps.append(_Step("", float(text), 0))
        elif kind == "name":
            self._next()
            if self.token.text == "(":
                self._call(text, column)
            elif text in _CONSTANTS:
                self.steps.append(_Step("", _CONSTANTS[text], 0))
            else:
                self.names.setdefault(text, column)
                self.steps.append(_Step(text, 0.0, 0))
        elif text in ("-", "+"):
            self._next()
            self.expression(SIGN)
            if text == "-":
                self.steps.append(_Step("neg", 0.0, 1))
        elif text == "(":
            self._next()
            self.expression()
            self._close(column)
        else:
            raise self._expected("a number, a name or a bracket")

    def _close(self, column: int) -> None:
        if self.token.kind == "end":
            raise self.fail("this bracket is never closed", column)
        if self.token.text != ")":
            raise self._expected("an operator or ')'")
        self._next()

    def _call(self, name: str, column: int) -> None:
        row = _calls().get(name)
        if row is None:
            near = difflib.get_close_matches(name, _calls(), 1, 0.5)
            hint = f": did you mean {near[0]}?" if near else ""
            raise self.fail(f"there is no function {name!r}{hint}", column)
        bracket, count = self.token.column, 0
        while self.token.text == ("," if count else "("):
            self._next()
            self.expression()
            count += 1
        self._close(bracket)
        if row.operands and count != len(row.operands):
            takes = "1 operand" if len(row.operands) == 1 else f"{len(row.operands)} operands"
            message = f"{name} takes {takes} ({', '.join(row.operands)}), not {count}"
            raise self.fail(message, column)
        self.steps.append(_Step(row.name, 0.0, count))


@lru_cache(maxsize=256)
def parse(text: str) -> Expression:
    """Read an expression.

    Numbers, names, ``+ - * / **``, comparisons, brackets, the constants ``pi`` and ``e``, and the
    functions of the table of operations. Nothing is run.

    Parameters
    ----------
    text : str

    Returns
    -------
    Expression

    Raises
    ------
    ValueError
        If it cannot be read: what is wrong, and where.

    Examples
    --------
    >>> parse("x**2 + sin(pi*x)").evaluate({"x": 0.5})
    1.25
    >>> parse("tanhh(x)")
    Traceback (most recent call last):
    ...
    ValueError: there is no function 'tanhh': did you mean tanh?
      tanhh(x)
      ^
    """
    if len(text) > LONGEST:
        raise ValueError(f"the expression has {len(text)} characters, more than {LONGEST}")
    parser = _Parser(text)
    parser.expression()
    if parser.token.kind != "end":
        if parser.token.text == ")":
            raise parser.fail("this bracket was never opened", parser.token.column)
        raise parser._expected("an operator")
    return Expression(text, parser.steps, parser.names)
