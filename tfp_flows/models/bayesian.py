"""Dense layers whose weights are random: Bayesian networks in Keras."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfp_flows import _checks, _context, _process, _serialize

__all__ = ["BayesianDense", "DenseReparameterization"]

# Below, a variance counts as 0: its root has no slope there.
SMALLEST_VARIANCE = 1e-30
# What a layer does in calls with `training=False`.
INFERENCE = ("draw", "mean")


class BayesianDense(_process.Forkable, _context.Seeded, keras.Layer, abc.ABC):
    """What dense layers with random weights share.

    The weights have a Gaussian posterior around learned means, with learned standard
    deviations. In each call they are drawn anew, and what the posterior costs, a
    Kullback-Leibler divergence from the prior, is added to the losses of the model.

    Args:
        units: Number of outputs `U`.
        kl_weight: What the divergence in nats is multiplied by, before it is added to
            the loss. Where the loss is a mean over rows, as in Keras, and a negative
            log-likelihood, 1 over the number of rows of the training data makes the sum
            the negative lower bound of the evidence, per row.
        activation: Name of an activation of Keras, or a function; `None` for none.
        use_bias: Whether there is a bias, which is random, too.
        prior_scale: Standard deviation of the prior, a normal around 0, of each weight.
        initial_scale: Standard deviation of the posterior at the start.
        inference: What a call with `training=False` uses: `"draw"` draws, as in
            training; `"mean"` takes the means, for one answer without noise.
        seed: Int that fixes initial weights and draws.
        **kwargs: Of a Keras layer.
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
        inference: str = "draw",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        _checks.count(units, 1, "units")
        _checks.at_least(kl_weight, 0.0, "kl_weight")
        _checks.one_of(inference, INFERENCE, "inference")
        self.units = int(units)
        self.kl_weight = float(kl_weight)
        self.activation = keras.activations.get(activation)
        self.use_bias = bool(use_bias)
        self.prior_scale = _checks.positive(prior_scale, "prior_scale")
        self.initial_scale = _checks.positive(initial_scale, "initial_scale")
        self.inference = inference
        self.seed = seed
        self._rng = _context.generator(seed)
        self.seed_generator = keras.random.SeedGenerator(self._next_seed())
        self.input_spec: Any = None

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights.

        Args:
            input_shape: `[..., D]`.

        Raises:
            ValueError: If `D` is not known.
        """
        size = input_shape[-1] if len(input_shape) > 1 else None
        if size is None:
            msg = (
                f"inputs must be [..., D] with a known D for `{type(self).__name__}`, "
                f"got shape {tuple(input_shape)}. Reshape them, or state the shape by "
                "keras.Input."
            )
            raise ValueError(msg)
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: size})
        start = keras.initializers.GlorotUniform(seed=self._next_seed())
        self.kernel = self._weight((size, self.units), start, "kernel")
        self.kernel_log_scale = self._log_scale((size, self.units), "kernel_log_scale")
        if self.use_bias:
            self.bias = self._weight((self.units,), "zeros", "bias")
            self.bias_log_scale = self._log_scale((self.units,), "bias_log_scale")
        self._build_more(size)
        self.built = True

    def _build_more(self, size: int) -> None:
        """Create what a subclass has beside kernel and bias."""

    def _log_scale(self, shape: tuple[int, ...], name: str) -> keras.Variable:
        start = keras.initializers.Constant(math.log(self.initial_scale))
        return self._weight(shape, start, name)

    def _weight(self, shape: tuple[int, ...], start: Any, name: str) -> keras.Variable:
        """Create a weight that stays in its type where others are half precision."""
        return self.add_weight(
            shape=shape, initializer=start, name=name, autocast=False
        )

    def call(
        self,
        inputs: Any,
        training: bool | None = None,  # noqa: FBT001
    ) -> Any:
        """Return outputs for drawn weights, and add the divergence to the losses.

        Args:
            inputs: `[..., D]`.
            training: Whether the call is one of training; see `inference`.

        Returns:
            `[..., U]`.
        """
        x = tf.cast(tf.convert_to_tensor(inputs), self.variable_dtype)
        batch = tf.shape(x)[:-1]
        rows = tf.reshape(x, [-1, self.kernel.shape[0]])
        is_mean = not training and self.inference == "mean"
        outputs, divergence = self._outputs(rows, is_mean=is_mean)
        self.add_loss(self.kl_weight * divergence)
        outputs = tf.reshape(outputs, tf.concat([batch, [self.units]], axis=0))
        outputs.set_shape([*x.shape[:-1], self.units])
        return self.activation(tf.cast(outputs, self.compute_dtype))

    @abc.abstractmethod
    def _outputs(self, rows: tf.Tensor, *, is_mean: bool) -> tuple[tf.Tensor, Any]:
        """Return outputs before the activation, `[N, U]`, and the divergence."""

    def _normal(self, shape: Any) -> tf.Tensor:
        """Return standard normal numbers, other ones in each call."""
        return keras.random.normal(
            shape, dtype=self.variable_dtype, seed=self.seed_generator
        )

    def _scattered(self, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        """Return draws of outputs, `[N, U]`, of rows with weights of their own.

        Args:
            mean: Means of outputs before the bias.
            variance: Their variances.
        """
        if self.use_bias:
            mean += self.bias.value
            variance += tf.exp(2.0 * self.bias_log_scale.value)
        scale = tf.sqrt(tf.maximum(variance, SMALLEST_VARIANCE))
        return mean + scale * self._normal(tf.shape(mean))

    def _bias_divergence(self) -> tf.Tensor:
        if not self.use_bias:
            return tf.zeros([], self.variable_dtype)
        return self._divergence(tf.square(self.bias.value), self.bias_log_scale.value)

    def _divergence(self, squares: Any, log_scale: Any) -> tf.Tensor:
        """Return the divergence from the prior, summed over weights.

        Args:
            squares: Squares of the means of weights.
            log_scale: Logs of their standard deviations.
        """
        relative = log_scale - math.log(self.prior_scale)
        far = tf.exp(2.0 * relative) + squares / self.prior_scale**2
        return tf.reduce_sum(0.5 * (far - 1.0) - relative)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple:
        """Return the shape of outputs, `[..., U]`."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same layer anew."""
        config = super().get_config()
        config.pop("autocast", None)
        return {
            **config,
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "kl_weight": self.kl_weight,
            "use_bias": self.use_bias,
            "prior_scale": self.prior_scale,
            "initial_scale": self.initial_scale,
            "inference": self.inference,
            "seed": self.seed,
        }


