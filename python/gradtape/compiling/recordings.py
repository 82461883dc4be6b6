"""What was recorded of one function: a form for each structure that it was called with."""

import inspect
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gradtape import _core
from gradtape.compiling.batch import Plan
from gradtape.compiling.forms import Form
from gradtape.compiling.layout import Layout, arrange
from gradtape.compiling.reading import read, simple_shapes
from gradtape.compiling.signature import Signature, Sizes
from gradtape.compiling.structure import Tree, holds_values
from gradtape.compiling.watching import Watch
from gradtape.errors import GradtapeError

__all__ = ["Recordings"]

Key: TypeAlias = tuple[Any, ...]
Found: TypeAlias = tuple[Form, Plan, Sequence[Any]]
MOST_PLANS = 256  # shapes whose plans are kept; all are forgotten when there are more


_ALL: weakref.WeakSet["Recordings"] = weakref.WeakSet()


def _renew_locks() -> None:
    # A thread that was recording when the process forked is not there to let go of its lock.
    for recordings in list(_ALL):
        recordings.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


class Recordings:
    """The forms of one function, found by the arguments of a call.

    Parameters
    ----------
    name : str
        Of the function.
    parameters : inspect.Signature
    signature : Signature, optional
    max_paths : int
    """

    def __init__(
        self,
        name: str,
        parameters: inspect.Signature,
        signature: Signature | None,
        max_paths: int,
    ) -> None:
        self.name, self.parameters = name, parameters
        self.signature, self.max_paths = signature, max_paths
        self.lock = threading.RLock()
        self.layouts: dict[Key, Layout] = {}
        self.forms: dict[Key, Form] = {}
        self.plans: dict[Key, tuple[Form, Plan]] = {}
        self.watch: Watch | None = None
        _ALL.add(self)

    def forget(self) -> None:
        """Drop everything that was recorded."""
        with self.lock:
            self.forms, self.plans, self.watch = {}, {}, None

    def find(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Found | None:
        """The form of a call, the plan of its rows, and its leaves; None if it holds Values.

        Raises
        ------
        TypeError, ValueError
            If the function does not take such arguments, or their shapes do not fit.
        """
        if self.watch is not None and self.watch.changed():
            self.forget()
        plans = self.plans
        given: tuple[Any, ...] = args
        key: Key = ()
        if kwargs:
            layout = self.layout(len(args), tuple(kwargs))
            given, key = layout.ordered(args + tuple(kwargs.values())), layout.key
        shapes = simple_shapes(given)
        if shapes is None:
            return None if holds_values(given) else self.read(args, kwargs)
        key += shapes
        known = plans.get(key)
        if known is not None:
            return (*known, given)
        found = self.read(args, kwargs)
        if len(plans) >= MOST_PLANS:
            plans.clear()
        plans[key] = found[:2]
        return found

    def read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Found:
        """The same for any call, from the start.

        Raises
        ------
        TypeError, ValueError
            As `find`, and where Values are among the arguments.
        """
        layout = self.layout(len(args), tuple(kwargs))
        return self._read(layout, layout.ordered(args + tuple(kwargs.values())))

    def layout(self, count: int, keywords: tuple[str, ...]) -> Layout:
        """How a call with so many arguments, and these keywords, is bound."""
        given = (count, *keywords)
        found = self.layouts.get(given)
        if found is None:
            found = arrange(self.name, self.parameters, self.signature, count, keywords)
            self.layouts[given] = found
        return found

    def _read(self, layout: Layout, arguments: Sequence[Any]) -> Found:
        trees, leaves, sizes = read(self.name, layout.names, arguments, layout.dimensions)
        form = self.form(layout, trees, sizes)
        shapes = tuple([x.shape if isinstance(x, np.ndarray) else None for x in leaves])
        plan = form.plans.get(shapes)
        if plan is None:
            if len(form.plans) >= MOST_PLANS:
                form.plans.clear()
            plan = form.plans[shapes] = self._plan(form, shapes)
        return form, plan, leaves

    def form(
        self, layout: Layout, trees: tuple[Tree, ...], sizes: Sizes, native: Any = None
    ) -> Form:
        """What is known of calls with arguments of this structure; a new form at first."""
        key = (layout.key, trees)
        with self.lock:
            form = self.forms.get(key)
            if form is None:
                native = native or _core.Paths(self.max_paths)
                form = Form(self.name, layout, trees, self.signature, sizes, native)
                self.forms[key] = form
            return form

    def _plan(self, form: Form, shapes: tuple[Any, ...]) -> Plan:
        cores = [leaf.shape for leaf in form.leaves]
        loops = [
            () if shape is None else shape[: len(shape) - len(core)]
            for shape, core in zip(shapes, cores, strict=True)
        ]
        try:
            loop = np.broadcast_shapes(*loops)
        except ValueError:
            raise ValueError(self._mismatch(form, shapes, loops)) from None
        return Plan(loop, shapes, cores)

    def _mismatch(self, form: Form, shapes: tuple[Any, ...], loops: list[Any]) -> str:
        names = [
            name if len(span) == 1 else f"{name} (leaf {i})"
            for name, span in zip(form.layout.names, form.spans, strict=True)
            for i in range(len(span))
        ]
        shown = [
            f"{name} {shape}" + (f", rows {loop}" if loop != shape else "")
            for name, shape, loop in zip(names, shapes, loops, strict=True)
            if loop
        ]
        return f"{self.name}(): the arguments do not broadcast together: {'; '.join(shown)}"

    def record(
        self,
        function: Callable[..., Any] | None,
        form: Form,
        arrays: Sequence[NDArray[np.float64]],
        row: int,
        where: tuple[int, ...],
    ) -> None:
        """Record the path of a row, and what the function's names stand for."""
        if function is None:
            raise GradtapeError(form.unknown(arrays, row, where))
        with self.lock:
            for last in [False] * 9 + [True]:
                before = Watch(function)
                holds = self.watch is None or not self.watch.changed()
                try:
                    form.record(function, arrays, row, where)
                    break
                except GradtapeError:
                    # Another thread may have changed what the function reads meanwhile.
                    if last or not before.changed():
                        raise
            if holds:
                # A look that already differs stays: the next call sees it and records anew.
                self.watch = self._settled(before, function, form, arrays, row, where)

    def _settled(
        self,
        before: Watch,
        function: Callable[..., Any],
        form: Form,
        arrays: Sequence[NDArray[np.float64]],
        row: int,
        where: tuple[int, ...],
    ) -> Watch:
        """A look at what the names stand for, after a path was recorded.

        What the function itself changes each time, such as a counter of its calls, is not watched;
        what it changes once, such as a cached property, is. Running it again tells them apart.
        """
        now = Watch(function)
        if not before.changed():
            return now
        try:
            form.record(function, arrays, row, where)
        except GradtapeError:
            return before
        return Watch(function).without_changes_since(now)
