"""Marginal distributions that are mixtures, or smoothed by kernels, of each feature."""

from __future__ import annotations

from dataclasses import KW_ONLY

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone
from tfp_flows.bijectors._core.parameters import Option, Parameter, one_of
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

    logits: TensorLike = Parameter(
        "D K", "Log-weights of the `K` components, up to a constant.", batched=False
    )
    locations: TensorLike = Parameter("D K", "Their locations.", batched=False)
    log_scales: TensorLike = Parameter("D K", "Logs of their scales.", batched=False)
    _: KW_ONLY
    kind: str = Option(
        '`"normal"` or `"logistic"`.',
        default="normal",
        check=one_of(*mixture_maps.KINDS),
    )

    _is_increasing = monotone.increasing

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

        Raises:
            ValueError: If the data are no finite matrix.
        """
        _checks.at_least(num_components, 1, "num_components")
        _checks.one_of(kind, mixture_maps.KINDS, "kind")
        rows = _matrix(x)
        values = mixture_fits.expectation_maximisation(rows, num_components, kind)
        return cls._of_variables(
            {}, dtype, trains=trainable, kind=kind, name=name, **_named(values)
        )

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

        Raises:
            ValueError: If the data are no finite matrix.
        """
        _checks.at_least(num_kernels, 2, "num_kernels")
        values = mixture_fits.kernels(_matrix(x), num_kernels, bandwidth)
        return cls._of_variables(
            {}, dtype, trains=trainable, name=name, **_named(values)
        )

    def _mixture(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        given = (self.logits, self.locations, self.log_scales)
        logits, locations, log_scales = map(tf.convert_to_tensor, given)
        return logits, locations, log_scales

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y, log_det = mixture_maps.sample_map(x, *self._mixture(), self.kind)
        return y, tf.reduce_sum(log_det, axis=-1)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x, log_det = mixture_maps.gaussianize(y, *self._mixture(), self.kind)
        return x, tf.reduce_sum(log_det, axis=-1)


def _named(values: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    return dict(zip(("logits", "locations", "log_scales"), values, strict=True))


def _matrix(x: TensorLike) -> np.ndarray:
    """Return finite rows in float64."""
    rows = np.asarray(x, np.float64)
    arguments.require_rows(rows)
    return rows
