"""Targets relative to a normal distribution near them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows import flows
from tfp_flows.inference import starts, targets

__all__ = ["Whitened"]


class Whitened:
    """A target over vectors relative to a start, which are normal if that is exact.

    Args:
        target: The target.
        start: The normal distribution near it.
    """

    def __init__(self, target: targets.Target, start: starts.Start) -> None:
        self.target, self.start = target, start
        self._affine = start.bijector(target.dtype)
        zeros = tf.zeros([target.size], target.dtype)
        self._log_det = self._affine.forward_log_det_jacobian(zeros, event_ndims=1)

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Return the log-density of vectors, `[N]`."""
        return self.target.flat_log_prob(self._affine.forward(z)) + self._log_det

    def over(self, bijector: tfb.Bijector) -> Callable[[tf.Tensor], tf.Tensor]:
        """Return the log-density over numbers from which a bijector leads here."""

        def log_prob(z: tf.Tensor) -> tf.Tensor:
            log_det = bijector.forward_log_det_jacobian(z, event_ndims=1)
            return self.log_prob(bijector.forward(z)) + log_det

        return log_prob

    @functools.cached_property
    def compiles(self) -> bool:
        """Whether XLA compiles the density and its gradient."""
        z = tf.zeros([2, self.target.size], self.target.dtype)

        @tf.function(autograph=False, jit_compile=True)
        def gradient(z: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(z)
                value = self.log_prob(z)
            return tape.gradient(value, z)

        try:
            gradient(z)
        except (tf.errors.OpError, ValueError, TypeError, NotImplementedError):
            return False
        return True

    def unwhitened(self, z: tf.Tensor) -> tf.Tensor:
        """Return the vectors without bounds of vectors, `[N, D]`."""
        return self._affine.forward(z)

    def whitened(self, x: tf.Tensor) -> tf.Tensor:
        """Return vectors relative to the start of vectors without bounds, `[N, D]`."""
        return self._affine.inverse(x)

    def flat(self, flow: flows.Flow) -> tfd.Distribution:
        """Return the density over vectors without bounds."""
        return tfd.TransformedDistribution(flow.distribution(), self._affine)

    def posterior(self, flow: flows.Flow) -> tfd.Distribution:
        """Return the density over events."""
        return self.around(flow.distribution())

    def around(self, density: tfd.Distribution) -> Fitted:
        """Return the density over events of one relative to the start."""
        bijector = tfb.Chain([self.target.bijector, self._affine])
        return Fitted(self, density, bijector)

    def __reduce__(self) -> tuple[Any, ...]:
        return Whitened, (self.target, self.start)


class Fitted(tfd.TransformedDistribution):
    """A posterior that pickles and copies, by its target and the flow's density.

    Args:
        whitened: The target.
        distribution: Density of the flow, over vectors relative to the start.
        bijector: From these to events.
        validate_args: Whether to run value checks.
        name: Name.
    """

    _parameter_properties = tfd.TransformedDistribution.parameter_properties

    def __init__(
        self,
        whitened: Whitened,
        distribution: tfd.Distribution,
        bijector: tfb.Bijector,
        *,
        validate_args: bool = False,
        name: str = "posterior",
    ) -> None:
        parameters = dict(locals())
        super().__init__(
            distribution,
            bijector,
            validate_args=validate_args,
            parameters=parameters,
            name=name,
        )
        self._whitened = whitened

    def __reduce__(self) -> tuple[Any, ...]:
        return _fitted, (self._whitened, self.distribution)


def _fitted(whitened: Whitened, density: tfd.Distribution) -> Fitted:
    """Return a posterior again."""
    return whitened.around(density)
