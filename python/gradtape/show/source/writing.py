"""The rows of the table as Python code: one template for a value, one for each derivative."""

import ast
import builtins
import math
import re
from dataclasses import dataclass
from functools import cache, lru_cache

from gradtape.show.table import Formula, Row

__all__ = ["Template", "contribution", "imports", "steps", "templates", "with_constants"]

_OPERAND = re.compile(r"\$(\w+)")
_GIVEN = re.compile(r"\{(\w+)\}")
_PLACE = re.compile(r"__(\w+?)__")


@dataclass(frozen=True)
class Template:
    """Code with ``{x}`` for operands, ``{r}`` for the result and ``{a}`` for its adjoint.

    Parameters
    ----------
    text : str
    calls : frozenset of str
        The functions that it calls.
    steps : bool
        Whether it compares, so that it jumps somewhere.
    chooses : bool
        Whether it is one of two operands, so that the other does not matter.
    risky : bool
        Whether Python may raise where gradtape gives nan or inf.
    """

    text: str
    calls: frozenset[str] = frozenset()
    steps: bool = False
    chooses: bool = False
    risky: bool = False


class _Conditional(ast.NodeTransformer):
    """``where(c, x, y)`` as Python says it: what is not asked for is not computed."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "where":
            condition, x, y = node.args
            return ast.IfExp(test=condition, body=x, orelse=y)
        return node


def _parsed(text: str) -> ast.expr:
    tree = ast.parse(_OPERAND.sub(r"__\1__", text), mode="eval")
    expression: ast.Expression = ast.fix_missing_locations(_Conditional().visit(tree))
    return expression.body


def _template(tree: ast.expr) -> Template:
    nodes = list(ast.walk(tree))
    calls = {n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    names = {n.id for n in nodes if isinstance(n, ast.Name) and not n.id.startswith("__")}
    text = _PLACE.sub(r"{\1}", ast.unparse(tree).replace("{", "{{").replace("}", "}}"))
    return Template(
        text,
        frozenset(calls | names),
        steps=any(isinstance(n, (ast.Compare, ast.IfExp)) for n in nodes) or "sign" in calls,
        chooses=isinstance(tree, ast.IfExp),
        risky=bool(calls) or any(isinstance(n, (ast.Div, ast.Pow)) for n in nodes),
    )


@cache
def contribution(partial: Formula) -> Template | None:
    """What an operand's adjoint gets, by its partial derivative: None where that is always 0."""
    tree = _parsed(partial.text)
    if isinstance(tree, ast.Constant) and tree.value == 0:
        return None
    adjoint = ast.Name("__a__")
    if isinstance(tree, ast.Constant) and tree.value == 1:
        return _template(adjoint)
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.operand, ast.Constant):
        tree = ast.UnaryOp(tree.op, adjoint) if tree.operand.value == 1 else tree
    if isinstance(tree, ast.UnaryOp) and tree.operand is adjoint:
        return _template(tree)
    product = _template(ast.BinOp(adjoint, ast.Mult(), tree))
    return Template(product.text, product.calls, product.steps, product.chooses, product.risky)


class _Folding(ast.NodeTransformer):
    """What constants decide is decided: ``x ** 2`` has the derivative ``2 * x``."""

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        return self._computed(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        test = _constant(node.test)
        return node if test is None else node.body if test else node.orelse

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mult) and False in (_constant(node.left), _constant(node.right)):
            booleans = (ast.Compare, ast.Constant)
            if isinstance(node.left, booleans) and isinstance(node.right, booleans):
                return ast.Constant(False)
        if isinstance(node.left, ast.Name) and node.left.id == "__a__":
            # An adjoint times a number: times 1 it is itself, times 0 it is 0.
            number = _constant(node.right)
            return node.left if number == 1 else ast.Constant(0.0) if number == 0 else node
        if isinstance(node.op, ast.Pow) and _constant(node.right) == 1:
            return node.left
        additive = isinstance(node.op, (ast.Add, ast.Sub))
        return self._computed(node) if additive else node

    @staticmethod
    def _computed(node: ast.expr) -> ast.expr:
        parts = [n for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Call, ast.IfExp))]
        if parts:
            return node
        return _atom(eval(compile(ast.Expression(ast.fix_missing_locations(node)), "", "eval")))


def _atom(number: float) -> ast.expr:
    if number < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-number))
    return ast.Constant(number)


def _constant(node: ast.expr) -> float | None:
    """The number that an expression is, if it is one."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _constant(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    return None


@lru_cache(maxsize=1024)
def with_constants(template: Template, constants: tuple[tuple[str, str], ...]) -> Template:
    """A template of which some operands are constants, by what stands for them.

    Examples
    --------
    >>> from gradtape.show.table import row_of
    >>> x, y = templates(row_of("pow"))[1]
    >>> with_constants(x, (("y", "3.0"),)).text
    '{a} * (3.0 * {x} ** 2.0)'
    """
    text = template.text
    for name, constant in constants:
        text = text.replace(f"{{{name}}}", constant)
    tree = ast.parse(_GIVEN.sub(r"__\1__", text), mode="eval").body
    return _template(_Folding().visit(tree))


@cache
def templates(row: Row) -> tuple[Template, tuple[Template | None, ...]]:
    """The value of a row, and what an operand's adjoint gets: None where that is always 0.

    An operation of any number of operands has none.

    Examples
    --------
    >>> from gradtape.show.table import row_of
    >>> value, (x, y) = templates(row_of("div"))
    >>> value.text, x.text, y.text
    ('{x} / {y}', '{a} * (1 / {y})', '{a} * (-{r} / {y})')
    """
    if not row.operands:
        return Template(""), ()
    tree = _parsed(row.value.text)
    if isinstance(tree, ast.Compare):
        tree = ast.Call(ast.Name("float"), [tree], [])  # a value is a number
    return _template(tree), tuple(map(contribution, row.partials))


def steps(row: Row) -> bool:
    """Whether a derivative of the row can be exactly 0 at one place and not at the next."""
    return any(part is None or part.steps for part in templates(row)[1])


def imports(calls: set[str]) -> list[str]:
    """The lines that import what written code calls: from `math` what that has."""
    asked = sorted(name for name in calls if not hasattr(builtins, name))
    known = [name for name in asked if hasattr(math, name)]
    lines = [f"from math import {', '.join(known)}"] if known else []
    others = [name for name in asked if not hasattr(math, name)]
    if others:
        lines.append(f"from gradtape import {', '.join(others)}")
    return lines
