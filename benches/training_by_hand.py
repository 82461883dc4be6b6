"""Forward passes and their gradients by hand, in NumPy, for the networks of the training bench.

A forward pass gives the scores and what its reverse reads; a reverse writes the gradient of every
weight and bias, from the adjoint of the scores.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from training_networks import Array, Images, Network, Pairs, Sequences

Forward = Callable[[Pairs, Array], tuple[Array, Any]]
Reverse = Callable[[Pairs, Pairs, Array, Any], None]


def dense(layers: Pairs, x: Array) -> tuple[Array, list[Array]]:
    """Dense layers with relu between."""
    seen = [x]
    for w, b in layers:
        y = seen[-1] @ w.T
        y += b
        seen.append(np.maximum(y, 0.0, out=y) if w is not layers[-1][0] else y)
    return seen.pop(), seen


def dense_reverse(layers: Pairs, into: Pairs, adjoint: Array, seen: list[Array]) -> None:
    for i in range(len(layers) - 1, -1, -1):
        affine_reverse(into[i], adjoint, seen[i])
        if i:
            adjoint = adjoint @ layers[i][0]
            adjoint *= seen[i] > 0.0


def affine_reverse(into: tuple[Array, Array], adjoint: Array, x: Array) -> None:
    """Write the gradient of a layer's weights and biases."""
    np.matmul(adjoint.T, x, out=into[0].reshape(len(into[0]), -1))
    adjoint.sum(axis=0, out=into[1])


def patches(x: Array, kernel: int) -> Array:
    """Give the patch around every place of (n, rows, columns, channels), a line each."""
    edge = kernel // 2
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    return sliding_window_view(padded, (kernel, kernel), axis=(1, 2)).reshape(
        x.size // x.shape[-1], -1
    )


def patches_reverse(adjoint: Array, shape: tuple[int, ...], kernel: int) -> Array:
    """Add the adjoints of all patches up."""
    n, rows, columns, channels = shape
    edge = kernel // 2
    padded = np.zeros((n, rows + 2 * edge, columns + 2 * edge, channels))
    each = adjoint.reshape(*shape, kernel, kernel)
    for i in range(kernel):
        for j in range(kernel):
            padded[:, i : i + rows, j : j + columns] += each[..., i, j]
    return padded[:, edge : edge + rows, edge : edge + columns]


def convolved(x: Array, w: Array, b: Array) -> tuple[Array, Array]:
    """Convolve and rectify; give the patches too."""
    found = patches(x, w.shape[-1])
    y = found @ w.reshape(len(w), -1).T
    y += b
    return np.maximum(y, 0.0, out=y).reshape(*x.shape[:-1], len(w)), found


def images(layers: Pairs, x: Array) -> tuple[Array, tuple[Array, ...]]:
    """Two convolutions and a dense layer, with channels last in between."""
    (w, b), (w2, b2), (w3, b3) = layers
    y, found = convolved(x.transpose(0, 2, 3, 1), w, b)
    n, side, _, channels = y.shape
    squares = y.reshape(n, side // 2, 2, side // 2, 2, channels)
    pooled = squares.max(axis=(2, 4))
    z, found2 = convolved(pooled, w2, b2)
    flat = z.transpose(0, 3, 1, 2).reshape(n, -1)
    return flat @ w3.T + b3, (found, squares, pooled, found2, z, flat)


def images_reverse(layers: Pairs, into: Pairs, adjoint: Array, seen: tuple[Array, ...]) -> None:
    found, squares, pooled, found2, z, flat = seen
    affine_reverse(into[2], adjoint, flat)
    n, rows, columns, channels = z.shape
    back = (adjoint @ layers[2][0]).reshape(n, channels, rows, columns).transpose(0, 2, 3, 1)
    lines = (back * (z > 0.0)).reshape(-1, channels)
    affine_reverse(into[1], lines, found2)
    w2 = layers[1][0]
    down = patches_reverse(lines @ w2.reshape(channels, -1), pooled.shape, w2.shape[-1])
    top = pooled[:, :, None, :, None]
    # Equal ones are all 0 there, and relu lets nothing through.
    up = (squares == top) * (top > 0.0) * down[:, :, None, :, None]
    affine_reverse(into[0], up.reshape(-1, pooled.shape[-1]), found)


def sequences(layers: Pairs, x: Array) -> tuple[Array, list[tuple[Array, ...]]]:
    """An LSTM from states of 0 on, then a dense layer."""
    (w, b), (last, bias) = layers
    n, k = len(x), len(b) // 4
    h, c = np.zeros((2, n, k))
    seen: list[tuple[Array, ...]] = []
    for t in range(x.shape[1]):
        both = np.concatenate([x[:, t], h], axis=1)
        gates = both @ w.T
        gates += b
        new = np.tanh(gates[:, 2 * k : 3 * k])
        gates = 1.0 / (1.0 + np.exp(-gates))
        gates[:, 2 * k : 3 * k] = new
        before, c = c, gates[:, k : 2 * k] * c + gates[:, :k] * new
        bent = np.tanh(c)
        h = gates[:, 3 * k :] * bent
        seen.append((both, gates, before, bent))
    return h @ last.T + bias, [*seen, (h,)]


def sequences_reverse(
    layers: Pairs, into: Pairs, adjoint: Array, seen: list[tuple[Array, ...]]
) -> None:
    (w, b), (last, _) = layers
    k, features = len(b) // 4, w.shape[1] - len(b) // 4
    (h,) = seen[-1]
    affine_reverse(into[1], adjoint, h)
    into[0][0][:], into[0][1][:] = 0.0, 0.0
    dh, dc = adjoint @ last, np.zeros_like(h)
    for both, gates, before, bent in reversed(seen[:-1]):
        i, f, new, o = np.split(gates, 4, axis=1)
        dc = dc + dh * o * (1.0 - bent * bent)
        back = gates * (1.0 - gates)
        back[:, :k] *= dc * new
        back[:, k : 2 * k] *= dc * before
        back[:, 2 * k : 3 * k] = dc * i * (1.0 - new * new)
        back[:, 3 * k :] *= dh * bent
        into[0][0][:] += back.T @ both
        into[0][1][:] += back.sum(axis=0)
        dh, dc = back @ w[:, features:], dc * f


def gradients(network: Network) -> tuple[Forward, Reverse]:
    """Give the forward pass of a network, and its reverse."""
    if isinstance(network, Images):
        return images, images_reverse
    if isinstance(network, Sequences):
        return sequences, sequences_reverse
    return dense, dense_reverse
