"""Mixtures of one family that have quantiles."""

from __future__ import annotations

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows.math import roots

__all__ = ["Mixture"]


class Mixture(tfd.MixtureSameFamily):
    """A `tfd.MixtureSameFamily` whose scalars have both tails and quantiles.

    The quantile is the root of the logit of the CDF, with the derivatives of it.
    """

    def _cdf(self, x: tf.Tensor) -> tf.Tensor:
        return tf.exp(self.log_cdf(x))

    def _log_survival_function(self, x: tf.Tensor) -> tf.Tensor:
        logits = self.mixture_distribution.logits_parameter()
        parts = self.components_distribution.log_survival_function(x[..., tf.newaxis])
        return tf.reduce_logsumexp(parts + tf.nn.log_softmax(logits, axis=-1), axis=-1)

    def _survival_function(self, x: tf.Tensor) -> tf.Tensor:
        return tf.exp(self._log_survival_function(x))

    def _quantile(self, value: tf.Tensor) -> tf.Tensor:
        if self.event_shape.rank != 0:
            msg = (
                "`quantile` needs events of one number, got event_shape "
                f"{tuple(self.event_shape)}. Build for event_shape ()."
            )
            raise NotImplementedError(msg)

        def logit(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            below, above = self.log_cdf(x), self.log_survival_function(x)
            return below - above, self.log_prob(x) - below - above

        batch = tf.broadcast_dynamic_shape(tf.shape(value), self.batch_shape_tensor())
        value = tf.broadcast_to(value, batch)
        level = tf.math.log(value) - tf.math.log1p(-value)
        return roots.solve(logit, level).root
