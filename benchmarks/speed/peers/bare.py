"""The matrix products of the conditioners alone: the limit of every library.

No bias, no activation, no map, no optimizer; masks are not used. A sample of a MAF is
counted as one pass, a training step as three: forward, and back to weights and inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import works

__all__ = ["build", "glow"]


def build(work: works.Work, variant: str, folder: Path) -> works.Model:
    """Return the products of a work, by NumPy or by TensorFlow."""
    if work.kind == "spline":
        msg = "splines alone have no products"
        raise works.Skip(msg)
    rng = np.random.default_rng(0)
    shapes = [shape for layer in works.shapes(work) for shape in layer]

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(work.dtype)

    weights = [normal(*shape) for shape in shapes]
    inputs = [normal(columns, work.batch) for _, columns in shapes]
    outputs = [normal(rows, work.batch) for rows, _ in shapes]
    calls = by_numpy if variant == "numpy" else by_tensorflow
    forward, both = calls(weights, inputs, outputs)
    ops: dict[str, Any] = {
        "log_prob": forward,
        "sample": forward,
        "step": both,
        "sample_gradient": both,
    }
    count = sum(w.size for w in weights)
    biases = sum(len(w) for w in weights)
    return works.Model(
        {name: ops[name] for name in work.ops},
        count,
        works.parameters(work) - biases,
        note="products only: no biases",
    )


def by_numpy(
    weights: list[np.ndarray], inputs: list[np.ndarray], outputs: list[np.ndarray]
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return the forward products, and those with both products backward."""

    def forward() -> list[np.ndarray]:
        return [w @ x for w, x in zip(weights, inputs, strict=True)]

    def both() -> list[Any]:
        back = [
            (g @ x.T, w.T @ g) for w, x, g in zip(weights, inputs, outputs, strict=True)
        ]
        return [forward(), back]

    return forward, both


def by_tensorflow(
    weights: list[np.ndarray], inputs: list[np.ndarray], outputs: list[np.ndarray]
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return the same by TensorFlow's graphs."""
    import tensorflow as tf

    w, x, g = ([tf.constant(v) for v in part] for part in (weights, inputs, outputs))

    @tf.function
    def forward(w: list[tf.Tensor], x: list[tf.Tensor]) -> list[tf.Tensor]:
        return [tf.matmul(a, b) for a, b in zip(w, x, strict=True)]

    @tf.function
    def both(w: list[tf.Tensor], x: list[tf.Tensor], g: list[tf.Tensor]) -> list[Any]:
        to_weights = [
            tf.matmul(a, b, transpose_b=True) for a, b in zip(g, x, strict=True)
        ]
        to_inputs = [
            tf.matmul(a, b, transpose_a=True) for a, b in zip(w, g, strict=True)
        ]
        return [forward(w, x), to_weights, to_inputs]

    return lambda: forward(w, x), lambda: both(w, x, g)


def glow(work: works.Work, variant: str) -> works.Model:
    """Return the networks of all couplings and priors of Glow, with their gradients."""
    import tensorflow as tf

    if variant == "numpy":
        msg = "NumPy has no convolutions"
        raise works.Skip(msg)
    units, networks = work.hidden[0], []
    for level in range(works.LEVELS):
        channels, side = 3 * 2 ** (level + 2), work.size // 2 ** (level + 1)
        half, priors = channels // 2, int(level < works.LEVELS - 1)
        sizes = ((3, half, units), (1, units, units), (3, units, channels))
        for _ in range(work.layers + priors):
            weights = [
                (tf.Variable(tf.random.normal([k, k, a, b])), tf.Variable(tf.zeros(b)))
                for k, a, b in sizes
            ]
            networks.append((tf.random.normal([work.batch, side, side, half]), weights))
    variables = [v for _, weights in networks for pair in weights for v in pair]
    inputs = [x for x, _ in networks]

    def outputs() -> tf.Tensor:
        loss = 0.0
        for value, (_, weights) in zip(inputs, networks, strict=True):
            for i, (kernel, bias) in enumerate(weights):
                value = tf.nn.relu(value) if i else value
                value = tf.nn.bias_add(tf.nn.conv2d(value, kernel, 1, "SAME"), bias)
            loss += tf.reduce_mean(value)
        return loss

    @tf.function
    def step() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = outputs()
        gradients = tape.gradient(loss, [*inputs, *variables])
        return [tf.reduce_max(gradient) for gradient in gradients]

    forward = tf.function(outputs)
    ops = {"log_prob": forward, "sample": forward, "step": step}
    count = sum(int(np.prod(v.shape)) for v in variables)
    note = "convolutions only: no flow around them"
    return works.Model({name: ops[name] for name in work.ops}, count, count, note=note)
