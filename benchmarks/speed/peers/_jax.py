"""What the peers in JAX share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import works

__all__ = ["model", "residual", "splines"]

jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - its only form


def model(
    work: works.Work,
    weights: Any,
    log_prob: Callable[[Any, jax.Array], jax.Array],
    sample: Callable[[Any, jax.Array], jax.Array],
    both: Callable[[Any, jax.Array], tuple[jax.Array, jax.Array]],
) -> works.Model:
    """Return the model of a flow given by functions of its weights.

    Args:
        work: The work.
        weights: Trainable arrays, a tree.
        log_prob: From weights and data to log-densities.
        sample: From weights and a key to samples.
        both: The same, with their log-densities.
    """
    x = jnp.asarray(works.data(work))
    key = jax.random.key(0)
    optimizer = optax.adam(works.LEARNING_RATE)

    def likelihood(weights: Any, key: jax.Array, x: jax.Array) -> jax.Array:
        return -log_prob(weights, x).mean()

    def divergence(weights: Any, key: jax.Array, x: jax.Array) -> jax.Array:
        y, log_q = both(weights, key)
        return (log_q + 0.5 * jnp.square(y - 1.0).sum(-1)).mean()

    loss = divergence if work.kind == "iaf" else likelihood

    def update(weights: Any, state: Any, key: jax.Array, x: jax.Array) -> Any:
        key, now = jax.random.split(key)
        gradients = jax.grad(loss)(weights, now, x)
        updates, state = optimizer.update(gradients, state, weights)
        return optax.apply_updates(weights, updates), state, key

    jitted = jax.jit(update, donate_argnums=(0, 1))
    # Copies, since the step takes what it is given.
    current = [jax.tree.map(jnp.copy, weights), optimizer.init(weights), key]

    def step() -> None:
        current[:] = jitted(*current, x)
        jax.block_until_ready(current[0])

    density, draw = jax.jit(log_prob), jax.jit(sample)
    squares = jax.jit(jax.grad(lambda w, key: jnp.square(sample(w, key)).mean()))
    ops = {
        "log_prob": lambda: density(weights, x).block_until_ready(),
        "sample": lambda: draw(weights, key).block_until_ready(),
        "step": step,
        "sample_gradient": lambda: jax.block_until_ready(squares(weights, key)),
    }
    count = sum(leaf.size for leaf in jax.tree.leaves(weights))
    return works.Model({name: ops[name] for name in work.ops}, count)


def dense(layer: Any, x: jax.Array) -> jax.Array:
    """Apply a pair of kernel and bias."""
    return x @ layer[0] + layer[1]


def initial(shapes: list[tuple[int, int]], seed: int, dtype: str) -> list[Any]:
    """Return kernels and biases for shapes `(out, in)`."""
    rng = np.random.default_rng(seed)
    return [
        (
            jnp.asarray(rng.normal(size=(columns, rows)) * 0.3 / columns**0.5, dtype),
            jnp.zeros(rows, dtype),
        )
        for rows, columns in shapes
    ]


def residual(layers: list[Any], x: jax.Array) -> jax.Array:
    """Apply a residual network, for libraries that have none of their own."""
    x = dense(layers[0], x)
    for first, second in zip(layers[1:-1:2], layers[2:-1:2], strict=True):
        x = x + dense(second, jax.nn.relu(dense(first, jax.nn.relu(x))))
    return dense(layers[-1], jax.nn.relu(x))


def plain(layers: list[Any], x: jax.Array) -> jax.Array:
    """Apply a plain network."""
    for layer in layers[:-1]:
        x = jax.nn.relu(dense(layer, x))
    return dense(layers[-1], x)


def splines(
    work: works.Work,
    folder: Path,
    arrays: Callable[[Any], list[np.ndarray]],
    apply: Callable[..., tuple[jax.Array, jax.Array]],
) -> works.Model:
    """Return the model of splines.

    Args:
        work: The work.
        folder: Where the reference knots lie.
        arrays: From knots to what the library takes for them.
        apply: The spline of the library: `(inverse, x, *arrays)` to value and log-det.
    """
    knots = np.load(folder / f"{work.name}.npz")
    given = [
        jnp.asarray(works.repeat(values, work))
        for values in (knots["x"], *arrays(knots))
    ]
    run = jax.jit(apply, static_argnums=0)

    def total(*arguments: jax.Array) -> jax.Array:
        y, log_det = apply(False, *arguments)  # noqa: FBT003 - of the shared call
        return (y + log_det).sum()

    gradient = jax.jit(jax.grad(total, argnums=tuple(range(len(given)))))
    # In float64: it is the maps that must agree, not their rounding.
    exact = [jnp.asarray(values) for values in (knots["x"], *arrays(knots))]
    outputs = {
        f"{name} {part}": np.asarray(value)
        for name, inverse in (("forward", False), ("inverse", True))
        for part, value in zip(("value", "log-det"), run(inverse, *exact), strict=True)
    }
    ops = {
        "forward": lambda: jax.block_until_ready(run(False, *given)),  # noqa: FBT003
        "inverse": lambda: jax.block_until_ready(run(True, *given)),  # noqa: FBT003
        "gradient": lambda: jax.block_until_ready(gradient(*given)),
    }
    return works.Model(ops, outputs=outputs)
