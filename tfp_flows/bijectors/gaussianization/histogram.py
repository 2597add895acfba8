"""Normal CDF, and CDF tables of data."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone
from tfp_flows.bijectors._core.parameters import Parameter
from tfp_flows.bijectors._core.properties import FIXED
from tfp_flows.math import normal, support
from tfp_flows.math.gaussianization import cdf_tables, histograms, smoothing

__all__ = ["HistogramCDF", "MarginalGaussianize", "NormalCDF"]

# Half the grid of a new map, in standard deviations.
HALF_WIDTH = 5.0


def _inside(p: tf.Tensor) -> tf.Tensor:
    """Return probabilities off 0 and 1, by the least that the dtype can tell."""
    kind = p.dtype.as_numpy_dtype
    return tf.clip_by_value(
        p, np.finfo(kind).tiny, kind(1.0) - kind(np.finfo(kind).epsneg)
    )


class NormalCDF(base.Bijector):
    """Map the line to (0, 1) by the normal CDF, finite in both tails.

    Unlike `tfb.NormalCDF`, neither direction ever gives 0, 1 or an infinite number:
    probabilities are kept off both ends by the least step of their dtype. The lower
    tail is exact to full relative precision. Near 1 a float cannot tell levels apart;
    `MarginalGaussianize` never goes through such numbers.

    Beyond 0 and 1 a density is 0: the inverse log-det is minus infinity, the value that
    of the end. The ends themselves, to which a number may be rounded, count as inside.

    Both directions are closed forms.

    Shapes:
        Scalars `[...]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> tfpf.bijectors.NormalCDF().forward([0.]).numpy().tolist()
        [0.5]
    """

    _event = ""
    _is_increasing = monotone.increasing

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        kind = x.dtype.as_numpy_dtype
        clip_value = np.sqrt(np.finfo(kind).max) / 2.0
        return _inside(normal.tails(x)[0]), normal.log_prob(
            tf.clip_by_value(x, -clip_value, clip_value)
        )

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        p = _inside(y)
        x = normal.quantile(p, 1.0 - p)
        return x, support.log_inside(y, 0.0, 1.0) - normal.log_prob(x)


class _Table(base.Bijector):
    """What both maps by CDF tables share: a regular grid and its log-masses."""

    low: TensorLike = Parameter(
        "D", "Where the grid of each feature starts.", trainable=False, batched=False
    )
    high: TensorLike = Parameter(
        "D", "Where it ends.", trainable=False, batched=False, constraint=FIXED
    )
    log_masses: TensorLike = Parameter(
        "D G+2",
        "Logs of the probabilities, up to a constant, of what lies below, of the `G` "
        "cells, and of what lies above.",
        batched=False,
    )

    _is_increasing = monotone.increasing

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        _checks.at_least(sizes["G"] + 2, 4, "log_masses.shape[-1]")
        return {}

    @classmethod
    def from_samples(
        cls,
        x: TensorLike,
        num_bins: int = 100,
        *,
        bandwidth: float | None = None,
        pseudo_counts: float = 0.5,
        margin: float = 0.05,
        dtype: DType = tf.float32,
        trainable: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the map for the marginals of data.

        Args:
            x: Data, `[N, D]`.
            num_bins: Cells of the grid `G`.
            bandwidth: Standard deviation of a Gaussian kernel that smooths the counts,
                relative to that of each feature; `None` for none.
            pseudo_counts: Added to each cell.
            margin: By how much of its size the range of the data is widened.
            trainable: Whether the masses are trained.

        Raises:
            ValueError: If the data are no finite matrix.
        """
        x = np.asarray(x, np.float64)
        _checks.at_least(num_bins, 2, "num_bins")
        arguments.require_rows(x)
        low, high = x.min(axis=0), x.max(axis=0)
        more = np.where(high > low, margin * (high - low), 0.5)
        low, high = low - more, high + more
        counts = histograms.histogram(x, low, high, num_bins)
        if bandwidth is not None:
            counts = _smoothed(counts, bandwidth * x.std(axis=0) / (high - low))
        values = cdf_tables.log_masses(counts, pseudo_counts)
        kwargs.update(low=low, high=high, log_masses=values)
        return cls._of_variables({}, dtype, trains=trainable, **kwargs)

    @classmethod
    def trainable(
        cls,
        size: int,
        num_bins: int = 100,
        *,
        dtype: DType = tf.float32,
        **kwargs: Any,
    ) -> Any:
        """Return the map of the normal distribution, with a grid within 5 deviations.

        Args:
            num_bins: Cells of the grid `G`.
            dtype: Dtype of the variables; only the masses are trained.
        """
        _checks.at_least(num_bins, 2, "num_bins")
        edges = np.tile(histograms.edges(-HALF_WIDTH, HALF_WIDTH, num_bins), [size, 1])
        values = cdf_tables.log_masses_at(edges)
        low, high = edges[:, 0], edges[:, -1]
        return cls._of_variables(
            {"D": size}, dtype, low=low, high=high, log_masses=values, **kwargs
        )

    def _requirements(self) -> list[arguments.Requirement]:
        message = "`high` must be above `low` for each feature. Swap or widen them."
        return [arguments.Requirement(("low", "high"), tf.less, message)]

    def _table(self) -> tuple[tf.Tensor, ...]:
        return tuple(map(tf.convert_to_tensor, (self.low, self.high, self.log_masses)))


def _smoothed(counts: np.ndarray, bandwidths: np.ndarray) -> np.ndarray:
    """Smooth the counts of each feature; nothing is lost at the ends."""
    cells = np.linspace(0.0, 1.0, counts.shape[1] + 1)
    smoothers = np.stack([smoothing.kernel(cells, max(b, 1e-6)) for b in bandwidths])
    smoothers /= smoothers.sum(axis=-1, keepdims=True)
    return np.einsum("dg,dgh->dh", counts, smoothers)


class HistogramCDF(_Table):
    """Map each feature to (0, 1) by the CDF of a histogram on a regular grid.

    The table is read by `tfp.math.batch_interp_regular_1d_grid`, all features at once,
    and inverted exactly by the same table with its axes swapped. Beyond the grid the
    tails are Gaussian, so that the log-det is finite and the map strictly monotone
    wherever the dtype can tell probabilities apart.

    Both directions are closed forms; the density is a step function.
    """

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        z, log_det = cdf_tables.gaussianize(x, *self._table())
        y, log_density = NormalCDF().forward_and_log_det(z)
        return y, tf.reduce_sum(log_det + log_density, axis=-1)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        z, log_density = NormalCDF().inverse_and_log_det(y)
        x, log_det = cdf_tables.sample_map(z, *self._table())
        return x, tf.reduce_sum(log_det + log_density, axis=-1)


class MarginalGaussianize(_Table):
    """Give each feature the distribution of a histogram, from a normal one.

    The inverse makes marginals normal: it is `HistogramCDF` followed by the inverse
    `NormalCDF`, evaluated through the smaller tail, so that no level is lost near 1.
    With a rotation it is one layer of RBIG as it was published. `MarginalSpline` is
    the map with a continuous density.

    Both directions are closed forms; the density is a step function.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> x = np.random.default_rng(0).uniform(size=(1000, 2))
        >>> normal = tfpf.bijectors.MarginalGaussianize.from_samples(x, 20)
        >>> bool(abs(np.std(normal.inverse(x.astype("float32"))) - 1) < 0.05)
        True
    """

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y, log_det = cdf_tables.sample_map(x, *self._table())
        return y, tf.reduce_sum(log_det, axis=-1)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x, log_det = cdf_tables.gaussianize(y, *self._table())
        return x, tf.reduce_sum(log_det, axis=-1)
