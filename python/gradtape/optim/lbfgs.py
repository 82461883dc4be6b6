"""L-BFGS: scipy's search for a minimum of the loss over all rows."""

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import gradtape._core as _core
from gradtape._core import Value
from gradtape.errors import nearest
from gradtape.optim.optimizer import checked_parameters, checked_setting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LBFGS"]

# The mean loss over all rows with the parameters as they are, whatever else is known of that pass,
# and the gradient.
Evaluate = Callable[[], tuple[float, Any, Sequence[float]]]
# Called after each iteration with its number, the loss and the rest; whether the search ends.
After = Callable[[int, float, Any], bool]

REFUSED = {
    "l1": "L-BFGS needs a loss without kinks, which |p| has at 0: use weight_decay, or l1 with "
    "another optimizer",
    "clip_norm": "L-BFGS chooses how far each step goes; there is nothing to clip",
    "clip_value": "L-BFGS chooses how far each step goes; there is nothing to clip",
    "learning_rate": "L-BFGS finds how far each step goes: leave learning_rate out",
}


class LBFGS:
    """A quasi-Newton search over all rows at once (Byrd, Lu, Nocedal and Zhu 1995), by scipy.

    For small data and networks it finds lower losses than steps on batches do, and needs no
    learning rate. `gradtape.fit` runs it with ``batch_size=None``: an epoch is an iteration, which
    looks at all rows once or more often. It begins anew with each `fit`. It needs scipy, which
    comes with ``gradtape[lbfgs]``.

    Parameters
    ----------
    parameters : iterable of Value
        Leaves.
    memory : int
        How many of the last steps the curvature is estimated from.
    tolerance : float
        The search ends where no number of the gradient is larger,
    least : float
        or the loss falls by no more than this share of itself.
    weight_decay : float
        Half the squares of the parameters times this number are in the loss.

    Attributes
    ----------
    converged : bool or None
        Whether the last search ended by `tolerance` or `least`; None before it.
    message : str
        Why it ended, in scipy's words.

    Raises
    ------
    TypeError, ValueError
        If a parameter is no leaf, or a setting unknown or out of its range.

    Examples
    --------
    >>> import gradtape as gt
    >>> line = gt.MLP([1, 1])
    >>> optimizer = LBFGS(line.parameters(), tolerance=1e-10)
    >>> rows, targets = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> history = line.fit(rows, targets, optimizer=optimizer)
    >>> [round(p.data, 6) for p in line.parameters()], optimizer.converged
    ([2.0, 1.0], True)
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        memory: int = 10,
        tolerance: float = 1e-5,
        least: float = 2.2e-9,
        weight_decay: float = 0.0,
        **others: Any,
    ) -> None:
        for name in others:
            known = ("memory", "tolerance", "least", "weight_decay")
            raise TypeError(
                REFUSED.get(name) or f"LBFGS has no setting {name!r}; {nearest(name, known)}"
            )
        if isinstance(memory, bool) or not isinstance(memory, int) or memory < 1:
            raise ValueError(f"memory must be a whole number from 1, not {memory!r}")
        self.parameters, self.memory = checked_parameters(parameters), memory
        self.tolerance = checked_setting("tolerance", tolerance)
        self.least = checked_setting("least", least)
        self.weight_decay = checked_setting("weight_decay", weight_decay)
        self.converged: bool | None = None
        self.message = ""

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        _core.zero_grad(self.parameters)

    def step(self) -> None:
        """Nothing that L-BFGS can do: a step of it looks at the loss several times.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(
            "a step of L-BFGS looks at the loss several times: use fit(..., optimizer='lbfgs')"
        )

    def minimise(self, evaluate: Evaluate, after: After, most: int) -> None:
        """Search from the parameters as they are; whatever happens, the last iteration stays.

        Parameters
        ----------
        evaluate : callable
            Gives the loss, anything, and the gradient by each parameter.
        after : callable
            Called after each iteration with its number, and the loss and the rest there; the
            search ends where it gives True. Of a start that is a minimum it is told once.
        most : int
            How many iterations there may be.

        Raises
        ------
        ImportError
            If scipy is not installed.
        ValueError
            If the loss or a number of the gradient is nan or infinite.
        """
        minimize = _scipy()
        search = _Search(self, evaluate, after)
        try:
            found = minimize(
                search.value_and_gradient,
                search.kept,
                jac=True,
                method="L-BFGS-B",
                callback=search.ended,
                options={
                    "maxcor": self.memory,
                    "gtol": self.tolerance,
                    "ftol": self.least,
                    "maxiter": most,
                    # Iterations are what is counted; each looks at no more than these many points.
                    "maxfun": 1000 * (most + 1),
                },
            )
            self.converged, self.message = bool(found.success), str(found.message)
            if not search.iterations:
                # The start is a minimum already: it is what there is to tell of.
                with suppress(_Enough):
                    search.ended(search.kept)
        except _Enough:
            self.converged, self.message = False, "the callback ended it"
        finally:
            _core.assign(self.parameters, search.kept.tolist())

    def __repr__(self) -> str:
        return (
            f"LBFGS({len(self.parameters)} parameters, memory={self.memory}, "
            f"tolerance={self.tolerance:g}, least={self.least:g}, weight_decay={self.weight_decay})"
        )


class _Enough(Exception):
    """A callback asked for the end."""


class _Search:
    """What a search hands scipy, and the parameters after the last iteration."""

    def __init__(self, optimizer: LBFGS, evaluate: Evaluate, after: After) -> None:
        import numpy as np  # when it is first needed

        self.kept = np.array(_core.data(optimizer.parameters))
        self._optimizer, self._evaluate, self._after = optimizer, evaluate, after
        self.iterations = 0
        self._at, self._loss, self._rest = self.kept, 0.0, None

    def value_and_gradient(self, x: "NDArray[np.float64]") -> "tuple[float, NDArray[np.float64]]":
        decay = self._optimizer.weight_decay
        _core.assign(self._optimizer.parameters, x.tolist())
        self._loss, self._rest, found = self._evaluate()
        if not (math.isfinite(self._loss) and all(map(math.isfinite, found))):
            what = "loss" if not math.isfinite(self._loss) else "gradient"
            raise ValueError(
                f"the {what} is not finite in iteration {self.iterations + 1} of L-BFGS; columns "
                "of one scale or weight_decay may help; the parameters are those of the iteration "
                "before"
            )
        self._at = x.copy()
        return self._loss + 0.5 * decay * float(x @ x), decay * x + found

    def ended(self, x: "NDArray[np.float64]") -> None:
        if (x != self._at).any():
            self.value_and_gradient(x)
        self.kept = x.copy()
        self.iterations += 1
        if self._after(self.iterations, self._loss, self._rest):
            raise _Enough


def _scipy() -> Any:
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise ImportError("L-BFGS needs scipy: python -m pip install 'gradtape[lbfgs]'") from None
    return minimize
