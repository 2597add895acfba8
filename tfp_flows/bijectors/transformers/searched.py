"""Transformers that map data to the base by a formula, and back by a search."""

from __future__ import annotations

import abc

import tensorflow as tf

from tfp_flows.bijectors.transformers import base
from tfp_flows.math import lines, roots

__all__ = ["WithLines"]


class WithLines(base.Transformer):
    """An increasing function on `[range_min, range_max]`, and lines outside.

    It is the map from the data to the base, which a density needs.
    """

    range_min: float
    range_max: float

    @abc.abstractmethod
    def _function(self) -> roots.Function:
        """Return the function of scalars in the interval and of parameters."""

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Solve for the argument of the function."""
        x = x + tf.zeros_like(params[0])
        ends = self.range_min, self.range_max
        return lines.inverse(self._function(), x, [params], *ends)

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluate the function."""
        ends = self.range_min, self.range_max
        return lines.forward(self._function(), y, [params], *ends)
