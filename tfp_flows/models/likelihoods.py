"""Distributions of observed values around what a decoder makes."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks

__all__ = ["NAMES", "Likelihood", "likelihood"]

# Standard deviations of Gaussian values are larger: one of 0 has infinite density.
SMALLEST_SCALE = 1e-2
# Scales of logistics, in levels.
SMALLEST_LEVELS = 1e-2


class Likelihood(abc.ABC):
    """The distribution of values `x` of a shape given numbers of a decoder.

    Args:
        num_levels: Number of levels of integers.
    """

    # How many numbers the decoder makes for each value.
    numbers = 1

    def __init__(self, num_levels: int) -> None:
        self.num_levels = num_levels

    @abc.abstractmethod
    def distribution(self, numbers: tf.Tensor) -> tfd.Distribution:
        """Return the distribution of each value, for numbers `[..., P]`."""

    @abc.abstractmethod
    def mean(self, numbers: tf.Tensor) -> tf.Tensor:
        """Return the mean of each value."""

    def scaled(self, x: tf.Tensor) -> tf.Tensor:
        """Return values as the encoder sees them."""
        return 2.0 * x / (self.num_levels - 1.0) - 1.0

    def check(self, x: np.ndarray) -> None:
        """Raise unless all values have a probability.

        Args:
            x: Values.

        Raises:
            ValueError: If one has none.
        """
        top = self.num_levels - 1
        if not np.all((x >= 0) & (x <= top) & (x == np.round(x))):
            wrong = x[~((x >= 0) & (x <= top) & (x == np.round(x)))]
            msg = (
                f"`x` must hold whole numbers from 0 to {top} for this likelihood, got "
                f"{wrong.flat[0]}. {self.remedy}"
            )
            raise ValueError(msg)

    remedy: ClassVar[str] = "Round it, and state the number of levels by `num_levels`."


class _Bernoulli(Likelihood):
    """Zeros and ones."""

    remedy = "Make it 0 or 1, such as by x > 0.5, or use likelihood='gaussian'."

    def __init__(self, num_levels: int) -> None:
        del num_levels
        super().__init__(2)

    def distribution(self, numbers: tf.Tensor) -> tfd.Distribution:
        return tfd.Bernoulli(logits=numbers[..., 0], dtype=numbers.dtype)

    def mean(self, numbers: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(numbers[..., 0])


class _Gaussian(Likelihood):
    """Numbers, with a mean and a standard deviation each."""

    numbers = 2

    def distribution(self, numbers: tf.Tensor) -> tfd.Distribution:
        scale = SMALLEST_SCALE + tf.nn.softplus(numbers[..., 1])
        return tfd.Normal(numbers[..., 0], scale)

    def mean(self, numbers: tf.Tensor) -> tf.Tensor:
        return numbers[..., 0]

    def scaled(self, x: tf.Tensor) -> tf.Tensor:
        return x

    def check(self, x: np.ndarray) -> None:
        del x  # every finite number has a density


class _Logistic(Likelihood):
    """Integers, as the cells of a logistic distribution; ends take its tails."""

    numbers = 2

    def _parts(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        half = 0.5 * (self.num_levels - 1)
        loc = half * (1.0 + numbers[..., 0])
        scale = SMALLEST_LEVELS + 0.1 * half * tf.nn.softplus(numbers[..., 1])
        return loc, scale

    def distribution(self, numbers: tf.Tensor) -> tfd.Distribution:
        loc, scale = self._parts(numbers)
        # TFP's cells end at the integers: those around them are half a level lower.
        lower = tfd.TransformedDistribution(tfd.Logistic(loc, scale), tfb.Shift(-0.5))
        top = tf.cast(self.num_levels - 1, numbers.dtype)
        return tfd.QuantizedDistribution(lower, low=0.0, high=top)

    def mean(self, numbers: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(self._parts(numbers)[0], 0.0, self.num_levels - 1.0)


class _Categorical(Likelihood):
    """Integers, with a probability each."""

    def __init__(self, num_levels: int) -> None:
        super().__init__(num_levels)
        self.numbers = num_levels

    def distribution(self, numbers: tf.Tensor) -> tfd.Distribution:
        return tfd.Categorical(logits=numbers, dtype=numbers.dtype)

    def mean(self, numbers: tf.Tensor) -> tf.Tensor:
        levels = tf.range(self.num_levels, dtype=numbers.dtype)
        return tf.reduce_sum(tf.nn.softmax(numbers) * levels, axis=-1)


_KINDS: dict[str, type[Likelihood]] = {
    "bernoulli": _Bernoulli,
    "gaussian": _Gaussian,
    "logistic": _Logistic,
    "categorical": _Categorical,
}
NAMES = tuple(_KINDS)


def likelihood(name: str, num_levels: int) -> Likelihood:
    """Return a likelihood by name.

    Args:
        name: One of `NAMES`.
        num_levels: Number of levels of integers.

    Raises:
        ValueError: If the name is unknown, or there are fewer than 2 levels.
    """
    _checks.one_of(name, NAMES, "likelihood")
    _checks.count(num_levels, 2, "num_levels")
    return _KINDS[name](int(num_levels))


def event_log_prob(distribution: tfd.Distribution, x: Any) -> tf.Tensor:
    """Return log-probabilities summed over all but the first dimension, `[N]`.

    Args:
        distribution: Of single values, `[N, ...]`.
        x: Values, `[N, ...]`.
    """
    values = distribution.log_prob(x)
    return tf.reduce_sum(values, axis=list(range(1, values.shape.rank)))
