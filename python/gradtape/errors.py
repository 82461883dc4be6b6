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
    >>> f(-1.0)
    Traceback (most recent call last):
        ...
    gradtape.errors.GradtapeError: ...
    """
