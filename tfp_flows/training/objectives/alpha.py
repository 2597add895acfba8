"""Divergences between the two of Kullback and Leibler: alpha, and several draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.flows._model.batch import Batch
from tfp_flows.training.objectives.drawing import FromTarget

__all__ = ["AlphaDivergence", "ImportanceWeighted"]


class AlphaDivergence(FromTarget):
    """Minimise Renyi's divergence of order alpha: `alpha` below 1 covers more modes.

    `alpha = 1` is the reverse Kullback-Leibler divergence, and towards 0 the flow is
    drawn to wherever the target has mass. The loss is minus the variational Renyi
    bound, estimated from the draws of a step: biased, less so with more of them. It
    needs no data.

    Args:
        target_log_prob: Function of events `[N, *event_shape]` that returns the log of
            the target's density, up to a constant, `[N]`.
        num_samples: How many events a step draws.
        alpha: Order, at least 0.
        path_gradients: Whether gradients go along the samples only (doubly
            reparameterised), with less variance near the optimum.
        name: Name.

    Raises:
        ValueError: If a number is too small, or if the flow needs a condition.

    Example:
        >>> import tfp_flows as tfpf
        >>> from tensorflow_probability import distributions as tfd
        >>> target = tfd.MultivariateNormalDiag([1., 2.])
        >>> loss = tfpf.training.AlphaDivergence(target.log_prob, 32, alpha=0.5)
        >>> flow = tfpf.flows.build("realnvp", 2, num_layers=2, seed=0)
        >>> flow, history = tfpf.fit(
        ...     flow, None, objective=loss, steps=3, seed=0, verbose=0)
        >>> len(history.history["loss"])
        3

    References:
        Li, Turner (2016). Renyi Divergence Variational Inference.
        https://arxiv.org/abs/1602.02311, eq. 5
        Tucker, Lawson, Gu, Maddison (2019). Doubly Reparameterized Gradient Estimators.
        https://arxiv.org/abs/1810.04152
    """

    def __init__(
        self,
        target_log_prob: Callable[[tf.Tensor], tf.Tensor],
        num_samples: int = 256,
        *,
        alpha: float = 0.5,
        path_gradients: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(
            target_log_prob, num_samples, path_gradients=path_gradients, name=name
        )
        _checks.at_least(alpha, 0.0, "alpha")
        self.alpha = float(alpha)

    def loss(
        self, flow: Any, batch: Batch | None, *, seed: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """Return minus the variational Renyi bound."""
        del batch, step
        drawn = self.draw(flow, seed)
        log_weights = (drawn.log_p - drawn.log_q)[tf.newaxis]
        return -self._bound(log_weights, self.alpha)

    def _bound(self, log_weights: tf.Tensor, alpha: float) -> tf.Tensor:
        """Return the mean bound of groups of draws, `[G, K]`, with its gradient.

        Of weights to the power `1 - alpha`, normalised in a group, the gradient is that
        of the log-weights in their proportion; along the samples alone in the
        proportion `alpha * w + (1 - alpha) * w ** 2`, Tucker et al., appendix.
        """
        count = int(log_weights.shape[-1])
        power = 1.0 - alpha
        shares = tf.stop_gradient(tf.nn.softmax(power * log_weights, axis=-1))
        if abs(power) < 1e-6:
            value = tf.reduce_mean(log_weights)
        else:
            total = tf.reduce_logsumexp(power * log_weights, axis=-1)
            value = tf.reduce_mean(total - math.log(count)) / power
        if self.path_gradients:
            shares = alpha * shares + power * tf.square(shares)
        pulled = tf.reduce_mean(tf.reduce_sum(shares * log_weights, axis=-1))
        return tf.stop_gradient(value - pulled) + pulled


class ImportanceWeighted(AlphaDivergence):
    """Maximise the importance-weighted bound of several draws (IWAE).

    A step draws groups of `num_particles` events, and the flow is trained to be a good
    proposal with so many of them: the bound rises to the log-evidence with their
    number, and the flow spreads wider than by the reverse divergence. Gradients are
    doubly reparameterised. It needs no data.

    Args:
        target_log_prob: Function of events `[N, *event_shape]` that returns the log of
            the target's density, up to a constant, `[N]`.
        num_samples: How many events a step draws in all.
        num_particles: How many make a group, a divisor of `num_samples`.
        path_gradients: Whether gradients go along the samples only.
        name: Name.

    Raises:
        ValueError: If a number is too small or no divisor, or if the flow needs a
            condition.

    Example:
        >>> import tfp_flows as tfpf
        >>> from tensorflow_probability import distributions as tfd
        >>> target = tfd.MultivariateNormalDiag([1., 2.])
        >>> bound = tfpf.training.ImportanceWeighted(target.log_prob, 32)
        >>> flow = tfpf.flows.build("realnvp", 2, num_layers=2, seed=0)
        >>> flow, history = tfpf.fit(
        ...     flow, None, objective=bound, steps=3, seed=0, verbose=0)
        >>> len(history.history["loss"])
        3

    References:
        Burda, Grosse, Salakhutdinov (2016). Importance Weighted Autoencoders.
        https://arxiv.org/abs/1509.00519
        Tucker, Lawson, Gu, Maddison (2019). Doubly Reparameterized Gradient Estimators.
        https://arxiv.org/abs/1810.04152, eq. 8
    """

    def __init__(
        self,
        target_log_prob: Callable[[tf.Tensor], tf.Tensor],
        num_samples: int = 256,
        *,
        num_particles: int = 8,
        path_gradients: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(
            target_log_prob,
            num_samples,
            alpha=0.0,
            path_gradients=path_gradients,
            name=name,
        )
        _checks.count(num_particles, 1, "num_particles")
        if num_samples % num_particles:
            msg = (
                f"`num_particles` must divide num_samples={num_samples}, got "
                f"{num_particles}."
            )
            raise ValueError(msg)
        self.num_particles = num_particles

    def loss(
        self, flow: Any, batch: Batch | None, *, seed: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """Return minus the mean bound of the groups."""
        del batch, step
        drawn = self.draw(flow, seed)
        groups = tf.reshape(drawn.log_p - drawn.log_q, [-1, self.num_particles])
        return -self._bound(groups, 0.0)
