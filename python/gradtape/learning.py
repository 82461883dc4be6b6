"""What `model.fit` does before and after the one training loop."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradtape.choosing import chosen_loss, chosen_optimizer
from gradtape.data.checking import check_kind, checked_rows, listed
from gradtape.data.preparing import train_test_split
from gradtape.functions import no_grad
from gradtape.history import History
from gradtape.losses import (
    Loss,
    binary_cross_entropy,
    categorical_cross_entropy,
    hinge,
    huber,
    mean_squared_error,
    poisson,
    quantile,
    squared_loss,
)
from gradtape.nn.fitted import Fitted, Scaling, class_names
from gradtape.nn.model import Model
from gradtape.stopping import EarlyStopping
from gradtape.training import fit
from gradtape.training_data import told

__all__ = ["learn"]

LOSSES_OF_NUMBERS = (huber, mean_squared_error, poisson, quantile, squared_loss)


def learn(
    model: Model,
    rows: Any,
    targets: Any,
    *,
    loss: Loss | str | None,
    optimizer: Any,
    learning_rate: float | Callable[[int], float] | None,
    validation_data: tuple[Any, Any] | None,
    validation_share: float,
    patience: int | None,
    standardise: bool,
    classes: Sequence[str] | None,
    seed: int,
    callback: Callable[[int, History], object] | None = None,
    history: History | None = None,
    **settings: Any,
) -> History:
    """Train a model; see `gradtape.nn.model.Model.fit`."""
    rows = _sequence(rows, "the training data", "rows of numbers")
    targets = _sequence(targets, "the training data", "targets")
    if len(rows) != len(targets):
        raise ValueError(
            f"the training data: {len(rows)} rows take as many targets, not {len(targets)}"
        )
    validation = _validation(validation_data)
    if validation_share:
        if validation is not None:
            raise ValueError("validation_data and validation_share are one too many")
        if not 0.0 < validation_share < 1.0:
            raise ValueError(f"validation_share must lie between 0 and 1, not {validation_share!r}")
        places = range(len(rows))
        kept, held, *_ = train_test_split(places, places, validation_share, seed)
        validation = _taken(rows, held), _taken(targets, held)
        rows, targets = _taken(rows, kept), _taken(targets, kept)
    if isinstance(classes, str):
        raise TypeError(f"classes must be a sequence of names, not the str {classes!r}")
    before, history = model.fitted, History() if history is None else history
    known = tuple(map(str, classes or ())) or (None if before is None else before.classes)
    found, outputs = _names(targets, validation, known), _outputs(model, rows)
    # Integers may stand for classes that have names already.
    names = known if found is None and (classes is not None or _whole(targets)) else found
    if names is not None:
        _check_classes(names, outputs)
    chosen = _usual(targets, names, outputs) if loss is None else chosen_loss(loss)
    if found is not None and chosen in LOSSES_OF_NUMBERS:
        raise ValueError(
            f"the targets are names of classes, such as {found[0]!r}; the loss {_name(chosen)} "
            "takes numbers: leave it out, or give the targets as numbers"
        )
    scaling = None if before is None else before.scaling
    if standardise and scaling is None:
        scaling = Scaling.of(np.asarray(checked_rows(rows, "the training data")))
    fitted = Fitted(
        _task(chosen, targets, names, outputs), _name(chosen), classes=names, scaling=scaling
    )

    def prepared(rows: Any, targets: Any, what: str) -> tuple[Any, Any]:
        if scaling is not None:
            rows = scaling(np.asarray(checked_rows(rows, what)))
        return rows, targets if found is None else _numbers(targets, found, outputs, chosen)

    train = prepared(rows, targets, "the training data")
    seen = None if validation is None else prepared(*validation, "the validation data")
    stop = None if patience is None else EarlyStopping(model, patience)
    epochs_before = len(history.loss)
    model.fitted = fitted
    try:
        fit(
            model,
            *train,
            loss=chosen,
            optimizer=chosen_optimizer(optimizer, model.parameters(), learning_rate),
            seed=seed,
            validation=seen,
            callback=_both(stop, callback),
            history=history,
            **settings,
        )
    except Exception:
        # What was refused before the first step leaves the model as it was.
        if len(history.loss) == epochs_before:
            model.fitted = before
        raise
    finally:
        if stop is not None and stop.epoch is not None:
            stop.restore()
            history.best_epoch = epochs_before + stop.epoch
    return history


def _both(
    stop: EarlyStopping | None, callback: Callable[[int, History], object] | None
) -> Callable[[int, History], object] | None:
    if stop is None or callback is None:
        return stop or callback

    def call(epoch: int, history: History) -> bool:
        # Both are asked: each may keep something of the epoch.
        asked, stopped = callback(epoch, history), stop(epoch, history)
        return asked is True or stopped

    return call


def _sequence(given: Any, what: str, wanted: str) -> Any:
    """Arrays and lists as they are; a column of a table and the like as an array."""
    check_kind(given, what, wanted)
    if isinstance(given, (list, tuple, np.ndarray)):
        return given
    return np.asarray(given) if hasattr(given, "__array__") else list(given)


def _taken(given: Any, places: list[int]) -> Any:
    """Some of the rows; of an array as an array, which is checked all at once."""
    return given[places] if isinstance(given, np.ndarray) else [given[i] for i in places]


def _validation(given: Any) -> tuple[Any, Any] | None:
    if given is None:
        return None
    try:
        rows, targets = given
    except (TypeError, ValueError):
        raise TypeError("validation_data must be a pair (rows, targets)") from None
    what = "the validation data"
    return _sequence(rows, what, "rows of numbers"), _sequence(targets, what, "targets")


def _outputs(model: Model, rows: Any) -> int:
    what = "the training data"
    # An array that is no table is told with its own shape.
    some: Any = rows if isinstance(rows, np.ndarray) and rows.ndim < 2 else rows[:1]
    row = listed(checked_rows(some, what)[:1])[0]
    with no_grad(), told(f"{what}, row 0: "):
        return len(model(row))


def _names(
    targets: Sequence[Any], validation: tuple[Any, Any] | None, known: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """The names of the classes: those of an earlier training, where there was one."""
    names = class_names(targets)
    if names is None:
        return None
    names = names if known is None else known
    for what, some in (("training", targets), ("validation", validation and validation[1])):
        for i, target in enumerate(() if some is None else listed(some)):
            if target not in names:
                raise ValueError(
                    f"the {what} data, target of row {i}: the class {target!r} is not one of "
                    f"{', '.join(map(repr, names))}"
                )
    return names


def _check_classes(names: tuple[str, ...], outputs: int) -> None:
    wanted = 2 if outputs == 1 else outputs
    if len(names) != wanted or len(set(names)) != wanted:
        raise ValueError(
            f"{len(names)} {'class is' if len(names) == 1 else 'classes are'} named "
            f"({', '.join(names[:12])}); a model with {outputs} output{'s' * (outputs != 1)} tells "
            f"{wanted} apart"
        )


def _numbers(targets: Sequence[Any], names: tuple[str, ...], outputs: int, loss: Loss) -> list[int]:
    places = {name: i for i, name in enumerate(names)}
    if outputs == 1 and _name(loss) == hinge.__name__:
        places = {name: 2 * i - 1 for name, i in places.items()}
    return [places[target] for target in listed(targets)]


def _usual(targets: Sequence[Any], names: tuple[str, ...] | None, outputs: int) -> Loss:
    """The loss where none is given."""
    if names is not None:
        return binary_cross_entropy if outputs == 1 else categorical_cross_entropy
    return categorical_cross_entropy if _whole(targets) and outputs > 1 else mean_squared_error


def _whole(targets: Sequence[Any]) -> bool:
    if isinstance(targets, np.ndarray) and targets.dtype != object:
        return targets.ndim == 1 and targets.dtype.kind in "iub"
    return all(isinstance(target, (int, np.integer)) for target in targets)


def _name(loss: Loss) -> str:
    return str(getattr(loss, "__name__", type(loss).__name__))


def _task(loss: Loss, targets: Any, names: tuple[str, ...] | None, outputs: int) -> str:
    """What the outputs mean after a training with this loss; see `gradtape.nn.fitted.TASKS`."""
    name, several = _name(loss), hasattr(targets[0], "__len__") and names is None
    if name == hinge.__name__:
        return "scores"
    if name == "poisson":
        return "rates"
    if name == binary_cross_entropy.__name__:
        return "labels" if outputs > 1 else "class"
    if getattr(loss, "takes_probabilities", False) or names is not None:
        return "class"
    if outputs == 1 or several:
        return "numbers"
    return "class" if all(map(float.is_integer, map(float, listed(targets)))) else "numbers"
