"""The compiled function: what users hold in their hands."""

import weakref
from collections.abc import Callable, Sequence
from functools import update_wrapper
from os import PathLike
from typing import Any, overload

from gradtape._core import Value
from gradtape.compiling import saving
from gradtape.compiling.calls import Call, built, chosen_arguments, thread_count
from gradtape.compiling.forms import recording
from gradtape.compiling.layout import parameters_of
from gradtape.compiling.paths import Path, Program, paths_of, programs_of, statistics
from gradtape.compiling.recordings import Recordings
from gradtape.compiling.signature import parse
from gradtape.compiling.structure import build
from gradtape.compiling.watching import Wrapper
from gradtape.errors import GradtapeError

__all__ = ["Compiled", "compile"]


class Compiled(Wrapper):
    """A function that is recorded once and replayed over rows; made by `gradtape.compile`.

    Called with numbers and arrays it is a NumPy ufunc, or a generalised one by its signature.
    Called with ``Value`` operands, or while another compiled function is recorded, it is the plain
    function.
    """

    __wrapped__: Any
    __name__: str

    def __init__(
        self,
        function: Callable[..., Any] | None,
        recordings: Recordings,
        threads: int | None,
    ) -> None:
        if function is not None:
            update_wrapper(self, function)
        self.__wrapped__ = function
        self.__name__ = recordings.name
        self._recordings, self._threads = recordings, threads
        self._bound: dict[int, tuple[weakref.ref[Any], Recordings]] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function in every row.

        Parameters
        ----------
        *args, **kwargs
            As the function takes them: numbers, arrays, and lists, tuples and dicts of such.
            Arrays broadcast together; their common shape is the loop, an element of it a row.

        Returns
        -------
        object
            What the function returns, each number in it an array of the loop's shape; a float
            where no argument has dimensions.

        Raises
        ------
        TypeError
            If an argument is no number, array of numbers, or nest of such; or the function does
            not take these arguments.
        ValueError
            If shapes do not broadcast, or do not fit the signature.
        GradtapeError
            If a path is needed that cannot be recorded: there are `max_paths`, or no source.
        """
        if not recording.depth:
            found = self._recordings.find(args, kwargs)
            if found is not None:
                return Call(*found, self._record, self._threads).values()
        return self._plainly(args, kwargs)

    def _plainly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.__wrapped__ is None:
            raise GradtapeError(
                f"{self.__name__}() was loaded without its source: it takes numbers, no Values, "
                "and cannot be part of a recording"
            )
        return self.__wrapped__(*args, **kwargs)

    def opened(self, args: tuple[Any, ...], kwargs: dict[str, Any], threads: Any) -> Call:
        """The rows of a call and how they are run, for what takes gradients of them."""
        if recording.depth:
            raise GradtapeError(
                f"{self.__name__}: a gradient is asked for while a function is recorded; take it "
                "of the outer compiled function, or call this one plainly"
            )
        threads = self._threads if threads is None else thread_count(threads)
        found = self._recordings.find(args, kwargs) or self._recordings.read(args, kwargs)
        return Call(*found, self._record, threads)

    def _record(self, *row: Any) -> None:
        self._recordings.record(self.__wrapped__, *row)

    def value_and_grad(
        self,
        *args: Any,
        reduce: str | None = None,
        wrt: int | str | Sequence[int | str] | None = None,
        threads: int | None = None,
        **kwargs: Any,
    ) -> tuple[Any, Any]:
        """The result and its derivatives by the arguments.

        Parameters
        ----------
        *args, **kwargs
            As in a call; a parameter that has the name of one of the following is given by
            position.
        reduce : {None, "sum", "mean"}
            What is differentiated: each row's own result, or their sum or mean over the rows.
        wrt : int, str, or a sequence of them, optional
            By which arguments, by place or name; all of them by default.
        threads : int, optional
            0 is what ``GRADTAPE_THREADS`` says, else one a processor; by default what `compile` was
            told.

        Returns
        -------
        value : float or numpy.ndarray
            As from a call; a float if it was reduced.
        gradients : object or tuple
            One for each argument in the order of the function's parameters, or for each that `wrt`
            names; not a tuple if that is a single one. It has its argument's structure and
            shape. An argument that was broadcast gets the sum over the rows that shared it.

        Raises
        ------
        TypeError, ValueError, GradtapeError
            As a call; ValueError also if the function gives several numbers a row, or `reduce` or
            `wrt` name nothing.

        Examples
        --------
        >>> import numpy as np, gradtape as gt
        >>> f = gt.compile(lambda x, a: a * x**2)
        >>> f.value_and_grad(np.array([1.0, 2.0]), 3.0)
        (array([ 3., 12.]), (array([ 6., 12.]), 5.0))
        >>> f.value_and_grad(np.array([1.0, 2.0]), 3.0, reduce="mean", wrt="a")
        (7.5, 2.5)
        """
        call = self.opened(args, kwargs, threads)
        form = call.form
        chosen, single = chosen_arguments(form.name, form.layout.names, wrt)
        if chosen is None:
            value, gradients = call.value_and_gradients(reduce, None)
            return value, form.put_together(gradients)
        wanted = {leaf for i in chosen for leaf in form.spans[i]}
        value, gradients = call.value_and_gradients(reduce, wanted)
        parts = tuple([built(form, i, gradients) for i in chosen])
        return value, parts[0] if single else parts

    def grad(
        self,
        *args: Any,
        reduce: str | None = None,
        wrt: int | str | Sequence[int | str] | None = None,
        threads: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """The derivatives alone: the second part of what `value_and_grad` returns.

        Examples
        --------
        >>> import gradtape as gt
        >>> gt.compile(lambda x, y: x * y).grad(2.0, 3.0)
        (3.0, 2.0)
        """
        return self.value_and_grad(*args, reduce=reduce, wrt=wrt, threads=threads, **kwargs)[1]

    def backward(
        self,
        *args: Any,
        reduce: str = "sum",
        seed: float = 1.0,
        threads: int | None = None,
        **kwargs: Any,
    ) -> float:
        """Add the derivatives of the reduced result to the gradients of the captured values.

        What ``loss.backward()`` does with a loss that was summed or averaged over the rows.

        Parameters
        ----------
        *args, **kwargs, threads
            As in `value_and_grad`.
        reduce : {"sum", "mean"}
            Over the rows.
        seed : float
            The gradients are multiplied by it.

        Returns
        -------
        float
            The sum or mean, not multiplied by the seed.

        Raises
        ------
        TypeError, ValueError, GradtapeError
            As `value_and_grad`.

        Examples
        --------
        >>> import numpy as np, gradtape as gt
        >>> w = gt.Value(3.0)
        >>> loss = gt.compile(lambda x, y: (w * x - y) ** 2)
        >>> loss.backward(np.array([1.0, 2.0]), np.array([1.0, 4.0]), reduce="mean")
        4.0
        >>> w.grad
        6.0
        """
        return self.opened(args, kwargs, threads).backward(reduce, float(seed))

    def jacobian(
        self,
        *args: Any,
        wrt: int | str | Sequence[int | str] | None = None,
        threads: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """The derivatives of every number of the result, each row's own.

        Parameters
        ----------
        *args, wrt, threads, **kwargs
            As in `value_and_grad`.

        Returns
        -------
        object
            The structure of the result; in place of each of its arrays what `value_and_grad`
            returns as gradients, of arrays whose shape is the loop's, then the result's in a row,
            then the argument's in a row. Nothing is summed over rows.

        Raises
        ------
        TypeError, ValueError, GradtapeError
            As `value_and_grad`, but the result may be of any size.

        Examples
        --------
        >>> import gradtape as gt
        >>> polar = gt.compile(lambda r, t: (r * gt.cos(t), r * gt.sin(t)))
        >>> polar.jacobian(2.0, 0.0)
        ((1.0, 0.0), (0.0, 2.0))
        """
        call = self.opened(args, kwargs, threads)
        form = call.form
        chosen, single = chosen_arguments(form.name, form.layout.names, wrt)
        if chosen is None:
            chosen = list(range(len(form.trees)))
        wanted = {leaf for i in chosen for leaf in form.spans[i]}
        results, derivatives = call.jacobian(wanted)
        parts = [tuple([built(form, i, leaves) for i in chosen]) for leaves in derivatives]
        return build(results, iter([part[0] for part in parts] if single else parts))

    @property
    def paths(self) -> list[Path]:
        """The recorded paths: their guards, with lines of source, and how many rows took each."""
        return paths_of(self._recordings)

    @property
    def programs(self) -> list[Program]:
        """The program of each path; ``str(program)`` is its Wengert list."""
        return programs_of(self._recordings)

    @property
    def program(self) -> Program:
        """The program of the path that most rows took.

        Raises
        ------
        GradtapeError
            If nothing has been recorded yet.
        """
        paths = self.paths
        if not paths:
            raise GradtapeError(f"{self.__name__}() has not been recorded yet: call it once")
        return max(paths, key=lambda path: path.rows).program

    @property
    def parameters(self) -> list[Value]:
        """The captured values, in the order in which the function came upon them."""
        found: dict[int, Value] = {}
        for form in self._recordings.forms.values():
            found.update((id(value), value) for value in form.native.parameters)
        return list(found.values())

    def stats(self) -> dict[str, Any]:
        """What recording cost, and what it brought.

        Returns
        -------
        dict
            Counts: ``forms`` (structures of arguments), ``paths``, ``parameters`` (captured
            values), ``rows`` (replayed so far), ``nodes_recorded``, ``nodes`` (after optimizing),
            ``instructions``. Milliseconds: ``record_ms``, ``compile_ms`` (recording included). What
            else the native side tells of the last form: the SIMD level, ``last_ms`` of the last
            replay, ``ns_a_node_and_row``.

        Examples
        --------
        >>> import gradtape as gt
        >>> f = gt.compile(lambda x: x * x)
        >>> f(3.0), f.stats()["rows"]
        (9.0, 1)
        """
        return statistics(self._recordings)

    def clear(self) -> None:
        """Forget what was recorded; the next call records anew.

        Needed where the function read something that is not watched, such as an element of a
        list, and that has changed.
        """
        if self.__wrapped__ is None:
            raise GradtapeError(
                f"{self.__name__}() was loaded without its source and cannot be recorded again"
            )
        self._recordings.forget()

    def save(self, path: str | PathLike[str]) -> None:
        """Write the recorded paths to a file that `gradtape.load` reads in any process.

        Parameters
        ----------
        path : str or os.PathLike

        Raises
        ------
        GradtapeError
            If nothing has been recorded yet.
        TypeError
            If an argument is a dict with keys that are no strings or numbers.
        """
        saving.save(self, path)

    def __get__(self, instance: Any, owner: type | None = None) -> "Compiled":
        """The function bound to an object, as a method is; each object has paths of its own."""
        if instance is None or not hasattr(self.__wrapped__, "__get__"):
            return self
        method = self.__wrapped__.__get__(instance, owner)
        held = self._bound.get(id(instance))
        if held is None or held[0]() is not instance:
            held = self._hold(instance, method)
        bound = Compiled.__new__(Compiled)
        vars(bound).update(vars(self), __wrapped__=method, _recordings=held[1], _bound={})
        return bound

    def _hold(self, instance: Any, method: Any) -> tuple[weakref.ref[Any], Recordings]:
        mine = self._recordings
        with mine.lock:
            held = self._bound.get(id(instance))
            if held is not None and held[0]() is instance:
                return held
            key, bound = id(instance), self._bound

            def drop(reference: weakref.ref[Any]) -> None:
                if key in bound and bound[key][0] is reference:
                    del bound[key]

            try:
                reference = weakref.ref(instance, drop)
            except TypeError:
                raise TypeError(
                    f"{self.__name__}() is a compiled method, whose objects must take weak "
                    f"references; add '__weakref__' to the __slots__ of {type(instance).__name__}"
                ) from None
            own = Recordings(mine.name, parameters_of(method), mine.signature, mine.max_paths)
            self._bound[key] = held = reference, own
            return held

    def __repr__(self) -> str:
        signature = self._recordings.signature
        notation = "" if signature is None else f" {signature}"
        count = len(self.paths)
        return f"<compiled {self.__name__}{notation}, {count} path{'s' * (count != 1)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return saving.reduced(self)

    def __copy__(self) -> "Compiled":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Compiled":
        return saving.deep_copied(self, memo)


@overload
def compile(
    function: Callable[..., Any],
    *,
    signature: str | None = None,
    max_paths: int = 64,
    threads: int | None = None,
) -> Compiled: ...
@overload
def compile(
    function: None = None,
    *,
    signature: str | None = None,
    max_paths: int = 64,
    threads: int | None = None,
) -> Callable[[Callable[..., Any]], Compiled]: ...
def compile(
    function: Callable[..., Any] | None = None,
    *,
    signature: str | None = None,
    max_paths: int = 64,
    threads: int | None = None,
) -> Compiled | Callable[[Callable[..., Any]], Compiled]:
    """Compile a plain Python function of numbers: recorded once, replayed natively over rows.

    Parameters
    ----------
    function : callable, optional
        Takes numbers and returns numbers: arithmetic, gradtape's functions, ``if``, ``while``,
        lists, classes. Without it a decorator is returned.
    signature : str, optional
        NumPy's notation for functions of arrays: ``"(n),(n)->()"``. Such an argument arrives as an
        array of ``Value`` objects. Without it all arguments are scalars, and arrays are broadcast.
    max_paths : int
        How many ways through its branches are recorded before `GradtapeError` is raised.
    threads : int, optional
        On how many threads rows are replayed. 0, the default, is what the environment variable
        ``GRADTAPE_THREADS`` says, else one a processor.

    Returns
    -------
    Compiled
        Called as the function is; with `value_and_grad`, `backward` and more.

    Raises
    ------
    TypeError
        If `function` cannot be called.
    ValueError
        If `signature` is none, or `max_paths` or `threads` are out of range.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> @gt.compile
    ... def payoff(S, K):
    ...     return S - K if S > K else 0.0 * S
    >>> payoff(np.array([90.0, 110.0]), 100.0)
    array([ 0., 10.])
    >>> payoff.value_and_grad(110.0, 100.0)
    (10.0, (1.0, -1.0))
    """
    notation = None if signature is None else parse(signature)
    if isinstance(max_paths, bool) or not isinstance(max_paths, int) or max_paths < 1:
        raise ValueError(f"max_paths must be a whole number from 1 on, not {max_paths!r}")
    if threads is not None:
        threads = thread_count(threads)

    def compiled(function: Callable[..., Any]) -> Compiled:
        if not callable(function):
            raise TypeError(
                f"compile() takes a function, not {type(function).__name__} {function!r}"
            )
        if isinstance(function, Compiled) and function.__wrapped__ is not None:
            function = function.__wrapped__
        name = getattr(function, "__name__", None) or type(function).__name__
        parameters = parameters_of(function)
        return Compiled(function, Recordings(name, parameters, notation, max_paths), threads)

    return compiled if function is None else compiled(function)
