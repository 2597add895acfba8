"""Marginal densities of a flow by importance sampling."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _arrays
from tfp_flows._types import Seed, TensorLike
from tfp_flows.flows._model.query_lines import Lines, Query, joined
from tfp_flows.math import proposals
from tfp_flows.math.gaussianization import components

__all__ = ["Marginal"]

# Points of one call: bounds the memory that networks take.
POINTS = 2**16
# A mean of fewer draws in effect is no more than a guess.
FEWEST = 10.0


class Marginal(Query):
    """The density of some columns: the others are integrated by importance sampling.

    Draws are exact. `log_prob` is the mean of `num_draws` weights per row, whose error
    `effective_sample_size` tells; it varies with `seed` only.

    Args:
        flow: The flow.
        places: Positions of the columns.
        condition: Of the flow, if it needs one.
        num_draws: Draws of the other columns for each row.
        seed: Int that fixes them.
        mixture: A mixture near the density, if one is known.
        validate_args: Whether to run value checks.
        name: Name.
    """

    _parameter_properties = Query.parameter_properties

    def __init__(
        self,
        flow: Any,
        places: Sequence[int],
        *,
        condition: Any = None,
        num_draws: int = 1024,
        seed: int = 0,
        mixture: components.Components | None = None,
        validate_args: bool = False,
        name: str = "marginal",
    ) -> None:
        parameters = dict(locals())
        self._flow, self._condition = flow, condition
        self._set_columns(flow, places)
        self._rest = tuple(i for i in range(flow.event_size) if i not in places)
        self._num_draws = num_draws
        self._draws_seed, self._known_mixture = seed, mixture
        super().__init__(
            dtype=tf.as_dtype(flow.variable_dtype),
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @functools.cached_property
    def _parts(self) -> tuple[Lines, proposals.Conditionals, np.ndarray]:
        with tf.init_scope():  # what is kept must not belong to one graph
            lines = Lines(self._flow, self._condition)
            mixture = self._known_mixture or lines.mixture(self._draws_seed)
            part = proposals.Conditionals(
                mixture, self._places, self._rest, lines.dtype
            )
            size = part.num_uniforms + len(self._places)
            uniforms = proposals.points(self._num_draws, size, self._draws_seed)
        return lines, part, uniforms

    def _sample_n(self, n: tf.Tensor, seed: Seed = None) -> tf.Tensor:
        density = self._flow.distribution(self._condition)
        return tf.gather(density.sample(n, seed=seed), self._places, axis=-1)

    def _log_weights(self, x: tf.Tensor) -> tf.Tensor:
        """Return log-weights of the draws for each row, `[N, S]`."""
        lines, part, uniforms = self._parts
        own = tf.constant(uniforms[:, part.num_uniforms :], lines.dtype)
        spread, middle, log_det = lines.of_columns(x, self._places, own)
        others, log_q = part.draw(part.given(middle), uniforms[:, : part.num_uniforms])
        full = joined([spread, others], [self._places, self._rest])
        # What the mixture thinks far off may be no number to the flow.
        return lines.log_prob(full) - log_q + log_det

    def _log_mean_and_size(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return log-densities and effective numbers of draws, `[...]` each."""
        rows = tf.reshape(tf.cast(x, self.dtype), [-1, len(self._places)])
        size = max(1, POINTS // self._num_draws)
        count = rows.shape[0]
        if count is None or count <= size:
            found = _mean_and_size(self._log_weights(rows))
        else:
            pad = -count % size  # all blocks alike, so that one trace serves them
            rows = tf.concat([rows, tf.repeat(rows[-1:], pad, axis=0)], axis=0)
            blocks = [rows[i : i + size] for i in range(0, count, size)]
            parts = [_mean_and_size(self._log_weights(block)) for block in blocks]
            found = tf.concat(parts, axis=0)[:count]
        shape = tf.shape(x)[:-1]
        return tf.reshape(found[:, 0], shape), tf.reshape(found[:, 1], shape)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        if not self._rest:
            density = self._flow.distribution(self._condition)
            return density.log_prob(tf.gather(x, np.argsort(self._places), axis=-1))
        log_prob, sizes = self._log_mean_and_size(x)
        if tf.executing_eagerly():
            few = int(tf.reduce_sum(tf.cast(sizes < FEWEST, tf.int32)))
            if few:
                msg = (
                    f"{few} of {int(tf.size(sizes))} log-densities of "
                    f"{list(self.columns)} are means of fewer than {FEWEST:g} draws in "
                    f"effect. Take more than num_draws={self._num_draws}."
                )
                warnings.warn(msg, UserWarning, stacklevel=4)
        return log_prob

    def effective_sample_size(self, x: TensorLike) -> tf.Tensor:
        """Return how many draws in effect make each log-density, of `num_draws`.

        Args:
            x: Values of the columns, `[..., A]`.

        Returns:
            `[...]`; the error of a log-density is near one over its root.
        """
        x = _arrays.as_tensor(x, self.dtype, "x")
        if not self._rest:
            return tf.fill(tf.shape(x)[:-1], tf.cast(self._num_draws, self.dtype))
        return self._log_mean_and_size(x)[1]


def _mean_and_size(log_weights: tf.Tensor) -> tf.Tensor:
    """Return the log-mean of weights `[N, S]` and how many count, `[N, 2]`."""
    total = tf.reduce_logsumexp(log_weights, axis=-1)
    count = tf.cast(tf.shape(log_weights)[-1], log_weights.dtype)
    lost = tf.math.is_inf(total)
    zeros = tf.zeros_like(total)
    square = tf.reduce_logsumexp(2.0 * log_weights, axis=-1)
    difference = tf.where(lost, zeros, 2.0 * total) - tf.where(lost, zeros, square)
    # No density at all is a fact, not a bad estimate.
    size = tf.where(lost, count, tf.exp(difference))
    return tf.stack([total - tf.math.log(count), size], axis=-1)
