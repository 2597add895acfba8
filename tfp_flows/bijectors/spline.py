"""Rational-quadratic spline bijector."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import TensorLike
from tfp_flows.bijectors import base
from tfp_flows.math import spline_tails, splines

__all__ = ["RationalQuadraticSpline"]


class RationalQuadraticSpline(base.Bijector):
    """Monotone rational-quadratic spline on each scalar, with a choice of tails.

    Both directions are closed forms of equal cost. Values, log-dets and gradients are
    finite for every finite input; see `tfp_flows.math.splines` for the form used.

    Args:
        bin_widths: Widths of the `K` bins in the domain, `[..., K]`, positive.
        bin_heights: Heights of the bins in the codomain, `[..., K]`, positive.
        knot_slopes: Derivatives at the knots, positive: `[..., K - 1]` at the inner
            knots for identity tails, `[..., K + 1]` for linear tails, `[..., K]` for
            circular ones, whose first and last knots are the same point.
        range_min: Where the first bin starts, in domain and codomain.
        range_max: Where the last bin ends in both. By default the sums of widths and
            of heights added to `range_min`; given, both are scaled to end there.
        tails: What lies outside. `"identity"`: `y = x` (above the range shifted
            by what heights and widths differ in sum), slope 1 at the ends.
            `"linear"`: straight continuation with the slope of the end.
            `"circular"`: for angles in `[range_min, range_max]`; outside as identity.
        validate_args: Whether to check that widths, heights, and slopes are positive.
        name: Name of the map.

    Raises:
        ValueError: If `tails` is unknown or the numbers of bins and slopes disagree.

    Example:
        >>> import tfp_flows as tfpf
        >>> spline = tfpf.bijectors.RationalQuadraticSpline(
        ...     bin_widths=[1., 1.], bin_heights=[.5, 1.5], knot_slopes=[1.],
        ...     range_min=-1.)
        >>> [float(y) for y in spline.forward([-1., 0., 1., 3.])]
        [-1.0, -0.5, 1.0, 3.0]

    References:
        Durkan et al. (2019). Neural Spline Flows. https://arxiv.org/abs/1906.04032
        Rezende et al. (2020). Normalizing flows on tori and spheres (circular tails).
        https://arxiv.org/abs/2002.02428
    """

    def __init__(
        self,
        bin_widths: TensorLike,
        bin_heights: TensorLike,
        knot_slopes: TensorLike,
        range_min: TensorLike = -1.0,
        range_max: TensorLike | None = None,
        *,
        tails: str = "identity",
        validate_args: bool = False,
        name: str = "rational_quadratic_spline",
    ) -> None:
        parameters = dict(locals())
        _checks.one_of(tails, spline_tails.TAILS, "tails")
        with tf.name_scope(name) as name:
            dtype = _common_dtype(bin_widths, bin_heights, knot_slopes)
            self._bin_widths = _tensor(bin_widths, dtype)
            self._bin_heights = _tensor(bin_heights, dtype)
            self._knot_slopes = _tensor(knot_slopes, dtype)
            self._range_min = _tensor(range_min, dtype)
            self._range_max = None if range_max is None else _tensor(range_max, dtype)
            # Slicing turns plain numbers into float32: give it these instead.
            parameters.update(range_min=self._range_min, range_max=self._range_max)
            self._tails = tails
            bins, heights, slopes = (
                t.shape[-1]
                for t in (self._bin_widths, self._bin_heights, self._knot_slopes)
            )
            if bins != heights or slopes != spline_tails.num_slopes(bins, tails):
                wanted = spline_tails.num_slopes(bins, tails)
                msg = (
                    f"`knot_slopes` must hold {wanted} numbers and "
                    f"`bin_heights` {bins} for {bins} bins with {tails} tails, got "
                    f"{slopes} and {heights}. Match their last dimensions."
                )
                raise ValueError(msg)
            super().__init__(
                forward_min_event_ndims=0,
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def from_unconstrained(
        cls,
        params: TensorLike,
        *,
        range_min: float = -1.0,
        range_max: float = 1.0,
        tails: str = "identity",
        name: str = "rational_quadratic_spline",
    ) -> RationalQuadraticSpline:
        """Build a spline from unconstrained numbers; zeros give the identity.

        Args:
            params: `[..., P]`: `K` numbers for widths, `K` for heights, and `K - 1`,
                `K + 1` or `K` for slopes (identity, linear, circular tails).
            range_min: First knot.
            range_max: Last knot.
            tails: See the class.
            name: Name of the map.

        Returns:
            The spline with bins at least 1e-3 of the range and slopes within 1e+-3.

        Raises:
            ValueError: If `P` fits no number of bins.
        """
        _checks.one_of(tails, spline_tails.TAILS, "tails")
        params = tf.convert_to_tensor(params, _common_dtype(params))
        bins, rest = divmod(params.shape[-1] - spline_tails.num_slopes(0, tails), 3)
        if rest or bins < 1:
            form = f"3 * K + {spline_tails.num_slopes(0, tails)}"
            msg = (
                f"`params` must have {form} numbers for K bins with {tails} tails, got "
                f"{params.shape[-1]}. Change the last dimension."
            )
            raise ValueError(msg)
        first = tf.transpose(params, _last_axis_first(params.shape.rank))
        x, y, slopes = spline_tails.spline_parameters(
            first, bins, range_min, range_max, tails
        )
        start = 1 if tails == "identity" else 0
        stop = None if tails == "linear" else -1
        back = _first_axis_last(params.shape.rank)
        return cls(
            bin_widths=tf.transpose(x[1:] - x[:-1], back),
            bin_heights=tf.transpose(y[1:] - y[:-1], back),
            knot_slopes=tf.transpose(slopes[start:stop], back),
            range_min=range_min,
            range_max=range_max,
            tails=tails,
            name=name,
        )

    @property
    def bin_widths(self) -> tf.Tensor:
        """Widths of the bins, `[..., K]`."""
        return self._bin_widths

    @property
    def bin_heights(self) -> tf.Tensor:
        """Heights of the bins, `[..., K]`."""
        return self._bin_heights

    @property
    def knot_slopes(self) -> tf.Tensor:
        """Slopes at the knots that are free under the chosen tails."""
        return self._knot_slopes

    @property
    def tails(self) -> str:
        """The kind of tails."""
        return self._tails

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        vector = tfp.util.ParameterProperties(event_ndims=1)
        scalar = tfp.util.ParameterProperties(event_ndims=0)
        return {
            "bin_widths": vector,
            "bin_heights": vector,
            "knot_slopes": vector,
            "range_min": scalar,
            "range_max": scalar,
        }

    @classmethod
    def _is_increasing(cls) -> bool:
        return True

    def _parameter_control_dependencies(self, is_init: bool) -> list:  # noqa: FBT001
        if not self.validate_args:
            return []
        return [
            tf.debugging.assert_positive(
                values, message=f"`{name}` must be positive. Use from_unconstrained."
            )
            for name, values in (
                ("bin_widths", self._bin_widths),
                ("bin_heights", self._bin_heights),
                ("knot_slopes", self._knot_slopes),
            )
            if is_init != isinstance(values, tf.Variable)
        ]

    def _knots(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        low, high = self._range_min, self._range_max
        tables = []
        for sizes in (self._bin_widths, self._bin_heights):
            sizes = tf.transpose(sizes, _last_axis_first(sizes.shape.rank))
            total = tf.reduce_sum(sizes, axis=0)
            end = low + total if high is None else high
            tables.append(splines.knots(sizes / total, low, end))
        inner = tf.convert_to_tensor(self._knot_slopes)
        inner = tf.transpose(inner, _last_axis_first(inner.shape.rank))
        if inner.shape[0] == 0:
            one = tf.ones_like(tables[0][:1])
            return tables[0], tables[1], tf.concat([one, one], axis=0)
        return tables[0], tables[1], spline_tails.all_slopes(inner, self._tails)

    def _apply(self, value: tf.Tensor, *, inverse: bool) -> tuple:
        x_knots, y_knots, slopes = self._knots()
        # Parameter batches align with the input from the right, behind the bin axis.
        rank = max(value.shape.rank, *(t.shape.rank - 1 for t in (x_knots, slopes)))
        tables = [_pad_rank(t, rank) for t in (x_knots, y_knots, slopes)]
        shape = tf.shape(value)
        for table in tables:
            shape = tf.broadcast_dynamic_shape(shape, tf.shape(table)[1:])
        value = tf.broadcast_to(value, shape)
        x_knots, y_knots, slopes = tables
        return spline_tails.apply_spline(
            value, x_knots, y_knots, slopes, self._tails, inverse=inverse
        )

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._apply(x, inverse=False)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._apply(y, inverse=True)


def _pad_rank(table: tf.Tensor, rank: int) -> tf.Tensor:
    missing = rank + 1 - table.shape.rank
    if missing <= 0:
        return table
    shape = tf.shape(table)
    ones = tf.ones([missing], shape.dtype)
    return tf.reshape(table, tf.concat([shape[:1], ones, shape[1:]], axis=0))


def _last_axis_first(rank: int) -> list[int]:
    return [rank - 1, *range(rank - 1)]


def _first_axis_last(rank: int) -> list[int]:
    return [*range(1, rank), 0]


def _common_dtype(*values: TensorLike) -> tf.DType:
    for value in values:
        if hasattr(value, "dtype") and not isinstance(value.dtype, type(None)):
            return tf.as_dtype(value.dtype)
    return tf.float32


def _tensor(value: TensorLike, dtype: tf.DType) -> tf.Tensor:
    if isinstance(value, tf.Variable):
        return value
    return tf.convert_to_tensor(value, dtype=dtype)
