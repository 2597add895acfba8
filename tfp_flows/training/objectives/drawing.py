"""Draws of the flow that is trained, and what a target says about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.flows._model import objective

__all__ = ["Drawn", "FromTarget"]


class Drawn(NamedTuple):
    """Draws of a flow, with both log-densities.

    Attributes:
        x: Events, `[N, *event_shape]`.
        log_q: Log-density of the flow, whose gradients go along the events alone if
            path gradients are wanted, `[N]`.
        log_p: Log-density of the target, up to a constant, `[N]`.
    """

    x: tf.Tensor
    log_q: tf.Tensor
    log_p: tf.Tensor


class FromTarget(objective.Objective):
    """An objective that compares the flow with a density where its draws fall.

    Args:
        target_log_prob: Function of events `[N, *event_shape]` that returns the log of
            the target's density, up to a constant, `[N]`.
        num_samples: How many events a step draws.
        path_gradients: Whether gradients go along the samples only.
        name: Name.
    """

    needs_data = False

    def __init__(
        self,
        target_log_prob: Callable[[tf.Tensor], tf.Tensor],
        num_samples: int = 256,
        *,
        path_gradients: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        _checks.count(num_samples, 1, "num_samples")
        self.target_log_prob = target_log_prob
        self.num_samples = num_samples
        self.path_gradients = path_gradients

    def draw(self, flow: Any, seed: tf.Tensor) -> Drawn:
        """Return draws of the flow.

        Raises:
            ValueError: If the flow needs a condition, or if the target does not return
                one number for each event.
        """
        if flow.condition_shape is not None:
            msg = (
                f"`flow` must have no condition for `{type(self).__name__}`, got "
                f"condition_shape {flow.condition_shape}. Write an objective whose "
                "`loss` draws conditions: see the page Extend."
            )
            raise ValueError(msg)
        density = flow.distribution()
        x, log_q = density.experimental_sample_and_log_prob(self.num_samples, seed=seed)
        log_p = self.target_log_prob(x)
        if log_p.shape != log_q.shape:
            msg = (
                "`target_log_prob` must return one number for each event, of shape "
                f"{log_q.shape}, got {log_p.shape}. Sum over the coordinates."
            )
            raise ValueError(msg)
        if self.path_gradients:
            # The gradient by the parameters of the density at fixed events has the
            # mean zero: it is noise, and taken away.
            score = density.log_prob(tf.stop_gradient(x))
            log_q -= score - tf.stop_gradient(score)
        return Drawn(x, log_q, log_p)
