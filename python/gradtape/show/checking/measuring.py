"""A user's network run on copies, and the gradient of its loss by differences."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradtape.show.checking.differences import EPS, difference
from gradtape.show.checking.gradients import Array, Parameters
from gradtape.show.checking.nested import rebuilt

__all__ = ["PREDICTIONS", "Measured", "Run"]

PREDICTIONS = 4000


def _exact(x: Any) -> Any:
    """The nest with its arrays in 64 bits."""

    def widened(leaf: Any) -> Any:
        if isinstance(leaf, (np.ndarray, np.floating)) and leaf.dtype.kind == "f":
            return np.array(leaf, dtype=np.float64)
        return leaf.copy() if isinstance(leaf, np.ndarray) else leaf

    return rebuilt(x, widened)


class Run:
    """The forward pass and the loss, computed on copies in 64 bits.

    Parameters
    ----------
    forward, loss : callable
    told : Parameters
    X, targets : object
    regularised : bool
        Whether the loss takes the parameters.
    """

    def __init__(
        self,
        forward: Callable[..., Any],
        loss: Callable[..., Any],
        told: Parameters,
        X: Any,
        targets: Any,
        regularised: bool,
    ) -> None:
        self.forward, self.loss, self.told = forward, loss, told
        self.X = np.asarray(X)
        self.given_X, self.targets, self.regularised = X, targets, regularised
        exact = [np.array(x, dtype=np.float64) for x in told.arrays]
        self.exact = Parameters(told.given, told.names, told.layers, exact)
        self.exact_outputs = self.outputs(exact)
        again = self.outputs(exact)
        if not all(map(_same, self.exact_outputs, again)):
            raise ValueError("forward() does not return the same twice; fix its random numbers")
        widths = [x.dtype for x in self.exact_outputs if x.dtype.kind == "f"]
        self.eps = max([EPS, *(float(np.finfo(width).eps) for width in widths)])
        self.value = self.of(exact)

    def outputs(self, arrays: list[Array], given: bool = False) -> list[Array]:
        """The activations for these parameters; in the user's own precision if `given`."""
        X = rebuilt(self.given_X, _copy) if given else _exact(self.given_X)
        found = self.forward(self.told.filled(arrays), X)
        if isinstance(found, np.ndarray):
            found = [found]
        if isinstance(found, dict):
            found = list(found.values())
        if not isinstance(found, (list, tuple)) or not len(found):
            raise ValueError(
                "forward() must return the list of activations, the prediction last, not "
                f"{type(found).__name__}"
            )
        return list(found) if given else [np.asarray(x) for x in found]

    def scored(self, prediction: Array, arrays: list[Array]) -> float:
        """The loss of a prediction."""
        arguments = [prediction.copy(), _exact(self.targets)]
        if self.regularised:
            arguments.append(self.told.filled(arrays))
        found = np.asarray(self.loss(*arguments))
        if found.size != 1 or found.dtype.kind not in "fiu":
            raise ValueError(
                f"the loss must be one number, not an array of shape {found.shape}: take the mean "
                "or the sum"
            )
        return float(found.reshape(()))

    def of(self, arrays: list[Array], fixed: bool = False) -> float:
        """The loss for these parameters; a regularisation term stays what it was if `fixed`."""
        prediction = self.outputs(arrays)[-1]
        return self.scored(prediction, self.exact.arrays if fixed else arrays)

    def finite(self) -> bool:
        """Whether there is a loss at all."""
        return bool(np.isfinite(self.value))

    def activations(self) -> list[Array] | None:
        """The input and what is computed of it; None if they are no arrays of one or two axes."""
        found = [np.asarray(x, dtype=np.float64) for x in self.exact_outputs]
        if not all(x.ndim in (1, 2) and x.size for x in found) or self.X.ndim not in (1, 2):
            return None
        X = np.asarray(self.X, dtype=np.float64)
        return found if _same(found[0], X) and len(found) > 1 else [X, *found]

    def reached(self) -> list[int | None]:
        """The first of `activations` that each parameter changes; None if it changes none."""
        found: list[int | None] = []
        offset = 1 if self._without_input() else 0
        for i, array in enumerate(self.exact.arrays):
            arrays = list(self.exact.arrays)
            # Far more than rounding, in no direction that the network may be blind to.
            arrays[i] = array + 1e-2 * np.random.default_rng(i).normal(size=array.shape)
            with np.errstate(all="ignore"):
                pairs = zip(self.exact_outputs, self.outputs(arrays), strict=True)
                changed = [not _same(one, other) for one, other in pairs]
            found.append(changed.index(True) + offset if any(changed) else None)
        return found

    def by_prediction(self) -> Array | None:
        """The derivative of the loss by each number of the prediction."""
        prediction = np.asarray(self.exact_outputs[-1], dtype=np.float64)
        if prediction.size > PREDICTIONS:
            return None
        found = np.empty_like(prediction)
        for index in np.ndindex(prediction.shape):

            def moved(x: float, index: tuple[int, ...] = index) -> float:
                changed = prediction.copy()
                changed[index] = x
                return self.scored(changed, self.exact.arrays)

            with np.errstate(all="ignore"):
                enough = 1e-10 * float(np.max(np.abs(found[found == found]), initial=0.0))
                at = float(prediction[index])
                found[index] = difference(moved, at, enough=min(enough, 1.0), eps=self.eps).value
        return found

    def along(self, i: int, direction: Array, end: int, rows_first: bool) -> Array:
        """The derivative of an activation by a parameter in a direction, units first."""
        place = end - 1 if self._without_input() else end
        slopes = []
        # Small, so that no unit is moved over a kink of its activation.
        step = 1e-6 if self.eps == EPS else 1e-2
        for h in (2 * step, step):
            sides = []
            for side in (h, -h):
                arrays = list(self.exact.arrays)
                arrays[i] = arrays[i] + side * direction
                array = np.asarray(self.outputs(arrays)[place], dtype=np.float64)
                sides.append(array.T if rows_first else array.reshape(len(array), -1))
            slopes.append((sides[0] - sides[1]) / (2 * h))
        found: Array = (4 * slopes[1] - slopes[0]) / 3
        return found

    def _without_input(self) -> bool:
        first = np.asarray(self.exact_outputs[0], dtype=np.float64)
        return not (
            _same(first, np.asarray(self.X, dtype=np.float64)) and len(self.exact_outputs) > 1
        )


