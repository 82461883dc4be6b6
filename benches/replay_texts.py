"""The scalar functions, word for word the same for whoever takes scalar code.

`m` is a namespace with the contender's exp, log, sqrt, norm_cdf, maximum and relu.
"""

import math
from typing import Any

from replay_works import STEPS_HESTON, STEPS_LOTKA

RATE, STRIKE = 0.02, 100.0
PAID = math.exp(-RATE)
FLOOR = 1e-12  # not 0: where the root's slope is infinite most peers' gradient is nan
DT = 1.0 / STEPS_HESTON
H = 0.01


def loss(m: Any, layers: Any, x: Any, t: Any) -> Any:
    """Give the cross-entropy of a row x for the one-hot t."""
    *hidden, last = layers
    for layer in hidden:
        x = [m.relu(sum((wi * xi for wi, xi in zip(w, x)), b)) for w, b in layer]
    z = [sum((wi * xi for wi, xi in zip(w, x)), b) for w, b in last]
    return m.log(m.exp(z[0]) + m.exp(z[1]) + m.exp(z[2])) - (
        t[0] * z[0] + t[1] * z[1] + t[2] * z[2]
    )


def price(m: Any, S: Any, K: Any, r: Any, sigma: Any, T: Any) -> Any:
    """Give the Black-Scholes price of a call."""
    spread = sigma * m.sqrt(T)
    d1 = (m.log(S / K) + (r + sigma * sigma / 2.0) * T) / spread
    return S * m.norm_cdf(d1) - K * m.exp(-r * T) * m.norm_cdf(d1 - spread)


def step(m: Any, S: Any, v: Any, rates: Any, z: Any) -> Any:
    """Advance a path of Heston's model by an Euler step with full truncation: 20 operations."""
    kappa, theta, xi, rho, rest = rates
    positive = m.maximum(v, FLOOR)
    root = m.sqrt(positive * DT)
    S = S * m.exp((RATE - 0.5 * positive) * DT + root * z[0])
    v = v + kappa * (theta - positive) * DT + xi * root * (rho * z[0] + rest * z[1])
    return S, v


def heston(m: Any, p: Any, z: Any) -> Any:
    """Give the discounted pay-off of a call on one path; z holds two normals a step."""
    S, v, *rates = p
    rates.append(m.sqrt(1.0 - rates[-1] * rates[-1]))
    for i in range(0, 2 * STEPS_HESTON, 2):
        S, v = step(m, S, v, rates, (z[i], z[i + 1]))
    return m.maximum(S - STRIKE, 0.0) * PAID


def slopes(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
    """Give the time derivatives of prey and predators."""
    return x * (a - b * y), y * (d * x - c)


def rk4(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
    """Advance prey and predators by a Runge-Kutta step."""
    k1, l1 = slopes(a, b, c, d, x, y)
    k2, l2 = slopes(a, b, c, d, x + 0.5 * H * k1, y + 0.5 * H * l1)
    k3, l3 = slopes(a, b, c, d, x + 0.5 * H * k2, y + 0.5 * H * l2)
    k4, l4 = slopes(a, b, c, d, x + H * k3, y + H * l3)
    x = x + H / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    y = y + H / 6.0 * (l1 + 2.0 * l2 + 2.0 * l3 + l4)
    return x, y


def lotka(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
    """Give the sum of the last state of the Lotka-Volterra equations."""
    for _ in range(STEPS_LOTKA):
        x, y = rk4(a, b, c, d, x, y)
    return x + y