@_serialize.register()
class DenseReparameterization(BayesianDense):
    """A dense layer with independent Gaussian weights: mean-field inference.

    By default not weights but outputs are drawn, of the Gaussian that the weights make
    of each row: each row then has weights of its own, and gradients scatter less. With
    `local=False` one draw of the weights serves all rows of a call, which makes the
    outputs those of one function.

    Args:
        units: Number of outputs `U`.
        kl_weight: What the divergence from the prior in nats is multiplied by: 1 over
            the number of training rows, for a loss that is a mean over rows.
        activation: Name of an activation of Keras, or a function; `None` for none.
        use_bias: Whether there is a bias, which is random, too.
        prior_scale: Standard deviation of the prior, a normal around 0, of each weight.
        initial_scale: Standard deviation of the posterior at the start.
        local: Whether rows have weights of their own.
        inference: What a call with `training=False` uses: `"draw"` draws, as in
            training; `"mean"` takes the means, for one answer without noise.
        seed: Int that fixes initial weights and draws.
        **kwargs: Of a Keras layer.

    Raises:
        ValueError: If a number is out of its range.

    Shapes:
        `[..., D]` to `[..., U]`.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from tfp_flows import models
        >>> layer = models.DenseReparameterization(2, kl_weight=1 / 100, seed=0)
        >>> layer(np.zeros([5, 3], "float32")).shape.as_list()
        [5, 2]
        >>> len(layer.losses)
        1

    References:
        Kingma, Salimans, Welling (2015). Variational Dropout and the Local
        Reparameterization Trick. https://arxiv.org/abs/1506.02557

        Blundell et al. (2015). Weight Uncertainty in Neural Networks.
        https://arxiv.org/abs/1505.05424
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
        local: bool = True,
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
        self.local = bool(local)

    def _outputs(self, rows: tf.Tensor, *, is_mean: bool) -> tuple[tf.Tensor, Any]:
        kernel, log_scale = self.kernel.value, self.kernel_log_scale.value
        divergence = self._divergence(tf.square(kernel), log_scale)
        divergence += self._bias_divergence()
        if is_mean:
            outputs = rows @ kernel
            return outputs + self.bias.value if self.use_bias else outputs, divergence
        if self.local:
            variance = tf.square(rows) @ tf.exp(2.0 * log_scale)
            return self._scattered(rows @ kernel, variance), divergence
        noise = self._normal(tuple(self.kernel.shape))
        outputs = rows @ (kernel + tf.exp(log_scale) * noise)
        if self.use_bias:
            noise = self._normal(tuple(self.bias.shape))
            outputs += self.bias.value + tf.exp(self.bias_log_scale.value) * noise
        return outputs, divergence

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same layer anew."""
        return {**super().get_config(), "local": self.local}
