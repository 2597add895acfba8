"""The reverse Kullback-Leibler divergence: from a density instead of data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.flows._model.batch import Batch
from tfp_flows.training.objectives.drawing import FromTarget

__all__ = ["ReverseKL"]

# Share of the log-density of the target with which annealing begins.
FIRST_SHARE = 0.01


class ReverseKL(FromTarget):
    """Minimise `KL(flow || target)`: draw from the flow, compare both densities.

    It needs no data: `fit(flow, None, objective=..., steps=...)`. The loss is the
    divergence, less the log of the normalising constant if the target lacks it. A flow
    that misses a mode of the target is forgiven.

    A step costs one pass of the flow in the direction of sampling; path gradients cost
    one pass more, in that of densities.

    Args:
        target_log_prob: Function of events `[N, *event_shape]` that returns the log of
            the target's density, up to a constant, `[N]`.
        num_samples: How many events a step draws.
        path_gradients: Whether gradients go along the samples only. Their variance
            goes to zero where the flow meets the target, and that of plain ones does
            not.
        anneal_steps: In how many steps the target's log-density gets its full weight,
            which begins at 0.01: early samples find more of its modes.
        name: Name.

    Raises:
        ValueError: If a number is too small, or if the flow needs a condition.

    Example:
        >>> import tfp_flows as tfpf
        >>> from tensorflow_probability import distributions as tfd
        >>> target = tfd.MultivariateNormalDiag([1., 2.])
        >>> kl = tfpf.training.ReverseKL(target.log_prob, 32)
        >>> flow = tfpf.flows.build("planar", 2, num_layers=2, inverted=True, seed=0)
        >>> flow, history = tfpf.fit(
        ...     flow, None, objective=kl, steps=3, seed=0, verbose=0)
        >>> len(history.history["loss"])
        3

    References:
        Roeder, Wu, Duvenaud (2017). Sticking the Landing: Simple, Lower-Variance
        Gradient Estimators for Variational Inference. https://arxiv.org/abs/1703.09194
        Rezende, Mohamed (2015). Variational Inference with Normalizing Flows.
        https://arxiv.org/abs/1505.05770, eq. 20, for annealing
    """

    def __init__(
        self,
        target_log_prob: Callable[[tf.Tensor], tf.Tensor],
        num_samples: int = 256,
        *,
        path_gradients: bool = False,
        anneal_steps: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            target_log_prob, num_samples, path_gradients=path_gradients, name=name
        )
        _checks.at_least(anneal_steps, 0, "anneal_steps")
        self.anneal_steps = anneal_steps

    def loss(
        self, flow: Any, batch: Batch | None, *, seed: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """Return the mean of `log_prob(x) - target_log_prob(x)` over draws `x`."""
        del batch
        drawn = self.draw(flow, seed)
        weight = self._weight(step, drawn.log_p.dtype)
        return tf.reduce_mean(drawn.log_q - weight * drawn.log_p)

    def _weight(self, step: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        if not self.anneal_steps:
            return tf.ones([], dtype)
        share = tf.cast(step, dtype) / self.anneal_steps
        return tf.minimum(1.0, FIRST_SHARE + share)
