"""What is said of a backward pass that was checked."""

from collections.abc import Sequence
from dataclasses import dataclass

from gradtape.show.checking.report import Report
from gradtape.show.texts import ROOM, clean

__all__ = ["BackwardReport", "Diagnosis"]


@dataclass(frozen=True)
class Diagnosis:
    """What is said of one returned gradient.

    Parameters
    ----------
    name : str
        The parameter.
    ok : bool
        Whether its gradient is right.
    cause : str
        The likely reason if it is wrong; what is to be noted if it is right.
    follows : bool
        Whether it is wrong for a reason that was found, and stands, at an earlier parameter.
    off : float
        The largest error of an element, relative to the largest element of the right gradient.
    """

    name: str
    ok: bool
    cause: str = ""
    follows: bool = False
    off: float = 0.0

    def __str__(self) -> str:
        line = f"{'right' if self.ok else 'wrong':<6} {clean(self.name, ROOM):<4}"
        return f"{line}  {self.cause}".rstrip()


@dataclass(frozen=True, repr=False)
class BackwardReport(Report):
    """What `gradtape.check_backward` found; true if every gradient is right.

    Parameters
    ----------
    lines : sequence of Diagnosis
        One a parameter, in the order of the backward pass: last layer first.
    notes : sequence of str
        What else is to be said.
    complete : bool
        Whether all that was needed to compare was there.
    """

    lines: Sequence[Diagnosis]
    notes: Sequence[str] = ()
    complete: bool = True

    @property
    def ok(self) -> bool:
        """Whether every gradient is right."""
        return self.complete and all(line.ok for line in self.lines)

    @property
    def wrong(self) -> list[Diagnosis]:
        """The gradients that are wrong."""
        return [line for line in self.lines if not line.ok]

    @property
    def first(self) -> Diagnosis | None:
        """The first in the order of the backward pass that is wrong; None if none is."""
        return next(iter(self.wrong), None)

    def __getitem__(self, name: str) -> Diagnosis:
        for line in self.lines:
            if line.name == name:
                return line
        raise KeyError(name)

    def __str__(self) -> str:
        first, count = self.first, len(self.lines)
        if first is not None:
            head = f"{len(self.wrong)} of {count} gradients wrong, first {clean(first.name, ROOM)}"
        elif self.complete:
            head = f"all {count} gradients right"
        else:
            head = "nothing could be compared"
        return "\n".join([head, *(f"  {line}" for line in self.lines), *self.notes])
