"""The forward Kullback-Leibler divergence: by reweighted draws, and with samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfp_flows import _checks, _context
from tfp_flows.flows._model.batch import Batch
from tfp_flows.training.objectives.drawing import FromTarget

__all__ = ["ForwardKL", "LikelihoodAndEnergy"]


class ForwardKL(FromTarget):
    """Minimise `KL(target || flow)` by draws of the flow, reweighted to the target.

    It covers all of the target that the draws reach, and what it learns is the best
    proposal for importance sampling; a mode that no draw meets is not found. The
    weights are normalised in each step, which is biased for few draws. It needs no
    data.

    Args:
        target_log_prob: Function of events `[N, *event_shape]` that returns the log of
            the target's density, up to a constant, `[N]`.
        num_samples: How many events a step draws.
        name: Name.

    Raises:
        ValueError: If `num_samples` is too small, or if the flow needs a condition.

    Example:
        >>> import tfp_flows as tfpf
        >>> from tensorflow_probability import distributions as tfd
        >>> target = tfd.MultivariateNormalDiag([1., 2.])
        >>> kl = tfpf.training.ForwardKL(target.log_prob, 32)
        >>> flow = tfpf.flows.build("realnvp", 2, num_layers=2, seed=0)
        >>> flow, history = tfpf.fit(
        ...     flow, None, objective=kl, steps=3, seed=0, verbose=0)
        >>> len(history.history["loss"])
        3

    References:
        Mueller, McWilliams, Rousselle, Gross, Novak (2019). Neural Importance Sampling.
        https://arxiv.org/abs/1808.03856, eq. 13
    """

    def __init__(
        self,
        target_log_prob: Callable[[tf.Tensor], tf.Tensor],
        num_samples: int = 256,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(target_log_prob, num_samples, name=name)

    def loss(
        self, flow: Any, batch: Batch | None, *, seed: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """Return the estimate of the divergence."""
        del batch, step
        drawn = self.draw(flow, seed)
        x = tf.stop_gradient(drawn.x)
        log_weights = tf.stop_gradient(drawn.log_p - drawn.log_q)
        weights = tf.nn.softmax(log_weights)
        count = tf.cast(self.num_samples, log_weights.dtype)
        # Weights below the smallest float are 0 and have no part in the sum.
        terms = tf.where(weights > 0.0, tf.math.log(weights * count), 0.0)
        divergence = tf.reduce_sum(weights * terms)
        pulled = -tf.reduce_sum(weights * flow.distribution().log_prob(x))
        return tf.stop_gradient(divergence - pulled) + pulled


class LikelihoodAndEnergy(FromTarget):
    """Train by samples and by the density at once, as Boltzmann generators do.

    The loss is `(1 - energy_weight) * (negative log-likelihood of the batch) +
    energy_weight * KL(flow || target)`. Samples, of whatever proportions, show where
    the modes are; the density, the energy of a molecule with its sign turned, gets the
    shape of each right. It needs data: `fit(flow, x, objective=...)`.

    Args:
        target_log_prob: Function of events `[N, *event_shape]` that returns the log of
            the target's density, up to a constant, `[N]`.
        num_samples: How many events a step draws.
        energy_weight: Share of the divergence, from 0 to 1.
        path_gradients: Whether gradients of the divergence go along the samples only.
        name: Name.

    Raises:
        ValueError: If a number is out of range, or if the flow needs a condition.

    Example:
        >>> import tfp_flows as tfpf
        >>> from tensorflow_probability import distributions as tfd
        >>> target = tfd.MultivariateNormalDiag([1., 2.])
        >>> both = tfpf.training.LikelihoodAndEnergy(target.log_prob, 32)
        >>> x = target.sample(100, seed=1).numpy()
        >>> flow = tfpf.flows.build("realnvp", 2, num_layers=2, seed=0)
        >>> flow, history = tfpf.fit(
        ...     flow, x, objective=both, epochs=3, seed=0, verbose=0)
        >>> len(history.history["loss"])
        3

    References:
        Noé, Olsson, Koehler, Wu (2019). Boltzmann Generators.
        https://arxiv.org/abs/1812.01729
    """

    needs_data = True

    def __init__(
        self,
        target_log_prob: Callable[[tf.Tensor], tf.Tensor],
        num_samples: int = 256,
        *,
        energy_weight: float = 0.5,
        path_gradients: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(
            target_log_prob, num_samples, path_gradients=path_gradients, name=name
        )
        _checks.between(energy_weight, 0.0, 1.0, "energy_weight")
        self.energy_weight = float(energy_weight)

    def loss(
        self, flow: Any, batch: Batch | None, *, seed: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """Return the weighted sum of both."""
        del step
        if batch is None:
            msg = "`x` must be given: likelihood is that of data. Pass the events."
            raise ValueError(msg)
        drawn = self.draw(flow, seed)
        energy = tf.reduce_mean(drawn.log_q - drawn.log_p)
        samples = -batch.mean(flow(batch.inputs, training=_context.is_training()))
        weight = self.energy_weight
        return (1.0 - weight) * tf.cast(samples, energy.dtype) + weight * energy
