"""Rational-quadratic spline bijector."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Given, Pair, TensorLike
from tfp_flows.bijectors._core import arguments, base, conditioned, monotone
from tfp_flows.bijectors._core.parameters import Option, Parameter, one_of
from tfp_flows.bijectors._core.properties import FIXED, POSITIVE
from tfp_flows.math.splines import rational_quadratic
from tfp_flows.math.splines import tails as spline_tails

__all__ = ["RationalQuadraticSpline"]


_REMEDY = "Use from_unconstrained."


class RationalQuadraticSpline(conditioned.EitherWay, base.Bijector):
    """Monotone rational-quadratic spline on each scalar, with a choice of tails.

    Both directions are closed forms of equal cost. Values, log-dets and gradients are
    finite for every finite input; `tfp_flows.math.splines.rational_quadratic` has the
    form used.

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

    bin_widths: TensorLike = Parameter(
        "K",
        "Widths of the `K` bins in the domain, positive.",
        constraint=POSITIVE,
        remedy=_REMEDY,
    )
    bin_heights: TensorLike = Parameter(
        "K?",
        "Heights of the bins in the codomain, positive.",
        constraint=POSITIVE,
        remedy=_REMEDY,
    )
    knot_slopes: TensorLike = Parameter(
        "S?",
        "Derivatives at the knots, positive: `S = K - 1` at the inner knots for "
        "identity tails, `K + 1` for linear tails, `K` for circular ones, whose first "
        "and last knots are the same point.",
        constraint=POSITIVE,
        remedy=_REMEDY,
    )
    range_min: TensorLike = Parameter(
        "", "Where the first bin starts, in domain and codomain.", default=-1.0
    )
    range_max: TensorLike | None = Parameter(
        "",
        "Where the last bin ends in both. By default the sums of widths and of heights "
        "added to `range_min`; given, both are scaled to end there.",
        default=None,
        constraint=FIXED,
    )
    _: KW_ONLY
    tails: str = Option(
        "What lies outside. `'identity'`: `y = x` (above the range shifted by what "
        "heights and widths differ in sum), slope 1 at the ends. `'linear'`: straight "
        "continuation with the slope of the end. `'circular'`: for angles in "
        "`[range_min, range_max]`; outside as identity.",
        default="identity",
        check=one_of(*spline_tails.TAILS),
    )

    _event = ""
    _is_increasing = monotone.increasing

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        bins, wanted = sizes["K"], spline_tails.num_slopes(sizes["K"], self.tails)
        heights = arguments.last_size(self.bin_heights, "bin_heights")
        slopes = arguments.last_size(self.knot_slopes, "knot_slopes")
        if bins != heights or slopes != wanted:
            msg = (
                f"`knot_slopes` must hold {wanted} numbers and `bin_heights` {bins} "
                f"for {bins} bins with {self.tails} tails, got {slopes} and {heights}. "
                "Match their last dimensions."
            )
            raise ValueError(msg)
        return {}

    @classmethod
    def from_unconstrained(
        cls,
        params: TensorLike,
        *,
        range_min: float = -1.0,
        range_max: float = 1.0,
        tails: str = "identity",
        **kwargs: Any,
    ) -> RationalQuadraticSpline:
        """Build a spline from unconstrained numbers; zeros give the identity.

        Args:
            params: `[..., P]`: `K` numbers for widths, `K` for heights, and `K - 1`,
                `K + 1` or `K` for slopes (identity, linear, circular tails). A variable
                is read at each use, and trained.
            range_min: First knot.
            range_max: Last knot.
            tails: See the class.

        Returns:
            The spline with bins at least 1e-3 of the range and slopes within 1e+-3.

        Raises:
            TypeError: If the range is not given by plain numbers.
            ValueError: If `P` fits no number of bins.
        """
        _checks.one_of(tails, spline_tails.TAILS, "tails")
        owner = f"`{cls.__name__}`"
        dtype = arguments.common_dtype(params, owner=owner)
        params = arguments.as_parameter(params, "params", dtype)
        arguments.last_size(params, "params")
        bins, rest = divmod(params.shape[-1] - spline_tails.num_slopes(0, tails), 3)
        if rest or bins < 1:
            form = f"3 * K + {spline_tails.num_slopes(0, tails)}"
            msg = (
                f"`params` must have {form} numbers for K bins with {tails} tails, got "
                f"{params.shape[-1]}. Change the last dimension."
            )
            raise ValueError(msg)
        for argument, value in (("range_min", range_min), ("range_max", range_max)):
            _checks.plain_number(value, argument)
        make = _FromFree(bins, range_min, range_max, tails)
        widths, heights, slopes = make.deferred(params)
        return cls(
            widths,
            heights,
            slopes,
            range_min=range_min,
            range_max=range_max,
            tails=tails,
            **kwargs,
        )

    def _requirements(self) -> list[arguments.Requirement]:
        message = "`range_max` must be above `range_min`. Swap or widen them."
        ends = arguments.Requirement(("range_min", "range_max"), tf.less, message)
        return [*super()._requirements(), ends]

    def _knots(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        low, high = tf.convert_to_tensor(self.range_min), self.range_max
        high = None if high is None else tf.convert_to_tensor(high)
        # Each spline of a batch may have a range of its own.
        zeros = tf.zeros_like(low) if high is None else tf.zeros_like(low + high)
        tables = []
        for sizes in (self.bin_widths, self.bin_heights):
            sizes = tf.convert_to_tensor(sizes)
            sizes = tf.transpose(sizes, _last_axis_first(sizes.shape.rank))
            if zeros.shape.rank:
                sizes = _pad_rank(sizes, zeros.shape.rank) + zeros
            total = tf.reduce_sum(sizes, axis=0)
            end = low + total if high is None else high
            tables.append(rational_quadratic.knots(sizes / total, low, end))
        inner = tf.convert_to_tensor(self.knot_slopes)
        inner = tf.transpose(inner, _last_axis_first(inner.shape.rank))
        if inner.shape[0] == 0:
            one = tf.ones_like(tables[0][:1])
            return tables[0], tables[1], tf.concat([one, one], axis=0)
        return tables[0], tables[1], spline_tails.all_slopes(inner, self.tails)

    def _either(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        del condition
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
            value, x_knots, y_knots, slopes, self.tails, inverse=inverse
        )


@dataclasses.dataclass(frozen=True)
class _FromFree:
    """Widths, heights and slopes of a spline as functions of unconstrained numbers."""

    num_bins: int
    range_min: float
    range_max: float
    tails: str

    def __call__(self, params: Any) -> tuple[tf.Tensor, ...]:
        params = tf.convert_to_tensor(params)
        rank = params.shape.rank
        x, y, slopes = spline_tails.spline_parameters(
            tf.transpose(params, _last_axis_first(rank)),
            *dataclasses.astuple(self),
        )
        start = 1 if self.tails == "identity" else 0
        stop = None if self.tails == "linear" else -1
        parts = (x[1:] - x[:-1], y[1:] - y[:-1], slopes[start:stop])
        return tuple(tf.transpose(part, _first_axis_last(rank)) for part in parts)

    def deferred(self, params: Any) -> Sequence[Any]:
        """Return all three, of a variable as tensors that are computed at each use."""
        if arguments.reference(params) is None:
            return self(params)
        sizes = [self.num_bins] * 2
        sizes.append(spline_tails.num_slopes(self.num_bins, self.tails))
        return [
            tfp.util.DeferredTensor(
                params, _Part(self, i), shape=params.shape[:-1].concatenate([size])
            )
            for i, size in enumerate(sizes)
        ]


@dataclasses.dataclass(frozen=True)
class _Part:
    """One of the three; a function with a name, which can be pickled and compared."""

    make: _FromFree
    index: int
    __name__ = "spline_parameters"

    def __call__(self, params: Any) -> tf.Tensor:
        return self.make(params)[self.index]


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
