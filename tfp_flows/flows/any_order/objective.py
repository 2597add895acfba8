"""Random masks: what a flow that answers for any split of columns trains by."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _serialize
from tfp_flows.flows._model import objective
from tfp_flows.flows._model.batch import Batch
from tfp_flows.flows.any_order import chain, lines

__all__ = ["RandomMasks"]


@_serialize.register()
class RandomMasks(objective.Objective):
    """The mean negative log-likelihood over all orders of the columns.

    Of each row a random number of cells, at random places, is seen, and the densities
    of the others given these are asked for, all by one pass. Weighed by the number of
    cells over that of those asked for, the sum is an unbiased estimate of the mean over
    orders of the negative log-likelihood, in nats per row. Missing cells are never seen
    and never asked for.

    Args:
        name: Name.

    Raises:
        ValueError: If the flow is none that takes masks.

    Example:
        >>> import tfp_flows as tfpf
        >>> x = tfpf.datasets.toy("banana", 500, seed=0)
        >>> flow = tfpf.flows.build("any-order", 2, hidden_units=(8,), seed=0)
        >>> flow, history = tfpf.fit(
        ...     flow, x, objective=tfpf.training.RandomMasks(), epochs=1, verbose=0)

    References:
        Uria, Murray, Larochelle (2014). A Deep and Tractable Density Estimator.
        https://arxiv.org/abs/1310.1757, eq. 12
    """

    def loss(
        self, flow: Any, batch: Batch | None, *, seed: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """Return the estimate for random orders."""
        del step
        if not hasattr(flow, "embedded"):
            msg = (
                "`flow` must take masks for `RandomMasks`, got a "
                f"`{type(flow).__name__}`. Take 'any-order'."
            )
            raise ValueError(msg)
        if batch is None or batch.x is None:
            msg = "`x` must be given: likelihood is that of data. Pass the events."
            raise ValueError(msg)
        x = tf.cast(batch.x, flow.variable_dtype)
        rows = lines.positions(flow, x)
        seen, weights = _masks(~rows.missing, seed, x.dtype)
        condition = flow.embedded(batch.condition, tf.shape(x)[0])
        terms = chain.terms_given(flow, rows, seen, condition)
        terms = tf.where(seen | rows.missing, tf.zeros_like(terms), terms)
        return -batch.mean(weights * tf.reduce_sum(terms, axis=0))


def _masks(
    present: tf.Tensor, seed: tf.Tensor, dtype: tf.DType
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return which cells are seen, `[D, N]`, and the weights of the rows, `[N]`.

    How many are seen is spread evenly over the rows of a batch.
    """
    seeds = tfp.random.split_seed(seed, 2)
    count = tf.shape(present)[1]
    keys = tf.random.stateless_uniform(tf.shape(present), seeds[0], dtype=dtype)
    keys = tf.where(present, keys, 2.0 + keys)
    # Ranks by comparisons: XLA sorts slowly on a CPU.
    lower = keys[tf.newaxis] < keys[:, tf.newaxis]
    ranks = tf.reduce_sum(tf.cast(lower, dtype), axis=1)
    own = tf.random.stateless_uniform([count], seeds[1], dtype=dtype)
    strata = (tf.cast(tf.range(count), dtype) + own) / tf.cast(count, dtype)
    number = tf.reduce_sum(tf.cast(present, dtype), axis=0)
    largest = 1.0 - float(np.finfo(dtype.as_numpy_dtype).eps)
    known = tf.floor(tf.minimum(strata, largest) * number)
    seen = (ranks < known) & present
    return seen, number / tf.maximum(number - known, 1.0)
