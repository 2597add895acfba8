"""CDFs of mixtures."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.bijectors.transformers import base
from tfp_flows.math import mixtures
from tfp_flows.math.splines import rational_quadratic

__all__ = ["LogisticMixture"]


@dataclasses.dataclass(frozen=True)
class LogisticMixture(base.Transformer):
    """`y = logit(F(x))` with `F` the CDF of a mixture of logistics, and its inverse.

    The inverse (in the sense of the map: from data to base) is the closed form, since
    that is what a density needs: `inverse(y) = logit(F(y))`. `forward` solves for the
    root by bracketing and Newton steps. With all parameters zero `F` is one logistic
    and the map the identity; training starts from spread components.

    Args:
        num_components: Number of logistics.
        max_log_scale: Soft bound of the log-scales.

    References:
        Ho et al. (2019). Flow++. https://arxiv.org/abs/1902.00275
    """

    num_components: int = 8
    max_log_scale: float = 5.0

    def __post_init__(self) -> None:
        _checks.at_least(self.num_components, 1, "num_components")
        _checks.at_least(self.max_log_scale, 1e-3, "max_log_scale")

    @property
    def params_size(self) -> int:
        """Logits, locations, and raw log-scales."""
        return 3 * self.num_components

    def initial(self) -> np.ndarray:
        """Spread the locations, since equal components would stay equal."""
        spread = np.linspace(-1.0, 1.0, self.num_components)
        zeros = np.zeros([self.num_components])
        return np.concatenate([zeros, 1.5 * spread, zeros - 0.3])

    def _components(self, params: tf.Tensor) -> tuple[tf.Tensor, ...]:
        logits, locations, raw = tf.split(params, 3, axis=0)
        bound = self.max_log_scale
        return (
            # `tf.nn.log_softmax` turns axes in ways that XLA cannot differentiate in
            # a loop.
            logits - tf.reduce_logsumexp(logits, axis=0, keepdims=True),
            locations,
            rational_quadratic.soft_clip(raw, bound),
        )

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Solve `logit(F(y)) = x` for `y`."""
        return mixtures.logit_cdf_inverse(x, *self._components(params))

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluate `logit(F(y))`."""
        return mixtures.logit_cdf(y, *self._components(params))
