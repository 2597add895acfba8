"""A flow and a classifier on its base variable as one Keras model."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _context, flows
from tfp_flows.bijectors._core.base import inverse_and_log_det
from tfp_flows.training import choices
from tfp_flows.training.callbacks.stopping import StopEarly, StopOnNonFinite
from tfp_flows.training.data.batches import shuffled

__all__ = ["Hybrid", "base_of_classes", "batches", "defaults", "log_joint", "train"]

# So many standard deviations lie between the nearest two components at the start: one
# map can then keep classes apart that overlap as they come.
SEPARATION = 4.0
# Validation rows of one call.
VALIDATION = 4_096


def defaults(name: str, size: int) -> dict[str, Any]:
    """Return the options of a flow that suit a classifier, where the flow has them.

    Args:
        name: Of the flow.
        size: Number of columns; two are too few to remember rows by.
    """
    policy = flows.flow_class(name).fit_policy
    known = inspect.signature(flows.flow_class(name)).parameters
    found: dict[str, Any] = {"dropout": policy.dropout if size > 2 else 0.0}
    if policy.base is not None:
        found["base"] = policy.base
    return {key: value for key, value in found.items() if key in known}


def base_of_classes(x: np.ndarray, labels: np.ndarray, dtype: str) -> tfd.Distribution:
    """Return a normal component for each class, at the mean of its rows.

    Args:
        x: Rows with labels, standardised, `[n, d]`.
        labels: Their classes, `[n]`, from 0.
        dtype: Of the variables.
    """
    count = labels.max() + 1
    means = np.stack([x[labels == k].mean(axis=0) for k in range(count)])
    means = means - means.mean(axis=0)
    apart = np.sqrt(((means[:, None] - means[None]) ** 2).sum(axis=-1))
    nearest = apart[~np.eye(count, dtype=bool)].min() if count > 1 else SEPARATION
    if 0.0 < nearest < SEPARATION:
        means *= SEPARATION / nearest
    loc = tf.Variable(means, dtype=dtype, name="class_loc")
    logits = tf.Variable(np.zeros(count), dtype=dtype, name="class_logits")
    components = tfd.Independent(tfd.Normal(loc, tf.ones((), dtype)), 1)
    return tfd.MixtureSameFamily(tfd.Categorical(logits=logits), components)


def log_joint(
    flow: flows.Flow, x: tf.Tensor, kernel: Any = None, bias: Any = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `log p(x)`, `[n]`, and `log p(y|x)`, `[n, K]`, by one pass of the flow.

    Args:
        flow: The flow of rows.
        x: Rows, `[n, d]`.
        kernel: Weights of a softmax of the base variable, `[d, K]`; `None` where the
            base density has a component for each class.
        bias: Its bias, `[K]`.
    """
    z, log_det = inverse_and_log_det(flow.bijector(), x, event_ndims=1)
    base = flow.base.distribution()
    if kernel is None:
        parts = base.components_distribution.log_prob(z[..., tf.newaxis, :])
        parts += tf.nn.log_softmax(base.mixture_distribution.logits_parameter())
        log_prob = tf.reduce_logsumexp(parts, axis=-1)
        return log_prob + log_det, parts - log_prob[..., tf.newaxis]
    log_classes = tf.nn.log_softmax(tf.linalg.matmul(z, kernel) + bias)
    return base.log_prob(z) + log_det, log_classes


