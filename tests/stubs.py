"""Write python/gradtape/_core.pyi from the table of operations: ``python tests/stubs.py``."""

from pathlib import Path

from gradtape import _core

TARGET = Path(__file__).parent.parent / "python" / "gradtape" / "_core.pyi"

HEAD = '''\
"""Types of the native module; written by tests/stubs.py, held by mypy's stubtest."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, final, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

_Operand: TypeAlias = Value | float
_Array: TypeAlias = NDArray[Any]

@disjoint_base
class Value:
    data: float
    grad: float
    label: str
    @property
    def op(self) -> str: ...
    @property
    def prev(self) -> tuple[Value, ...]: ...
    def __new__(cls, *args: Any, **kwargs: Any) -> Value: ...
    def __init__(self, data: float, label: str = "") -> None: ...
    def __hash__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __neg__(self) -> Value: ...
    def __pos__(self) -> Value: ...
    def __abs__(self) -> Value: ...
    def __float__(self) -> float: ...
    def __int__(self) -> int: ...
    def __lt__(self, other: _Operand, /) -> bool: ...
    def __le__(self, other: _Operand, /) -> bool: ...
    def __gt__(self, other: _Operand, /) -> bool: ...
    def __ge__(self, other: _Operand, /) -> bool: ...
'''

OPERATOR = """\
    @overload
    def __{0}__(self, other: _Operand, /) -> Value: ...
    @overload
    def __{0}__(self, other: _Array, /) -> _Array: ...
    def __r{0}__(self, other: _Operand, /) -> Value: ...
"""

POWER = """\
    def __pow__(self, other: _Operand, modulus: None = None, /) -> Value: ...
    def __rpow__(self, other: _Operand, modulus: None = None, /) -> Value: ...
"""

METHODS = """\
    def backward(self, seed: float = 1.0) -> None: ...
    def detach(self) -> Value: ...
    def conjugate(self) -> Value: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
"""

FUNCTIONS = """\
def sum(values: Iterable[_Operand], /) -> Value: ...
def dot(xs: Iterable[_Operand], ws: Iterable[_Operand], /) -> Value: ...
def affine(
    xs: Iterable[_Operand], ws: Iterable[_Operand], bias: _Operand, activation: str = ""
) -> Value: ...
def layer(
    inputs: Iterable[_Operand], parameters: Iterable[_Operand], activation: str = ""
) -> list[Value]: ...
def network(
    rows: Iterable[Iterable[_Operand]], layers: Iterable[tuple[Iterable[Value], str]], /
) -> list[list[Value]]: ...
def logsumexp(xs: Iterable[_Operand], /) -> Value: ...
def log_softmax(xs: Iterable[_Operand], /) -> list[Value]: ...
def softmax(xs: Iterable[_Operand], /) -> list[Value]: ...
def activations() -> list[str]: ...
def operations() -> list[tuple[str, list[str], str, str, str]]: ...
def derivatives(
    name: str, at: Iterable[float], /
) -> tuple[float, list[float], list[list[float]]]: ...
def data(values: Iterable[Value], /) -> list[float]: ...
def grads(values: Iterable[Value], /) -> list[float]: ...
def assign(values: Iterable[Value], numbers: Iterable[float], /) -> None: ...
def zero_grad(values: Iterable[Value], /) -> None: ...
def set_recording(flag: bool, /) -> bool: ...
def tape_size() -> tuple[int, int]: ...
def _record(
    call: Callable[[list[Value]], Iterable[_Operand]], point: list[float], /
) -> tuple[Any, list[Value]]: ...
def _recording(state: Any, parameters: int, /) -> Any: ...

@final
class Paths:
    def __new__(cls, max_paths: int = 64) -> Paths: ...
    parameters: list[Value]
    outputs: int
    def record(
        self, call: Callable[[list[Value]], Iterable[_Operand]], point: list[float]
    ) -> None: ...
    def run(
        self,
        missing: Callable[[int], None],
        rows: int,
        leaves: Iterable[NDArray[np.float64]],
        *,
        values: NDArray[np.float64] | None = None,
        totals: NDArray[np.float64] | None = None,
        gradients: Iterable[NDArray[np.float64] | None] | None = None,
        seeds: NDArray[np.float64] | None = None,
        parameter_gradient: bool = False,
        threads: int = 0,
    ) -> NDArray[np.float64] | None: ...
    def add_gradient(self, gradient: NDArray[np.float64]) -> None: ...
    def paths(
        self, names: list[str] = ...
    ) -> list[tuple[list[tuple[str, bool, str, int]], int, int, int]]: ...
    def text(self, path: int, names: list[str]) -> str: ...
    def stats(self) -> dict[str, Any]: ...
    def state(self) -> list[Any]: ...
    @staticmethod
    def restore(state: list[Any], parameters: list[Value], max_paths: int) -> Paths: ...

def _restore(
    cls: type[Value],
    data: float,
    grad: float,
    label: str | None,
    ends: Iterable[Value],
    nodes: Iterable[Any],
    /,
) -> Value: ...
"""


def row_method(name: str, operands: list[str]) -> str:
    """One row as a method of Value."""
    rest = "".join(f", {operand}: _Operand" for operand in operands[1:])
    return f"    def {name}(self{rest}, /) -> Value: ...\n"


def row_function(name: str, operands: list[str]) -> str:
    """One row as a function: a Value among the operands gives a Value, numbers give a number."""
    count = len(operands)
    kinds = [["float"] * i + ["Value"] + ["_Operand"] * (count - i - 1) for i in range(count)]
    forms = [*((kind, "Value") for kind in kinds), (["float"] * count, "float")]
    forms.append((["_Array"] if count == 1 else ["Any"] * count, "_Array" if count == 1 else "Any"))
    lines = []
    for form, result in forms:
        arguments = ", ".join(f"{x}: {kind}" for x, kind in zip(operands, form, strict=True))
        lines.append(f"@overload\ndef {name}({arguments}, /) -> {result}: ...\n")
    return "".join(lines)


def numpy_name(name: str) -> str | None:
    """NumPy's other name of a row, if `Value` has it as a method."""
    other = f"arc{name[1:]}"
    return other if name.startswith("a") and hasattr(_core.Value, other) else None


def stub() -> str:
    """The whole text of the stub file."""
    rows = [(name, operands) for name, operands, *_ in _core.operations() if operands]
    parts = [
        HEAD,
        *(OPERATOR.format(op) for op in ("add", "sub", "mul", "truediv")),
        POWER,
        METHODS,
    ]
    for name, operands in rows:
        other = numpy_name(name)
        parts.append(row_method(other, operands) if other else "")
        parts.append(row_method(name, operands))
    parts.append("\n")
    parts.extend(row_function(name, operands) for name, operands in rows)
    return "".join([*parts, FUNCTIONS])


if __name__ == "__main__":
    TARGET.write_text(stub(), encoding="utf-8")
