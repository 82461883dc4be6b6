"""The exception of gradtape's own; everything else raises the standard ones."""

from collections.abc import Iterable

__all__ = ["GradtapeError", "nearest"]


class GradtapeError(RuntimeError):
    """A function cannot be compiled, or a saved program cannot go on, for the reason it states.

    Examples
    --------
    >>> import gradtape as gt
    >>> f = gt.compile(lambda x: x if x < 0 else 2 * x, max_paths=1)
    >>> f(1.0)
    2.0
    >>> try:
    ...     f(-1.0)
    ... except gt.GradtapeError as error:
    ...     print(str(error)[:40])
    the function took more than 1 paths thro
    """


def nearest(name: object, known: Iterable[str]) -> str:
    """What an error about an unknown name says of those that are known.

    Examples
    --------
    >>> nearest("adamm", ["adam", "sgd"]), nearest("x", ["adam", "sgd"])
    ("did you mean 'adam'?", 'known are adam, sgd')
    """
    # Imported here: only errors need it.
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(name.lower(), names, 1) if isinstance(name, str) else []
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
