"""Normal CDF, and CDF tables of data."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, properties
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

    Args:
        validate_args: Whether to run value checks.
        name: Name of the map.

    Shapes:
        Scalars `[...]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> tfpf.bijectors.NormalCDF().forward([0.]).numpy().tolist()
        [0.5]
    """

    def __init__(
        self, *, validate_args: bool = False, name: str = "normal_cdf"
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(
                forward_min_event_ndims=0,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {}

    @classmethod
    def _is_increasing(cls) -> bool:
        return True

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

    _of_tensors = True

    def __init__(
        self,
        low: TensorLike,
        high: TensorLike,
        log_masses: TensorLike,
        *,
        validate_args: bool,
        parameters: dict[str, Any],
        name: str,
    ) -> None:
        owner = f"`{type(self).__name__}`"
        dtype = arguments.common_dtype(low, high, log_masses, owner=owner)
        self._low = arguments.as_parameter(low, "low", dtype)
        self._high = arguments.as_parameter(high, "high", dtype)
        self._log_masses = arguments.as_parameter(log_masses, "log_masses", dtype)
        size = arguments.last_size(self._low, "low")
        cells = arguments.last_size(self._log_masses, "log_masses")
        for argument, shape in (
            ("low", (size,)),
            ("high", (size,)),
            ("log_masses", (size, cells)),
        ):
            value = getattr(self, f"_{argument}")
            arguments.require_exact(value, shape, argument, owner)
        _checks.at_least(cells, 4, "log_masses.shape[-1]")
        super().__init__(
            event_shape=(size,),
            forward_min_event_ndims=1,
            dtype=dtype,
            validate_args=validate_args,
            parameters=parameters,
            name=name,
        )

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
            dtype: Dtype of the variables.
            trainable: Whether the masses are trained.
            **kwargs: `name` and `validate_args`.

        Returns:
            The map.

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
        variables = (
            arguments.variable(low, "low", dtype, trainable=False),
            arguments.variable(high, "high", dtype, trainable=False),
            arguments.variable(values, "log_masses", dtype, trainable=trainable),
        )
        return cls(*variables, **kwargs)

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
            size: Number of features `D`.
            num_bins: Cells of the grid `G`.
            dtype: Dtype of the variables; only the masses are trained.
            **kwargs: `name` and `validate_args`.

        Returns:
            The map.
        """
        _checks.at_least(size, 1, "size")
        _checks.at_least(num_bins, 2, "num_bins")
        edges = np.tile(histograms.edges(-HALF_WIDTH, HALF_WIDTH, num_bins), [size, 1])
        values = cdf_tables.log_masses_at(edges)
        variables = (
            arguments.variable(edges[:, 0], "low", dtype, trainable=False),
            arguments.variable(edges[:, -1], "high", dtype, trainable=False),
            arguments.variable(values, "log_masses", dtype),
        )
        return cls(*variables, **kwargs)

    @property
    def low(self) -> tf.Tensor | tf.Variable:
        """Where the grid starts."""
        return self._low

    @property
    def high(self) -> tf.Tensor | tf.Variable:
        """Where the grid ends."""
        return self._high

    @property
    def log_masses(self) -> tf.Tensor | tf.Variable:
        """Logs of the probabilities of the cells, the two outer ones included."""
        return self._log_masses

    _is_increasing = monotone.increasing

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {
            "low": properties.free(1),
            "high": properties.fixed(1),
            "log_masses": properties.free(2),
        }

    def _requirements(self) -> list[arguments.Requirement]:
        message = "`high` must be above `low` for each feature. Swap or widen them."
        return [arguments.Requirement(("low", "high"), tf.less, message)]

    def _table(self) -> tuple[tf.Tensor, ...]:
        given = (self._low, self._high, self._log_masses)
        low, high, log_masses = map(tf.convert_to_tensor, given)
        return low, high, log_masses


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

    Args:
        low: Where the grid of each feature starts, `[D]`.
        high: Where it ends, `[D]`.
        log_masses: Logs of the probabilities, up to a constant, of what lies below, of
            the `G` cells, and of what lies above, `[D, G + 2]`.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Shapes:
        `[..., D]` to `[..., D]`.
    """

    def __init__(
        self,
        low: TensorLike,
        high: TensorLike,
        log_masses: TensorLike,
        *,
        validate_args: bool = False,
        name: str = "histogram_cdf",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(
                low,
                high,
                log_masses,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

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

    Args:
        low: Where the grid of each feature starts, `[D]`.
        high: Where it ends, `[D]`.
        log_masses: See `HistogramCDF`.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Shapes:
        `[..., D]` to `[..., D]`.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> x = np.random.default_rng(0).uniform(size=(1000, 2))
        >>> normal = tfpf.bijectors.MarginalGaussianize.from_samples(x, 20)
        >>> bool(abs(np.std(normal.inverse(x.astype("float32"))) - 1) < 0.05)
        True
    """

    def __init__(
        self,
        low: TensorLike,
        high: TensorLike,
        log_masses: TensorLike,
        *,
        validate_args: bool = False,
        name: str = "marginal_gaussianize",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(
                low,
                high,
                log_masses,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y, log_det = cdf_tables.sample_map(x, *self._table())
        return y, tf.reduce_sum(log_det, axis=-1)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x, log_det = cdf_tables.gaussianize(y, *self._table())
        return x, tf.reduce_sum(log_det, axis=-1)
