"""The works by hand: NumPy with every derivative written out. All others are held to these."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from replay_texts import DT, FLOOR, PAID, RATE, STRIKE, H, rk4, slopes
from replay_works import (
    HESTON,
    LOTKA,
    STEPS_HESTON,
    STEPS_LOTKA,
    Array,
    Contender,
    Run,
    flowers,
    normals,
    one_hot,
    options,
    parameters,
)
from scipy.special import ndtr

BLOCK = 5000  # rows whose arrays stay in the cache and in memory that is handed out again


def read(found: Sequence[Any]) -> list[Array]:
    """Nothing to convert."""
    return [np.asarray(number, float) for number in found]


def network(x: Array, t: Array, layers: list[tuple[Array, Array]]) -> list[Any]:
    """Give the mean cross-entropy and its gradient, matrix and vector by layer.

    Rows stand side by side: then every product and every element by element step runs along them.
    """
    *hidden, (w, b) = layers
    inputs = [x]
    for wi, bi in hidden:
        y = wi @ inputs[-1]
        y += bi[:, None]
        inputs.append(np.maximum(y, 0.0, out=y))
    z = w @ inputs[-1]
    z += b[:, None]
    top = z.max(axis=0)
    z -= top
    chosen = np.einsum("kr,kr->", t, z)
    e = np.exp(z, out=z)
    total = e.sum(axis=0)
    value = (np.log(total).sum() - chosen) / len(total)
    e /= total
    e -= t
    e /= len(total)
    gradients: list[Any] = []
    for (w, _), y in zip(reversed(layers), reversed(inputs), strict=True):
        gradients[:0] = [e @ y.T, e.sum(axis=1)]
        if y is not x:
            e = w.T @ e
            e *= y > 0.0
    return [value, *gradients]


def blackscholes(S: Array, K: Array, r: Array, sigma: Array, T: Array) -> list[Array]:
    """Give the price and the five Greeks by their formulas."""
    root = np.sqrt(T)
    spread = sigma * root
    d1 = (np.log(S / K) + (r + 0.5 * sigma * sigma) * T) / spread
    delta = ndtr(d1)
    paid = np.exp(-r * T)
    below = ndtr(d1 - spread) * paid
    vega = S * root * np.exp(-0.5 * d1 * d1) * (1.0 / np.sqrt(2.0 * np.pi))
    strike = K * below
    rho = strike * T
    theta = r * strike + vega * sigma / (2.0 * T)
    return [S * delta - strike, delta, -below, rho, vega, theta]


def heston(z: Array) -> Array:
    """Give the mean pay-off and its six sensitivities; z is (steps, 2, paths)."""
    S0, v0, kappa, theta, xi, rho = HESTON.values()
    rest = np.sqrt(1.0 - rho * rho)
    w = rho * z[:, 0] + rest * z[:, 1]
    S, v = np.full(z.shape[2], S0), np.full(z.shape[2], v0)
    above, positives, roots = [], [], []
    for i in range(STEPS_HESTON):
        positive = np.maximum(v, FLOOR)
        root = np.sqrt(positive * DT)
        S = S * np.exp((RATE - 0.5 * positive) * DT + root * z[i, 0])
        above.append(v > FLOOR)
        positives.append(positive)
        roots.append(root)
        v = v + (kappa * DT) * (theta - positive) + xi * root * w[i]
    paid = PAID * (S > STRIKE)
    # S times its adjoint is the same at every step, and the adjoint of each exponent.
    e = S * paid
    v = np.zeros_like(v)
    d_kappa, d_theta, d_xi, d_w = (np.zeros_like(v) for _ in range(4))
    d_rest = np.zeros_like(v)
    for i in reversed(range(STEPS_HESTON)):
        root, positive = roots[i], positives[i]
        moved = v * root
        d_kappa += v * (theta - positive)
        d_theta += v
        d_xi += moved * w[i]
        d_w += moved * z[i, 0]
        d_rest += moved * z[i, 1]
        d_root = (xi * v) * w[i] + e * z[i, 0]
        v = v + above[i] * (d_root * (0.5 * DT) / root - (kappa * DT) * v - (0.5 * DT) * e)
    d_rho = xi * (d_w.sum() - d_rest.sum() * rho / rest)
    sums = [e.sum() / S0, v.sum(), d_kappa.sum() * DT, d_theta.sum() * kappa * DT, d_xi.sum()]
    return np.array([(e - STRIKE * paid).sum(), *sums, d_rho]) / len(e)


def lotka() -> list[float]:
    """Give the last state's sum and its gradient, in plain floats."""
    a, b, c, d, x, y = LOTKA.values()
    shifts, weights = (0.0, 0.5 * H, 0.5 * H, H), (H / 6.0, H / 3.0, H / 3.0, H / 6.0)
    states = []
    for _ in range(STEPS_LOTKA):
        states.append((x, y))
        x, y = rk4(a, b, c, d, x, y)
    value, dx, dy = x + y, 1.0, 1.0
    da = db = dc = dd = 0.0
    for x0, y0 in reversed(states):
        stages, k, q = [], 0.0, 0.0
        for shift in shifts:
            stages.append((x0 + shift * k, y0 + shift * q))
            k, q = slopes(a, b, c, d, *stages[-1])
        k, q, sum_x, sum_y = 0.0, 0.0, dx, dy
        for (x, y), shift, weight in list(zip(stages, shifts, weights, strict=True))[::-1]:
            k, q = k + weight * dx, q + weight * dy
            kx, qy = k * x, q * y
            da, db, dc, dd = da + kx, db - kx * y, dc - qy, dd + qy * x
            k, q = k * (a - b * y) + qy * d, q * (d * x - c) - kx * b
            sum_x, sum_y = sum_x + k, sum_y + q
            k, q = shift * k, shift * q
        dx, dy = sum_x, sum_y
    return [value, da, db, dc, dd, dx, dy]


