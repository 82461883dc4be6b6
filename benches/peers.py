"""The other libraries, where they are installed, each with what this bench needs of it."""

import math
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any


def _optional(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except (ImportError, OSError, ValueError):  # torch without its CUDA libraries says ValueError
        return None


gradtape = _optional("gradtape")
xad = _optional("xad.adj_1st")
torch = _optional("torch")
_engine = _optional("micrograd.engine")
if _engine is not None:
    sys.setrecursionlimit(1_000_000)  # its search for the order recurs


def _node(operand: Any, data: float, partial: float) -> Any:
    """Make a micrograd node of one operand: what its own operators do."""
    assert _engine is not None
    out = _engine.Value(data, (operand,), "f")

    def _backward() -> None:
        operand.grad += partial * out.grad

    out._backward = _backward
    return out


def _exp(x: Any) -> Any:
    e = math.exp(x.data)
    return _node(x, e, e)


def _log(x: Any) -> Any:
    return _node(x, math.log(x.data), 1.0 / x.data)


def _positive(x: Any) -> Any:
    return x if x > 0.0 else 0.0


def functions() -> dict[str, SimpleNamespace]:
    """Give relu, exp, log and the making of a leaf (`value`) for every contender that is here."""

    def having(value: Callable[[float], Any], relu: Any, exp: Any, log: Any) -> SimpleNamespace:
        return SimpleNamespace(value=value, relu=relu, exp=exp, log=log)

    found = {"floats": having(float, _positive, math.exp, math.log)}
    if gradtape is not None:
        found["gradtape"] = having(gradtape.Value, gradtape.relu, gradtape.exp, gradtape.log)
    if _engine is not None:
        found["micrograd"] = having(_engine.Value, _engine.Value.relu, _exp, _log)
    if xad is not None:
        xmath = import_module("xad.math")
        found["xad"] = having(xad.Real, _positive, xmath.exp, xmath.log)
    if torch is not None:
        torch.set_num_threads(1)

        def leaf(number: float) -> Any:
            return torch.tensor(number, dtype=torch.float64, requires_grad=True)

        found["torch"] = having(leaf, torch.relu, torch.exp, torch.log)
    return found


class XadTape:
    """An active XAD tape for the length of a `with`, and its registered inputs."""

    def __init__(self, *numbers: float) -> None:
        assert xad is not None
        self.tape = xad.Tape()
        self.inputs = [xad.Real(number) for number in numbers]

    def __enter__(self) -> "XadTape":
        self.tape.activate()
        self.tape.registerInputs(self.inputs)
        self.tape.newRecording()
        return self

    def __exit__(self, *_: object) -> None:
        self.tape.deactivate()

    def sweep(self, output: Any) -> None:
        """Seed the output and sweep the whole tape."""
        self.tape.registerOutput(output)
        output.derivative = 1.0
        self.tape.computeAdjoints()
