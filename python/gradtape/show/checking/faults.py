"""What goes wrong in backward passes written by hand, each as the numbers that it gives."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gradtape.show.checking.gradients import Array
from gradtape.show.checking.network import Dense, Network, likely, of_output

__all__ = [
    "Variant",
    "bias_variants",
    "factor_named",
    "incoming",
    "sums_variants",
    "weight_variants",
]


@dataclass(frozen=True)
class Variant:
    """A way to compute something, and what is wrong with it.

    Parameters
    ----------
    fault : str
        Empty if nothing is.
    array : numpy.ndarray
    cost : float
        How unlikely it is.
    """

    fault: str
    array: Array
    cost: float = 2.0


def _usable(variants: Iterator[Variant], shape: tuple[int, ...]) -> list[Variant]:
    """Those that have the right shape and are finite."""
    with np.errstate(all="ignore"):
        return [v for v in variants if v.array.shape == shape and np.all(np.isfinite(v.array))]


def incoming(
    network: Network, number: int, sums: Array | None, after: Array | None
) -> list[Variant]:
    """What may arrive at a layer's activations.

    Parameters
    ----------
    network : Network
    number : int
        The layer's, from 0.
    sums, after : numpy.ndarray or None
        The adjoints of the next layer's sums and activations, as the user's code has them.
    """
    shape = network.layers[number].after.shape

    def variants() -> Iterator[Variant]:
        if sums is None or after is None:
            yield Variant("", network.adjoint, 0.0)
            return
        above = network.layers[number + 1]
        name, this = f"W{number + 2}", f"layer {number + 1}"
        yield Variant("", above.matrix.T @ sums, 0.0)
        if above.matrix.shape[0] == above.matrix.shape[1]:
            yield Variant(
                f"{name} is not transposed where the gradient passes down to {this}",
                above.matrix @ sums,
            )
        missing = f"{name} is missing: the gradient must be multiplied by it on its way to {this}"
        yield Variant(missing, np.broadcast_to(sums.sum(axis=0), shape), 2.2)
        yield Variant(missing, sums, 2.0)
        yield Variant(
            f"what passes down to {this} leaves out the derivative of layer {number + 2}'s "
            "activation",
            above.matrix.T @ after,
            2.1,
        )
        for k, other in enumerate(network.layers):
            if k != number + 1:
                fault = f"W{k + 1} is used in place of {name} on the way to {this}"
                for matrix in (other.matrix.T, other.matrix):
                    if matrix.shape == above.matrix.T.shape:
                        yield Variant(fault, matrix @ sums, 2.5)
        rows = network.rows
        for factor, text in ((1.0 / rows, "divided"), (float(rows), "multiplied")):
            if rows > 1:
                yield Variant(
                    f"the gradient is {text} by the batch size {rows} on its way to {this}",
                    above.matrix.T @ sums * factor,
                )

    return _usable(variants(), shape)


def sums_variants(
    network: Network, number: int, after: Array, above: Array | None
) -> list[Variant]:
    """What may be made of the adjoint of a layer's activations for that of its sums."""
    layer = network.layers[number]

    def variants() -> Iterator[Variant]:
        yield Variant("", layer.through(after), 0.0)
        if layer.activation and layer.activation != "softmax":
            yield from _activation_faults(layer, number, after)
        elif layer.activation == "softmax":
            yield Variant(f"{_of(layer, number)} is missing", after, 2.0)
            own = np.einsum("iim->im", layer.jacobian)
            yield Variant(
                f"of {_of(layer, number)} only the diagonal is there: each output depends on "
                "every sum",
                own * after,
            )
        if not layer.activation:
            for other in likely():
                fault = f"{other}'s derivative is applied, but layer {number + 1} has no activation"
                yield from _derivatives(fault, other, layer, after, 2.2)
        if above is not None:
            yield Variant(
                f"the delta of layer {number + 2} is used again as that of layer {number + 1}",
                above,
                1.9 if layer.activation else 2.4,
            )
        for k, other_layer in enumerate(network.layers):
            if k != number and other_layer.jacobian.shape == after.shape:
                yield Variant(
                    f"the derivative is taken at layer {k + 1}, and is to be at layer {number + 1}",
                    other_layer.jacobian * after,
                    2.3,
                )

    return _usable(variants(), layer.sums.shape)


