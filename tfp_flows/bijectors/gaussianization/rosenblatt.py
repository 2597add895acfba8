"""Rosenblatt transform of a Gaussian mixture: a mixture density as a bijector."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, properties
from tfp_flows.math.gaussianization import rosenblatt, rosenblatt_inverse

__all__ = ["MixtureGaussianize"]


class MixtureGaussianize(base.Bijector):
    """Make normal noise a Gaussian mixture, with full covariances.

    The inverse is the Rosenblatt transform of the mixture: each coordinate goes to the
    normal quantile of its conditional CDF given the coordinates before. Behind a
    standard normal base the density is exactly that of the mixture, and the map is
    smooth, unlike a sampler that picks a component. Layers that follow correct what no
    mixture can express.

    The inverse, and with it the density, is fast: `O(K D**2)` per event. The forward
    map solves for one coordinate after the other.

    Args:
        log_weights: Unnormalised log-weights of the components, `[K]`.
        means: Means, `[K, D]`.
        log_diagonals: Logs of the diagonals of the whitening factors, `[K, D]`; a
            factor times its transpose is the precision, from the right.
        lower: `[K, D, D]`, of which the parts below the diagonal are those of the
            factors.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If shapes do not agree.

    Shapes:
        `[..., D]` to `[..., D]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> pair = tfpf.bijectors.MixtureGaussianize.from_components(
        ...     [0.5, 0.5], [[-3.], [3.]], [[[1.]], [[1.]]])
        >>> pair.forward([[0.]]).numpy().tolist()
        [[0.0]]

    References:
        Rosenblatt (1952). Remarks on a Multivariate Transformation.
        https://doi.org/10.1214/aoms/1177729394
    """

    _of_tensors = True

    def __init__(
        self,
        log_weights: TensorLike,
        means: TensorLike,
        log_diagonals: TensorLike,
        lower: TensorLike,
        *,
        validate_args: bool = False,
        name: str = "mixture_gaussianize",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            owner = f"`{type(self).__name__}`"
            dtype = arguments.common_dtype(
                means, log_weights, log_diagonals, lower, owner=owner
            )
            self._log_weights = arguments.as_parameter(
                log_weights, "log_weights", dtype
            )
            self._means = arguments.as_parameter(means, "means", dtype)
            self._log_diagonals = arguments.as_parameter(
                log_diagonals, "log_diagonals", dtype
            )
            self._lower = arguments.as_parameter(lower, "lower", dtype)
            count = arguments.last_size(self._log_weights, "log_weights")
            size = arguments.last_size(self._means, "means")
            for argument, shape in (
                ("log_weights", (count,)),
                ("means", (count, size)),
                ("log_diagonals", (count, size)),
                ("lower", (count, size, size)),
            ):
                value = getattr(self, f"_{argument}")
                arguments.require_exact(value, shape, argument, owner)
            super().__init__(
                event_shape=(size,),
                forward_min_event_ndims=1,
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def from_components(
        cls,
        weights: TensorLike,
        means: TensorLike,
        covariances: TensorLike,
        *,
        dtype: DType = tf.float32,
        trainable: bool = False,
        name: str = "mixture_gaussianize",
    ) -> MixtureGaussianize:
        """Return a map of new variables to a given mixture.

        Args:
            weights: Weights of the components, `[K]`.
            means: Means, `[K, D]`.
            covariances: Covariances, `[K, D, D]`, positive definite.
            dtype: Dtype of the variables.
            trainable: Whether they are trained.
            name: Name of the map.

        Returns:
            The map.
        """
        roots = np.linalg.cholesky(np.asarray(covariances, np.float64))
        factors = np.linalg.inv(roots)
        values = {
            "log_weights": np.log(np.asarray(weights, np.float64)),
            "means": np.asarray(means, np.float64),
            "log_diagonals": np.log(np.diagonal(factors, axis1=1, axis2=2)),
            "lower": np.tril(factors, -1),
        }
        with tf.name_scope(name):
            variables = {
                key: arguments.variable(value, key, dtype, trainable=trainable)
                for key, value in values.items()
            }
            return cls(**variables, name=name)

    @classmethod
    def trainable(
        cls,
        size: int,
        num_components: int = 5,
        *,
        dtype: DType = tf.float32,
        name: str = "mixture_gaussianize",
    ) -> MixtureGaussianize:
        """Return the identity of new variables: all components are standard normal.

        Args:
            size: Number of coordinates `D`.
            num_components: Number of components `K`.
            dtype: Dtype of the variables.
            name: Name of the map.

        Returns:
            The map.
        """
        _checks.at_least(size, 1, "size")
        _checks.at_least(num_components, 1, "num_components")
        return cls.from_components(
            np.ones(num_components) / num_components,
            np.zeros([num_components, size]),
            np.tile(np.eye(size), [num_components, 1, 1]),
            dtype=dtype,
            trainable=True,
            name=name,
        )

    @property
    def log_weights(self) -> tf.Tensor | tf.Variable:
        """Unnormalised log-weights of the components."""
        return self._log_weights

    @property
    def means(self) -> tf.Tensor | tf.Variable:
        """Means of the components."""
        return self._means

    @property
    def log_diagonals(self) -> tf.Tensor | tf.Variable:
        """Logs of the diagonals of the whitening factors."""
        return self._log_diagonals

    @property
    def lower(self) -> tf.Tensor | tf.Variable:
        """Parts of the whitening factors below the diagonal."""
        return self._lower

    _is_increasing = monotone.increasing_of_one

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        vector = properties.free(1)
        matrix = properties.free(2)
        return {
            "log_weights": vector,
            "means": matrix,
            "log_diagonals": matrix,
            "lower": properties.free(3),
        }

    def _flat(self, function: Any, value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parameters = (
            tf.convert_to_tensor(p)
            for p in (self._log_weights, self._means, self._log_diagonals, self._lower)
        )
        flat = tf.reshape(value, [-1, value.shape[-1]])
        out, log_det = function(flat, *parameters)
        log_det = tf.reduce_sum(log_det, axis=-1)
        out = tf.ensure_shape(tf.reshape(out, tf.shape(value)), value.shape)
        log_det = tf.reshape(log_det, tf.shape(value)[:-1])
        return out, tf.ensure_shape(log_det, value.shape[:-1])

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._flat(rosenblatt_inverse.sample_map, x)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._flat(rosenblatt.gaussianize, y)
