"""What a whole network can do besides being called: learn, predict, be saved."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import gradtape._core as _core
from gradtape._core import Value
from gradtape.data.checking import check_kind, checked_rows
from gradtape.functions import no_grad
from gradtape.nn import predicting
from gradtape.nn.fitted import Fitted
from gradtape.nn.initial import USUAL_BATCH
from gradtape.nn.neuron import Module

if TYPE_CHECKING:
    from gradtape.history import History

__all__ = ["Model"]

Numbers = NDArray[np.float64]
# Below as many rows, recording a program takes longer than the rows on the tape.
FEW_ROWS = 64


class Model(Module):
    """A network that is called with a row and gives a list of outputs.

    A class that also has `architecture` and `built` can be saved.
    """

    #: What the last `fit` told of the data; None before it.
    fitted: Fitted | None = None
    #: Where `gradtape.fit` keeps what it recorded, for the next; None: it keeps nothing.
    programs: Any = None
    kinds: ClassVar[dict[str, type["Model"]]] = {}

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        if "architecture" in vars(cls):
            Model.kinds[cls.kind()] = cls

    @classmethod
    def kind(cls) -> str:
        """The name under which models of this class are saved."""
        own = cls.__module__.startswith("gradtape.")
        return cls.__name__ if own else f"{cls.__module__}.{cls.__qualname__}"

    @abstractmethod
    def __call__(self, row: Any) -> list[Value]:
        """The outputs for one row."""

    @property
    def final_activation(self) -> str:
        """What is applied last, by its name."""
        return "linear"

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The names of the classes in the order of the outputs, if `fit` was given names."""
        return None if self.fitted is None else self.fitted.classes

    def architecture(self) -> dict[str, Any]:
        """What `built` makes the network from, in plain containers.

        Raises
        ------
        TypeError
            Where a class has none.
        """
        raise TypeError(
            f"{type(self).__name__} models cannot be saved: there is no architecture() and built()"
        )

    def tensors(self) -> dict[str, Numbers]:
        """The parameters as arrays with names."""
        return {"parameters": np.array(_core.data(self.parameters()))}

    @classmethod
    def built(cls, architecture: dict[str, Any], tensors: dict[str, Numbers]) -> "Model":
        """A network from what `architecture` and `tensors` gave.

        Raises
        ------
        ValueError
            If they do not fit together.
        """
        raise ValueError(f"a {cls.__name__} cannot be built from a file")

    def fit(
        self,
        rows: Any,
        targets: Any,
        *,
        loss: Any = None,
        optimizer: Any = None,
        learning_rate: float | Callable[[int], float] | None = None,
        epochs: int = 50,
        batch_size: int | None = USUAL_BATCH,
        validation_data: tuple[Any, Any] | None = None,
        validation_share: float = 0.0,
        patience: int | None = None,
        standardise: bool = False,
        classes: Sequence[str] | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> "History":
        """Train on mini-batches: `gradtape.fit`, with what a model makes convenient.

        Parameters
        ----------
        rows : m rows of n numbers
        targets : m targets
            As the loss takes them; or names of classes, which the outputs then stand for in the
            order of the alphabet.
        loss : callable or str, optional
            From `gradtape.losses` or your own. By default a cross-entropy for names of classes,
            and for integers where there are several outputs, else `mean_squared_error`.
        optimizer : optimizer, class or str, optional
            Such as ``"adam"``.
        learning_rate : float or callable, optional
            For an optimizer that is given by name or class: a rate or a schedule.
        epochs, batch_size, seed
            As for `gradtape.fit`.
        validation_data : (rows, targets), optional
        validation_share : float
            Of the rows, which are drawn from the seed and not trained on.
        patience : int, optional
            Stop after so many epochs without a better validation loss (training loss, without
            validation rows); the parameters of the best epoch are put back.
        standardise : bool
            Whether to bring each column to mean 0 and standard deviation 1 first. `predict`,
            `predict_proba` and `score` do the same from then on, a saved model too; a call of the
            model does not.
        classes : sequence of str, optional
            The names of the classes in the order of the outputs: in which names among the targets
            stand for them, or what integers among the targets are called.
        **settings
            Others of `gradtape.fit`: ``dtype``, ``shuffle``, ``progress``, ``callback``,
            ``native``, ``history``.

        Returns
        -------
        History

        Raises
        ------
        TypeError, ValueError
            As from `gradtape.fit`; also if a name or setting is unknown, or classes and outputs
            are not as many.

        Examples
        --------
        >>> from gradtape.nn import MLP
        >>> model = MLP([2, 8, 2], "tanh", seed=1)
        >>> xor, names = [[0, 0], [0, 1], [1, 0], [1, 1]], ["same", "other", "other", "same"]
        >>> history = model.fit(xor, names, optimizer="adam", learning_rate=0.05, epochs=200)
        >>> model.predict([[0, 1], [1, 1]])
        ['other', 'same']
        """
        from gradtape.learning import learn

        return learn(
            self,
            rows,
            targets,
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            epochs=epochs,
            batch_size=batch_size,
            validation_data=validation_data,
            validation_share=validation_share,
            patience=patience,
            standardise=standardise,
            classes=classes,
            seed=seed,
            **settings,
        )

    def values(self, rows: Iterable[Any]) -> list[list[float]]:
        """The outputs for each row as plain numbers, nothing recorded.

        Examples
        --------
        >>> from gradtape.nn import MLP
        >>> MLP([1, 2], activations=["softmax"], init="small").values([[0.0], [0.0]])
        [[0.5, 0.5], [0.5, 0.5]]
        """
        batch = getattr(self, "batch", None)
        with no_grad():
            outputs = map(self, rows) if batch is None else batch(list(rows))
            return [_core.data(row) for row in outputs]

    def outputs_of(self, rows: Any) -> Numbers:
        """The outputs for each row as an array (m, k): many rows run natively.

        Rows are brought to the scale of the training first, if `fit` standardised them.

        Examples
        --------
        >>> import numpy as np
        >>> from gradtape.nn import MLP
        >>> MLP([3, 4, 2]).outputs_of(np.ones((1000, 3))).shape
        (1000, 2)
        """
        check_kind(rows, "the rows", "rows of numbers")
        rows = rows if hasattr(rows, "__len__") else list(rows)
        array = predicting.numbers(rows)
        line = isinstance(rows, np.ndarray) and rows.ndim < 2
        if array is not None and array.size and (line or not np.isfinite(array).all()):
            checked_rows(rows, "the rows")  # which tells what is wrong with them
        scaling = None if self.fitted is None else self.fitted.scaling
        if scaling is not None and len(rows):
            if array is None:
                raise TypeError("rows of numbers of one length are expected")
            rows = array = scaling(array)
        if array is not None and array.ndim > 1 and len(array) >= FEW_ROWS:
            found: Numbers = np.asarray(self._program(array.ndim - 1)(array))
            return found
        values = self.values(rows if array is None else array.tolist())
        return np.array(values, dtype=np.float64).reshape(len(values), -1 if values else 0)

    def _program(self, dimensions: int) -> Any:
        """The compiled network for rows of so many dimensions."""
        # Recorded anew for other parameters and where layers behave otherwise in training.
        key = (dimensions, getattr(self, "training", None), *map(id, self.parameters()))
        kept = vars(self).get("_kept_program")
        if kept is None or kept[0] != key:
            kept = self._kept_program = (key, predicting.program(self, dimensions))
        return kept[1]

    def __getstate__(self) -> dict[str, Any]:
        made = ("_kept_program", "programs")
        return {name: x for name, x in vars(self).items() if name not in made}

    def predict(self, rows: Iterable[Any]) -> Any:
        """What each row is predicted to be.

        Parameters
        ----------
        rows : m rows of n numbers
            From 64 rows of numbers on they run natively.

        Returns
        -------
        list of m, or numpy.ndarray where an array was given
            Names of classes, if `fit` was given names. Else the class as an integer: the index of
            the largest output, the first among equals. After a training on numbers, the outputs,
            or the rates of counts (`gradtape.losses.poisson`); a network with one output that
            `fit` has not trained for two classes gives its output as it is.

        Examples
        --------
        >>> from gradtape.nn import MLP
        >>> model = MLP([2, 2])
        >>> for w, number in zip(model.parameters(), [1, 0, 0, 0, 1, 0]):
        ...     w.data = number
        >>> model.predict([[3.0, 1.0], [-1.0, 1.0]])
        [0, 1]
        """
        found = predicting.predictions(self.outputs_of(rows), self.fitted, self.final_activation)
        return found if isinstance(rows, np.ndarray) else found.tolist()

    def predict_proba(self, rows: Iterable[Any]) -> Numbers:
        """The probability of each class for each row.

        Returns
        -------
        numpy.ndarray
            (m, k), the classes in the order of `classes`; of two classes that share one output,
            also two. After a training on several labels a row, the probability of each label.

        Raises
        ------
        ValueError
            If the model was trained on numbers, or on margins (`gradtape.losses.hinge`).

        Examples
        --------
        >>> from gradtape.nn import MLP
        >>> MLP([1, 2], init="small").predict_proba([[0.0]]).tolist()
        [[0.5, 0.5]]
        """
        return predicting.probabilities(self.outputs_of(rows), self.fitted, self.final_activation)

    def score(self, rows: Iterable[Any], targets: Sequence[Any]) -> float:
        """The share of rows predicted rightly; the coefficient of determination for numbers.

        Raises
        ------
        ValueError
            If rows and targets are not as many, or there is none.

        Examples
        --------
        >>> from gradtape.nn import MLP
        >>> MLP([1, 1], init="small").score([[0.0], [0.0]], [1.0, -1.0])
        0.0
        """
        return predicting.score(self.outputs_of(rows), targets, self.fitted, self.final_activation)

    def save(self, path: str | PathLike[str]) -> None:
        """Write architecture, parameters and what `fit` told of the data, as safetensors.

        `gradtape.load` reads it. The file holds numbers and JSON: nothing in it is ever executed.

        Raises
        ------
        TypeError
            If models of this class cannot be saved.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> import gradtape as gt
        >>> model = gt.MLP([2, 3, 1], seed=5)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(os.path.join(folder, "model.safetensors"))
        ...     twin = gt.load(os.path.join(folder, "model.safetensors"))
        >>> twin([1.0, 2.0])[0].data == model([1.0, 2.0])[0].data
        True
        """
        from gradtape.nn.saving import save

        save(self, path)
