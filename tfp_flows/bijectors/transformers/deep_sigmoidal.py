"""Deep sigmoidal functions."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.bijectors.transformers import base
from tfp_flows.math import sigmoids

__all__ = ["DeepSigmoidal"]


@dataclasses.dataclass(frozen=True)
class DeepSigmoidal(base.Transformer):
    """Log-odds of means of sigmoids, in layers: the scalar map of NAF.

    With `dense=False` each layer returns one number (deep sigmoidal flow), and one
    layer is what `LogisticMixture` is. With `dense=True` layers between pass on
    `num_units` numbers (deep dense sigmoidal flow), which takes
    `O(num_layers * num_units**2)` parameters per scalar. Far out the map is a straight
    line.

    It is the map from the data to the base, which a density needs: `inverse` is a
    closed form, and `forward` searches for a root of it in some ten evaluations.

    Args:
        num_units: Sigmoids in each layer.
        num_layers: Number of layers.
        dense: Whether layers pass on more than one number.

    References:
        Huang et al. (2018). Neural Autoregressive Flows.
        https://arxiv.org/abs/1804.00779
    """

    num_units: int = 8
    num_layers: int = 2
    dense: bool = False

    def __post_init__(self) -> None:
        _checks.at_least(self.num_units, 1, "num_units")
        _checks.at_least(self.num_layers, 1, "num_layers")

    @property
    def _sizes(self) -> list[int]:
        if self.dense:
            return sigmoids.sizes(self.num_units, self.num_layers)
        return sigmoids.sizes(self.num_units, 1) * self.num_layers

    @property
    def params_size(self) -> int:
        """Log-slopes, shifts, and logits of weights of each layer."""
        return sum(self._sizes)

    def initial(self) -> np.ndarray:
        """Spread the sigmoids, since equal ones would stay equal."""
        shifts = np.linspace(-1.0, 1.0, self.num_units)
        layers = [np.zeros([size]) for size in self._sizes]
        for layer in layers:
            layer[: self.num_units] = 0.3 / self.num_layers
            layer[self.num_units : 2 * self.num_units] = shifts
        return np.concatenate(layers)

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Solve for the argument of the function."""
        layers = tf.split(params, self._sizes)
        return sigmoids.inverse(x, layers, self.num_units)

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluate the function."""
        return sigmoids.forward(y, tf.split(params, self._sizes), self.num_units)