def _of(layer: Dense, number: int) -> str:
    name = layer.activation if layer.activation != "?" else "the activation"
    return f"the derivative of {name} in layer {number + 1}"


def _activation_faults(layer: Dense, number: int, after: Array) -> Iterator[Variant]:
    name, what = layer.activation, _of(layer, number)
    yield Variant(f"{what} is missing", after, 2.0)
    alone = f"{what} stands alone: it is not multiplied by the gradient from above"
    yield Variant(alone, layer.jacobian, 2.0)
    # With what the loss divides by, where each layer does that for itself.
    yield Variant(alone, layer.jacobian / after.shape[1], 2.0)
    yield Variant(f"{what} is applied twice", layer.jacobian * layer.through(after), 2.1)
    if name in ("?", "leaky_relu"):
        if name == "leaky_relu":
            fault = f"relu's derivative is used, but layer {number + 1} has leaky_relu"
            yield Variant(fault, (layer.sums > 0) * after, 2.2)
        return
    formula = of_output(name, layer.sums)
    if formula is not None:
        yield Variant(
            f"{what} is taken at the input z, but its formula wants the output a",
            formula * after,
            2.0,
        )
    yield Variant(
        f"{what} is taken at the output a, but its formula wants the input z",
        layer.slope(name, "after") * after,
        2.0,
    )
    if of_output(name, layer.after) is not None:
        a = layer.after
        if name == "sigmoid":
            yield Variant(f"{what} is half there: a for a·(1 − a)", a * after, 2.0)
            yield Variant(f"{what} is half there: 1 − a for a·(1 − a)", (1 - a) * after, 2.0)
        if name == "tanh":
            yield Variant(f"{what} is half there: 1 − a for 1 − a²", (1 - a) * after, 2.0)
            yield Variant(f"{what} is wrong: 1 + a² for 1 − a²", (1 + a * a) * after, 2.0)
    yield Variant(f"{what} is wrong: the activation itself is used", layer.after * after, 2.3)
    for other in likely():
        if other != name:
            fault = f"{other}'s derivative is used, but layer {number + 1} has {name}"
            yield from _derivatives(fault, other, layer, after, 2.2)


def _derivatives(
    fault: str, other: str, layer: Dense, after: Array, cost: float
) -> Iterator[Variant]:
    formula = of_output(other, layer.after)
    if formula is not None:
        yield Variant(fault, formula * after, cost)
    yield Variant(fault, layer.slope(other, "sums") * after, cost + 0.1)


def weight_variants(
    network: Network, number: int, sums: Array, after: Array
) -> Iterator[tuple[str, Array, float]]:
    """What may be made of a layer's adjoints for the gradient of its weights, units first."""
    layer, rows = network.layers[number], network.rows
    yield "", sums @ layer.before.T, 0.0
    name = f"dW{number + 1}"
    if layer.activation:
        yield (
            f"{name} leaves out {_of(layer, number)}; what passes down has it",
            after @ layer.before.T,
            2.0,
        )
    if rows > 1:
        text = "'=' for '+=': only the {} row of the batch is counted"
        yield text.format("last"), sums[:, -1:] @ layer.before[:, -1:].T, 2.0
        yield text.format("first"), sums[:, :1] @ layer.before[:, :1].T, 2.0
    for k, other in enumerate(network.layers):
        if other.before is not layer.before and other.before.shape == layer.before.shape:
            what = "the input X" if k == 0 else f"the activations of layer {k}"
            mine = "the input X" if number == 0 else f"those of layer {number}"
            yield f"{name} is made with {what}; {mine} are due", sums @ other.before.T, 2.1
    last = network.layers[-1]
    if last.after.shape == layer.before.shape:
        yield f"{name} is made with the predictions as inputs", sums @ last.after.T, 2.2
    if number and network.layers[number - 1].activation:
        yield (
            f"{name} is made with the sums z of layer {number}; its activations are due",
            sums @ network.layers[number - 1].sums.T,
            2.0,
        )