def _network(blocks: list[tuple[Array, Array]]) -> list[Any]:
    """Average over blocks of rows, all but the last of the same size."""
    layers = parameters()
    total = sum(x.shape[1] for x, _ in blocks)
    found = [[x.shape[1] / total * g for g in network(x, t, layers)] for x, t in blocks]
    return [sum(each) for each in zip(*found, strict=True)]


def _blackscholes(blocks: list[list[Array]], into: Array) -> list[Array]:
    """Fill the rows of the results block by block."""
    first = 0
    for block in blocks:
        last = first + len(block[0])
        for array, found in zip(into, blackscholes(*block), strict=True):
            array[first:last] = found
        first = last
    return list(into)


def contenders(work: str, rows: int, threads: int, slow: bool) -> dict[str, Contender]:
    """Give NumPy by hand, or plain floats where there is a single row.

    One way is what people write; the other loops over blocks that stay in the cache.
    """

    def always(run: Run) -> Contender:
        return Contender(lambda: run, read)

    if work == "heston":
        z = np.ascontiguousarray(normals(rows).reshape(rows, STEPS_HESTON, 2).transpose(1, 2, 0))
        return {"NumPy adjoint by hand": always(lambda: [heston(z)])}
    if work == "lotka":
        return {"floats by hand": always(lambda: [np.array(lotka())])}
    starts = range(0, rows, BLOCK)
    if work == "network":
        x, classes = flowers(rows)
        x, t = np.ascontiguousarray(x.T), np.ascontiguousarray(one_hot(classes).T)
        pairs = [(x[:, i : i + BLOCK].copy(), t[:, i : i + BLOCK].copy()) for i in starts]
        found = {"NumPy by hand": always(partial(network, x, t, parameters()))}
        blocked: Run = partial(_network, pairs)
    else:
        whole = options(rows)
        parts = [[m[i : i + BLOCK] for m in whole] for i in starts]
        found = {"NumPy by hand": always(partial(blackscholes, *whole))}
        blocked = partial(_blackscholes, parts, np.zeros((6, rows)))
    if len(starts) > 1:
        found[f"NumPy by hand, {BLOCK:,} rows a block"] = always(blocked)
    return found
