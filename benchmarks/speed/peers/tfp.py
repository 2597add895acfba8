"""TensorFlow Probability's own bijectors, in graphs (`graph`) and under XLA (`xla`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
import works
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

__all__ = ["build", "glow"]

MINIMUM = 1e-3


def build(work: works.Work, variant: str, folder: Path) -> works.Model:
    """Return the model of a work."""
    jit = {"jit_compile": variant == "xla"}
    if work.kind == "spline":
        return splines(work, jit, folder)
    autoregressive = work.kind in ("maf", "iaf")
    layers, variables = masked(work) if autoregressive else coupling(work)
    zeros = tf.zeros([work.size], work.dtype)
    base = tfd.MultivariateNormalDiag(zeros, zeros + 1)
    flow = tfd.TransformedDistribution(base, tfb.Chain(layers))
    optimizer = tf_keras.optimizers.Adam(works.LEARNING_RATE, jit_compile=False)
    optimizer.build(variables)
    x, seed = tf.constant(works.data(work)), tf.constant([1, 2])

    @tf.function(**jit)
    def step(x: tf.Tensor, seed: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            if work.kind == "iaf":
                y, log_q = flow.experimental_sample_and_log_prob(work.batch, seed=seed)
                log_p = -0.5 * tf.reduce_sum(tf.square(y - 1.0), axis=-1)
                loss = tf.reduce_mean(log_q - log_p)
            else:
                loss = -tf.reduce_mean(flow.log_prob(x))
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    @tf.function(**jit)
    def gradient(seed: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(flow.sample(work.batch, seed=seed)))
        return tape.gradient(loss, variables)

    log_prob = tf.function(flow.log_prob, **jit)
    sample = tf.function(lambda seed: flow.sample(work.batch, seed=seed), **jit)
    ops = {
        "log_prob": lambda: log_prob(x),
        "sample": lambda: sample(seed),
        "step": lambda: step(x, seed),
        "sample_gradient": lambda: gradient(seed),
    }
    count = sum(int(np.prod(v.shape)) for v in variables)
    return works.Model({name: ops[name] for name in work.ops}, count)


def glow(work: works.Work, variant: str) -> works.Model:
    """Return `tfb.Glow` with its default exit networks."""
    jit, shape = {"jit_compile": variant == "xla"}, (work.size, work.size, 3)
    x, seed = tf.constant((works.pictures(work) - 128.0) / 256.0), tf.constant([1, 2])

    class Network(tfb.GlowDefaultNetwork):
        def __init__(self, input_shape: Any) -> None:
            super().__init__(input_shape, num_hidden=work.hidden[0])

    bijector = tfb.Glow(
        output_shape=shape,
        num_glow_blocks=works.LEVELS,
        num_steps_per_block=work.layers,
        coupling_bijector_fn=Network,
        exit_bijector_fn=tfb.GlowDefaultExitNetwork,
    )
    zeros = tf.zeros(int(np.prod(shape)))
    base = tfd.MultivariateNormalDiag(zeros, zeros + 1)
    flow = tfd.TransformedDistribution(base, bijector)
    flow.log_prob(x[:2])  # makes its variables
    # Keras networks are hidden from `tf.Module`: what is used is watched instead.
    with tf.GradientTape() as tape:
        flow.log_prob(x[:2])
    variables = list(tape.watched_variables())
    optimizer = tf_keras.optimizers.Adam(works.LEARNING_RATE, jit_compile=False)
    optimizer.build(variables)

    @tf.function(**jit)
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(x))
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    log_prob = tf.function(flow.log_prob, **jit)
    sample = tf.function(lambda seed: flow.sample(work.batch, seed=seed), **jit)
    ops = {
        "log_prob": lambda: log_prob(x),
        "sample": lambda: sample(seed),
        "step": step,
    }
    count = sum(int(np.prod(v.shape)) for v in variables)
    note = "other priors of the levels"
    return works.Model({name: ops[name] for name in work.ops}, count, count, note=note)


def masked(work: works.Work) -> tuple[list[Any], list[Any]]:
    """Return masked autoregressive layers and their variables."""
    layers: list[Any] = []
    variables: list[Any] = []
    for i in range(work.layers):
        made = tfb.AutoregressiveNetwork(
            params=2, hidden_units=list(work.hidden), activation="relu"
        )
        made.build([None, work.size])
        variables += made.trainable_variables
        layer = tfb.MaskedAutoregressiveFlow(made)
        layers.append(tfb.Invert(layer) if work.kind == "iaf" else layer)
        if i + 1 < work.layers:
            layers.append(tfb.Permute(list(range(work.size))[::-1]))
    return layers, variables


def coupling(work: works.Work) -> tuple[list[Any], list[Any]]:
    """Return coupling layers between permutations, and their variables."""
    layers: list[Any] = []
    variables: list[Any] = []
    for mask, shapes in zip(works.masks(work), works.shapes(work), strict=True):
        kernels = [
            tf.Variable(tf.random.normal([n, m], stddev=0.3 / n**0.5), dtype=work.dtype)
            for m, n in shapes
        ]
        biases = [tf.Variable(tf.zeros([m], work.dtype)) for m, _ in shapes]
        variables += kernels + biases
        layer = tfb.RealNVP(
            num_masked=sum(mask), bijector_fn=conditional(work, kernels, biases)
        )
        if mask[0]:
            layers.append(layer)
            continue
        half = work.size - sum(mask)
        swap = [*range(half, work.size), *range(half)]
        layers += [tfb.Invert(tfb.Permute(swap)), layer, tfb.Permute(swap)]
    return layers, variables


def conditional(work: works.Work, kernels: list[Any], biases: list[Any]) -> Any:
    """Return what gives the scalar maps for the kept coordinates."""

    def dense(i: int, x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(x, kernels[i]) + biases[i]

    def bijector(x: tf.Tensor, units: int, **_: Any) -> Any:
        last = len(kernels) - 1
        x = dense(0, x)
        if work.residual:
            for i in range(1, last, 2):
                x += dense(i + 1, tf.nn.relu(dense(i, tf.nn.relu(x))))
        else:
            for i in range(1, last):
                x = dense(i, tf.nn.relu(x))
        out = dense(last, tf.nn.relu(x))
        if not work.bins:
            shift, log_scale = tf.split(out, 2, axis=-1)
            return tfb.Chain([tfb.Shift(shift), tfb.Scale(log_scale=log_scale)])
        out = tf.reshape(out, [-1, units, work.per_scalar])
        return spline(*tf.split(out, [work.bins, work.bins, work.bins - 1], axis=-1))

    return bijector


def spline(widths: tf.Tensor, heights: tf.Tensor, slopes: tf.Tensor) -> Any:
    """Return TFP's spline from unconstrained numbers, as its documentation does."""
    free = 1.0 - MINIMUM * widths.shape[-1]
    size = 2 * works.BOUND
    return tfb.RationalQuadraticSpline(
        size * (MINIMUM + free * tf.nn.softmax(widths)),
        size * (MINIMUM + free * tf.nn.softmax(heights)),
        MINIMUM + tf.nn.softplus(slopes),
        range_min=-works.BOUND,
    )


