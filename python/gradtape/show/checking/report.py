"""What the reports of checks have in common."""

from abc import ABC, abstractmethod

from gradtape.errors import GradtapeError

__all__ = ["Report"]


class Report(ABC):
    """A report: true if nothing is wrong, and readable."""

    @property
    @abstractmethod
    def ok(self) -> bool:
        """Whether nothing is wrong."""

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return str(self)

    def raise_if_wrong(self) -> None:
        """Raise if something is wrong.

        Raises
        ------
        GradtapeError
            With the report as its message.
        """
        if not self.ok:
            raise GradtapeError(str(self))
