"""The exception of gradtape's own; everything else raises the standard ones."""

__all__ = ["GradtapeError"]


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
