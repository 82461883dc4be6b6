"""Names for written code: every label becomes an identifier of its own."""

import builtins
import keyword
import math
import unicodedata
from collections.abc import Iterable

from gradtape import functions

__all__ = ["Names", "identifier"]

# A longer label is cut: nobody reads it in a formula.
LONGEST = 40

# What reads from right to left would show a line in another order than Python reads it.
_LEFT_TO_RIGHT = {"L", "EN", "NSM"}

# What written code calls must stay what it is.
_RESERVED = frozenset(
    [*dir(builtins), *dir(math), *functions.__all__, *keyword.kwlist, *keyword.softkwlist]
)


def identifier(label: str, otherwise: str) -> str:
    """A label as an identifier: what cannot stand in one becomes an underscore.

    Parameters
    ----------
    label : str
        Any text.
    otherwise : str
        The identifier to use where nothing of the label is left.

    Examples
    --------
    >>> identifier("layer1.neuron2.w3", "x"), identifier("2π r", "x"), identifier("#!", "x")
    ('layer1_neuron2_w3', '_2π_r', 'x')
    """
    # Python compares identifiers in this form: two labels must not become the same one unseen.
    text = unicodedata.normalize("NFKC", label[:LONGEST])
    kept = [
        c if c.isalnum() and unicodedata.bidirectional(c) in _LEFT_TO_RIGHT else " " for c in text
    ]
    name = "_".join("".join(kept).split())
    if name[:1].isdigit():
        name = f"_{name}"
    return name if name.isidentifier() else otherwise


class Names:
    """Gives out identifiers, each with its adjoint's: no two are the same.

    Parameters
    ----------
    taken : iterable of str
        Names that are used for something else.

    Examples
    --------
    >>> names = Names(["gradient"])
    >>> [names.take(label, "x") for label in ["w", "w", "dw", "lambda", "gradient"]]
    ['w', 'w_2', 'dw_3', 'lambda_', 'gradient_']
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*taken}
        self._reserved = _RESERVED | self._taken

    def _free(self, name: str) -> bool:
        both = {name, f"d{name}"}
        return both.isdisjoint(self._taken) and both.isdisjoint(_RESERVED)

    def take(self, label: str, otherwise: str) -> str:
        """The identifier for a label; nobody else gets it, nor the one with a ``d`` before it."""
        name = identifier(label, otherwise)
        if name in self._reserved:
            name += "_"
        found, count = name, 1
        while not self._free(found):
            count += 1
            found = f"{name}_{count}"
        self._taken |= {found, f"d{found}"}
        return found
