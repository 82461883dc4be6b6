"""What is known of a compiled function's paths, for people."""

import linecache
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from gradtape import _core
from gradtape.compiling.forms import Form
from gradtape.compiling.recordings import Recordings

__all__ = ["Guard", "Path", "Program", "paths_of", "programs_of", "statistics"]


@dataclass(frozen=True)
class Guard:
    """A question that the function asked of numbers, and the answer on this path.

    Parameters
    ----------
    test : str
        Such as ``S > K``.
    holds : bool
    file : str
    line : int
        Where it was asked.
    """

    test: str
    holds: bool
    file: str
    line: int

    @property
    def source(self) -> str:
        """The line of source; empty if it is not to be had."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        place = f"{PurePath(self.file).name}:{self.line}" if self.file else "?"
        return f"{self.test} is {self.holds}  ({place}: {self.source or 'no source'})"


class Program:
    """The optimized recording of one path.

    ``str(program)`` is its Wengert list, the arguments named as in the function, captured values by
    their labels.
    """

    def __init__(self, form: Form, index: int, nodes: int) -> None:
        self._form, self._index, self.nodes = form, index, nodes

    def __str__(self) -> str:
        form = self._form
        return str(form.native.text(self._index, form.names()))

    def __len__(self) -> int:
        return self.nodes

    def __repr__(self) -> str:
        return f"<program of {self._form.name}, path {self._index}: {self.nodes} nodes>"


@dataclass(frozen=True)
class Path:
    """One way through the branches of a function.

    Parameters
    ----------
    index : int
        In the order of recording.
    guards : tuple of Guard
        What a row must answer to take it.
    rows : int
        How many rows took it.
    recorded, nodes : int
        Nodes before and after optimizing.
    program : Program
    """

    index: int
    guards: tuple[Guard, ...]
    rows: int
    recorded: int
    nodes: int
    program: Program

    def __repr__(self) -> str:
        guards = "; ".join(
            (guard.test if guard.holds else f"not {guard.test}")
            + (f" [{guard.source}, line {guard.line}]" if guard.source else "")
            for guard in self.guards
        )
        return f"<path {self.index}: {_rows(self.rows)}, {guards or 'no guards'}>"

    def __str__(self) -> str:
        head = f"path {self.index}: {_rows(self.rows)}, {self.nodes} nodes of {self.recorded}"
        return "\n".join([head, *(f"  {guard}" for guard in self.guards)])


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def paths_of(recordings: Recordings) -> list[Path]:
    """The paths of every form, in the order of recording."""
    found: list[Path] = []
    for form in list(recordings.forms.values()):
        for index, (guards, rows, before, after) in enumerate(form.native.paths(form.names())):
            asked = tuple(Guard(*guard) for guard in guards)
            program = Program(form, index, after)
            found.append(Path(len(found), asked, rows, before, after, program))
    return found


def programs_of(recordings: Recordings) -> list[Program]:
    """The program of each path."""
    return [path.program for path in paths_of(recordings)]


ADDED = ("nodes_recorded", "nodes", "instructions", "record_ms", "compile_ms")


def statistics(recordings: Recordings) -> dict[str, Any]:
    """Counts and times; see `Compiled.stats`."""
    forms = list(recordings.forms.values())
    each = [form.native.stats() for form in forms] or [_core.Paths(1).stats()]
    paths = paths_of(recordings)
    values = {id(value) for form in forms for value in form.native.parameters}
    return {
        "forms": len(forms),
        "paths": len(paths),
        "parameters": len(values),
        "rows": sum(path.rows for path in paths),
        **{key: sum(stats[key] for stats in each) for key in ADDED},
        **{key: number for key, number in each[-1].items() if key not in (*ADDED, "paths")},
    }
