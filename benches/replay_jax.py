"""The works in JAX: on matrices and vectors, and the scalar functions under vmap."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import replay_texts as texts
from jax.scipy.special import ndtr
from replay_works import (
    HESTON,
    LOTKA,
    STEPS_HESTON,
    STEPS_LOTKA,
    Array,
    Contender,
    Run,
    flat,
    flowers,
    layered,
    normals,
    one_hot,
    options,
    parameters,
    shaped,
)

jax.config.update("jax_enable_x64", True)

BLOCK = {"network": 1000, "heston": 250}  # rows whose arrays stay in the cache: the fastest here
UNROLL = 4  # steps of the Runge-Kutta scan that are one for XLA: more are slower again

m = SimpleNamespace(  # norm_cdf is what jax.scipy.stats.norm.cdf calls
    exp=jnp.exp,
    log=jnp.log,
    sqrt=jnp.sqrt,
    norm_cdf=ndtr,
    maximum=jnp.maximum,
    relu=jax.nn.relu,
)


def jitted(function: Any, *arguments: Any) -> Run:
    """Compile, even what was compiled before; what the call gives is complete."""
    compiled = jax.jit(lambda *given: function(*given))
    return lambda: jax.block_until_ready(compiled(*arguments))


def blocked(function: Any) -> Any:
    """Differentiate block by block of the data's first axis, and average."""

    def mean(p: Any, *data: Any) -> Any:
        each = jax.lax.map(lambda block: jax.value_and_grad(function)(p, *block), data)
        return jax.tree.map(lambda found: jnp.mean(found, axis=0), each)

    return mean


def leaves(found: Any) -> list[Array]:
    """Read a value and matrices and vectors in the order of the layers."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(found)]


def joined(found: Any) -> list[Array]:
    """Read scalars as one array."""
    return [np.array(leaves(found))]


def matrices(layers: Any, x: Any, t: Any) -> Any:
    """Give the mean cross-entropy of a batch."""
    *hidden, (w, b) = layers
    for wi, bi in hidden:
        x = jax.nn.relu(x @ wi.T + bi)
    z = x @ w.T + b
    return jnp.mean(jax.scipy.special.logsumexp(z, axis=1) - jnp.sum(t * z, axis=1))


def scalars(p: Any, x: Any, t: Any) -> Any:
    """Give the mean of the scalar loss."""
    each = jax.vmap(lambda xi, ti: texts.loss(m, shaped(p), xi, ti))
    return jnp.mean(each(x, t))


def network(rows: int) -> dict[str, Contender]:
    x, classes = flowers(rows)
    data = [jnp.array(x), jnp.array(one_hot(classes))]
    layers = jax.tree.map(jnp.array, parameters())
    flattened = jnp.array(flat())
    make = partial(jitted, jax.value_and_grad(matrices), layers, *data)
    scalar = partial(jitted, jax.value_and_grad(scalars), flattened, *data)
    found = {
        "JAX on matrices": Contender(make, leaves),
        "JAX, scalar form": Contender(scalar, lambda found: layered(*found)),
    }
    size = BLOCK["network"]
    if rows > size and rows % size == 0:
        parts = [each.reshape(-1, size, each.shape[1]) for each in data]
        parted = partial(jitted, blocked(matrices), layers, *parts)
        found[f"JAX on matrices, {size:,} rows a block"] = Contender(parted, leaves)
    return found


def blackscholes(rows: int) -> dict[str, Contender]:
    arguments = [jnp.array(a) for a in options(rows)]

    def make(m: SimpleNamespace) -> Run:
        row = jax.value_and_grad(partial(texts.price, m), argnums=tuple(range(5)))
        return jitted(jax.vmap(row), *arguments)

    def by_erf(x: Any) -> Any:
        return 0.5 * (1.0 + jax.lax.erf(x * 0.5**0.5))

    return {
        "JAX": Contender(partial(make, m), leaves),
        "JAX, norm_cdf by erf": Contender(
            partial(make, SimpleNamespace(**vars(m) | {"norm_cdf": by_erf})), leaves
        ),
    }


def scanned(p: Any, z: Any) -> Any:
    """Give the mean pay-off: a scan over steps of all paths."""
    S0, v0, *rates = p
    rates.append(jnp.sqrt(1.0 - rates[-1] * rates[-1]))
    paths = z.shape[2]

    def step(state: Any, zi: Any) -> Any:
        return texts.step(m, state[0], state[1], rates, zi), None

    (S, _), _ = jax.lax.scan(step, (jnp.full(paths, S0), jnp.full(paths, v0)), z)
    return jnp.mean(jnp.maximum(S - texts.STRIKE, 0.0)) * texts.PAID


def unrolled(p: Any, z: Any) -> Any:
    """Give the mean pay-off: the scalar function, its loop written out."""
    return jnp.mean(jax.vmap(lambda zi: texts.heston(m, p, zi))(z))


def heston(rows: int, slow: bool) -> dict[str, Contender]:
    p = tuple(map(jnp.array, HESTON.values()))
    by_path = normals(rows)
    by_step = jnp.array(by_path.reshape(rows, STEPS_HESTON, 2).transpose(1, 2, 0))
    size = BLOCK["heston"]
    scan = partial(jitted, jax.value_and_grad(scanned), p, by_step)
    found = {"JAX, scan": Contender(scan, joined)}
    if rows > size and rows % size == 0:
        parts = by_step.reshape(STEPS_HESTON, 2, -1, size).transpose(2, 0, 1, 3)
        parted = partial(jitted, blocked(scanned), p, parts)
        found[f"JAX, scan, {size:,} paths a block"] = Contender(parted, joined)
    if slow:
        written = partial(jitted, jax.value_and_grad(unrolled), p, jnp.array(by_path))
        found["JAX, unrolled"] = Contender(written, joined)
    return found


def last(unroll: int, p: Any) -> Any:
    """Give the sum of the last state of the Lotka-Volterra equations."""
    *rates, x, y = p

    def step(state: Any, _: Any) -> Any:
        return texts.rk4(*rates, *state), None

    (x, y), _ = jax.lax.scan(step, (x, y), length=STEPS_LOTKA, unroll=unroll)
    return x + y


def lotka() -> dict[str, Contender]:
    p = tuple(map(jnp.array, LOTKA.values()))

    def scan(unroll: int) -> Contender:
        return Contender(partial(jitted, jax.value_and_grad(partial(last, unroll)), p), joined)

    return {"JAX, scan": scan(1), f"JAX, scan, {UNROLL} steps unrolled": scan(UNROLL)}


def contenders(work: str, rows: int, threads: int, slow: bool) -> dict[str, Contender]:
    """Give JAX's ways to do a work; the threads are set by XLA's flags."""
    if work == "network":
        return network(rows)
    if work == "blackscholes":
        return blackscholes(rows)
    return heston(rows, slow) if work == "heston" else lotka()
