"""gradtape: exact derivatives of plain Python code.

Write arithmetic on :class:`Value`; ``backward()`` sweeps the recorded tape natively.

Examples
--------
>>> import gradtape as gt
>>> x = gt.Value(0.5, label="x")
>>> y = gt.tanh(2 * x) + x**2
>>> y.backward()
>>> round(x.grad, 6)
1.839949
"""

from importlib import import_module
from typing import TYPE_CHECKING

from gradtape import functions
from gradtape._core import Value
from gradtape.errors import GradtapeError
from gradtape.functions import *  # noqa: F403  (the functions' own list of names)

if TYPE_CHECKING:
    from gradtape import data, losses, nn, optim, training
    from gradtape.animation import animate
    from gradtape.compiling import compile
    from gradtape.loading import load
    from gradtape.nn import MLP, Layer, Linear, Neuron, Sequential
    from gradtape.optim import SGD
    from gradtape.show.anomalies.anomalies import detect_anomaly
    from gradtape.show.anomalies.kinks import kinks
    from gradtape.show.checking.backward_checking import check_backward
    from gradtape.show.checking.checking import check
    from gradtape.show.drawing.drawing import draw
    from gradtape.show.explaining.explaining import explain
    from gradtape.show.explaining.listing import tape
    from gradtape.show.source.adjoint import adjoint_source
    from gradtape.stopping import EarlyStopping
    from gradtape.training import History, fit

# Where the names come from that are imported when they are first asked for: most programs need
# few of them, and `import gradtape` takes a third of the time without.
_LATER = {
    "MLP": "nn",
    "Layer": "nn",
    "Linear": "nn",
    "Neuron": "nn",
    "Sequential": "nn",
    "SGD": "optim",
    "animate": "animation",
    "check": "show.checking.checking",
    "check_backward": "show.checking.backward_checking",
    "explain": "show.explaining.explaining",
    "draw": "show.drawing.drawing",
    "tape": "show.explaining.listing",
    "EarlyStopping": "stopping",
    "compile": "compiling",
    "load": "loading",
    "History": "training",
    "fit": "training",
    "data": "",
    "adjoint_source": "show.source.adjoint",
    "detect_anomaly": "show.anomalies.anomalies",
    "kinks": "show.anomalies.kinks",
    "estimators": "",
    "losses": "",
    "nn": "",
    "optim": "",
    "training": "",
}

__all__ = [
    "MLP",
    "SGD",
    "EarlyStopping",
    "GradtapeError",
    "History",
    "Layer",
    "Linear",
    "Neuron",
    "Sequential",
    "Value",
    "animate",
    "check",
    "check_backward",
    "adjoint_source",
    "compile",
    "data",
    "detect_anomaly",
    "explain",
    "draw",
    "fit",
    "kinks",
    "load",
    "losses",
    "nn",
    "optim",
    "tape",
    "training",
    *functions.__all__,
]


def __getattr__(name: str) -> object:
    """Import what is asked for the first time."""
    if name not in _LATER:
        raise AttributeError(f"module 'gradtape' has no attribute '{name}'")
    if not _LATER[name]:
        return import_module(f"gradtape.{name}")
    value = getattr(import_module(f"gradtape.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Every public name, imported yet or not."""
    return sorted([*globals(), *_LATER])
