"""Functions of values: the table of operations, under the names that users write.

Each function takes ``Value``, ``float`` or ``int`` operands and returns a ``Value`` if any operand
is one, else a ``float``. Arrays are mapped element by element.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradtape._core as _core
from gradtape._core import (
    abs,
    acos,
    acosh,
    add,
    affine,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cbrt,
    clip,
    cos,
    cosh,
    digamma,
    div,
    dot,
    equal,
    erf,
    erfc,
    exp,
    expm1,
    gelu,
    greater,
    greater_equal,
    hypot,
    lgamma,
    log,
    log1p,
    log2,
    log10,
    log_softmax,
    logsumexp,
    maximum,
    minimum,
    mul,
    neg,
    norm_cdf,
    norm_ppf,
    polygamma,
    pow,
    relu,
    sigmoid,
    sign,
    silu,
    sin,
    sinh,
    softmax,
    softplus,
    sqrt,
    sub,
    sum,
    tan,
    tanh,
    where,
)

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "affine",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "clip",
    "cos",
    "cosh",
    "digamma",
    "div",
    "dot",
    "elu",
    "equal",
    "erf",
    "erfc",
    "exp",
    "expm1",
    "gelu",
    "greater",
    "greater_equal",
    "hypot",
    "leaky_relu",
    "lgamma",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_softmax",
    "logsumexp",
    "maximum",
    "minimum",
    "mul",
    "neg",
    "no_grad",
    "norm_cdf",
    "norm_ppf",
    "polygamma",
    "pow",
    "relu",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "sinh",
    "softmax",
    "softplus",
    "sqrt",
    "sub",
    "sum",
    "tan",
    "tanh",
    "where",
]


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording: results are leaves.

    Examples
    --------
    >>> from gradtape import Value, no_grad
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y, y.prev
    (Value(data=9.0), ())
    """
    before = _core.set_recording(False)
    try:
        yield
    finally:
        _core.set_recording(before)


def leaky_relu(x: Any, slope: Any = 0.01) -> Any:
    """Return x where x > 0, else slope * x; the derivative at 0 is the slope.

    Examples
    --------
    >>> from gradtape import Value, leaky_relu
    >>> leaky_relu(Value(-2.0))
    Value(data=-0.02)
    """
    return _core.leaky_relu(x, slope)


def elu(x: Any, alpha: Any = 1.0) -> Any:
    """Return x where x > 0, else alpha * (exp(x) - 1); the derivative at 0 is alpha.

    Examples
    --------
    >>> from gradtape import Value, elu
    >>> elu(Value(2.0))
    Value(data=2.0)
    """
    return _core.elu(x, alpha)


def elementwise(name: str, operands: tuple[Any, ...]) -> Any:
    """Map a row of the table over arrays; what the native functions do with other operands.

    Parameters
    ----------
    name : str
        The row.
    operands : tuple
        Arrays that broadcast together, Values and numbers.

    Returns
    -------
    numpy.ndarray
        Of floats, or of objects where a ``Value`` is among the elements.

    Raises
    ------
    TypeError
        If an operand is no array of real numbers or Values.
    """
    import numpy as np

    values = False
    for operand in operands:
        array = isinstance(operand, (np.ndarray, np.generic))
        if not (array or isinstance(operand, (_core.Value, float, int))):
            raise TypeError(
                f"{name}() takes Values, real numbers and arrays of them, "
                f"not {type(operand).__name__}"
            )
        kind = np.asarray(operand).dtype.kind
        if kind not in "fiubO":
            raise TypeError(f"{name}() takes arrays of real numbers or Values, not {operand.dtype}")
        values = values or kind == "O"
    result = np.frompyfunc(getattr(_core, name), len(operands), 1)(*operands)
    return result if values else np.asarray(result, dtype=float)
