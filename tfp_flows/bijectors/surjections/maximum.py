"""The largest coordinate, with the others drawn below it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks
from tfp_flows._types import Given, Seed
from tfp_flows.bijectors.surjections.base import Preimages, Surjection

__all__ = ["Maximum"]


class Maximum(Surjection):
    """Keep the largest of `D` coordinates, and draw the others below it.

    `z` is the maximum. Each coordinate is the largest one equally often, and the others
    lie below by gaps of a density given `z`. The density of `x` is exact, and costs one
    of the base and one of the gaps.

    Args:
        size: Number `D` of coordinates, at least 2.
        gaps: `(z, condition) -> tfd.Distribution` over `[D - 1]` numbers above 0, such
            as a `GammaGiven`, or the density of a conditional flow.
        name: Name.

    Raises:
        ValueError: If `size` is below 2.

    Shapes:
        `[..., 1]` to `[..., D]`. Of two coordinates that are largest, the first counts
        as the maximum, with a gap that is the smallest number above 0.

    Example:
        >>> from tfp_flows import bijectors, networks
        >>> gaps = bijectors.GammaGiven(networks.MLP(1, (2, 2), (8,), seed=0))
        >>> largest = bijectors.Maximum(3, gaps)
        >>> found = largest.preimages([[1.0, 4.0, 2.0]])
        >>> found.z.numpy().tolist(), round(float(found.log_weight[0, 0]), 4)
        ([[[4.0]]], -6.0986)

    References:
        Nielsen et al. (2020). SurVAE Flows. https://arxiv.org/abs/2007.02731, section
        3.2 and appendix B.3
    """

    is_bound = False

    def __init__(
        self,
        size: int,
        gaps: Callable[..., tfd.Distribution],
        *,
        name: str = "maximum",
    ) -> None:
        super().__init__(name=name)
        _checks.at_least(size, 2, "size")
        self.size = int(size)
        self.gaps = gaps
        self.condition_shape = getattr(gaps, "condition_shape", None)

    def inverse_size(self, size: int) -> int:
        """Return 1: there is one maximum."""
        self._require_size(size, self.size, "x")
        return 1

    def forward_size(self, size: int) -> int:
        """Return the number of coordinates of `x`."""
        self._require_size(size, 1, "z")
        return self.size

    def _forward(self, z: tf.Tensor, condition: Given, seed: Seed) -> tf.Tensor:
        gap_seed, place_seed = tfp.random.split_seed(seed, 2)
        others = z - self.gaps(z, condition).sample(seed=gap_seed)
        place = tf.random.stateless_uniform(
            tf.shape(z), place_seed, maxval=self.size, dtype=tf.int32
        )
        at = tf.range(self.size)
        # The others in their order, with the maximum in between.
        first = tf.concat([others, z], axis=-1)
        last = tf.concat([z, others], axis=-1)
        return tf.where(at < place, first, tf.where(at > place, last, z))

    def _preimages(
        self, x: tf.Tensor, condition: Given, seed: Seed, num_draws: int | None
    ) -> Preimages:
        del seed, num_draws  # the only point there is
        z = tf.reduce_max(x, axis=-1, keepdims=True)
        place = tf.argmax(x, axis=-1, output_type=tf.int32)[..., tf.newaxis]
        others = tf.where(tf.range(self.size - 1) < place, x[..., :-1], x[..., 1:])
        least = np.finfo(x.dtype.as_numpy_dtype).tiny
        gaps = tf.maximum(z - others, least)
        log_weight = self.gaps(z, condition).log_prob(gaps) - math.log(self.size)
        return Preimages(z[tf.newaxis], log_weight[tf.newaxis])
