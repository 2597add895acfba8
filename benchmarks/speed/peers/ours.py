"""tfp_flows as a user calls it: by default (`graph`), and through XLA (`xla`).

`checkpoint` is as `xla`, but keeps the inputs of layers only for the gradient.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import devices
import keras
import numpy as np
import tensorflow as tf
import works

from tfp_flows import bijectors, flows

__all__ = ["build", "family", "glow"]

FLOWS = {
    "spline-coupling": flows.NeuralSplineFlow,
    "affine-coupling": flows.RealNVP,
    "maf": flows.MaskedAutoregressiveFlow,
    "iaf": flows.InverseAutoregressiveFlow,
}


def build(work: works.Work, variant: str, folder: Path) -> works.Model:
    """Return the model of a work."""
    if work.kind == "spline":
        return splines(work, variant, folder)
    options: dict[str, Any] = {"num_bins": work.bins} if work.bins else {}
    flow = FLOWS[work.kind](
        work.size,
        num_layers=work.layers,
        hidden_units=work.hidden,
        mixing="none",
        checkpoint=variant == "checkpoint",
        dtype=work.dtype,
        seed=0,
        **options,
    )
    return of_flow(work, flow, variant)


def of_flow(work: works.Work, flow: Any, variant: str) -> works.Model:
    """Return the model of a flow of vectors."""
    x = tf.constant(works.data(work))
    seed = tf.constant([1, 2])
    step = {"custom loop, XLA": custom_step(flow, work, x)}
    if work.kind == "iaf":
        step = {"custom loop, XLA": reverse_step(flow, work)}
    elif not devices.on_gpu():
        step["train_on_batch"] = keras_step(flow, x)
    ops: dict[str, Any] = {"step": step, "sample_gradient": gradient(flow, work, seed)}
    jit = {"jit_compile": variant != "graph"}
    ops["log_prob"] = lambda: flow.log_prob(x, **jit)
    ops["sample"] = lambda: flow.sample(work.batch, seed=1, **jit)
    count = sum(int(np.prod(v.shape)) for v in flow.trainable_variables)
    return works.Model({name: ops[name] for name in work.ops}, count)


def family(work: works.Work, variant: str) -> works.Model:
    """Return a flow that few libraries have."""
    options: dict[str, Any] = {"hidden_units": work.hidden} if work.hidden else {}
    if work.kind == "cnf":
        solver = {"num_steps": None, "tolerance": works.TOLERANCE, "adjoint": True}
        options |= {"num_frequencies": works.FREQUENCIES, "frequency": 0.0, **solver}
    flow = flows.build(
        work.kind,
        work.size,
        num_layers=work.layers,
        dtype=work.dtype,
        seed=0,
        **options,
    )
    if work.kind == "cnf":
        for variable, value in zip(
            flow.trainable_variables, works.field(work), strict=True
        ):
            variable.assign(value)
    model = of_flow(work, flow, variant)
    model.wanted = model.parameters
    return model


def glow(work: works.Work, variant: str) -> works.Model:
    """Return Glow without what the others lack: positions and the logit."""
    flow = flows.build(
        "glow",
        (work.size, work.size, 3),
        num_levels=works.LEVELS,
        num_steps=work.layers,
        hidden_units=work.hidden,
        positions=False,
        logit_alpha=None,
        checkpoint=variant == "checkpoint",
        dtype=work.dtype,
        seed=0,
    )
    x = tf.constant(works.pictures(work))
    flow.adapt(x)
    jit = {"jit_compile": variant == "xla"}
    flow.compile(keras.optimizers.Adam(works.LEARNING_RATE), **jit)
    ops = {
        "log_prob": lambda: flow.log_prob(x, **jit),
        "sample": lambda: flow.sample(work.batch, seed=0, **jit),
        "step": lambda: flow.train_on_batch(x),
    }
    count = sum(int(np.prod(v.shape)) for v in flow.trainable_variables)
    return works.Model({name: ops[name] for name in work.ops}, count, count)


def custom_step(flow: Any, work: works.Work, x: tf.Tensor) -> Any:
    """Return a training step by a loop of one's own."""
    return compiled_step(flow, lambda: -tf.reduce_mean(flow(x, training=True)))


