"""Base densities by name, with variables where they are trainable."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, _context
from tfp_flows._types import Shape
from tfp_flows.distributions import mixtures

__all__ = ["BASES", "Base"]

BASES = (
    "normal",
    "diagonal-normal",
    "student-t",
    "gaussian-mixture",
    "scale-mixture",
    "uniform",
)
# Where the log-scales of a scale mixture start: between so much below and above 0.
INITIAL_SPREAD = 0.5
# Where the degrees of freedom of a Student-t base start: close to a normal, with
# tails that training can make heavier.
INITIAL_DF = 10.0
# Below this a Student-t has no mean and samples overflow float32.
MIN_DF = 1.0


def _degrees_of_freedom(raw: tf.Tensor) -> tf.Tensor:
    return MIN_DF + tf.nn.softplus(raw)


@dataclasses.dataclass(frozen=True)
class _SharedScale:
    """One scale for all coordinates of each component: `[K]` to `[K, 1, ...]`.

    A function with a name that can be pickled.
    """

    rank: int
    __name__ = "shared_scale"

    def __call__(self, log_scale: tf.Tensor) -> tf.Tensor:
        ones = [1] * self.rank
        return tf.reshape(tf.exp(log_scale), [log_scale.shape[0], *ones])


class Base(tf.Module):
    """A base density with its variables.

    Args:
        kind: `"normal"` (standard), `"diagonal-normal"` (trainable mean and scale),
            `"student-t"` (trainable degrees of freedom and scale per coordinate),
            `"gaussian-mixture"` (trainable weights, means, scales), `"scale-mixture"`
            (normal distributions around zero, each of one trainable scale for all
            coordinates: an elliptical distribution of any tails) or `"uniform"` (on the
            cube `[-1, 1]`, to which a flow then maps the range of the data).
        event_shape: Shape of one event.
        num_components: Number of components of a mixture.
        seed: Int that fixes the initial means of the mixture.
        dtype: `"float32"` or `"float64"`.
        name: Name.

    Raises:
        ValueError: If `kind` is unknown.
    """

    def __init__(
        self,
        kind: str,
        event_shape: Shape,
        *,
        num_components: int = 5,
        seed: int | None = None,
        dtype: Any = "float32",
        name: str = "base",
    ) -> None:
        super().__init__(name=name)
        _checks.one_of(kind, BASES, "base")
        _checks.at_least(num_components, 1, "num_components")
        self.kind = kind
        self.event_shape = _checks.static_shape(event_shape, "event_shape")
        self._dtype = tf.as_dtype(dtype)
        size = math.prod(self.event_shape)
        zeros = np.zeros(self.event_shape)
        if kind == "diagonal-normal":
            self._loc = self._variable(zeros, "loc")
            self._log_scale = self._variable(zeros, "log_scale")
        elif kind == "student-t":
            self._log_scale = self._variable(zeros, "log_scale")
            raw = math.log(math.expm1(INITIAL_DF - MIN_DF))
            self._raw_df = self._variable(zeros + raw, "raw_df")
        elif kind == "gaussian-mixture":
            rng = _context.generator(seed)
            self._logits = self._variable(np.zeros(num_components), "logits")
            means = rng.normal(size=(num_components, *self.event_shape))
            self._loc = self._variable(means / math.sqrt(size), "loc")
            self._log_scale = self._variable(np.zeros_like(means), "log_scale")
        elif kind == "scale-mixture":
            self._logits = self._variable(np.zeros(num_components), "logits")
            spread = np.linspace(-INITIAL_SPREAD, INITIAL_SPREAD, num_components)
            spread = spread if num_components > 1 else np.zeros(1)
            self._log_scale = self._variable(spread, "log_scale")

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Where each coordinate lies, `None` for the whole line."""
        return (-1.0, 1.0) if self.kind == "uniform" else None

    def _variable(self, value: np.ndarray, name: str) -> tf.Variable:
        return tf.Variable(value, dtype=self._dtype, name=name)

    def distribution(self) -> tfd.Distribution:
        """Return the density over events, which reads the variables when it is used."""
        rank = len(self.event_shape)
        zeros = tf.zeros(self.event_shape, self._dtype)
        if self.kind == "uniform":
            return _events(tfd.Uniform(zeros - 1.0, zeros + 1.0), rank)
        if self.kind == "normal":
            return _events(tfd.Normal(zeros, tf.ones_like(zeros)), rank)
        scale = tfp.util.DeferredTensor(self._log_scale, tf.exp)
        if self.kind == "diagonal-normal":
            return _events(tfd.Normal(self._loc, scale), rank)
        if self.kind == "student-t":
            df = tfp.util.DeferredTensor(self._raw_df, _degrees_of_freedom)
            return _events(tfd.StudentT(df, zeros, scale), rank)
        if self.kind == "gaussian-mixture":
            loc = self._loc
        else:
            loc, ones = zeros, [1] * rank
            scale = tfp.util.DeferredTensor(
                self._log_scale,
                _SharedScale(rank),
                shape=[self._log_scale.shape[0], *ones],
            )
        return mixtures.Mixture(
            tfd.Categorical(logits=self._logits),
            _events(tfd.Normal(loc, scale), rank),
        )


def _events(scalars: tfd.Distribution, rank: int) -> tfd.Distribution:
    """Return scalars as one event; a single one keeps its CDF and its quantiles."""
    return tfd.Independent(scalars, rank) if rank else scalars
