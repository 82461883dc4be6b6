"""The reverse sweep written out as Python that runs."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from gradtape._core import Value
from gradtape.show.graph import Graph
from gradtape.show.source.matrices import is_network, matrix_source
from gradtape.show.source.sweeping import SweepWriter

__all__ = ["AdjointSource", "adjoint_source"]


class AdjointSource:
    """Source of a function ``gradient``; ``str()`` folds the middle of a long one.

    Parameters
    ----------
    write : callable
        Gives the text: ``write(folded=…)``.
    labels : dict of str to str
        The label of each parameter, by its name in the source.
    values : dict of str to float or numpy.ndarray
        What the parameters were when the source was written.

    Attributes
    ----------
    source : str
        All of it.
    function : callable
        The function, compiled.
    labels, values : dict

    Examples
    --------
    >>> import gradtape as gt
    >>> found = gt.adjoint_source(lambda x, w: gt.tanh(w * x), 2.0, 0.5)
    >>> found.labels
    {'x': 'x', 'w': 'w'}
    >>> found.function(x=0.0, w=3.0)
    (3.0, 0.0)
    """

    def __init__(
        self, write: Callable[..., str], labels: dict[str, str], values: Mapping[str, Any]
    ) -> None:
        self._write = write
        self.labels = labels
        self.values = values

    @cached_property
    def source(self) -> str:
        """The whole text."""
        return self._write(folded=False)

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function that the text defines."""
        names: dict[str, Any] = {}
        exec(compile(self.source, "<adjoint>", "exec"), names)
        function: Callable[..., Any] = names["gradient"]
        return function

    @cached_property
    def _folded(self) -> str:
        return self._write(folded=True)

    def __str__(self) -> str:
        return self._folded

    def __repr__(self) -> str:
        return f"<adjoint source, {len(self._folded.splitlines())} lines>"


def adjoint_source(
    subject: Value | Callable[..., Any], *at: Any, examples: str = "columns"
) -> AdjointSource:
    """Write the reverse sweep as readable Python, with the user's labels.

    Parameters
    ----------
    subject : Value or callable
        A computed value; or a function of numbers; or a network of dense layers (an `MLP` or a
        `Layer`), whose backward pass is written with matrices, beside the sums that they stand for.
    *at : float or sequence
        Where the function is computed: one for each argument. A branch that it takes there is
        the one that is written.
    examples : {"columns", "rows"}
        How a network's inputs lie in their matrix.

    Returns
    -------
    AdjointSource
        Text of ``def gradient(x, w, …)``, with the values at the recording as defaults. It returns
        the derivatives as a tuple, in the order of the arguments. Labels that are no identifiers,
        or not one each, become names that are; a comment gives the label. A network's takes
        its inputs, a loss's derivatives by its outputs, and its parameters, as arrays.

    Raises
    ------
    TypeError
        If the function gives no `Value`, or something is neither value, function nor network.
    ValueError
        If `examples` is neither of the two, or a network's activation has no derivative.

    Notes
    -----
    The text needs `math`, and `gradtape` for the functions that `math` has not. Where gradtape
    gives inf or nan, Python's operators and `math` raise; branches of `where` that are not taken
    do not, and an adjoint of exactly 0 gives exactly 0.

    Examples
    --------
    >>> import gradtape as gt
    >>> x, w = gt.Value(2.0, "x"), gt.Value(0.25, "w")
    >>> print(gt.adjoint_source(gt.tanh(w * x) + x))  # doctest: +NORMALIZE_WHITESPACE
    from math import tanh
    <BLANKLINE>
    <BLANKLINE>
    def gradient(w=0.25, x=2.0):
        # forward
        v1 = w * x
        v2 = tanh(v1)
        v3 = v2 + x
        # reverse
        dw = dx = 0.0
        dv3 = 1.0
        dv2 = dv3
        dx += dv3
        dv1 = dv2 * (1 - v2 * v2)
        dw += dv1 * x
        dx += dv1 * w
        return dw, dx

    Of a network, with matrices:

    >>> print(gt.adjoint_source(gt.Layer(3, 2, "tanh")))  # doctest: +NORMALIZE_WHITESPACE
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def gradient(X, dA1, W1, b1):
        # X (3, m): m examples, the columns
        # dA1 (2, m): derivatives of the loss by the outputs A1
        # W1 (2, 3), b1 (2, 1)
        # forward
        Z1 = W1 @ X + b1  # (2, m)
        # Z1[i][k] = sum over j of W1[i][j] * X[j][k], + b1[i][0]
        A1 = np.tanh(Z1)  # (2, m)
        # reverse
        dZ1 = dA1 * (1 - A1 * A1)  # (2, m)
        dW1 = dZ1 @ X.T  # (2, 3)
        # dW1[i][j] = sum over examples k of dZ1[i][k] * X[j][k]
        db1 = dZ1.sum(axis=1, keepdims=True)  # (2, 1)
        # db1[i][0] = sum over examples k of dZ1[i][k]
        return dW1, db1
    """
    if isinstance(subject, Value):
        if at:
            raise TypeError("a Value has been computed already: it takes no arguments")
        writer = SweepWriter(Graph(subject), [])
    elif is_network(subject):
        return AdjointSource(*matrix_source(subject, examples))
    elif callable(subject):
        writer = _recorded(subject, at)
    else:
        raise TypeError(
            f"adjoint_source() takes a Value, a function or a network, not {type(subject).__name__}"
        )
    return AdjointSource(writer.source, writer.parameters, writer.values)


def _recorded(function: Callable[..., Any], at: tuple[Any, ...]) -> SweepWriter:
    leaves: list[Value] = []
    arguments = [
        _argument(given, name, leaves)
        for given, name in zip(at, _argument_names(function, len(at)), strict=False)
    ]
    result = function(*arguments)
    if not isinstance(result, Value):
        raise TypeError(f"the function must give one Value, not {type(result).__name__}")
    graph = Graph(result, leaves)
    marks = zip(leaves, graph.marks, strict=True)
    return SweepWriter(graph, [(leaf.label, index, leaf.data) for leaf, index in marks])


def _argument_names(function: Callable[..., Any], count: int) -> Iterator[str]:
    """What the arguments are called, those of a built-in function ``x1``, ``x2`` …."""
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        parameters = []
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL] or ["x"]
    for i in range(count):
        yield places[i].name if i < len(places) else f"{rest[0]}{i - len(places) + 1}"


def _argument(given: Any, label: str, leaves: list[Value]) -> Any:
    """A number as a leaf, a sequence of numbers as a list of leaves."""
    if isinstance(given, (list, tuple, np.ndarray)) and np.ndim(np.asarray(given, object)):
        return [_argument(x, f"{label}[{i}]", leaves) for i, x in enumerate(given)]
    leaves.append(Value(given.data if isinstance(given, Value) else given, label))
    return leaves[-1]
