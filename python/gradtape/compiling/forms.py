"""One structure of arguments, and the paths that were recorded for it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradtape._core import Value
from gradtape.compiling.batch import Plan
from gradtape.compiling.layout import Layout
from gradtape.compiling.signature import Signature, Sizes, check, written
from gradtape.compiling.structure import (
    Branch,
    Leaf,
    Tree,
    build,
    flat,
    leaves_of,
    names_of,
    vector,
)
from gradtape.errors import GradtapeError

__all__ = ["Form", "recording"]


class _Recording(threading.local):
    """How many recordings this thread is in: compiled functions are called plainly there."""

    depth = 0


recording = _Recording()


class Form:
    """A function for one structure of its arguments: its recorded paths, its results' structure.

    Parameters
    ----------
    name : str
        Of the function, for the errors.
    layout : Layout
    trees : tuple of Leaf or Branch
        One an argument.
    signature : Signature, optional
    sizes : dict
        What the letters of the signature stand for, by the arguments.
    native : gradtape._core.Paths

    Attributes
    ----------
    results : Leaf or Branch, optional
        None before anything was recorded.
    outputs : int
        How many numbers a row gives.
    """

    def __init__(
        self,
        name: str,
        layout: Layout,
        trees: tuple[Tree, ...],
        signature: Signature | None,
        sizes: Sizes,
        native: Any,
    ) -> None:
        self.name, self.layout, self.trees = name, layout, trees
        self.signature, self.sizes, self.native = signature, sizes, native
        self.leaves = [leaf for tree in trees for leaf in flat(tree)]
        self.plain = all(isinstance(tree, Leaf) for tree in trees)
        self.spans: list[range] = []
        for tree in trees:
            start = self.spans[-1].stop if self.spans else 0
            self.spans.append(range(start, start + sum(1 for _ in flat(tree))))
        self.plans: dict[tuple[Any, ...], Plan] = {}
        self.results: Tree | None = None
        self.outputs = -1

    def learn(self, results: Tree) -> None:
        """What the results look like."""
        self.outputs = sum(leaf.size for leaf in flat(results))
        self.results = results

    def record(
        self,
        function: Callable[..., Any],
        arrays: Sequence[NDArray[np.float64]],
        row: int,
        where: tuple[int, ...],
    ) -> None:
        """Record the path that a row takes; nothing where it is known meanwhile."""
        point = self.point(arrays, row)
        seen: list[Tree] = [] if self.results is None else [self.results]

        def call(values: list[Value]) -> list[Any]:
            tree, outputs = self._results_of(self._called(function, values))
            if seen and seen[0] != tree:
                raise GradtapeError(
                    f"{self.name}(): its result must have the same structure on every path; "
                    f"here it is {_described(tree)}, and before it was {_described(seen[0])}"
                )
            seen.append(tree)
            return outputs

        try:
            self.native.record(call, point)
        except Exception as error:
            _add_note(error, self._note(point, where))
            raise
        if self.results is None:
            self.learn(seen[0])

    def _called(self, function: Callable[..., Any], values: list[Value]) -> Any:
        leaves: list[Any] = []
        place = 0
        for leaf in self.leaves:
            if leaf.shape:
                leaves.append(vector(values[place : place + leaf.size], leaf.shape))
            else:
                leaves.append(values[place])
            place += leaf.size
        rest = iter(leaves)
        arguments = [build(tree, rest) for tree in self.trees]
        recording.depth += 1
        try:
            return self.layout.call(function, arguments)
        finally:
            recording.depth -= 1

    def _results_of(self, result: Any) -> tuple[Tree, list[Any]]:
        """The structure of what the function returned, and its numbers in a row."""
        if self.signature is None:
            tree, leaves = leaves_of(result, "the result", self._result)
        else:
            tree, leaves = self._signed_results(result, self.signature)
        return tree, [x for leaf in leaves for x in leaf]

    def _result(self, x: Any, where: str) -> tuple[Leaf, list[Any]]:
        if isinstance(x, (Value, float, int)):
            return Leaf(), [x]
        if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "fiubO":
            return Leaf(x.shape), x.ravel().tolist()
        raise TypeError(
            f"{self.name}(): {where} must be a Value, a real number, an array, list, tuple or dict "
            f"of them, not {type(x).__name__}{_hint(x)}"
        )

    def _signed_results(self, result: Any, signature: Signature) -> tuple[Tree, list[Any]]:
        wanted = signature.outputs
        if len(wanted) == 1:
            return self._signed(result, wanted[0], "the result", dict(self.sizes))
        if not isinstance(result, (tuple, list)) or len(result) != len(wanted):
            raise ValueError(
                f"{self.name}(): the signature '{signature}' asks for a tuple of {len(wanted)} "
                f"results, not {_counted(result)}"
            )
        sizes = dict(self.sizes)
        pairs = [
            self._signed(x, dimensions, f"result {i}", sizes)
            for i, (x, dimensions) in enumerate(zip(result, wanted, strict=True))
        ]
        trees = tuple(tree for tree, _ in pairs)
        return Branch("tuple", (), trees, tuple), [x for _, leaves in pairs for x in leaves]

    def _signed(
        self, x: Any, dimensions: tuple[Any, ...], where: str, sizes: Sizes
    ) -> tuple[Tree, list[Any]]:
        if dimensions and isinstance(x, (list, tuple)):
            x = np.array(x, dtype=object)
        leaf, found = self._result(x, where)
        if len(leaf.shape) != len(dimensions):
            raise ValueError(
                f"{self.name}(): {where} has shape {leaf.shape}, where the signature "
                f"asks for {written(dimensions)}"
            )
        check(self.name, where, leaf.shape, dimensions, sizes)
        return leaf, [found]

    def point(self, arrays: Sequence[NDArray[np.float64]], row: int) -> list[float]:
        """The scalar arguments of a row."""
        return [x for a in arrays for x in a[row if len(a) > 1 else 0].tolist()]

    def unknown(
        self, arrays: Sequence[NDArray[np.float64]], row: int, where: tuple[int, ...]
    ) -> str:
        """Why a row cannot be run where nothing can be recorded: it takes a path of its own."""
        paths = self.native.paths(self.names())
        guards = [
            f"{test} was {holds} ({file}:{line})"
            for guards, *_ in paths[:4]
            for test, holds, file, line in guards[:4]
        ]
        known = f"; the saved ones have: {', '.join(dict.fromkeys(guards))}" if guards else ""
        place = f"row {where[0] if len(where) == 1 else where}" if where else "the call"
        return (
            f"{self.name}(): {place} ({self._shown(self.point(arrays, row))}) takes a path that "
            f"was not saved, and there is no source here to record it{known}"
        )

    def _shown(self, point: Sequence[float]) -> str:
        pairs = zip(self.input_names(), point, strict=True)
        shown = [f"{name}={x!r}" for name, x in pairs]
        return ", ".join([*shown[:8], "…"] if len(shown) > 8 else shown) or "no arguments"

    def _note(self, point: Sequence[float], where: tuple[int, ...]) -> str:
        row = f" row {where[0] if len(where) == 1 else where}," if where else ""
        return f"while {self.name}() was recorded at{row} {self._shown(point)}"

    def input_names(self) -> list[str]:
        """What the scalar arguments are called: ``S``, ``x[0]``, ``legs[1]['k']``."""
        pairs = zip(self.layout.names, self.trees, strict=True)
        return [name for argument, tree in pairs for name in names_of(tree, argument)]

    def parameter_names(self) -> list[str]:
        """The labels of the captured values; ``w[k]`` for the k-th, where it has none."""
        return [value.label or f"w[{k}]" for k, value in enumerate(self.native.parameters)]

    def names(self) -> list[str]:
        """The names of the scalar arguments, then of the captured values."""
        return self.input_names() + self.parameter_names()

    def results_from(self, values: NDArray[np.float64], loop: tuple[int, ...]) -> Any:
        """What a call returns, from the numbers of all rows (rows, outputs)."""
        tree = self.results
        if isinstance(tree, Leaf) and not tree.shape:
            return values.reshape(loop) if loop else values.item()
        assert tree is not None
        return build(tree, self._split(tree, values, loop))

    def _split(
        self, tree: Tree, values: NDArray[np.float64], loop: tuple[int, ...]
    ) -> Iterator[Any]:
        place = 0
        for leaf in flat(tree):
            shape = loop + leaf.shape
            part = np.ascontiguousarray(values[:, place : place + leaf.size])
            yield part.reshape(shape) if shape else part.item()
            place += leaf.size

    def empty(self, loop: tuple[int, ...]) -> Any:
        """What a call without rows returns."""
        if self.results is not None:
            return self.results_from(np.empty((0, self.outputs)), loop)
        if self.signature is None:
            return np.empty(loop)
        results = []
        for dimensions in self.signature.outputs:
            unknown = [d for d in dimensions if isinstance(d, str) and d not in self.sizes]
            if unknown:
                raise ValueError(
                    f"{self.name}(): there are no rows, and nothing has been recorded that would "
                    f"tell the size {unknown[0]} of the result"
                )
            core = [d if isinstance(d, int) else self.sizes[d][0] for d in dimensions]
            results.append(np.empty((*loop, *core)))
        return results[0] if len(results) == 1 else tuple(results)

    def put_together(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """One object an argument, from one a leaf."""
        if self.plain:
            return tuple(leaves)
        rest = iter(leaves)
        return tuple(build(tree, rest) for tree in self.trees)


def _hint(x: Any) -> str:
    return "; is a return missing?" if x is None else ""


def _counted(x: Any) -> str:
    kind = type(x).__name__
    return f"a {kind} of {len(x)}" if isinstance(x, (tuple, list)) else f"one {kind}"


def _described(tree: Tree) -> str:
    if isinstance(tree, Leaf):
        return f"an array of shape {tree.shape}" if tree.shape else "a number"
    return f"a {tree.kind} of {len(tree.children)}" + (
        f" with {', '.join(map(str, tree.keys))}" if tree.keys else ""
    )


def _add_note(error: BaseException, note: str) -> None:
    """What ``BaseException.add_note`` does, which Python 3.10 has not."""
    notes = [*getattr(error, "__notes__", []), note]
    vars(error)["__notes__"] = notes
