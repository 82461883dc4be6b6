"""One call of a compiled function: its rows, and what is asked of them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradtape.compiling.batch import Plan
from gradtape.compiling.forms import Form
from gradtape.compiling.structure import Leaf, Tree, build, flat

__all__ = ["Call", "chosen_arguments", "thread_count"]

Record = Callable[[Form, Sequence[NDArray[np.float64]], int, tuple[int, ...]], None]


def thread_count(threads: Any) -> int:
    """A number of threads as the native side takes it: 0 is what the environment says.

    Raises
    ------
    ValueError
        If it is no whole number from 0 on.

    Examples
    --------
    >>> thread_count(2)
    2
    """
    whole = isinstance(threads, (int, np.integer)) and not isinstance(threads, bool)
    if whole and 0 <= threads < 1 << 16:
        return int(threads)
    raise ValueError(f"threads must be a whole number, 0 for one a processor, not {threads!r}")


class Call:
    """The rows of one call and the form that they are run by.

    Parameters
    ----------
    form : Form
    plan : Plan
    leaves : sequence of float or numpy.ndarray
    record : callable
        Records the path of a row: ``record(form, arrays, row, where)``.
    threads : int, optional
        None and 0: what ``GRADTAPE_THREADS`` says, else one a processor.
    """

    __slots__ = ("arrays", "form", "leaves", "plan", "record", "threads")

    def __init__(
        self, form: Form, plan: Plan, leaves: Sequence[Any], record: Record, threads: int | None
    ) -> None:
        self.form, self.plan, self.leaves, self.record = form, plan, leaves, record
        self.arrays = plan.arrays(leaves)
        self.threads = threads or 0

    def missing(self, row: int) -> None:
        """Record the path of a row."""
        plan = self.plan
        self.record(self.form, self.arrays, row, plan.index(row) if plan.loop else ())

    def begin(self) -> None:
        """Record the first row where nothing is known of the results."""
        if self.form.results is None:
            self.missing(0)

    def values(self) -> Any:
        """What the function returns."""
        form, rows = self.form, self.plan.rows
        if not rows:
            return form.empty(self.plan.loop)
        if form.results is None:
            self.missing(0)
        values = np.empty((rows, form.outputs))
        form.native.run(self.missing, rows, self.arrays, values=values, threads=self.threads)
        return form.results_from(values, self.plan.loop)

    def scale(self, reduce: str | None) -> float:
        """The weight of each row's result.

        Raises
        ------
        ValueError
            If the reduction is unknown, or the mean of no rows is asked for.
        """
        if reduce is None or reduce == "sum":
            return 1.0
        if reduce != "mean":
            raise ValueError(f"reduce must be None, 'sum' or 'mean', not {reduce!r}")
        if not self.plan.rows:
            raise ValueError(f"{self.form.name}(): there are no rows to take the mean of")
        return 1.0 / self.plan.rows

    def one_result(self) -> None:
        """Refuse a function that gives several numbers a row.

        Raises
        ------
        ValueError
            Always then.
        """
        if self.plan.rows:
            self.begin()
        if self.form.results is not None and self.form.outputs != 1:
            raise ValueError(
                f"{self.form.name}() gives {self.form.outputs} numbers a row, and a gradient is of "
                "one; jacobian() takes the derivatives of all"
            )

    def value_and_gradients(
        self, reduce: str | None, wanted: set[int] | None
    ) -> tuple[Any, list[Any]]:
        """The result, reduced or not, and a gradient for each wanted leaf (None for the others)."""
        plan, form = self.plan, self.form
        scale = self.scale(reduce)
        self.one_result()
        if not plan.rows:
            value = form.empty(plan.loop) if reduce is None else 0.0
            return value, [_zeros(shape) for shape in plan.shapes]
        room = plan.room(self.arrays, wanted)
        seeds = plan.seed(scale)
        if reduce is None:
            values = np.empty((plan.rows, 1))
            form.native.run(
                self.missing,
                plan.rows,
                self.arrays,
                values=values,
                gradients=room,
                seeds=seeds,
                threads=self.threads,
            )
            return form.results_from(values, plan.loop), plan.gradients(room)
        totals = np.empty(1)
        form.native.run(
            self.missing,
            plan.rows,
            self.arrays,
            totals=totals,
            gradients=room,
            seeds=seeds,
            threads=self.threads,
        )
        return totals.item() * scale, plan.gradients(room)

    def backward(self, reduce: str, seed: float) -> float:
        """The reduced result; adds to the gradients of captured values."""
        plan, form = self.plan, self.form
        if reduce is None:
            raise ValueError("reduce must be 'sum' or 'mean', not None")
        scale = self.scale(reduce)
        self.one_result()
        if not plan.rows:
            return 0.0
        totals = np.empty(1)
        gradient = form.native.run(
            self.missing,
            plan.rows,
            self.arrays,
            totals=totals,
            seeds=plan.seed(seed * scale),
            parameter_gradient=True,
            threads=self.threads,
        )
        form.native.add_gradient(gradient)
        return totals.item() * scale

    def jacobian(self, wanted: set[int]) -> tuple[Tree, list[list[Any]]]:
        """The structure of the result and, for each leaf of it, its derivatives by every leaf.

        Each has the shape of the loop, of the result and of the argument, one after the other;
        None for leaves of the arguments that are not wanted.
        """
        plan = self.plan
        if plan.rows:
            self.begin()
        results = self.form.results or Leaf()
        arrays = plan.repeated(self.leaves, wanted)
        chosen = plan.chosen(wanted)
        room = [np.empty(x.shape) if i in chosen else None for i, x in enumerate(arrays)]
        found, place = [], 0
        for leaf in flat(results):
            outputs = range(place, place + leaf.size)
            place = outputs.stop
            by_output = [self._derivatives(arrays, room, output, wanted) for output in outputs]
            found.append(
                [
                    self._shaped(i, [x[i] for x in by_output], leaf.shape) if i in wanted else None
                    for i in range(len(plan.shapes))
                ]
            )
        return results, found

    def _derivatives(
        self,
        arrays: Sequence[NDArray[np.float64]],
        room: Sequence[NDArray[np.float64] | None],
        output: int,
        wanted: set[int],
    ) -> dict[int, NDArray[np.float64]]:
        """Of one number of every row, by the wanted leaves: arrays (rows, size)."""
        if self.plan.rows:
            seeds = np.zeros(self.form.outputs)
            seeds[output] = 1.0
            self.form.native.run(
                self.missing,
                self.plan.rows,
                arrays,
                gradients=room,
                seeds=seeds,
                threads=self.threads,
            )
        found = {}
        for i in wanted:
            place, columns = self.plan.columns(i)
            gradient = room[place]
            assert gradient is not None
            found[i] = gradient[:, columns].copy()
        return found

    def _shaped(self, leaf: int, parts: list[NDArray[np.float64]], result: tuple[int, ...]) -> Any:
        shape = self.plan.loop + result + tuple(self.plan.cores[leaf])
        if not parts:
            return np.empty(shape)
        array = np.stack(parts, axis=1)
        return array.reshape(shape) if shape else array.item()


def _zeros(shape: tuple[int, ...] | None) -> Any:
    return np.zeros(shape) if shape else 0.0


def chosen_arguments(
    function: str, names: Sequence[str], wrt: Any
) -> tuple[list[int] | None, bool]:
    """Which arguments `wrt` names, in its order (None: all), and whether it names just one.

    Raises
    ------
    TypeError, ValueError
        If it is no index or name of an argument of the call, nor a sequence of such.

    Examples
    --------
    >>> chosen_arguments("f", ["S", "K"], "K"), chosen_arguments("f", ["S", "K"], (0, "K"))
    (([1], True), ([0, 1], False))
    """
    if wrt is None:
        return None, False
    several = isinstance(wrt, (tuple, list))
    chosen = [_argument(function, names, x) for x in (wrt if several else (wrt,))]
    return chosen, not several


def _argument(function: str, names: Sequence[str], which: Any) -> int:
    if isinstance(which, str):
        if which in names:
            return list(names).index(which)
    elif isinstance(which, (int, np.integer)) and not isinstance(which, bool):
        if -len(names) <= which < len(names):
            return int(which) % len(names)
    else:
        raise TypeError(
            f"{function}(): wrt must be the index or the name of an argument, or a tuple of them, "
            f"not {which!r}"
        )
    raise ValueError(
        f"{function}(): wrt={which!r} is no argument of this call; these are {', '.join(names)}"
    )


def built(form: Form, argument: int, leaves: Sequence[Any]) -> Any:
    """What stands for the leaves of one argument, put together as the argument is."""
    span = form.spans[argument]
    return build(form.trees[argument], iter(leaves[span.start : span.stop]))
