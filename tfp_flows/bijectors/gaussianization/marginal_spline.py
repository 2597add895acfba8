"""Monotone spline of each feature, from tables that a fit or training sets."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone
from tfp_flows.bijectors._core.parameters import Parameter
from tfp_flows.math.gaussianization import histograms, smoothing
from tfp_flows.math.splines import tables

__all__ = ["MarginalSpline"]

# Half the range of the knots of a new map, in standard deviations.
HALF_WIDTH = 5.0
# Of a map from samples: the same at least and at most, cells of the counts, folds, and
# kernels in standard deviations.
HALF_WIDTHS, NUM_CELLS, NUM_FOLDS = (5.0, 12.0), 256, 5
BANDWIDTHS = (0.1, 0.15, 0.25, 0.4, 0.7, 1.2)
# Rows that are counted at once: bounds the memory.
BLOCK = 4_096


class MarginalSpline(base.Bijector):
    """Give each feature a marginal distribution: a monotone spline with straight tails.

    The inverse, `z = T(y)`, is a rational-quadratic spline through knots of its own for
    each feature, and normalises data: with `x` normal, `y` has a continuous density
    with Gaussian tails of any width. All features are evaluated at once, and the
    parameters are free numbers, so that training keeps every map strictly monotone.

    Both directions are closed forms; the inverse is the cheaper one.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> wide = tfpf.bijectors.MarginalSpline.from_knots(
        ...     [[-1., 0., 1.]], [[-2., 0., 2.]], np.log([[.5, .5, .5]]))
        >>> wide.forward([[-3.], [0.5]]).numpy().tolist()
        [[-6.0], [1.0]]

    References:
        Durkan et al. (2019). Neural Spline Flows. https://arxiv.org/abs/1906.04032
        Meng, Song, Song, Ermon (2020). Gaussianization Flows.
        https://arxiv.org/abs/2003.01941
    """

    x_middle: TensorLike = Parameter(
        "D", "Middle knot in the domain, number `K // 2`.", batched=False
    )
    log_x_bins: TensorLike = Parameter(
        "D K", "Logs of the distances of the knots in the domain.", batched=False
    )
    y_middle: TensorLike = Parameter("D", "Middle knot in the codomain.", batched=False)
    log_y_bins: TensorLike = Parameter(
        "D K", "Logs of the distances of the knots in the codomain.", batched=False
    )
    log_knot_slopes: TensorLike = Parameter(
        "D K+1", "Logs of `dx / dy` at the knots.", batched=False
    )

    _is_increasing = monotone.increasing

    @classmethod
    def from_knots(
        cls,
        x_knots: np.ndarray,
        y_knots: np.ndarray,
        log_knot_slopes: np.ndarray,
        *,
        dtype: DType = tf.float32,
        trainable: bool = False,
        name: str = "marginal_spline",
    ) -> MarginalSpline:
        """Return a map of new variables through knots.

        Args:
            x_knots: Knots of the domain, `[D, K + 1]`, increasing.
            y_knots: Knots of the codomain, `[D, K + 1]`, increasing.
            log_knot_slopes: Logs of `dx / dy` at the knots, `[D, K + 1]`.

        Raises:
            ValueError: If knots do not increase.
        """
        values = {}
        for axis, knots in (("x", x_knots), ("y", y_knots)):
            knots = np.asarray(knots, np.float64)
            steps = np.diff(knots)
            if knots.ndim != 2 or steps.size == 0 or not np.all(steps > 0):
                msg = (
                    f"`{axis}_knots` must increase along rows [D, K + 1], got shape "
                    f"{knots.shape} with a smallest step of "
                    f"{steps.min() if steps.size else None}. Drop repeated knots."
                )
                raise ValueError(msg)
            values[f"{axis}_middle"] = knots[:, steps.shape[1] // 2]
            values[f"log_{axis}_bins"] = np.log(steps)
        values["log_knot_slopes"] = np.asarray(log_knot_slopes, np.float64)
        return cls._of_variables({}, dtype, trains=trainable, name=name, **values)

    @classmethod
    def trainable(
        cls,
        size: int,
        num_bins: int = 32,
        *,
        dtype: DType = tf.float32,
        name: str = "marginal_spline",
    ) -> MarginalSpline:
        """Return the identity of new variables, with knots within 5 deviations.

        Args:
            num_bins: Number of bins `K`.
        """
        _checks.at_least(size, 1, "size")
        _checks.at_least(num_bins, 1, "num_bins")
        knots = np.tile(np.linspace(-HALF_WIDTH, HALF_WIDTH, num_bins + 1), [size, 1])
        slopes = np.zeros_like(knots)
        return cls.from_knots(
            knots, knots, slopes, dtype=dtype, trainable=True, name=name
        )

    @classmethod
    def from_samples(
        cls,
        x: TensorLike,
        num_bins: int = 64,
        *,
        dtype: DType = tf.float32,
        trainable: bool = False,
        name: str = "marginal_spline",
    ) -> MarginalSpline:
        """Return the map for the marginals of data that are not too far from normal.

        Counts on a fine grid are smoothed as ratios to the normal distribution of the
        same mean and deviation, by the kernel whose ratio gains most on counts held
        out, for each feature; where none gains, the map is a straight line.

        Args:
            x: Data, `[N, D]`.
            num_bins: Number of bins `K`.

        Raises:
            ValueError: If the data are no finite matrix.
        """
        _checks.at_least(num_bins, 1, "num_bins")
        x = np.asarray(x)
        arguments.require_rows(x)
        loc, scale = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
        scale = np.where(scale > 0, scale, 1.0)
        blocks = range(0, len(x), BLOCK)
        farthest = max(np.abs((x[i : i + BLOCK] - loc) / scale).max() for i in blocks)
        half_width = float(np.clip(1.02 * farthest, *HALF_WIDTHS))
        cells = num_bins * max(1, round(NUM_CELLS / num_bins))
        counts = np.zeros([NUM_FOLDS, x.shape[1], cells])
        for first in blocks:
            z = (x[first : first + BLOCK] - loc) / scale
            folds = (first + np.arange(len(z))) % NUM_FOLDS
            counts += histograms.fold_histograms(
                z, folds, NUM_FOLDS, -half_width, half_width, cells
            )
        edges = histograms.edges(-half_width, half_width, cells)
        ratio, _ = smoothing.choose(counts, edges, BANDWIDTHS)
        values, log_slopes = smoothing.gaussianize(ratio, edges)
        every = slice(None, None, cells // num_bins)
        loc, scale = loc[:, np.newaxis], scale[:, np.newaxis]
        return cls.from_knots(
            values[:, every],
            loc + scale * edges[every],
            log_slopes[:, every] - np.log(scale),
            dtype=dtype,
            trainable=trainable,
            name=name,
        )

    def knots(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the knots in the domain and in the codomain, `[D, K + 1]` each."""
        x, y = (self.x_middle, self.log_x_bins), (self.y_middle, self.log_y_bins)
        return (
            tables.knots(*map(tf.convert_to_tensor, x)),
            tables.knots(*map(tf.convert_to_tensor, y)),
        )

    def _tables(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        x_knots, y_knots = self.knots()
        return y_knots, x_knots, tf.exp(tf.convert_to_tensor(self.log_knot_slopes))

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y, log_det = tables.invert(x, *self._tables())
        return y, tf.reduce_sum(log_det, axis=-1)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x, log_det = tables.evaluate(y, *self._tables())
        return x, tf.reduce_sum(log_det, axis=-1)
