"""Random numbers that a model takes while it is trained, such as the masks of a dropout.

A layer asks `drawn` for them. Called by itself it gets them from the layer's own generator; while
`gradtape.fit` trains they are columns of the data that are drawn anew every epoch, so that the
same numbers reach a step on the tape and one that runs natively.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from gradtape.functions import no_grad

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# From a generator and a shape, an array of that shape.
Draw = Callable[["np.random.Generator", tuple[int, ...]], "NDArray[np.float64]"]
Source = Callable[[int, Draw], Sequence[Any]]

_SOURCE: ContextVar[Source | None] = ContextVar("source", default=None)


def drawn(count: int, draw: Draw, otherwise: "np.random.Generator") -> Sequence[Any]:
    """As many random numbers for one row: what a layer of your own calls, too.

    Parameters
    ----------
    count : int
    draw : callable
        From (generator, shape) an array.
    otherwise : numpy.random.Generator
        Where they come from outside of `gradtape.fit`.

    Returns
    -------
    sequence
        Of numbers; of Values while a row is recorded.

    Examples
    --------
    >>> import numpy as np
    >>> len(drawn(3, lambda random, shape: random.normal(size=shape), np.random.default_rng(0)))
    3
    """
    source = _SOURCE.get()
    if source is None:
        return draw(otherwise, (count,)).tolist()  # type: ignore[no-any-return]
    return source(count, draw)


@contextmanager
def _from(source: Source) -> Iterator[None]:
    token = _SOURCE.set(source)
    try:
        yield
    finally:
        _SOURCE.reset(token)


class Noise:
    """The random numbers that a call takes, found out by making it once.

    Each time that it asks `drawn` has columns of its own. A row that asks for fewer, such as a
    shorter sequence, leaves some of them.

    Parameters
    ----------
    call : callable
        Of no arguments; it should ask for as many as any.

    Examples
    --------
    >>> import numpy as np
    >>> ask = lambda: drawn(2, lambda random, shape: random.random(shape), None)
    >>> noise = Noise(ask)
    >>> noise.columns(np.random.default_rng(0), 5).shape
    (5, 2)
    >>> with noise.given([0.5, 2.0]):
    ...     ask()
    [0.5, 2.0]
    """

    def __init__(self, call: Callable[[], object]) -> None:
        import numpy as np

        self._asked: list[tuple[int, Draw]] = []
        random = np.random.default_rng(0)

        def note(count: int, draw: Draw) -> Sequence[Any]:
            self._asked.append((count, draw))
            return draw(random, (count,)).tolist()  # type: ignore[no-any-return]

        with _from(note), no_grad():
            call()

    def __bool__(self) -> bool:
        return bool(self._asked)

    def columns(self, random: "np.random.Generator", rows: int) -> "NDArray[np.float64]":
        """New numbers for so many rows: (rows, as many as the call took)."""
        import numpy as np

        return np.hstack([draw(random, (rows, count)) for count, draw in self._asked])

    @contextmanager
    def given(self, columns: Sequence[Any]) -> Iterator[None]:
        """Let `drawn` take these numbers of a row.

        Raises
        ------
        ValueError
            If it asks for more.
        """
        blocks = iter(self._asked)
        place = 0

        def take(count: int, draw: Draw) -> Sequence[Any]:
            nonlocal place
            size, _ = next(blocks, (0, None))
            if count > size:
                raise ValueError(
                    f"a row takes {count} random numbers where the longest row took {size}: in "
                    "training rows must take theirs in the same order, and none more"
                )
            place += size
            return columns[place - size : place - size + count]

        with _from(take):
            yield
