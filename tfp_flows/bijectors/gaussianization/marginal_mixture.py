"""Marginal distributions that are mixtures, or smoothed by kernels, of each feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, properties
from tfp_flows.math.gaussianization import mixture_fits, mixture_maps

__all__ = ["MarginalMixture"]


class MarginalMixture(base.Bijector):
    """Give each feature the distribution of a mixture, from a normal one.

    The inverse makes marginals normal, `z = ndtri(F(y))` with `F` the CDF of a mixture
    of normal or logistic distributions. Its density is smooth, its tails are Gaussian
    and their width that of the outermost components; a broad component of weight 1e-4
    keeps it above zero between modes far apart. All features are evaluated at once, and
    the parameters are free numbers, so that training keeps every map strictly monotone.

    The inverse is a closed form, at the cost of `K` components; `forward` solves for it
    by some ten Newton steps.

    Args:
        logits: Log-weights of the `K` components, up to a constant, `[D, K]`.
        locations: Their locations, `[D, K]`.
        log_scales: Logs of their scales, `[D, K]`.
        kind: `"normal"` or `"logistic"`.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If shapes do not agree.

    Shapes:
        `[..., D]` to `[..., D]`.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> x = np.random.default_rng(0).gamma(2.0, size=(1000, 2))
        >>> normal = tfpf.bijectors.MarginalMixture.fit(x, 4)
        >>> bool(abs(np.std(normal.inverse(x.astype("float32"))) - 1) < 0.05)
        True

    References:
        Chen, Gopinath (2000). Gaussianization.
        Meng, Song, Song, Ermon (2020). Gaussianization Flows.
        https://arxiv.org/abs/2003.01941
    """

    _of_tensors = True

    def __init__(
        self,
        logits: TensorLike,
        locations: TensorLike,
        log_scales: TensorLike,
        *,
        kind: str = "normal",
        validate_args: bool = False,
        name: str = "marginal_mixture",
    ) -> None:
        parameters = dict(locals())
        _checks.one_of(kind, mixture_maps.KINDS, "kind")
        with tf.name_scope(name) as name:
            owner = f"`{type(self).__name__}`"
            given = (logits, locations, log_scales)
            dtype = arguments.common_dtype(*given, owner=owner)
            self._logits = arguments.as_parameter(logits, "logits", dtype)
            self._locations = arguments.as_parameter(locations, "locations", dtype)
            self._log_scales = arguments.as_parameter(log_scales, "log_scales", dtype)
            self._kind = kind
            shape = tuple(self._logits.shape.as_list())
            for argument in ("logits", "locations", "log_scales"):
                found = tuple(getattr(self, f"_{argument}").shape.as_list())
                if len(found) != 2 or found != shape:
                    msg = (
                        f"`{argument}` must be a matrix [D, K] of the shape of "
                        f"`logits`, {shape}, for {owner}, got {found}. Give one row "
                        "per feature, without a batch."
                    )
                    raise ValueError(msg)
            super().__init__(
                event_shape=(shape[0],),
                forward_min_event_ndims=1,
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def fit(
        cls,
        x: TensorLike,
        num_components: int = 8,
        *,
        kind: str = "normal",
        dtype: DType = tf.float32,
        trainable: bool = True,
        name: str = "marginal_mixture",
    ) -> MarginalMixture:
        """Return the map for the marginals of data, by expectation-maximisation.

        Args:
            x: Data, `[N, D]`.
            num_components: Number of components `K`.
            kind: `"normal"` or `"logistic"`.
            dtype: Dtype of the variables.
            trainable: Whether they are trained.
            name: Name of the map.

        Returns:
            The map.

        Raises:
            ValueError: If the data are no finite matrix.
        """
        _checks.at_least(num_components, 1, "num_components")
        _checks.one_of(kind, mixture_maps.KINDS, "kind")
        rows = _matrix(x)
        values = mixture_fits.expectation_maximisation(rows, num_components, kind)
        return cls._of(values, kind, dtype, trainable, name)

    @classmethod
    def from_kernel(
        cls,
        x: TensorLike,
        num_kernels: int = 128,
        *,
        bandwidth: float | None = None,
        dtype: DType = tf.float32,
        trainable: bool = False,
        name: str = "marginal_kernel",
    ) -> MarginalMixture:
        """Return the map by kernel-smoothed CDFs: normal kernels on a regular grid.

        Args:
            x: Data, `[N, D]`.
            num_kernels: Points of the grid, over the range of the data.
            bandwidth: Deviation of a kernel relative to that of the feature; `None` for
                Silverman's rule. It is at least the distance of the points.
            dtype: Dtype of the variables.
            trainable: Whether they are trained.
            name: Name of the map.

        Returns:
            The map.

        Raises:
            ValueError: If the data are no finite matrix.
        """
        _checks.at_least(num_kernels, 2, "num_kernels")
        values = mixture_fits.kernels(_matrix(x), num_kernels, bandwidth)
        return cls._of(values, "normal", dtype, trainable, name)

    @classmethod
    def _of(
        cls,
        values: tuple[np.ndarray, np.ndarray, np.ndarray],
        kind: str,
        dtype: DType,
        trainable: bool,  # noqa: FBT001
        name: str,
    ) -> MarginalMixture:
        names = ("logits", "locations", "log_scales")
        with tf.name_scope(name):
            variables = {
                key: arguments.variable(value, key, dtype, trainable=trainable)
                for key, value in zip(names, values, strict=True)
            }
            return cls(**variables, kind=kind, name=name)

    @property
    def logits(self) -> tf.Tensor | tf.Variable:
        """Log-weights of the components, up to a constant."""
        return self._logits

    @property
    def locations(self) -> tf.Tensor | tf.Variable:
        """Locations of the components."""
        return self._locations

    @property
    def log_scales(self) -> tf.Tensor | tf.Variable:
        """Logs of the scales of the components."""
        return self._log_scales

    @property
    def kind(self) -> str:
        """What the components are: `"normal"` or `"logistic"`."""
        return self._kind

    _is_increasing = monotone.increasing

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        matrix = properties.free(2)
        return {"logits": matrix, "locations": matrix, "log_scales": matrix}

    def _mixture(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        given = (self._logits, self._locations, self._log_scales)
        logits, locations, log_scales = map(tf.convert_to_tensor, given)
        return logits, locations, log_scales

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y, log_det = mixture_maps.sample_map(x, *self._mixture(), self._kind)
        return y, tf.reduce_sum(log_det, axis=-1)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x, log_det = mixture_maps.gaussianize(y, *self._mixture(), self._kind)
        return x, tf.reduce_sum(log_det, axis=-1)


def _matrix(x: TensorLike) -> np.ndarray:
    """Return finite rows in float64."""
    rows = np.asarray(x, np.float64)
    arguments.require_rows(rows)
    return rows
