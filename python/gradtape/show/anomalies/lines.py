"""Which line of the user's code recorded a node: a tracer that looks at the tape after each line.

Nothing of this is in force outside :class:`Watcher`'s contexts: operators know nothing of it.
"""

import dis
import functools
import linecache
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from gradtape import _core
from gradtape._core import Value

__all__ = ["Place", "Watcher", "places_of"]

_Trace = Callable[[FrameType, str, Any], Any]

_PACKAGE = str(Path(__file__).parents[2]) + os.sep

# What `_core.inspect` takes as the number of no line.
_NOWHERE = 2**32 - 1


class Place(NamedTuple):
    """A line of the user's code."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        text = linecache.getline(self.file, self.line).strip()
        where = f"{self.file}:{self.line}, in {self.function}"
        return f"{where}\n    {text}" if text else where


_places: list[Place] = []
_numbers: dict[Place, int] = {}
_lock = threading.Lock()


def _number(place: Place | None) -> int:
    if place is None:
        return _NOWHERE
    with _lock:
        if place not in _numbers:
            _numbers[place] = len(_places)
            _places.append(place)
    return _numbers[place]


def places_of(value: Value) -> Callable[[int], Place | None]:
    """The line of a node of a value's graph, by the node's number; None where it is not known.

    Examples
    --------
    >>> print(places_of(Value(1.0))(0))
    None
    """
    lines: NDArray[np.int64] = _core.snapshot(value, [])["lines"]
    return lambda index: None if lines[index] < 0 else _places[lines[index]]


class Watcher:
    """A context that is told of the first nan or inf of a line, and of every sweep.

    Only code of the thread that entered the context is followed.
    """

    def __enter__(self) -> Self:
        _following().join(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        following = _following()
        try:
            if kind is None:
                following.look()
                following.settle()
        finally:
            following.leave(self)

    def recorded(self, value: Value) -> Exception | None:
        """What to raise for a node that is no finite number: the line that recorded it ends."""

    def swept(self, value: Value, seed: float) -> None:
        """``value.backward(seed)`` has run."""


class _Following:
    """The tracer of one thread, for all its watchers."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []
        self._before: Any = None
        self._frames: list[tuple[FrameType, Any]] = []
        self._place: Place | None = None
        self._frame: FrameType | None = None
        self._offset = -1
        self._pending: tuple[Exception, FrameType | None, frozenset[int]] | None = None
        self._tracer: _Trace = self._called

    def join(self, watcher: Watcher) -> None:
        if not self._watchers:
            _core.watch(True)
            _core.inspect(_NOWHERE)
            _patch(1)
            self._start()
        else:
            self.look()
        self._watchers.append(watcher)

    def leave(self, watcher: Watcher) -> None:
        self._watchers.remove(watcher)
        if not self._watchers:
            sys.settrace(self._before)
            for frame, trace in self._frames:
                frame.f_trace = trace
            self._frames, self._before, self._pending = [], None, None
            self._place = self._frame = None
            _patch(-1)
            _core.watch(False)

    def _start(self) -> None:
        self._before = sys.gettrace()
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if not _ours(frame.f_code):
                if self._place is None:
                    self._at(frame)
                self._frames.append((frame, frame.f_trace))
                frame.f_trace = self._inside(frame.f_trace)
            frame = frame.f_back
        sys.settrace(self._tracer)

    def _at(self, frame: FrameType | None) -> None:
        """What is recorded from now on belongs to the line where this frame is."""
        self._frame = frame
        self._place = None if frame is None else _place(frame)
        self._offset = -1 if frame is None else frame.f_lasti

    def look(self) -> None:
        """Ask the watchers about what the line that ends has recorded."""
        bad = _core.inspect(_number(self._place))
        if bad is None or self._pending is not None:
            return
        for error in [watcher.recorded(bad) for watcher in self._watchers]:
            if error is not None:
                frame = self._frame
                regions = frozenset() if frame is None else _regions(frame.f_code, self._offset)
                self._pending = error, frame, regions
                return

    def settle(self, frame: FrameType | None = None, *, returns: bool = False) -> None:
        """Raise what is to be raised, where that is as if the line itself had raised it.

        At the next line that is protected by the same handlers: else the end of a `with` or
        `finally` would be left out. At the latest when the frame returns, or the context ends.
        """
        if self._pending is None:
            return
        error, owner, regions = self._pending
        if frame is None or (
            frame is owner and (returns or regions <= _regions(frame.f_code, frame.f_lasti))
        ):
            self._pending = None
            try:
                raise error
            finally:
                # Else the error's traceback would hold the error, and values would outlive both.
                del error, owner, frame

    def swept(self, value: Value, seed: float) -> None:
        for watcher in [*self._watchers]:
            watcher.swept(value, seed)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        """The tracer: called when a frame begins."""
        inner = None
        if self._before is not None:
            inner = self._before(frame, event, argument)
            # Some tracers put themselves in force again when they are called.
            if sys.gettrace() is not self._tracer:
                sys.settrace(self._tracer)
        if _ours(frame.f_code):
            return inner
        self.look()
        self._at(frame)
        return self._inside(inner)

    def _inside(self, inner: Any) -> _Trace:
        """The tracer of one frame, with the one that was there before."""

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal inner
            if event == "line":
                self.look()
                self._at(frame)
                self.settle(frame)
            elif event == "return":
                self.look()
                caller = frame.f_back
                while caller is not None and _ours(caller.f_code):
                    caller = caller.f_back
                self._at(caller)
                self.settle(frame, returns=True)
            if inner is not None:
                inner = inner(frame, event, argument)
            return trace

        return trace


@functools.lru_cache(maxsize=4096)
def _ours(code: CodeType) -> bool:
    return code.co_filename.startswith(_PACKAGE)


def _place(frame: FrameType) -> Place:
    code = frame.f_code
    return Place(code.co_filename, frame.f_lineno or code.co_firstlineno, code.co_name)


@functools.lru_cache(maxsize=256)
def _handlers(code: CodeType) -> list[Any]:
    return list(getattr(dis.Bytecode(code), "exception_entries", []))


def _regions(code: CodeType, offset: int) -> frozenset[int]:
    """The handlers that protect an instruction."""
    return frozenset(e.target for e in _handlers(code) if e.start <= offset < e.end)


_local = threading.local()


def _following() -> _Following:
    if not hasattr(_local, "following"):
        _local.following = _Following()
    following: _Following = _local.following
    return following


# While any thread watches, `backward` tells: its tape may be gone when the line ends.
_sweep = Value.backward
_patches = 0


@functools.wraps(_sweep)
def _watched(self: Value, seed: float = 1.0) -> None:
    following = getattr(_local, "following", None)
    if following is None or not following._watchers:
        _sweep(self, seed)
        return
    following.look()
    following.settle()
    _sweep(self, seed)
    following.swept(self, seed)


def _patch(change: int) -> None:
    global _patches
    with _lock:
        _patches += change
        Value.backward = _watched if _patches else _sweep  # type: ignore[method-assign]  # and put back
