"""What a model is made of, and whether it is being trained."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from gradtape._core import Value

NUMBERS = frozenset([Value, float, int, str, bool])


def parts(model: Any) -> Iterator[Any]:
    """The model and every layer in it, in the order in which its attributes were set.

    A layer is whatever has ``parameters``; it may stand in lists, tuples and dicts.

    Examples
    --------
    >>> from gradtape.nn import Linear, Residual
    >>> [type(part).__name__ for part in parts(Residual(Linear(1, 1)))]
    ['Residual', 'Layer', 'Neuron']
    """
    seen: set[int] = set()
    waiting = [model]

    def wait(found: Iterable[Any]) -> None:
        # Told apart by their types all at once: a layer has thousands of numbers.
        inside = list(found)
        if not NUMBERS.issuperset(map(type, inside)):
            waiting.extend(x for x in inside if type(x) not in NUMBERS)

    while waiting:
        part = waiting.pop()
        if isinstance(part, (Value, str, int, float)) or id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            wait(reversed(part.values()))
        elif isinstance(part, (list, tuple)):
            wait(reversed(part))
        elif hasattr(part, "parameters") or part is model:
            yield part
            wait(reversed(getattr(part, "__dict__", {}).values()))


def switches(model: Any) -> list[Any]:
    """The parts that have an attribute ``training``."""
    return [part for part in parts(model) if "training" in getattr(part, "__dict__", ())]


@contextmanager
def training(switched: list[Any], flag: bool) -> Iterator[None]:
    """Train, or do not, what `switches` found; then let it be as it was before.

    Examples
    --------
    >>> from gradtape.nn import Dropout
    >>> layer = Dropout(0.5)
    >>> with training([layer], True):
    ...     layer.training
    True
    >>> layer.training
    False
    """
    before = [part.training for part in switched]
    try:
        for part in switched:
            part.training = flag
        yield
    finally:
        for part, was in zip(switched, before, strict=True):
            part.training = was
