"""Dense layers whose weights share random factors, which have a flow as posterior."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfp_flows import _checks, _serialize, flows
from tfp_flows.flows._model import options
from tfp_flows.models import bayesian

__all__ = ["MultiplicativeDense"]

HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
# Standard deviation of the factors at the start, whose means are 1.
FACTOR_SCALE = 0.05


@_serialize.register()
class MultiplicativeDense(bayesian.BayesianDense):
    """A dense layer with a posterior of multiplicative normalizing flows (MNF).

    Row `i` of the means of the weights, which belongs to input `i`, is multiplied by a
    random factor `z[i]`: `W[i, j] ~ Normal(z[i] * kernel[i, j], scale[i, j])`. The
    factors have a flow as their distribution `q(z)`, so that weights depend on each
    other and have more than one mode; the posterior of independent weights is the
    special case of constant factors.

    As `q(W)` has no closed form, the divergence is an upper bound, which an auxiliary
    flow `r(z|W)` makes tight: `E[KL(q(W|z) || p(W)) + log q(z) - log r(z|W)]`, of the
    draws of the call. Each row of a batch has factors and weights of its own. The bias
    has independent Gaussian weights.

    Args:
        units: Number of outputs `U`.
        kl_weight: What the bound in nats is multiplied by: 1 over the number of
            training rows, for a loss that is a mean over rows.
        activation: Name of an activation of Keras, or a function; `None` for none.
        use_bias: Whether there is a bias, which is random, too.
        prior_scale: Standard deviation of the prior, a normal around 0, of each weight.
        initial_scale: Standard deviation of the posterior of weights given factors, at
            the start.
        flow: Name of the flow of the factors: one whose sampling is fast, such as
            `"iaf"`, or `"realnvp"` for two inputs or more.
        auxiliary_flow: Name of the flow `r`: one whose density is fast.
        num_layers: Layers of both flows.
        hidden_units: Widths of the networks of both flows, where they have any.
        inference: What a call with `training=False` uses: `"draw"` draws, as in
            training; `"mean"` takes the means of weights, with the flow's image of the
            middle of its base as factors.
        seed: Int that fixes initial weights and draws.
        **kwargs: Of a Keras layer.

    Raises:
        ValueError: If a number is out of its range, or a flow is unknown.

    Shapes:
        `[..., D]` to `[..., U]`.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import models
        >>> layer = models.MultiplicativeDense(2, kl_weight=1 / 100, seed=0)
        >>> layer(np.zeros([5, 3], "float32")).shape.as_list()
        [5, 2]

    References:
        Louizos, Welling (2017). Multiplicative Normalizing Flows for Variational
        Bayesian Neural Networks. https://arxiv.org/abs/1703.01961, eq. 6 to 12
    """

    def __init__(
        self,
        units: int,
        activation: str | Callable[..., Any] | None = None,
        *,
        kl_weight: float,
        use_bias: bool = True,
        prior_scale: float = 1.0,
        initial_scale: float = 0.05,
        flow: str = "iaf",
        auxiliary_flow: str = "maf",
        num_layers: int = 2,
        hidden_units: Sequence[int] = (50,),
        inference: str = "draw",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            activation,
            kl_weight=kl_weight,
            use_bias=use_bias,
            prior_scale=prior_scale,
            initial_scale=initial_scale,
            inference=inference,
            seed=seed,
            **kwargs,
        )
        for name, value in (("flow", flow), ("auxiliary_flow", auxiliary_flow)):
            _checks.one_of(value, flows.names(), name)
        _checks.count(num_layers, 1, "num_layers")
        self.flow, self.auxiliary_flow = flow, auxiliary_flow
        self.num_layers = int(num_layers)
        self.hidden_units = _checks.hidden_units(hidden_units)

    def _build_more(self, size: int) -> None:
        self.factor_mean = self._vector(size, 1.0, "factor_mean")
        self.factor_log_scale = self._vector(
            size, math.log(FACTOR_SCALE), "factor_log_scale"
        )
        self.factors = self._flow(self.flow, size)
        self.auxiliary = self._flow(self.auxiliary_flow, size)
        # Of r: what sees the weights, and what mean and log-scale are made by.
        scatter = keras.initializers.RandomNormal(
            stddev=size**-0.5, seed=self._next_seed()
        )
        self.see = self._weight((size,), scatter, "see")
        self.auxiliary_mean = self._vector(size, 0.0, "auxiliary_mean")
        self.auxiliary_mean_of_weights = self._vector(
            size, 0.0, "auxiliary_mean_of_weights"
        )
        self.auxiliary_log_scale = self._vector(size, 0.0, "auxiliary_log_scale")
        self.auxiliary_log_scale_of_weights = self._vector(
            size, 0.0, "auxiliary_log_scale_of_weights"
        )

    def _vector(self, size: int, value: float, name: str) -> keras.Variable:
        return self._weight((size,), keras.initializers.Constant(value), name)

    def _flow(self, name: str, size: int) -> flows.Flow:
        given: dict[str, Any] = {"num_layers": self.num_layers}
        given["hidden_units"] = self.hidden_units
        known = options.types_of(flows.flow_class(name))
        given = {key: value for key, value in given.items() if key in known}
        seed = self._next_seed()
        return flows.build(name, size, seed=seed, dtype=self.variable_dtype, **given)

    def _outputs(self, rows: tf.Tensor, *, is_mean: bool) -> tuple[tf.Tensor, Any]:
        kernel, log_scale = self.kernel.value, self.kernel_log_scale.value
        z, log_q = self._drawn(rows)
        variances = tf.exp(2.0 * log_scale)
        divergence = self._conditional_divergence(z, kernel, log_scale)
        divergence += log_q - self._log_auxiliary(z, kernel, variances)
        # Without rows there is no loss to add to.
        count = tf.maximum(tf.shape(rows)[0], 1)
        mean = tf.reduce_sum(divergence) / tf.cast(count, divergence.dtype)
        total = mean + self._bias_divergence()
        if is_mean:
            middle = self.factors.bijector().forward(self.factor_mean.value)
            outputs = (rows * middle) @ kernel
            return outputs + self.bias.value if self.use_bias else outputs, total
        outputs = self._scattered((rows * z) @ kernel, tf.square(rows) @ variances)
        return outputs, total

    def _drawn(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return factors `[N, D]` and their log-densities `[N]`."""
        noise = self._normal(tf.shape(rows))
        log_scale = self.factor_log_scale.value
        start = self.factor_mean.value + tf.exp(log_scale) * noise
        z, log_det = self.factors.bijector().forward_and_log_det(start)
        log_q = -0.5 * tf.square(noise) - HALF_LOG_TWO_PI - log_scale
        return z, tf.reduce_sum(log_q, axis=-1) - log_det

    def _conditional_divergence(
        self, z: tf.Tensor, kernel: tf.Tensor, log_scale: tf.Tensor
    ) -> tf.Tensor:
        """Return the divergence of weights given factors, `[N]`."""
        squares = tf.reduce_sum(tf.square(kernel), axis=1)
        at_zero = self._divergence(tf.zeros([], kernel.dtype), log_scale)
        moved = tf.linalg.matvec(tf.square(z), squares) / (2.0 * self.prior_scale**2)
        return at_zero + moved

    def _log_auxiliary(
        self, z: tf.Tensor, kernel: tf.Tensor, variances: tf.Tensor
    ) -> tf.Tensor:
        """Return `log r(z|W)`, `[N]`, for weights drawn for each row."""
        see = self.see.value
        mean = (z * see) @ kernel
        scale = tf.sqrt(
            tf.maximum(
                tf.linalg.matvec(variances, tf.square(see), transpose_a=True),
                bayesian.SMALLEST_VARIANCE,
            )
        )
        seen = tf.tanh(mean + scale * self._normal(tf.shape(mean)))
        seen = tf.reduce_mean(seen, axis=-1, keepdims=True)
        loc = self.auxiliary_mean.value + self.auxiliary_mean_of_weights.value * seen
        log_scale = (
            self.auxiliary_log_scale.value
            + self.auxiliary_log_scale_of_weights.value * seen
        )
        back, log_det = self.auxiliary.bijector().inverse_and_log_det(z)
        relative = (back - loc) * tf.exp(-log_scale)
        log_r = -0.5 * tf.square(relative) - HALF_LOG_TWO_PI - log_scale
        return tf.reduce_sum(log_r, axis=-1) + log_det

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same layer anew."""
        return {
            **super().get_config(),
            "flow": self.flow,
            "auxiliary_flow": self.auxiliary_flow,
            "num_layers": self.num_layers,
            "hidden_units": list(self.hidden_units),
        }
