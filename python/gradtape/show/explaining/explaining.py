"""The hand calculation of a value and its derivatives."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from gradtape._core import Value
from gradtape.show.explaining.folding import Fold, folded
from gradtape.show.explaining.reckoning import Step, Summary, backward, forward, paths, summary
from gradtape.show.explaining.sheets import Section, as_html, as_latex, as_text
from gradtape.show.graph import Indices
from gradtape.show.named import NamedGraph

__all__ = ["Explanation", "explain"]

LIMIT = 60
# More paths than these are not written one by one.
MOST_PATHS = 8


def counted(count: int, what: str) -> str:
    """A number of things.

    Examples
    --------
    >>> counted(1, "node"), counted(2, "leaf")
    ('1 node', '2 leaves')
    """
    if count == 1:
        return f"1 {what}"
    return f"{count:,} leaves" if what == "leaf" else f"{count:,} {what}s"


class Explanation:
    """A hand calculation; print it, or let a notebook show it.

    Parameters
    ----------
    graph : NamedGraph
    wrt : sequence of Value, optional
        Only what lies on the paths to these.
    limit : int, optional
        About how many nodes are written out.

    Attributes
    ----------
    forward : list of Step or Summary
        How each value was computed.
    backward : list of Step or Summary
        The chain rule for each node, from the value back to the leaves.
    paths : list of Step
        With `wrt`: the product along each path, where there are few.
    notes : list of str
        What is worth a remark.
    """

    def __init__(
        self, graph: NamedGraph, wrt: Sequence[Value] | None = None, limit: int | None = LIMIT
    ) -> None:
        self._graph, self._limit = graph, limit
        self._wrt = [] if wrt is None else [at for at in graph.marks if at >= 0]
        self._missing = [value for value, at in zip(wrt or (), graph.marks, strict=True) if at < 0]
        if wrt is None:
            self._nodes: Indices = np.arange(len(graph))
        else:
            self._nodes = graph.between(self._wrt) if self._wrt else np.arange(0)

    @cached_property
    def _lines(self) -> list[int | Fold]:
        return folded(self._graph, self._nodes, self._limit)

    @cached_property
    def _uses(self) -> dict[int, list[tuple[int, int]]]:
        shown = [line for line in self._lines if isinstance(line, int)]
        return self._graph.uses_of(np.array(shown, dtype=np.int64))

    @cached_property
    def forward(self) -> list[Step | Summary]:
        """How each value was computed."""
        found: list[Step | Summary] = []
        for line in self._lines:
            if isinstance(line, Fold):
                found.append(summary(self._graph, line, adjoints=False))
            else:
                found.extend(forward(self._graph, line))
        return found

    @cached_property
    def backward(self) -> list[Step | Summary]:
        """The chain rule for each node, from the value back to the leaves."""
        found: list[Step | Summary] = []
        for line in reversed(self._lines):
            if isinstance(line, Fold):
                found.append(summary(self._graph, line, adjoints=True))
            else:
                found.extend(backward(self._graph, line, self._uses[line]))
        return found

    @cached_property
    def paths(self) -> list[Step]:
        """The product along each path to what was asked for, where there are few."""
        if any(isinstance(line, Fold) for line in self._lines):
            return []
        found: list[Step] = []
        for index in self._wrt:
            found += paths(self._graph, index, self._uses, MOST_PATHS) or []
        return found

    @cached_property
    def notes(self) -> list[str]:
        """What is worth a remark."""
        graph, notes = self._graph, []
        output = graph.named(graph.root).text
        if len(graph) == 1:
            notes.append(f"{output} is a leaf: it was given, not computed from other values")
        for value in self._missing:
            name = f"the value {value.label!r}" if value.label else f"the value {value.data!r}"
            notes.append(f"{output} was not computed from {name}: that derivative is 0")
        if graph.swept:
            differ = graph.grads[: graph.leaves] != graph.adjoints[: graph.leaves]
            leaves = np.intersect1d(np.flatnonzero(differ), self._nodes)
            if len(leaves):
                name = graph.named(int(leaves[0])).text
                grad = graph.number(graph.grads[leaves[0]]).text
                rest = f", and {counted(len(leaves) - 1, 'leaf')} more" if len(leaves) > 1 else ""
                notes.append(
                    f"{name}.grad is {grad}{rest}: grad adds up over sweeps, and counts their seeds"
                )
        if self._wiped():
            notes.append("a product with a factor of exactly 0 is 0, even with inf or nan")
        return notes

    def _wiped(self) -> bool:
        """Whether a zero meets inf or nan in a line that is shown."""
        graph = self._graph
        uses = [use for found in self._uses.values() for use in found[:1000]]
        factors = [(float(graph.adjoints[owner]), graph.partial(owner, k)) for owner, k in uses]
        return any(0.0 in pair and not np.isfinite(pair).all() for pair in factors)

    @property
    def _title(self) -> str:
        graph = self._graph
        output, value = graph.named(graph.root).text, graph.number(graph.values[-1]).text
        size = f"{counted(len(graph), 'node')} ({counted(graph.leaves, 'leaf')})"
        if not self._wrt:
            return f"{output} = {value}: {size}"
        names = ", ".join(graph.named(at).text for at in self._wrt[:5])
        more = ", …" if len(self._wrt) > 5 else ""
        return f"{output} = {value} by {names}{more}: {len(self._nodes):,} of {size}"

    @cached_property
    def _sections(self) -> list[Section]:
        sections: list[Section] = []
        if self.forward:
            sections.append(("Forward: the values", self.forward))
            sections.append(("Backward: the chain rule, summed over all uses", self.backward))
        if self.paths:
            sections.append(("Path by path", self.paths))
        return sections

    def __str__(self) -> str:
        return as_text(self._title, self._sections, self.notes, self._graph)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(self._title, self._sections, self.notes, self._graph)

    def _repr_latex_(self) -> str:
        return as_latex(self._sections, self._graph)


def explain(
    value: Value,
    wrt: Value | Sequence[Value] | None = None,
    *,
    limit: int | None = LIMIT,
    digits: int = 4,
) -> Explanation:
    """Explain how a value and its derivatives are computed, as one would by hand.

    Parameters
    ----------
    value : Value
        The output.
    wrt : Value or sequence of Value, optional
        Show only the paths from the output to these, and the product along each.
    limit : int or None, optional
        About how many nodes are written out; of more, those alike are told in one line. None
        writes out everything.
    digits : int, optional
        Significant digits of numbers.

    Returns
    -------
    Explanation
        Text when printed, LaTeX or a table in a notebook.

    Raises
    ------
    TypeError
        If `value` or `wrt` is not made of Values.
    ValueError
        If `limit` or `digits` is out of range, or `wrt` is empty.

    Examples
    --------
    >>> import gradtape as gt
    >>> x, w = gt.Value(2.0, "x"), gt.Value(-3.0, "w")
    >>> loss = gt.tanh(x * w + 5.5)
    >>> loss.label = "L"
    >>> print(gt.explain(loss, wrt=x))
    L = -0.4621 by x: 4 of 5 nodes (2 leaves)
    <BLANKLINE>
    Forward: the values
      x = 2
      v1 = x * w    = 2 * (-3)   = -6
      v2 = v1 + 5.5 = (-6) + 5.5 = -0.5
      L  = tanh(v2) = tanh(-0.5) = -0.4621
    <BLANKLINE>
    Backward: the chain rule, summed over all uses
      dL/dL = 1
      dL/dv2 = dL/dL * (1 - L * L) = 1 * (1 - (-0.4621) * (-0.4621)) = 1 * 0.7864 =  0.7864
      dL/dv1 = dL/dv2 * 1          = 0.7864 * 1                                   =  0.7864
      dL/dx  = dL/dv1 * w          = 0.7864 * (-3)                                = -2.359
    <BLANKLINE>
    Path by path
      dL/dx = dL/dv2 * dv2/dv1 * dv1/dx = 0.7864 * 1 * (-3) = -2.359
    """
    marks = None if wrt is None else [wrt] if isinstance(wrt, Value) else list(wrt)
    if marks == []:
        raise ValueError("wrt has no values")
    for mark in marks or ():
        if not isinstance(mark, Value):
            raise TypeError(f"wrt takes Values, not {type(mark).__name__}")
    graph = NamedGraph.asked("explain", value, marks or (), limit, digits)
    return Explanation(graph, marks, limit)
