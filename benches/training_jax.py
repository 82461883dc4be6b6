"""Training by JAX: a jitted step called batch by batch, and an epoch as one scan over batches."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from training_networks import Images, Network, Pairs, Sequences, drawn
from training_works import BETAS, EPSILON, Contender, Tick, Work, data, orders

jax.config.update("jax_enable_x64", True)


def dense(layers: Any, x: Any) -> Any:
    """Give the scores of dense layers."""
    for i, (w, b) in enumerate(layers):
        x = (jax.nn.relu(x) if i else x) @ w.T + b
    return x


def convolved(x: Any, w: Any) -> Any:
    """Convolve as one matrix product of patches: XLA's own is several times slower in 64 bits."""
    k = w.shape[-1]
    edge, (rows, columns) = k // 2, x.shape[2:]
    padded = jnp.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    shifted = [padded[:, :, i : i + rows, j : j + columns] for i in range(k) for j in range(k)]
    return jnp.einsum("pnchw,kcp->nkhw", jnp.stack(shifted), w.reshape(*w.shape[:2], -1))


def images(layers: Any, x: Any) -> Any:
    """Give the scores of convolutions and a dense layer."""
    *convolutions, (last, bias) = layers
    for i, (w, b) in enumerate(convolutions):
        if i:
            n, k, rows, columns = x.shape
            x = x.reshape(n, k, rows // 2, 2, columns // 2, 2).max(axis=(3, 5))
        x = jax.nn.relu(convolved(x, w) + b[:, None, None])
    return x.reshape(len(x), -1) @ last.T + bias


def sequences(layers: Any, x: Any) -> Any:
    """Give the scores of an LSTM's last state; one scan over the steps."""
    (w, b), (last, bias) = layers
    zeros = jnp.zeros((len(x), len(b) // 4), x.dtype)

    def step(state: Any, features: Any) -> tuple[Any, None]:
        h, c = state
        i, f, new, o = jnp.split(jnp.concatenate([features, h], axis=1) @ w.T + b, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(new)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    (h, _), _ = jax.lax.scan(step, (zeros, zeros), x.swapaxes(0, 1))
    return h @ last.T + bias


def loss(scores: Any, layers: Any, x: Any, classes: Any) -> Any:
    """Give the mean cross-entropy of a batch."""
    x = scores(layers, x)
    right = jnp.take_along_axis(x, classes[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(x, axis=1) - right)


def scores_of(network: Network) -> Any:
    """Give the forward pass of a network."""
    if isinstance(network, Images):
        return images
    return sequences if isinstance(network, Sequences) else dense


def stepped(work: Work, state: Any, x: Any, classes: Any) -> tuple[Any, Any]:
    """Take a step of Adam; give the state after it and the sum of the batch's losses."""
    layers, mean, square, steps = state
    batch = partial(loss, scores_of(work.network))
    value, g = jax.value_and_grad(batch)(layers, x, classes)
    steps, (keep, keep_square) = steps + 1, BETAS
    kind = layers[0][0].dtype
    each = jax.tree_util.tree_map
    mean = each(lambda m, g: keep * m + (1.0 - keep) * g, mean, g)
    square = each(lambda s, g: keep_square * s + (1.0 - keep_square) * g * g, square, g)
    rate_now = (work.rate / (1.0 - keep**steps)).astype(kind)
    root = jnp.sqrt(1.0 - keep_square**steps).astype(kind)
    layers = each(
        lambda p, m, s: p - rate_now * m / (jnp.sqrt(s) / root + EPSILON), layers, mean, square
    )
    return (layers, mean, square, steps), value * len(x)


def by_step(work: Work, x: Any, classes: Any) -> Any:
    """Make an epoch of calls."""

    @partial(jax.jit, donate_argnums=0, static_argnums=4)
    def step(state: Any, total: Any, some: Any, at: Any, size: int) -> tuple[Any, Any]:
        rows = jax.lax.dynamic_slice_in_dim(some, at, size)
        state, value = stepped(work, state, x[rows], classes[rows])
        return state, total + value

    def epoch(state: Any, order: Any) -> tuple[Any, Any]:
        total, some = jnp.zeros(()), jnp.asarray(order)
        for at in range(0, work.rows, work.batch):
            state, total = step(state, total, some, at, min(work.batch, work.rows - at))
        return state, total

    return epoch


def by_scan(work: Work, x: Any, classes: Any) -> Any:
    """Make an epoch of one call; the rows that fill no batch are stepped after the scan."""
    whole = work.rows - work.rows % work.batch

    def body(state: Any, rows: Any) -> tuple[Any, Any]:
        return stepped(work, state, x[rows], classes[rows])

    @partial(jax.jit, donate_argnums=0)
    def epoch(state: Any, order: Any) -> tuple[Any, Any]:
        state, losses = jax.lax.scan(body, state, order[:whole].reshape(-1, work.batch))
        if whole == work.rows:
            return state, losses.sum()
        state, last = body(state, order[whole:])
        return state, losses.sum() + last

    return epoch


def contender(work: Work, epoch_of: Any, dtype: str = "float64") -> Contender:
    def train(epochs: int, tick: Tick) -> tuple[list[float], Pairs]:
        x, classes = data(work.name)
        x, classes = jnp.asarray(x, dtype), jnp.asarray(classes)
        layers = [
            tuple(jnp.asarray(each, dtype) for each in layer) for layer in drawn(work.network)
        ]
        zeros = jax.tree_util.tree_map(jnp.zeros_like, layers)
        state = (layers, zeros, jax.tree_util.tree_map(jnp.copy, zeros), jnp.zeros((), int))
        epoch, shuffled, losses = epoch_of(work, x, classes), orders(work), []
        for _ in range(epochs):
            state, total = epoch(state, shuffled().copy())
            losses.append(float(total) / work.rows)
            tick()
        return losses, [(np.asarray(w), np.asarray(b)) for w, b in state[0]]

    return Contender(train, exact=dtype == "float64")


def contenders(work: Work, threads: int) -> dict[str, Contender]:
    """Give both, and the scan in 32 bits too; the threads are set by XLA's flags."""
    return {
        "JAX, a step": contender(work, by_step),
        "JAX, scan": contender(work, by_scan),
        "JAX, scan, 32 bits": contender(work, by_scan, "float32"),
    }
