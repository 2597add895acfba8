"""Distributions of what a surjection draws, given what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

__all__ = ["GammaGiven", "NormalGiven"]

# Logarithms of scales and rates stay in this distance from 0, so that no density of
# data far out overflows.
MAX_LOG = 5.0


class _Given(tf.Module):
    """A distribution whose parameters a network gives.

    Args:
        network: `(inputs, condition) -> [..., D, 2]`, such as a `networks.MLP`.
        name: Name.
    """

    def __init__(self, network: Callable[..., tf.Tensor], *, name: str) -> None:
        super().__init__(name=name)
        self.network = network
        self.condition_shape = getattr(network, "condition_shape", None)

    def _parameters(self, value: tf.Tensor, condition: Any) -> list[tf.Tensor]:
        more = () if condition is None else (condition,)
        return tf.unstack(self.network(value, *more), num=2, axis=-1)


class NormalGiven(_Given):
    """Normal numbers whose means and scales a network gives, standard ones at first.

    Args:
        network: `(inputs, condition) -> [..., D, 2]`, such as a `networks.MLP`: the
            means and, bounded by 5, the logarithms of the scales.
        name: Name.

    Example:
        >>> from tfp_flows import bijectors, networks
        >>> given = bijectors.NormalGiven(networks.MLP(3, (2, 2), (8,), seed=0))
        >>> given([[1.0, 2.0, 3.0]]).batch_shape.as_list()
        [1]
    """

    def __init__(
        self, network: Callable[..., tf.Tensor], *, name: str = "normal_given"
    ) -> None:
        super().__init__(network, name=name)

    def loc_and_log_scale(
        self, value: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return means and logarithms of scales, `[..., D]`.

        Args:
            value: What is given, `[..., C]`.
            condition: `[..., *condition_shape]`, or `None`.
        """
        loc, log_scale = self._parameters(value, condition)
        return loc, _bounded(log_scale)

    def __call__(
        self, value: Any, condition: tf.Tensor | None = None
    ) -> tfd.Distribution:
        """Return the density of events `[D]`, for each of a batch of values."""
        loc, log_scale = self.loc_and_log_scale(value, condition)
        return tfd.Independent(tfd.Normal(loc, tf.exp(log_scale)), 1)


class GammaGiven(_Given):
    """Numbers above 0 of gamma distributions that a network gives.

    Args:
        network: `(inputs, condition) -> [..., D, 2]`, such as a `networks.MLP`:
            logarithms of concentrations and rates, bounded by 5; zeros give an
            exponential distribution.
        name: Name.
    """

    def __init__(
        self, network: Callable[..., tf.Tensor], *, name: str = "gamma_given"
    ) -> None:
        super().__init__(network, name=name)

    def __call__(
        self, value: Any, condition: tf.Tensor | None = None
    ) -> tfd.Distribution:
        """Return the density of events `[D]`, for each of a batch of values."""
        log_concentration, log_rate = map(_bounded, self._parameters(value, condition))
        gamma = tfd.Gamma(tf.exp(log_concentration), log_rate=log_rate)
        return tfd.Independent(gamma, 1)


def _bounded(raw: tf.Tensor) -> tf.Tensor:
    return MAX_LOG * tf.tanh(raw / MAX_LOG)
