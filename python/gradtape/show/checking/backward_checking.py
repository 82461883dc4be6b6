"""Backward passes written by hand: which gradient is wrong, where first, and why."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from gradtape.show.checking.backward_report import BackwardReport, Diagnosis
from gradtape.show.checking.diagnosing import Evidence, explained, told_alone
from gradtape.show.checking.gradients import Array, Parameters, assigned
from gradtape.show.checking.measuring import PREDICTIONS, Measured, Run
from gradtape.show.checking.nested import rebuilt
from gradtape.show.checking.network import Network
from gradtape.show.checking.recognising import STEPS, Budget, recognised

__all__ = ["check_backward"]

# What it takes of the budget to hold a network against the gradients.
READING = 100


def check_backward(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    parameters: Any,
    X: Any,
    targets: Any,
    *,
    loss: Callable[..., Any],
    entries: int = 500,
) -> BackwardReport:
    """Check a backward pass that was written by hand, and say what is wrong with it.

    Every gradient is held against finite differences of the loss. What is wrong is then explained
    by trying what usually goes wrong: each known fault is put into a backward pass of the same
    network, layer by layer, until it gives the very numbers that yours gives. For that the network
    must be one of dense layers, with any activations; of others, gradients are only compared, and
    told to be transposed, scaled, swapped and so on.

    Your functions are called with copies; `parameters`, `X` and `targets` stay as they are.

    Parameters
    ----------
    forward : callable
        ``forward(parameters, X)`` returns the list of activations, the prediction last. The input,
        and sums before activations, may be among them.
    backward : callable
        ``backward(activations, targets, parameters)`` returns the gradients: in the structure of
        `parameters`, or a dict with keys such as ``"dW1"``.
    parameters : list, tuple, dict, or nest of such
        Of arrays.
    X, targets : numpy.ndarray
        A batch, rows first or last; a few rows are enough.
    loss : callable
        ``loss(predictions, targets)`` returns one number. If it takes a third argument, that is
        `parameters`, for a regularisation term.
    entries : int
        By how many numbers at most the loss is differentiated. Of more parameters a part of each is
        taken, the same in each run.

    Returns
    -------
    BackwardReport
        `ok`, `bool` and `raise_if_wrong` say whether every gradient is right; `lines` and `str`
        have a line for each, in the order of the backward pass; `first` is the first that is wrong.

    Raises
    ------
    ValueError
        If the loss is not one number, or `forward` gives something else each time, or there is
        nothing to be differentiated by.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> def forward(parameters, X):
    ...     W1, b1, W2, b2 = parameters
    ...     hidden = np.tanh(W1 @ X + b1[:, None])
    ...     return [X, hidden, W2 @ hidden + b2[:, None]]
    >>> def backward(activations, targets, parameters):
    ...     X, hidden, predictions = activations
    ...     W1, b1, W2, b2 = parameters
    ...     d2 = (predictions - targets) / targets.shape[1]
    ...     d1 = (W2.T @ d2) * (1 - hidden)
    ...     return [d1 @ X.T, d1.sum(axis=1), d2 @ hidden.T, d2.sum(axis=1)]
    >>> def loss(predictions, targets):
    ...     return 0.5 * np.sum((predictions - targets) ** 2) / targets.shape[1]
    >>> rng = np.random.default_rng(0)
    >>> parameters = [rng.normal(size=shape) for shape in [(4, 3), 4, (2, 4), 2]]
    >>> X, Y = rng.normal(size=(3, 5)), rng.normal(size=(2, 5))
    >>> print(gt.check_backward(forward, backward, parameters, X, Y, loss=loss))
    2 of 4 gradients wrong, first W1
      right  W2
      right  b2
      wrong  W1    the derivative of tanh in layer 1 is half there: 1 − a for 1 − a²
      wrong  b1    follows from W1
    """
    told = Parameters.of(parameters)
    run = Run(forward, loss, told, X, targets, _takes_parameters(loss))
    outputs = run.outputs(told.arrays, given=True)
    start = told.filled(told.arrays)
    arrays = Parameters.of(start).arrays
    before = [array.copy() for array in arrays]
    returned = backward(_copied(outputs), _copied(targets), start)
    notes = []
    after = Parameters.of(start).arrays
    if any(not np.array_equal(x, y, equal_nan=True) for x, y in zip(before, after, strict=False)):
        notes.append("note: backward changes the parameters that it is given")
    got, note = assigned(told, returned)
    if not run.finite():
        return BackwardReport([], [f"the loss is {run.value} here"], complete=False)
    measured = Measured(run, got, entries)
    budget = Budget()
    network = _network(run, measured, budget)
    evidence = _evidence(run, measured, got, network)
    lines = _lines(evidence, network, measured, told)
    if note:
        notes.insert(0, note)
    if network is None and budget.spent:
        notes.append(
            f"note: which layer is which could not be found out in {STEPS:,} steps, so each "
            "gradient was judged by itself"
        )
    elif network is None and any(not line.ok for line in lines):
        large = run.exact_outputs[-1].size > PREDICTIONS
        why = "the batch is large: give fewer rows" if large else "these are not dense layers"
        notes.append(f"note: {why}, so each gradient was judged by itself")
    if measured.sampled:
        notes.append(
            f"note: compared at {measured.count:,} of {sum(x.size for x in told.arrays):,} numbers"
        )
    return BackwardReport(lines, notes)


def _takes_parameters(loss: Callable[..., Any]) -> bool:
    try:
        signature = inspect.signature(loss)
        signature.bind(None, None, None)
    except (TypeError, ValueError):
        return False
    needed = [p for p in signature.parameters.values() if p.kind is not p.KEYWORD_ONLY]
    return needed[2].default is inspect.Parameter.empty if len(needed) > 2 else False


def _copied(x: Any) -> Any:
    return rebuilt(x, lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf)


def _network(run: Run, measured: Measured, budget: Budget) -> Network | None:
    """The dense layers, if reading the activations so gives the gradients that were measured."""
    activations, adjoint = run.activations(), None
    if activations is None:
        return None
    for layers, rows_first in recognised(run.exact, activations, run.reached(), run.along, budget):
        adjoint = run.by_prediction() if adjoint is None else adjoint
        if adjoint is None:
            return None
        shape = layers[-1].after.shape
        turned = adjoint.T if rows_first else adjoint.reshape(shape)
        if turned.shape != shape:
            continue
        network = Network(layers, rows_first, turned)
        gradients = network.gradients()
        if all(measured.agrees(i, gradients[i].reshape(x.shape)) for i, x in _numbered(run.exact)):
            return network
        if not budget.take(READING):
            return None
    return None


def _numbered(parameters: Parameters) -> list[tuple[int, Array]]:
    return list(enumerate(parameters.arrays))


def _evidence(
    run: Run, measured: Measured, got: list[Array | None], network: Network | None
) -> Evidence:
    arrays = run.exact.arrays
    extra = measured.extra()
    right = measured.total
    if network is not None:
        found = network.gradients()
        right = [
            found[i].reshape(x.shape) + (0.0 if extra[i] is None else extra[i])
            for i, x in enumerate(arrays)
        ]
    prediction = run.exact_outputs[-1]
    rows, units = 1, int(prediction.size)
    if network is not None:
        rows, units = network.rows, int(prediction.size) // network.rows
    elif prediction.ndim > 1:
        rows = int(run.X.shape[-1] if run.X.shape[-1] == prediction.shape[-1] else len(prediction))
        units = units // max(rows, 1)
    exact = [None if x is None else np.asarray(x, dtype=np.float64) for x in got]
    return Evidence(run.exact.names, arrays, exact, right, extra, measured.tolerance, rows, units)


def _lines(
    evidence: Evidence, network: Network | None, measured: Measured, told: Parameters
) -> list[Diagnosis]:
    order = told.backwards()
    states = {i: _compared(evidence, measured, i) for i in order}
    comparable = [i for i in order if states[i] is None]
    findings = {i: told_alone(evidence, i) for i in comparable}
    if network is not None and any(state is None or not state.ok for state in states.values()):
        findings |= explained(network, evidence)
    lines: list[Diagnosis] = []
    cause = ""
    for i in order:
        state, found = states[i], findings.get(i)
        if state is not None and (state.ok or found is None or not found.cause):
            lines.append(state)
            cause = cause or ("" if state.ok else told.names[i])
            continue
        assert found is not None
        text, follows = found.cause, False
        if not text and (found.follows or cause) and found.cost == 0:
            text, follows = f"follows from {cause}" if cause else "", bool(cause)
        elif not text:
            text = "no fault that is known explains it"
            if cause:
                text += f"; it may follow from {cause}"
        if state is not None:
            text = f"{text}: {state.cause}" if state.cause else text
        lines.append(Diagnosis(told.names[i], False, text, follows, measured.off(evidence, i)))
        cause = cause or told.names[i]
    return lines


def _compared(evidence: Evidence, measured: Measured, i: int) -> Diagnosis | None:
    """What is plain without a diagnosis: right, missing, misshapen; None if one is needed."""
    name, got, right = evidence.names[i], evidence.got[i], evidence.right[i]
    if got is None:
        return Diagnosis(name, False, "no gradient is returned")
    if not np.all(np.isfinite(got)):
        bad = "nan" if np.any(np.isnan(got)) else "infinite"
        return Diagnosis(name, False, f"{bad} in it, where the right gradient is finite")
    if got.shape != right.shape:
        shapes = f"has shape {got.shape}, the parameter {right.shape}"
        alike = got.size == right.size and 1 in (*got.shape, *right.shape)
        if alike and measured.right(i, got.reshape(right.shape), evidence):
            return Diagnosis(name, True, f"note: the gradient {shapes}")
        found = told_alone(evidence, i).cause
        return Diagnosis(name, False, f"{found}: {shapes}" if found else shapes)
    if measured.right(i, got, evidence):
        return Diagnosis(name, True)
    return None