def _copy(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=True))


class Measured:
    """The gradient of the loss by differences; nan where it was not taken.

    Parameters
    ----------
    run : Run
    got : list of numpy.ndarray or None
        What was returned, for its precision.
    entries : int
        How many numbers at most the loss is differentiated by.
    """

    def __init__(self, run: Run, got: list[Array | None], entries: int) -> None:
        self.run = run
        arrays = run.exact.arrays
        sizes = [x.size for x in arrays]
        self.sampled = sum(sizes) > entries
        self.places = [self._places(size, sum(sizes), entries) for size in sizes]
        self.count = sum(map(len, self.places))
        widths = [x.dtype for x in [*got, *run.told.arrays, run.X] if x is not None]
        eps = [float(np.finfo(width).eps) for width in widths if width.kind == "f"]
        # A backward pass adds up many roundings; differences are no better than that in 64 bits.
        self.tolerance = max([2e-7, *(2e3 * x for x in eps if x > 1e-10)])
        self.errors = [np.zeros(x.shape) for x in arrays]
        self.kinks = [np.zeros(x.shape, dtype=bool) for x in arrays]
        self.total = [self._gradient(i, False) for i in range(len(arrays))]
        self.dense = self.total
        if run.regularised:
            self.dense = [self._gradient(i, True) for i in range(len(arrays))]

    def _places(self, size: int, total: int, entries: int) -> list[int]:
        if not self.sampled:
            return list(range(size))
        count = min(size, max(8, entries * size // total))
        chosen = np.random.default_rng(0).choice(size, count, replace=False)
        return sorted(int(place) for place in chosen)

    def _gradient(self, i: int, fixed: bool) -> Array:
        run, arrays = self.run, self.run.exact.arrays
        found = np.full(arrays[i].shape, np.nan)
        largest = 0.0
        for place in self.places[i]:

            def moved(x: float, place: int = place) -> float:
                changed = list(arrays)
                changed[i] = arrays[i].copy()
                changed[i].reshape(-1)[place] = x
                return run.of(changed, fixed)

            with np.errstate(all="ignore"):
                slope = difference(
                    moved, float(arrays[i].reshape(-1)[place]), enough=1e-9 * largest, eps=run.eps
                )
            found.reshape(-1)[place] = slope.value
            largest = max(largest, abs(slope.value))
            self.errors[i].reshape(-1)[place] = slope.error if np.isfinite(slope.error) else 0.0
            if slope.kind == "kink":
                self.errors[i].reshape(-1)[place] = abs(slope.right - slope.left)
                self.kinks[i].reshape(-1)[place] = True
        return found

    def extra(self) -> list[Array | None]:
        """What the loss adds by the parameters themselves; None where it is nothing."""
        found: list[Array | None] = []
        for i, (total, dense) in enumerate(zip(self.total, self.dense, strict=True)):
            added = total - dense
            size = float(np.nanmax(np.abs(total)))
            nothing = np.nanmax(np.abs(added)) <= max(
                1e-8 * size, 10 * float(np.max(self.errors[i]))
            )
            found.append(None if not self.run.regularised or nothing else self._filled(i, added))
        return found

    def _filled(self, i: int, added: Array) -> Array:
        """A term that was measured in places, as the multiple of the parameter that it is."""
        parameter, known = self.run.exact.arrays[i], np.isfinite(added)
        for direction in (parameter, np.sign(parameter)):
            norm = float(np.sum(direction[known] ** 2))
            factor = float(np.sum(added[known] * direction[known])) / norm if norm else 0.0
            if np.allclose(added[known], factor * direction[known], rtol=1e-5, atol=1e-9):
                return factor * direction
        return added

    def agrees(self, i: int, array: Array) -> bool:
        """Whether an array is the gradient without regularisation, as far as was measured."""
        return self._within(array, self.dense[i], i, 2e-6)

    def right(self, i: int, got: Array, evidence: Any) -> bool:
        """Whether a returned gradient is right."""
        if not self._within(got, self.total[i], i, max(self.tolerance, 1e-6)):
            return False
        # Elsewhere than it was measured the network's own backward pass says what is right.
        return bool(
            np.any(self.kinks[i]) or self._within(got, evidence.right[i], i, self.tolerance * 10)
        )

    def _within(self, array: Array, right: Array, i: int, tolerance: float) -> bool:
        known = np.isfinite(right)
        size = float(np.max(np.abs(right[known]), initial=0.0))
        floor = 1e-13 * abs(self.run.value)
        allowed = tolerance * size + 4 * self.errors[i] + floor
        return bool(np.all(np.abs(array - right)[known] <= allowed[known]))

    def off(self, evidence: Any, i: int) -> float:
        """The largest error of an element, relative to the largest right element."""
        got, right = evidence.got[i], evidence.right[i]
        if got is None or got.shape != right.shape:
            return float("inf")
        size = float(np.nanmax(np.abs(right)))
        worst = float(np.nanmax(np.abs(got - right)))
        return worst / size if size else float("inf")
