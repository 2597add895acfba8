"""Coordinates that one side has and the other has not."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import special
from scipy.stats import qmc
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks
from tfp_flows._types import Given, Seed
from tfp_flows.bijectors.surjections.base import Preimages, Surjection
from tfp_flows.bijectors.surjections.given import NormalGiven

__all__ = ["Augment", "Slice"]

LOG_2PI = math.log(2.0 * math.pi)


class Slice(Surjection):
    """Let the base have the first coordinates only, and draw the others given these.

    The density of `x = (z, rest)` is exact: that of `z`, and that of `rest` given `z`.
    What carries little information need not go through all layers, as in multi-scale
    flows of images.

    Args:
        size: Number of coordinates that the base has.
        rest: `(z, condition) -> tfd.Distribution` over the other coordinates, such as a
            `NormalGiven`, or the density of a conditional flow.
        name: Name.

    Raises:
        ValueError: If `size` is below 1.

    Shapes:
        `[..., size]` to `[..., size + R]`, where `[R]` is an event of `rest`.

    Example:
        >>> from tfp_flows import bijectors, networks
        >>> rest = bijectors.NormalGiven(networks.MLP(1, (2, 2), (8,), seed=0))
        >>> cut = bijectors.Slice(1, rest)
        >>> cut.forward([[4.0]], seed=0).shape.as_list()
        [1, 3]

    References:
        Nielsen et al. (2020). SurVAE Flows. https://arxiv.org/abs/2007.02731, table 3
    """

    is_bound = False

    def __init__(
        self,
        size: int,
        rest: Callable[..., tfd.Distribution],
        *,
        name: str = "slice",
    ) -> None:
        super().__init__(name=name)
        _checks.at_least(size, 1, "size")
        self.size = int(size)
        self.rest = rest
        self.condition_shape = getattr(rest, "condition_shape", None)
        self.is_reparameterized = isinstance(rest, NormalGiven)

    @property
    def _rest_size(self) -> int:
        given = (
            () if self.condition_shape is None else (tf.zeros(self.condition_shape),)
        )
        return int(self.rest(tf.zeros([self.size]), *given).event_shape[-1])

    def inverse_size(self, size: int) -> int:
        """Return how many coordinates the base has."""
        _checks.at_least(size, self.size + 1, "the size of events")
        return self.size

    def forward_size(self, size: int) -> int:
        """Return the number of coordinates of `x`."""
        self._require_size(size, self.size, "z")
        return size + self._rest_size

    def _forward(self, z: tf.Tensor, condition: Given, seed: Seed) -> tf.Tensor:
        return tf.concat([z, self.rest(z, condition).sample(seed=seed)], axis=-1)

    def _preimages(
        self, x: tf.Tensor, condition: Given, seed: Seed, num_draws: int | None
    ) -> Preimages:
        del seed, num_draws  # the only point there is
        z = x[..., : self.size]
        log_weight = self.rest(z, condition).log_prob(x[..., self.size :])
        return Preimages(z[tf.newaxis], log_weight[tf.newaxis])


class Augment(Surjection):
    """Let the base have further coordinates, noise that is dropped on the way to data.

    `z = (x, e)`: samples are slices of those of the base. The density of `x` is an
    integral over `e`, here an average over draws, in which the noise has a density of
    its own, `q(e | x)`:

        log p(x) >= mean(log(mean_k(p(x, e_k) / q(e_k | x)))),

    a lower bound that is the closer the more draws there are, and equal where the base
    says of `e` given `x` what `q` does.

    Args:
        size: Number of coordinates of the noise.
        noise: A `NormalGiven` of `x`; `None` for standard normal noise.
        num_draws: Points that are drawn for each event unless told otherwise.
        name: Name.

    Raises:
        ValueError: If a number is below 1.

    Shapes:
        `[..., D + size]` to `[..., D]`.

    Example:
        >>> from tfp_flows import bijectors
        >>> wider = bijectors.Augment(2, num_draws=4)
        >>> wider.is_bound, wider.preimages([[5.0]]).z.shape.as_list()
        (True, [4, 1, 3])

    References:
        Huang, Dinh, Courville (2020). Augmented Normalizing Flows.
        https://arxiv.org/abs/2002.07101, eq. 5 and 9
    """

    is_bound = True
    is_reparameterized = True

    def __init__(
        self,
        size: int,
        noise: NormalGiven | None = None,
        *,
        num_draws: int = 16,
        name: str = "augment",
    ) -> None:
        super().__init__(name=name)
        _checks.at_least(size, 1, "size")
        _checks.count(num_draws, 1, "num_draws")
        self.size, self.num_draws = int(size), int(num_draws)
        self.num_preimages = self.num_draws
        self.noise = noise
        self.condition_shape = getattr(noise, "condition_shape", None)

    def inverse_size(self, size: int) -> int:
        """Return the number of coordinates, those of the noise included."""
        return size + self.size

    def forward_size(self, size: int) -> int:
        """Return the number of coordinates without noise."""
        _checks.at_least(size, self.size + 1, "the size of events")
        return size - self.size

    def _forward(self, z: tf.Tensor, condition: Given, seed: Seed) -> tf.Tensor:
        del condition, seed  # nothing is drawn
        return z[..., : -self.size]

    def _preimages(
        self, x: tf.Tensor, condition: Given, seed: Seed, num_draws: int | None
    ) -> Preimages:
        count = num_draws or self.num_draws
        batch = tf.shape(x)[:-1]
        shape = tf.concat([[count], batch, [self.size]], axis=0)
        if seed is None:
            ones = [1] * (x.shape.rank - 1)
            fixed = fixed_noise(count, self.size).reshape([count, *ones, self.size])
            normal = tf.broadcast_to(tf.constant(fixed, x.dtype), shape)
        else:
            seed = tfp.random.sanitize_seed(seed)
            normal = tf.random.stateless_normal(shape, seed, dtype=x.dtype)
        return self.with_noise(x, normal, condition)

    def with_noise(
        self, x: tf.Tensor, normal: tf.Tensor, condition: tf.Tensor | None = None
    ) -> Preimages:
        """Return points with noise made of standard normal numbers.

        Args:
            x: Data, `[..., D]`.
            normal: `[K, ..., size]`.
            condition: `[..., *condition_shape]`, where the noise takes one.
        """
        count = tf.cast(tf.shape(normal)[0], x.dtype)
        log_q = tf.reduce_sum(-0.5 * (tf.square(normal) + LOG_2PI), axis=-1)
        noise = normal
        if self.noise is not None:
            loc, log_scale = self.noise.loc_and_log_scale(x, condition)
            noise = loc + tf.exp(log_scale) * normal
            log_q -= tf.reduce_sum(log_scale, axis=-1)
        repeated = tf.broadcast_to(
            x, tf.concat([tf.shape(noise)[:-1], tf.shape(x)[-1:]], axis=0)
        )
        z = tf.concat([repeated, noise], axis=-1)
        return Preimages(z, -log_q - tf.math.log(count))


@functools.lru_cache(maxsize=32)
def fixed_noise(count: int, size: int) -> np.ndarray:
    """Return normal numbers that fill the space evenly, `[count, size]`.

    Sobol points shifted at random, always the same: their average over a smooth
    function is closer to the mean than that of as many random numbers.

    Args:
        count: How many.
        size: Number of coordinates.
    """
    exponent = max(0, (count - 1).bit_length())
    points = qmc.Sobol(size, scramble=False).random_base2(exponent)[:count]
    shift = np.random.default_rng([count, size]).uniform(size=size)
    return special.ndtri(np.clip((points + shift) % 1.0, 1e-12, 1.0 - 1e-12))
