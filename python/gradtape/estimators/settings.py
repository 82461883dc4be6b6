"""An estimator's parameters, checked, as what `gradtape.fit` takes."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np

from gradtape import losses, optim
from gradtape._core import Value, activations
from gradtape.choosing import OPTIMIZERS
from gradtape.errors import nearest
from gradtape.estimators.network import Activation

# The names that scikit-learn has for what gradtape calls otherwise.
ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid"}
LOSSES = {"log_loss": "categorical_cross_entropy", "squared_error": "squared_loss"}
RATES = ("constant", "invscaling", "adaptive", "cosine")
DTYPES = ("float64", "float32")


def number(estimator: Any, name: str, low: float, high: float = math.inf) -> float:
    """The parameter as a float from `low` to `high`; an error names estimator and parameter.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> number(SimpleNamespace(alpha=1), "alpha", 0.0)
    1.0
    """
    given = getattr(estimator, name)
    who = f"{name} of {type(estimator).__name__}"
    if isinstance(given, bool) or not isinstance(given, Real):
        raise TypeError(f"{who} must be a number, not {type(given).__name__} {given!r}")
    found = float(given)
    if not low <= found <= high or not math.isfinite(found):
        most = "" if high == math.inf else f" to {high:g}"
        raise ValueError(f"{who} must be a finite number from {low:g}{most}, not {given!r}")
    return found


def whole(estimator: Any, name: str) -> int:
    """The parameter as an int that is at least 1.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> whole(SimpleNamespace(max_iter=20), "max_iter")
    20
    """
    return _whole(getattr(estimator, name), f"{name} of {type(estimator).__name__}")


def _whole(given: Any, who: str) -> int:
    if isinstance(given, bool) or not isinstance(given, Integral):
        raise TypeError(f"{who} must be an integer, not {type(given).__name__} {given!r}")
    if given < 1:
        raise ValueError(f"{who} must be at least 1, not {given}")
    return int(given)


def hidden(estimator: Any) -> list[int]:
    """How many neurons each hidden layer has.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> hidden(SimpleNamespace(hidden_layer_sizes=20))
    [20]
    >>> hidden(SimpleNamespace(hidden_layer_sizes=()))
    []
    """
    given = estimator.hidden_layer_sizes
    who = f"hidden_layer_sizes of {type(estimator).__name__}"
    if isinstance(given, Integral):
        return [_whole(given, who)]
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise TypeError(f"{who} must be an integer or a sequence of integers, not {given!r}")
    return [_whole(count, f"{who}, layer {i + 1},") for i, count in enumerate(given)]


def dropouts(estimator: Any) -> list[float]:
    """The rate of the dropout after each hidden layer.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> dropouts(SimpleNamespace(hidden_layer_sizes=(8, 4), dropout=0.5, solver="adam"))
    [0.5, 0.5]
    >>> dropouts(SimpleNamespace(hidden_layer_sizes=(8, 4), dropout=[0.5, 0], solver="adam"))
    [0.5, 0.0]
    """
    given, layers = estimator.dropout, len(hidden(estimator))
    who = f"dropout of {type(estimator).__name__}"
    several = hasattr(given, "__iter__") and not isinstance(given, str)
    rates = list(given) if several else [given] * layers
    if len(rates) != layers:
        raise ValueError(
            f"{who} must be one rate for all hidden layers, or {layers}, one for each, "
            f"not {len(rates)}"
        )
    # One rate is looked at also where no layer takes it.
    for i, rate in enumerate(rates if several else [given]):
        where = f"{who}, layer {i + 1}," if several else who
        if isinstance(rate, bool) or not isinstance(rate, Real):
            raise TypeError(f"{where} must be a number, not {type(rate).__name__} {rate!r}")
        if not 0.0 <= float(rate) < 1.0:
            raise ValueError(f"{where} must be from 0 on and less than 1, not {rate!r}")
    if any(rates) and estimator.solver == "lbfgs":
        raise ValueError(
            f"{who} must be 0 with solver='lbfgs', which compares losses: a dropout gives another "
            "one every time"
        )
    return [float(rate) for rate in rates]


def dtype_of(estimator: Any) -> str:
    """The name of what a step computes rows in.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> dtype_of(SimpleNamespace(dtype=np.float32, solver="adam"))
    'float32'
    """
    given = estimator.dtype
    who = f"dtype of {type(estimator).__name__}"
    try:
        name = str(np.dtype(given).name)
    except TypeError:
        name = ""
    if name not in DTYPES:
        raise ValueError(f"unknown {who} {given!r}; {nearest(given, DTYPES)}")
    if name == "float32" and estimator.solver == "lbfgs":
        raise ValueError(
            f"{who} must be 'float64' with solver='lbfgs', whose search needs the last digits"
        )
    return name


def layer_activations(given: Any, layers: int) -> list[Activation]:
    """The activation of each layer; the last is linear where none is given for it.

    Examples
    --------
    >>> layer_activations("relu", 3)
    ['relu', 'relu', 'linear']
    >>> layer_activations(["logistic", "tanh", "softmax"], 3)
    ['sigmoid', 'tanh', 'softmax']
    """
    if isinstance(given, str) or callable(given):
        given = [given] * (layers - 1)
    try:
        found = list(given)
    except TypeError:
        raise TypeError(
            "activation must be a name, a callable or a list of one a layer, "
            f"not {type(given).__name__} {given!r}"
        ) from None
    if len(found) == layers - 1:
        found.append("linear")
    if len(found) != layers:
        raise ValueError(
            f"activation must be one for all hidden layers, or a list of {layers - 1}, one for "
            f"each, or of {layers} with that of the outputs, not of {len(found)}"
        )
    return [_activation(a, last=i == layers - 1) for i, a in enumerate(found)]


def _activation(given: Any, *, last: bool) -> Activation:
    if callable(given):
        return given  # type: ignore[no-any-return]
    name = ACTIVATIONS.get(given, given) if isinstance(given, str) else given
    known = [*activations(), *(["softmax"] if last else [])]
    if name not in known:
        hint = nearest(given, [*known, *ACTIVATIONS])
        raise ValueError(
            f"unknown activation {given!r}; {hint}; or give a callable that takes a Value"
        )
    return str(name)


def absolute_error(predictions: Sequence[Any], targets: Sequence[Any]) -> Value:
    """Mean over all numbers of |p − t|.

    Examples
    --------
    >>> absolute_error([[1.0], [3.0]], [2.0, 3.0])
    Value(data=0.5)
    """
    total, count = Value(0.0), 0
    for row, target in zip(predictions, targets, strict=True):
        wanted = target if hasattr(target, "__len__") else [target]
        total = total + sum(abs(p - t) for p, t in zip(row, wanted, strict=True))
        count += len(wanted)
    return total / count


def loss_of(estimator: Any) -> losses.Loss:
    """The loss by its name, scikit-learn's or gradtape's; a callable is one already.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> loss_of(SimpleNamespace(loss="squared_error")).__name__
    'squared_loss'
    """
    given = estimator.loss
    if callable(given):
        return given  # type: ignore[no-any-return]
    if given == "absolute_error":
        return absolute_error
    known = [name for name in losses.__all__ if name != "on_logits"]
    name = LOSSES.get(given, given) if isinstance(given, str) else given
    if name not in known:
        hint = nearest(name, [*LOSSES, "absolute_error", *known])
        raise ValueError(f"unknown loss {given!r} of {type(estimator).__name__}; {hint}")
    found: losses.Loss = getattr(losses, name)
    return found


def batch_of(estimator: Any, rows: int) -> int:
    """How many rows a step takes."""
    given, whole_data = estimator.batch_size, estimator.solver == "lbfgs"
    if isinstance(given, str) and given == "auto":
        return rows if whole_data else min(200, rows)
    if whole_data:
        raise ValueError(
            f"batch_size of {type(estimator).__name__} must be 'auto' with solver='lbfgs', which "
            f"looks at all rows in every step, not {given!r}"
        )
    return min(whole(estimator, "batch_size"), rows)


def _inverse(rate: float, power: float, step: int) -> float:
    return float(rate / (step + 1) ** power)


def _cosine(rate: float, steps: int, step: int) -> float:
    return optim.cosine(rate, steps)(step)


def rate_of(estimator: Any, steps: int) -> float | Callable[[int], float]:
    """The learning rate, or its schedule over so many steps: picklable, as the estimator is."""
    rate = number(estimator, "learning_rate_init", 0.0)
    kind = estimator.learning_rate
    if callable(kind):
        return kind  # type: ignore[no-any-return]
    if kind not in RATES:
        raise ValueError(
            f"unknown learning_rate {kind!r} of {type(estimator).__name__}; "
            f"{nearest(kind, RATES)}; or give a callable, from the step to its rate"
        )
    if kind == "invscaling":
        return partial(_inverse, rate, number(estimator, "power_t", 0.0))
    return partial(_cosine, rate, steps) if kind == "cosine" else rate


def optimizer_of(
    estimator: Any, parameters: list[Value], steps: int
) -> optim.Optimizer | optim.LBFGS:
    """The optimizer that `solver` names."""
    solver = estimator.solver
    if solver == "lbfgs":
        return optim.LBFGS(parameters, tolerance=number(estimator, "tol", 0.0))
    rate = rate_of(estimator, steps)
    if solver == "sgd":
        momentum = number(estimator, "momentum", 0.0, 1.0)
        nesterov = bool(estimator.nesterovs_momentum) and momentum > 0
        return optim.SGD(parameters, rate, momentum, nesterov=nesterov)
    if solver in ("adam", "adamw"):
        method = optim.Adam if solver == "adam" else optim.AdamW
        return method(
            parameters,
            rate,
            number(estimator, "beta_1", 0.0, 1.0),
            number(estimator, "beta_2", 0.0, 1.0),
            number(estimator, "epsilon", 0.0),
        )
    if solver in ("rmsprop", "adagrad"):
        other = optim.RMSprop if solver == "rmsprop" else optim.Adagrad
        return other(parameters, rate, epsilon=number(estimator, "epsilon", 0.0))
    raise ValueError(
        f"unknown solver {solver!r} of {type(estimator).__name__}; {nearest(solver, OPTIMIZERS)}"
    )
