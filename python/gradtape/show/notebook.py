"""What notebooks show of a value by itself."""

from gradtape._core import Value

__all__ = ["latex", "svg"]


def svg(value: Value) -> str | None:
    """The drawing of a value's graph; None where it is too large to be read."""
    raise NotImplementedError


def latex(value: Value) -> str | None:
    """The value's formula; None where it has none."""
    raise NotImplementedError
