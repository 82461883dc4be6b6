"""Which layer is which: a user's network read from its parameters and activations."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np

from gradtape.show.checking.gradients import Array, Parameters
from gradtape.show.checking.network import Dense, activation_of

__all__ = ["STEPS", "Budget", "Measure", "recognised"]

STEPS = 5000

Measure = Callable[[int, Array, int, bool], Array]
# A layer by the numbers of its weight and bias, whether that is flipped, and where it begins and
# ends among the activations.
_Place = tuple[int, int | None, bool, int, int]


@dataclass
class Budget:
    """How much may be tried before it is given up.

    Parameters
    ----------
    left : int
        Steps: layers that are tried, and derivatives that are measured for them; a whole network
        that is held against the gradients is many.
    """

    left: int = STEPS

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.left <= 0

    def take(self, steps: int = 1) -> bool:
        """Take some steps if there are any left; whether there were."""
        if self.spent:
            return False
        self.left -= steps
        return True


def recognised(
    parameters: Parameters,
    activations: list[Array],
    reached: list[int | None],
    measured: Measure,
    budget: Budget,
) -> Iterator[tuple[list[Dense], bool]]:
    """Every way to read a network's activations as those of dense layers, the likeliest first.

    Parameters
    ----------
    parameters : Parameters
        In 64 bits.
    activations : list of numpy.ndarray
        The input, then what the network computes of it; sums may be among them.
    reached : list of int or None
        The first activation that each parameter changes; None if it changes none.
    measured : callable
        The derivative of an activation, units first, by a parameter in a direction: of the
        parameter's number, the direction, the activation's number, and whether rows come first.
    budget : Budget
        Once it is spent there is no further way.

    Yields
    ------
    tuple
        The layers, and whether rows come first.
    """
    searches = []
    for rows_first in (False, True):
        if rows_first and any(x.ndim < 2 for x in activations):
            continue
        turned = [x.T if rows_first else x.reshape(len(x), -1) for x in activations]
        searches.append(_Search(parameters, turned, reached, rows_first, measured, budget))
    for unknown in (False, True):
        ways = [search.layers(0, [], frozenset(), unknown) for search in searches]
        # In turn: where much is zero, each reads many networks into it.
        for pair in zip_longest(*ways):
            for search, layers in zip(searches, pair, strict=True):
                # Those of known activations all the way came first.
                if layers and (not unknown or any(x.activation == "?" for x in layers)):
                    yield layers, search.rows_first


@dataclass(frozen=True)
class _Search:
    parameters: Parameters
    activations: list[Array]
    reached: list[int | None]
    rows_first: bool
    measured: Measure
    budget: Budget
    _read_before: dict[tuple[_Place, bool], Dense | None] = field(default_factory=dict)

    def layers(
        self, at: int, before: list[Dense], used: frozenset[int], unknown: bool
    ) -> Iterator[list[Dense]]:
        """Layers that lead from activation `at` to the last, with every parameter used."""
        if at == len(self.activations) - 1:
            if len(used) == len(self.parameters.arrays):
                yield before
            return
        for place in self._places(at, used):
            weight, bias, _, _, end = place
            more = used | ({weight} if bias is None else {weight, bias})
            # What already changes the activations before `end` is in none of the layers after it.
            if any(x is not None and x <= end and i not in more for i, x in self._numbered()):
                continue
            if not self.budget.take():
                return
            layer = self._layer(place, unknown)
            if layer is not None:
                yield from self.layers(end, [*before, layer], more, unknown)

    def _numbered(self) -> list[tuple[int, int | None]]:
        return list(enumerate(self.reached))

    def _places(self, at: int, used: frozenset[int]) -> Iterator[_Place]:
        """The layers whose shapes fit those of the activations, the likeliest first."""
        arrays, ends = self.parameters.arrays, range(at + 1, min(at + 3, len(self.activations)))
        weights = [i for i, x in enumerate(arrays) if x.ndim == 2]
        # What was used already may be used again, as weights that layers share.
        for weight in sorted(weights, key=lambda i: (i in used, i)):
            for flipped in (self.rows_first, not self.rows_first):
                units, inputs = arrays[weight].shape[:: -1 if flipped else 1]
                if inputs != len(self.activations[at]):
                    continue
                for bias in self._biases(weight, units, used, ends[-1]):
                    for end in ends:
                        if self._reaches(weight, end) and (
                            bias is None or self._reaches(bias, end)
                        ):
                            yield weight, bias, flipped, at, end

    def _reaches(self, i: int, end: int) -> bool:
        """Whether a parameter may be one of a layer that ends in an activation."""
        first = self.reached[i]
        # One that changes nothing may be anywhere: its units may all be dead.
        return first is None or first <= end

    def _biases(self, weight: int, units: int, used: frozenset[int], end: int) -> list[int | None]:
        fits = [
            i
            for i, x in enumerate(self.parameters.arrays)
            if i != weight and x.size == units and (x.ndim == 1 or 1 in x.shape)
        ]
        near = sorted(
            (i for i in fits if self._reaches(i, end)),
            key=lambda i: (i in used, i < weight, abs(i - weight)),
        )
        return [*near[:3], None]

    def _layer(self, place: _Place, unknown: bool) -> Dense | None:
        """The layer, if it gives the activation that it ends in; read only once."""
        if (place, unknown) not in self._read_before:
            self._read_before[place, unknown] = self._read(place, unknown)
        return self._read_before[place, unknown]

    def _read(self, place: _Place, unknown: bool) -> Dense | None:
        weight, bias, flipped, at, end = place
        arrays, source, after = self.parameters.arrays, self.activations[at], self.activations[end]
        matrix = arrays[weight].T if flipped else arrays[weight]
        if after.shape != (len(matrix), source.shape[1]):
            return None
        sums = matrix @ source
        if bias is not None:
            sums = sums + arrays[bias].reshape(-1, 1)
        if unknown:
            known = self._layer(place, False)
            if known is not None:
                return known
        found = self._unknown(place) if unknown else activation_of(sums, after)
        if found is None:
            return None
        name, jacobian = found
        return Dense(weight, bias, matrix, flipped, source, sums, after, jacobian, name)

    def _unknown(self, place: _Place) -> tuple[str, Array] | None:
        """The Jacobian of an activation of no known name, by moving the biases."""
        weight, bias, flipped, at, end = place
        if bias is None:
            return None
        arrays, size = self.parameters.arrays, self.parameters.arrays[bias].size
        # The weights must act through the same sums, or this is another layer's activation.
        direction = np.random.default_rng(0).normal(size=arrays[weight].shape)
        moved = (direction.T if flipped else direction) @ self.activations[at]
        if not self.budget.take(2):
            return None
        found = self.measured(weight, direction, end, self.rows_first)
        together = self.measured(bias, np.ones(arrays[bias].shape), end, self.rows_first)
        if found.shape != together.shape or not np.any(together):
            return None
        if _agree(together * moved, found):
            return "?", together
        if not self.budget.take(size):
            return None
        columns = []
        for unit in range(size):
            alone = np.zeros(size)
            alone[unit] = 1.0
            shaped = alone.reshape(arrays[bias].shape)
            columns.append(self.measured(bias, shaped, end, self.rows_first))
        jacobian = np.stack(columns, axis=1)
        return ("?", jacobian) if _agree(np.einsum("ijm,jm->im", jacobian, moved), found) else None


def _agree(expected: Array, found: Array) -> bool:
    size = max(1e-3, float(np.max(np.abs(expected), initial=0.0)))
    return bool(np.max(np.abs(found - expected)) <= 1e-5 * size)