def reverse_step(flow: Any, work: works.Work) -> Any:
    """Return a step of variational inference: towards a shifted normal density."""
    generator = tf.random.Generator.from_seed(1)

    def loss() -> tf.Tensor:
        seed = generator.make_seeds(1)[:, 0]
        y, log_q = flow.distribution().experimental_sample_and_log_prob(
            work.batch, seed=tf.cast(seed, tf.int32)
        )
        log_p = -0.5 * tf.reduce_sum(tf.square(y - 1.0), axis=-1)
        return tf.reduce_mean(log_q - log_p)

    return compiled_step(flow, loss)


def compiled_step(flow: Any, loss: Any) -> Any:
    """Return one step of Adam down a loss, compiled by XLA."""
    variables = flow.trainable_variables
    optimizer = keras.optimizers.Adam(works.LEARNING_RATE)
    optimizer.build(variables)

    @tf.function(jit_compile=True)
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss()
        gradients = tape.gradient(value, [v.value for v in variables])
        optimizer.apply(gradients, variables)
        return value

    return step


def keras_step(flow: Any, x: tf.Tensor) -> Any:
    """Return a training step by Keras."""
    flow.compile(optimizer=keras.optimizers.Adam(works.LEARNING_RATE))
    return lambda: flow.train_on_batch(x)


def gradient(flow: Any, work: works.Work, seed: tf.Tensor) -> Any:
    """Return the gradient of a mean over samples, for every weight."""
    variables = [v.value for v in flow.trainable_variables]

    @tf.function(jit_compile=True)
    def call() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            y = flow.distribution().sample(work.batch, seed=seed)
            loss = tf.reduce_mean(tf.square(y))
        return tape.gradient(loss, variables)

    return call


def splines(work: works.Work, variant: str, folder: Path) -> works.Model:
    """Return splines by the transformer of the flows, parameter axis first.

    Their knots are the reference for all libraries, and lie in `folder`.
    """
    bound = works.BOUND
    transformer = bijectors.RationalQuadratic(work.bins, -bound, bound)
    rng = np.random.default_rng(3)
    raw = rng.normal(size=(works.SPLINES, work.per_scalar))
    reference = bijectors.RationalQuadraticSpline.from_unconstrained(
        tf.constant(raw), range_min=-bound, range_max=bound
    )
    np.savez(
        folder / f"{work.name}.npz",
        x=works.positions(),
        widths=reference.bin_widths.numpy() / (2 * bound),
        heights=reference.bin_heights.numpy() / (2 * bound),
        slopes=reference.knot_slopes.numpy(),
    )
    x = tf.constant(works.repeat(works.positions(), work))
    params = tf.constant(np.ascontiguousarray(works.repeat(raw, work).T))
    jit = {"jit_compile": variant != "graph"}
    forward = tf.function(transformer.forward, **jit)
    inverse = tf.function(transformer.inverse, **jit)

    @tf.function(**jit)
    def gradient(x: tf.Tensor, params: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([x, params])
            y, log_det = transformer.forward(x, params)
            loss = tf.reduce_sum(y + log_det)
        return tape.gradient(loss, [x, params])

    # In float64: it is the maps that must agree, not their rounding.
    exact = tf.constant(works.positions()), tf.constant(raw.T)
    named = {"forward": forward, "inverse": inverse}
    outputs = {
        f"{name} {part}": value.numpy()
        for name, function in named.items()
        for part, value in zip(("value", "log-det"), function(*exact), strict=True)
    }
    calls: dict[str, Any] = {
        "forward": lambda: forward(x, params),
        "inverse": lambda: inverse(x, params),
        "gradient": lambda: gradient(x, params),
    }
    return works.Model(calls, outputs=outputs)
