"""How the arguments of a call stand to the parameters of the function."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradtape.compiling.signature import Dimensions, Signature

__all__ = ["Layout", "arrange", "parameters_of"]

_ANY = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)


@dataclass
class Layout:
    """One way of calling a function: so many arguments by position, these by keyword.

    Parameters
    ----------
    names : tuple of str
        The arguments in the order of the function's parameters; those of ``*args`` as ``args[0]``.
    order : tuple of int, optional
        Where each stands in the call, keyword arguments last; None: as they are.
    keywords : tuple of str
        The last arguments are handed to the function by keyword, under these names.
    dimensions : tuple of tuples, optional
        The core dimensions of each by the signature.
    """

    names: tuple[str, ...]
    order: tuple[int, ...] | None
    keywords: tuple[str, ...]
    dimensions: tuple[Dimensions, ...] | None

    @property
    def key(self) -> tuple[Any, ...]:
        """Tells the ways of calling apart that record differently."""
        return self.names, self.keywords

    def ordered(self, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments of a call in the order of the parameters."""
        return given if self.order is None else tuple([given[i] for i in self.order])

    def call(self, function: Callable[..., Any], arguments: list[Any]) -> Any:
        """Call a function with arguments in the order of its parameters."""
        if not self.keywords:
            return function(*arguments)
        count = len(arguments) - len(self.keywords)
        keywords = dict(zip(self.keywords, arguments[count:], strict=True))
        return function(*arguments[:count], **keywords)


def parameters_of(function: Callable[..., Any]) -> inspect.Signature:
    """The parameters of a function; any, where it does not tell them."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return _ANY


def arrange(
    name: str,
    parameters: inspect.Signature,
    signature: Signature | None,
    count: int,
    keywords: tuple[str, ...],
) -> Layout:
    """Bind a call's arguments to the parameters.

    Parameters
    ----------
    name : str
        Of the function, for the errors.
    parameters : inspect.Signature
        What it takes.
    signature : Signature, optional
        The core dimensions of its parameters, in their order.
    count : int
        Arguments by position.
    keywords : tuple of str
        Names of the arguments by keyword, in the order of the call.

    Raises
    ------
    TypeError
        If the function cannot be called so.
    ValueError
        If an argument has no place in the signature.

    Examples
    --------
    >>> parameters = parameters_of(lambda a, b=1, *, c=2: None)
    >>> layout = arrange("f", parameters, None, 1, ("c", "b"))
    >>> layout.names, layout.order, layout.keywords
    (('a', 'b', 'c'), (0, 2, 1), ('c',))
    """
    try:
        bound = parameters.bind(*range(count), **{key: count + i for i, key in enumerate(keywords)})
    except TypeError as error:
        raise TypeError(f"{name}(): {error}") from None
    names: list[str] = []
    places: list[int] = []
    place = 0
    for key, parameter in parameters.parameters.items():
        given = bound.arguments.get(key, ())
        if parameter.kind is parameter.VAR_POSITIONAL:
            more = [f"{key}[{i}]" for i in range(len(given))]
        elif parameter.kind is parameter.VAR_KEYWORD:
            more = list(given)
        else:
            more = [key] if key in bound.arguments else []
            place += not more
        names += more
        places += range(place, place + len(more))
        place += len(more)
    order = (*bound.args, *bound.kwargs.values())
    return Layout(
        names=tuple(names),
        order=None if order == tuple(range(len(order))) else order,
        keywords=tuple(bound.kwargs),
        dimensions=None if signature is None else _dimensions(name, signature, names, places),
    )


def _dimensions(
    name: str, signature: Signature, names: list[str], places: list[int]
) -> tuple[Dimensions, ...]:
    for argument, place in zip(names, places, strict=True):
        if place >= len(signature.inputs):
            raise ValueError(
                f"{name}(): argument {argument!r} has no place in the signature '{signature}'"
            )
    return tuple(signature.inputs[place] for place in places)