class Hybrid(keras.Model):
    """Joint log-densities of rows and classes, trained as a classifier and a density.

    The loss of a row is `-log p(y|x) - weight * log p(x)`, without the first term for
    rows whose class is not known: their targets are zeros.

    Args:
        flow: The flow of rows.
        count: Number of classes.
        weight: Weight of `log p(x)`.
        is_linear: Whether classes are a softmax of the base variable; else the base
            density has a component for each.

    References:
        Nalisnick et al. (2019). Hybrid Models with Deep and Invertible Features.
        https://arxiv.org/abs/1902.02767, eq. 4
    """

    def __init__(
        self, flow: flows.Flow, count: int, weight: float, *, is_linear: bool
    ) -> None:
        # Fixed names: `training.choices.OPTIMIZER_NAME` says why.
        super().__init__(name="hybrid", dtype=flow.variable_dtype, autocast=False)
        self.flow = flow
        self.weight = weight
        self.kernel = self.bias = None
        if is_linear:
            shape = (flow.event_size, count)
            self.kernel = self.add_weight(shape, initializer="zeros", name="kernel")
            self.bias = self.add_weight((count,), initializer="zeros", name="bias")
        self.built = True

    def call(self, inputs: Any, training: Any = None) -> tf.Tensor:
        """Return `log p(x, y)` for each class, `[n, K]`."""
        with _context.training_scope(bool(training)):
            log_prob, log_classes = log_joint(self.flow, inputs, self.kernel, self.bias)
        return log_prob[..., tf.newaxis] + log_classes

    def loss_of_rows(self, targets: tf.Tensor, joint: tf.Tensor) -> tf.Tensor:
        """Return the loss of each row, `[n]`.

        Args:
            targets: 1 for the class, 0 elsewhere, `[n, K]`.
            joint: `log p(x, y)`, `[n, K]`.
        """
        log_prob = tf.reduce_logsumexp(joint, axis=-1)
        log_classes = joint - log_prob[..., tf.newaxis]
        known = tf.reduce_sum(tf.cast(targets, joint.dtype) * log_classes, axis=-1)
        return -known - self.weight * log_prob


def batches(
    x: np.ndarray, targets: np.ndarray, size: int, noise: float, seed: int
) -> tf.data.Dataset:
    """Return batches without end, half of them labelled rows where others are not.

    Args:
        x: Rows, `[n, d]`.
        targets: 1 for the class, zeros for none, `[n, K]`.
        size: Rows of a batch.
        noise: Standard deviation of the noise on rows, in those of the columns.
        seed: Int.
    """
    labelled = targets.any(axis=1)
    shares = [(labelled, size)]
    if not labelled.all():
        shares = [(labelled, size - size // 2), (~labelled, max(1, size // 2))]
    streams = []
    for k, (rows, count) in enumerate(shares):
        data = tf.data.Dataset.from_tensor_slices((x[rows], targets[rows]))
        data = shuffled(data, int(rows.sum()), seed + k).repeat().batch(count)
        streams.append(data)
    dataset = streams[0]
    if len(streams) > 1:
        dataset = tf.data.Dataset.zip(tuple(streams)).map(
            lambda a, b: (
                tf.concat([a[0], b[0]], axis=0),
                tf.concat([a[1], b[1]], axis=0),
            )
        )
    if noise:
        scale = tf.constant(noise * x.std(axis=0), x.dtype)
        generator = tf.random.Generator.from_seed(seed)
        dataset = dataset.map(
            lambda rows, y: (
                rows + scale * generator.normal(tf.shape(rows), dtype=rows.dtype),
                y,
            )
        )
    return dataset.prefetch(2)


def train(
    model: Hybrid,
    data: tuple[np.ndarray, np.ndarray],
    held_out: Any,
    *,
    updates: int,
    batch_size: int,
    learning_rate: float,
    patience: int | None,
    noise: float,
    seed: int,
    verbose: Any,
) -> keras.callbacks.History:
    """Train, and stop early where rows are held out.

    Args:
        model: The model, whose flow knows its scales.
        data: Rows and targets.
        held_out: Rows and targets for early stopping, or `None`.
        updates: Most updates.
        batch_size: Rows per update.
        learning_rate: Highest learning rate.
        patience: Epochs without improvement before training stops.
        noise: As of `batches`.
        seed: Int.
        verbose: As in `keras.Model.fit`.
    """
    model.compile(
        choices.make_optimizer(learning_rate, 1e-4, updates), loss=model.loss_of_rows
    )
    steps = min(updates, max(1, math.ceil(len(data[0]) / batch_size)))
    epochs = math.ceil(updates / steps)
    callbacks: Sequence[Any] = [StopOnNonFinite()]
    if held_out is not None:
        patience = max(10, epochs // 10) if patience is None else patience
        callbacks = [*callbacks, StopEarly(patience)]
        # As a dataset: of arrays in float64 Keras makes float32.
        held_out = tf.data.Dataset.from_tensor_slices(held_out).batch(VALIDATION)
    return model.fit(
        batches(*data, batch_size, noise, seed),
        epochs=epochs,
        steps_per_epoch=steps,
        validation_data=held_out,
        callbacks=callbacks,
        shuffle=False,  # the dataset shuffles itself
        verbose=verbose,
    )
