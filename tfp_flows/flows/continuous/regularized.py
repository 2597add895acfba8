"""Likelihood of continuous flows, with penalties for ways that are hard to solve."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows import _checks, _context, _serialize
from tfp_flows.flows._model import objective
from tfp_flows.flows._model.batch import Batch

__all__ = ["RegularizedLikelihood"]


@_serialize.register()
class RegularizedLikelihood(objective.MaximumLikelihood):
    """The mean negative log-likelihood, and what long and bent ways cost.

    Many velocities make the same density. Penalties choose one whose ways are short and
    straight, which few steps solve. They count in training only: validation losses are
    likelihoods.

    Args:
        kinetic: Weight of the integral over time of the squared velocity.
        jacobian: Weight of the integral of the squared Frobenius norm of its Jacobian.
        name: Name.

    Raises:
        ValueError: If a weight is negative, or if the flow has no velocity.

    References:
        Finlay et al. (2020). How to Train Your Neural ODE: the World of Jacobian and
        Kinetic Regularization. https://arxiv.org/abs/2002.02798
    """

    def __init__(
        self, kinetic: float = 0.01, jacobian: float = 0.01, *, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        _checks.at_least(kinetic, 0.0, "kinetic")
        _checks.at_least(jacobian, 0.0, "jacobian")
        self.kinetic, self.jacobian = kinetic, jacobian

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {"kinetic": self.kinetic, "jacobian": self.jacobian}

    def loss(
        self, flow: Any, batch: Batch | None, *, seed: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """Return the mean of `-log_prob` plus the penalties."""
        has_data = batch is not None and batch.x is not None
        if not (_context.is_training() and has_data and hasattr(flow, "in_field")):
            return super().loss(flow, batch, seed=seed, step=step)
        found = flow.in_field(batch)
        path = flow.path_in_field(found)
        z = tf.reshape(path.value, [-1, *flow.event_shape])
        log_prob = flow.base.distribution().log_prob(z) + path.log_det + found.log_det
        cost = self.kinetic * path.kinetic + self.jacobian * path.jacobian
        return batch.mean(cost - log_prob)  # type: ignore[union-attr]
