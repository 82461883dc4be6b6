"""A graph with short names and numbers, as people read them."""

from collections.abc import Callable, Sequence

from gradtape._core import Value
from gradtape.show.graph import Graph
from gradtape.show.table import Formula
from gradtape.show.texts import atomic, clean, name, number

__all__ = ["NamedGraph", "Written"]

# What stands for each operand of a node, by its place.
Written = Callable[[int], Formula]


class NamedGraph(Graph):
    """A graph as it is written for people.

    Parameters
    ----------
    value : Value
    marks : sequence of Value, optional
        Values whose numbers are asked for.
    digits : int or None, optional
        How many significant digits numbers get; with None they are as Python writes them.
    terms : int, optional
        Of a sum with more terms the first and the last are written.
    """

    def __init__(
        self,
        value: Value,
        marks: Sequence[Value] = (),
        digits: int | None = 4,
        terms: int = 6,
    ) -> None:
        super().__init__(value, marks)
        self.digits, self.terms = digits, terms
        self._shown: dict[int, Formula] = {}
        self._seen: dict[str, int] = {}

    @classmethod
    def asked(
        cls, who: str, value: Value, marks: Sequence[Value], limit: int | None, digits: int
    ) -> "NamedGraph":
        """Look at what a user handed to the function `who`, which says what is wrong with it."""
        if not isinstance(value, Value):
            raise TypeError(f"{who}() takes a Value, not {type(value).__name__}")
        if limit is not None and limit < 3:
            raise ValueError(f"limit must be at least 3, or None, not {limit}")
        if not 1 <= digits <= 17:
            raise ValueError(f"digits must be from 1 to 17, not {digits}")
        return cls(value, marks, digits)

    def number(self, x: float) -> Formula:
        """A number, in the graph's digits."""
        return number(float(x), self.digits)

    def named(self, index: int) -> Formula:
        """What a node is called where it is shown.

        Of several that read the same all but the first that is asked for get a number.
        """
        if index not in self._shown:
            text = first = clean(self.name(index))
            count = self._seen.get(first, 0) + 1
            while text in self._seen:
                text = f"{first}#{count}"
                count += 1
            self._seen[first] = count - 1 if text != first else 1
            self._seen.setdefault(text, 1)
            self._shown[index] = name(text)
        return self._shown[index]

    def inner(self, index: int) -> Formula:
        """What the sum inside an affine node is called, before its activation."""
        outer = self.named(index)
        return Formula(f"z({outer.text})", rf"z_{{{outer.latex}}}")

    def derivative(self, by: Formula, of: Formula | None = None) -> Formula:
        """The derivative of the value, or of something else, by what has this name."""
        of = self.named(self.root) if of is None else of
        above, below = (x.text if atomic(x.text) else f"({x.text})" for x in (of, by))
        return Formula(
            f"d{above}/d{below}", rf"\frac{{\partial {of.latex}}}{{\partial {by.latex}}}"
        )

    def operand_name(self, index: int, k: int) -> Formula:
        """The name of a node's operand; a constant's is its number."""
        node = self.operand(index, k)
        return self.number(self.operand_value(index, k)) if node is None else self.named(node)

    def in_names(self, index: int) -> tuple[Written, Formula]:
        """What stands for a node's operands, and for itself, in a formula."""
        return lambda k: self.operand_name(index, k), self.named(index)

    def in_numbers(self, index: int) -> tuple[Written, Formula]:
        """The same with their numbers."""
        return (
            lambda k: self.number(self.operand_value(index, k)),
            self.number(self.values[index]),
        )
