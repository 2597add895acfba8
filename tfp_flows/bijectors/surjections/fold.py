"""The absolute value, with signs that are drawn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Given, Seed
from tfp_flows.bijectors.surjections.base import Preimages, Surjection

__all__ = ["AbsoluteValue"]

# There are 2 ** 8 points to evaluate for each event.
MAX_AXES = 8


class AbsoluteValue(Surjection):
    """Keep the absolute value of some coordinates, and draw their signs anew.

    `x = s * abs(z)` with signs `s` of either sort alike, or of probabilities that a
    network has learned from the absolute values. Without one the density of `x` is the
    same on both sides of 0. It is exact, for any density of `z`: the sum over all
    `2^A` signs that `z` may have had, where `A` is the number of coordinates.

    Sampling costs one sample of the base, the density `2^A` of its.

    Args:
        axes: Positions of the coordinates, at most 8.
        signs: Network `(inputs, condition) -> [..., A, 1]` that gives the log-odds of
            signs above 0 from `inputs`, events whose `axes` are absolute values;
            `None` for signs of either sort alike.
        name: Name.

    Raises:
        ValueError: If `axes` are none, too many, negative, or one is there twice.

    Shapes:
        `[..., D]` to `[..., D]`.

    Example:
        >>> from tfp_flows import bijectors
        >>> fold = bijectors.AbsoluteValue((0,))
        >>> fold.preimages([[-3.0, 1.0]]).z.numpy().tolist()
        [[[3.0, 1.0]], [[-3.0, 1.0]]]

    References:
        Nielsen et al. (2020). SurVAE Flows. https://arxiv.org/abs/2007.02731, section
        3.2 and appendix B.2
    """

    is_bound = False

    def __init__(
        self,
        axes: Sequence[int],
        signs: Callable[..., tf.Tensor] | None = None,
        *,
        name: str = "absolute_value",
    ) -> None:
        super().__init__(name=name)
        self.axes = tuple(int(axis) for axis in np.atleast_1d(axes))
        if not 1 <= len(self.axes) <= MAX_AXES or min(self.axes) < 0:
            msg = (
                f"`axes` must be 1 to {MAX_AXES} positions of coordinates from 0 on, "
                f"got {list(self.axes)}. Each doubles the cost of a density."
            )
            raise ValueError(msg)
        if len(set(self.axes)) < len(self.axes):
            msg = f"`axes` must name each coordinate once, got {list(self.axes)}."
            raise ValueError(msg)
        self.signs = signs
        self.num_preimages = 2 ** len(self.axes)
        self.condition_shape = getattr(signs, "condition_shape", None)
        self.is_reparameterized = signs is None

    def inverse_size(self, size: int) -> int:
        """Return the number of coordinates, which stays."""
        _checks.at_least(size, max(self.axes) + 1, "the size of events")
        return size

    def forward_size(self, size: int) -> int:
        """Return the number of coordinates, which stays."""
        return self.inverse_size(size)

    def _changed(self, x: tf.Tensor, signs: tf.Tensor) -> tf.Tensor:
        """Return events with signs `[..., A]` on absolute values of the axes."""
        parts = tf.unstack(x, axis=-1)
        for place, axis in enumerate(self.axes):
            parts[axis] = tf.abs(parts[axis]) * signs[..., place]
        return tf.stack(parts, axis=-1)

    def _log_odds(
        self, folded: tf.Tensor, condition: tf.Tensor | None
    ) -> tf.Tensor | None:
        """Return the log-odds of signs above 0, `[..., A]`."""
        if self.signs is None:
            return None
        more = () if condition is None else (condition,)
        return self.signs(folded, *more)[..., 0]

    def _forward(self, z: tf.Tensor, condition: Given, seed: Seed) -> tf.Tensor:
        ones = tf.ones_like(z[..., : len(self.axes)])
        log_odds = self._log_odds(self._changed(z, ones), condition)
        share = 0.5 * ones if log_odds is None else tf.sigmoid(log_odds)
        noise = tf.random.stateless_uniform(
            tf.shape(share), tfp.random.sanitize_seed(seed), dtype=z.dtype
        )
        return self._changed(z, tf.where(noise < share, ones, -ones))

    def _preimages(
        self, x: tf.Tensor, condition: Given, seed: Seed, num_draws: int | None
    ) -> Preimages:
        del seed, num_draws  # all points there are
        count = len(self.axes)
        ones = tf.ones_like(x[..., :count])
        signs = itertools.product((1.0, -1.0), repeat=count)
        z = tf.stack([self._changed(x, ones * tf.constant(s, x.dtype)) for s in signs])
        log_odds = self._log_odds(self._changed(x, ones), condition)
        if log_odds is None:
            log_weight = tf.zeros_like(x[..., 0]) - count * math.log(2.0)
        else:
            own = tf.gather(x, self.axes, axis=-1)
            log_odds = tf.where(own < 0.0, -log_odds, log_odds)
            log_weight = tf.reduce_sum(tf.math.log_sigmoid(log_odds), axis=-1)
        return Preimages(z, tf.broadcast_to(log_weight, tf.shape(z)[:-1]))
