"""Rosenblatt transform of a Gaussian mixture: a mixture density as a bijector."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core import base, monotone
from tfp_flows.bijectors._core.parameters import Parameter
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

    log_weights: TensorLike = Parameter(
        "K", "Unnormalised log-weights of the components.", batched=False
    )
    means: TensorLike = Parameter("K D", "Means.", batched=False)
    log_diagonals: TensorLike = Parameter(
        "K D",
        "Logs of the diagonals of the whitening factors; a factor times its transpose "
        "is the precision, from the right.",
        batched=False,
    )
    lower: TensorLike = Parameter(
        "K D D",
        "Matrices of which the parts below the diagonal are those of the factors.",
        batched=False,
    )

    _is_increasing = monotone.increasing_of_one

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
        """
        roots = np.linalg.cholesky(np.asarray(covariances, np.float64))
        factors = np.linalg.inv(roots)
        values = {
            "log_weights": np.log(np.asarray(weights, np.float64)),
            "means": np.asarray(means, np.float64),
            "log_diagonals": np.log(np.diagonal(factors, axis1=1, axis2=2)),
            "lower": np.tril(factors, -1),
        }
        return cls._of_variables({}, dtype, trains=trainable, name=name, **values)

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
            num_components: Number of components `K`.
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

    def _flat(self, function: Any, value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parameters = (
            tf.convert_to_tensor(p)
            for p in (self.log_weights, self.means, self.log_diagonals, self.lower)
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