def bias_variants(
    network: Network, number: int, sums: Array, after: Array
) -> Iterator[tuple[str, Array, float]]:
    """What may be made of a layer's adjoints for the gradient of its bias."""
    layer, rows, name = network.layers[number], network.rows, f"db{number + 1}"
    yield "", sums.sum(axis=1), 0.0
    if layer.activation:
        fault = f"{name} leaves out {_of(layer, number)}; what passes down has it"
        yield fault, after.sum(axis=1), 2.0
    if rows > 1:
        wrong_axis = f"{name} is summed over the wrong axis: the sum goes over the rows"
        yield wrong_axis, sums.sum(axis=0), 1.5
        yield f"{wrong_axis} only, not over the units too", np.full(len(sums), sums.sum()), 2.0
        yield f"{wrong_axis} only, not over the units too", np.asarray(sums.sum()), 2.0
        yield f"{name} is not summed over the rows", sums, 1.5
        yield wrong_axis, sums.mean(axis=0), 1.6
        text = "'=' for '+=': only the {} row of the batch is counted"
        yield text.format("last"), sums[:, -1], 2.0
        yield text.format("first"), sums[:, 0], 2.0


def factor_named(factor: float, rows: int, units: int) -> tuple[str, float]:
    """What a factor that a gradient is off by may come from, and how unlikely it is.

    Examples
    --------
    >>> factor_named(-1.0, 5, 2)
    ('the wrong sign', 1.8)
    >>> factor_named(5.0, 5, 2)[0]
    '5 times too large, the batch size: a sum over the rows where the loss takes the mean'
    >>> factor_named(1.7, 5, 2)[0]
    '1.7 times the right one'
    """
    if abs(factor + 1) < 1e-4:
        return "the wrong sign", 1.8
    sign = "the wrong sign, and " if factor < 0 else ""
    known = {
        float(rows): f"{rows} times too large, the batch size: a sum over the rows where the loss "
        "takes the mean",
        1 / rows: f"{rows} times too small, the batch size: a mean over the rows where the loss "
        "takes the sum, or a second division",
        2.0: "2 times too large: the square's 2 and the loss's ½ do not cancel",
        0.5: "2 times too small: a factor ½ too many, or the square's 2 is missing",
        float(rows * units): f"{rows * units} times too large: the loss takes the mean over all "
        f"{rows}·{units} numbers",
        1 / (rows * units): f"{rows * units} times too small: a mean over all {rows}·{units} "
        "numbers where the loss takes a sum",
        float(units): f"{units} times too large, the number of outputs: a sum over them where "
        "the loss takes the mean",
        1 / units: f"{units} times too small, the number of outputs: a mean over them where the "
        "loss takes the sum",
        2.0 * rows: f"{2 * rows} times too large: 2 times the batch size",
        0.5 / rows: f"{2 * rows} times too small: 2 times the batch size",
        rows / 2.0: f"{rows / 2:g} times too large: half the batch size",
        2.0 / rows: f"{rows / 2:g} times too small: half the batch size",
    }
    fits = [text for number, text in known.items() if abs(abs(factor) / number - 1) < 1e-4]
    if fits and abs(abs(factor) - 1) > 1e-4:
        also = " (the batch size is 2, too)" if rows == 2 and abs(factor) in (2, 0.5) else ""
        return f"{sign}{fits[0]}{also}", 2.0
    return f"{sign}{abs(factor):.6g} times the right one", 2.6