def splines(work: works.Work, jit: dict[str, bool], folder: Path) -> works.Model:
    """Return the model of splines."""
    knots = np.load(folder / f"{work.name}.npz")
    arrays = (
        knots["x"],
        works.softmax_logits(knots["widths"], MINIMUM),
        works.softmax_logits(knots["heights"], MINIMUM),
        works.softplus_inverse(knots["slopes"] - MINIMUM),
    )
    given = [tf.constant(works.repeat(values, work)) for values in arrays]

    @tf.function(**jit)
    def forward(x: tf.Tensor, *params: tf.Tensor) -> Any:
        bijector = spline(*params)
        return bijector.forward(x), bijector.forward_log_det_jacobian(x)

    @tf.function(**jit)
    def inverse(y: tf.Tensor, *params: tf.Tensor) -> Any:
        bijector = spline(*params)
        return bijector.inverse(y), bijector.inverse_log_det_jacobian(y)

    @tf.function(**jit)
    def gradient(*given: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            y, log_det = forward(*given)
            loss = tf.reduce_sum(y + log_det)
        return tape.gradient(loss, given)

    # In float64: it is the maps that must agree, not their rounding.
    exact = [tf.constant(values) for values in arrays]
    outputs = {
        f"{name} {part}": value.numpy()
        for name, function in (("forward", forward), ("inverse", inverse))
        for part, value in zip(("value", "log-det"), function(*exact), strict=True)
    }
    ops = {
        "forward": lambda: forward(*given),
        "inverse": lambda: inverse(*given),
        "gradient": lambda: gradient(*given),
    }
    return works.Model(ops, outputs=outputs)
