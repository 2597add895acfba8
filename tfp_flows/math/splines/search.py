"""Finding the bin of a rational-quadratic spline straight from its logits.

Where every scalar has a spline of its own, as in coupling and autoregressive maps,
tables of all knots would be work for nothing: here running sums of the bins are
compared with the position, and only the numbers of its bin are kept, by chains of
selections: no gather, no sort, no running sum as an operation of its own. Many bins
are searched in two levels, first the block, then the bin.

The gradient is written down, since it has a closed form. With `p` the softmax of the
clipped logits and `P_m` the sum of its first `m` entries, which a knot is affine in,

    dP_m / dl_j = p_j * ([j < m] - P_m) * clip'(l_j)

XLA on a CPU writes one result per loop, and repeats in each loop whatever cheap
operations lead to it. Divisions, roots and exponentials it evaluates once: the index of
the bin and its numbers end in one of them, or the search would be repeated for every
use of its result.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import tensorflow as tf

from tfp_flows.math.splines import rational_quadratic

__all__ = ["Bin", "Bounds", "pick_bin"]

# Up to so many bins one level of search is cheapest.
ONE_LEVEL = 16


class Bin(NamedTuple):
    """Knots of one bin, and the slopes there; all like the position."""

    x0: tf.Tensor
    x1: tf.Tensor
    y0: tf.Tensor
    y1: tf.Tensor
    slope0: tf.Tensor
    slope1: tf.Tensor


class Bounds(NamedTuple):
    """What limits the splines.

    Attributes:
        low: First knot of both axes.
        high: Last knot.
        minimum: Smallest bin relative to the range.
        bins: Soft bound of the logits of widths and heights.
        slopes: Soft bound of the logits of slopes.
    """

    low: float
    high: float
    minimum: float
    bins: float
    slopes: float

    def equal_knot(self, index: Any, bins: int) -> Any:
        """Return the knot of an index if all bins are of equal size."""
        step = (self.high - self.low) / bins
        return 0.5 * (self.low + self.high) + step * (index - 0.5 * bins)


def _weigh(logits: tf.Tensor, bound: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the exponential of softly clipped logits, and the slope of the clip."""
    shrink = 1.0 / (1.0 + tf.abs(logits) * (1.0 / bound))
    return tf.exp(logits * shrink), shrink * shrink


def _block_size(bins: int) -> int:
    """Return the number of bins per block, `bins` itself for one level."""
    if bins <= ONE_LEVEL:
        return bins
    divisors = [b for b in range(2, bins) if bins % b == 0]
    # Two steps, through `bins / b` blocks and `b` bins.
    return min([*divisors, bins], key=lambda b: bins // b + b)


def _choose(passed: list[tf.Tensor], table: list[Any]) -> tf.Tensor:
    """Return the entry of a table after the last condition that holds."""
    chosen = table[0]
    for condition, entry in zip(passed, table[1:], strict=True):
        chosen = tf.where(condition, entry, chosen)
    return chosen


def _last(
    passed: list[tf.Tensor], first: tf.Tensor | None, step: int, like: tf.Tensor
) -> tf.Tensor:
    """Return `first` plus `step` for each condition that holds, a float as `like`."""
    if not passed:
        return tf.zeros_like(like) if first is None else first
    steps = [float(step * i) for i in range(len(passed) + 1)]
    if first is None:
        squares = [tf.constant(one * one, like.dtype) for one in steps]
    else:
        squares = [tf.square(first + one) for one in steps]
    return tf.sqrt(_choose(passed, squares))  # the root: see the top of this file


def _running(start: tf.Tensor, steps: tf.Tensor) -> list[tf.Tensor]:
    """Return `start` and the sums after each step."""
    return list(itertools.accumulate(tf.unstack(steps), initial=start))


def _positions(table: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    count = table.shape[0]
    shape = [count] + [1] * index.shape.rank
    return tf.reshape(tf.range(count, dtype=index.dtype), shape)


def _blocks(table: tf.Tensor, size: int) -> tf.Tensor:
    count = table.shape[0] // size
    shape = tf.concat([[count, size], tf.shape(table)[1:]], axis=0)
    blocks = tf.reshape(table, shape)
    return tf.ensure_shape(blocks, [count, size, *table.shape[1:]])


class _Axis:
    """The bins of one axis, by how far they are from bins of equal size.

    Knot `i` is that of equal bins, plus `shift / rate`. Shifts are sums of what weights
    have above their mean, from the middle outwards: short sums of small numbers, which
    lose few digits, most of all near the centre, where most values are.
    """

    def __init__(self, logits: tf.Tensor, bounds: Bounds) -> None:
        self.logits = logits
        self.bounds = bounds
        self.weights, self.clip_slope = _weigh(logits, bounds.bins)
        bins = logits.shape[0]
        self.free = (bounds.high - bounds.low) * (1.0 - bounds.minimum * bins)
        total = tf.reduce_sum(self.weights, axis=0)
        self.mean = total * (1.0 / bins)
        self.rate = total * (1.0 / self.free)

    def shifts(self, excess: list[tf.Tensor]) -> list[tf.Tensor]:
        """Return the shifts of all edges of runs of bins, given what each run adds."""
        half = len(excess) // 2
        down = list(itertools.accumulate(reversed(excess[:half])))
        up = list(itertools.accumulate(excess[half:]))
        middle = (down[-1] - up[-1] if down else -up[-1]) * 0.5
        below = [middle - step for step in reversed(down)]
        return [*below, middle, *(middle + step for step in up)]

    def knot(self, equal: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
        """Return the knot where `equal` would be that of equal bins."""
        return equal + shift / self.rate

    def gradient(
        self,
        index: tf.Tensor,
        knots: tuple[tf.Tensor, tf.Tensor],
        upstream: tuple[tf.Tensor, tf.Tensor],
    ) -> tf.Tensor:
        """Return the gradient by the logits from those by the two knots of a bin."""
        first, second = upstream
        low = self.bounds.low
        step = (self.bounds.high - low) * self.bounds.minimum
        before = (knots[0] - low - step * index) * (1.0 / self.free)
        until = (knots[1] - low - step * (index + 1.0)) * (1.0 / self.free)
        mean = first * before + second * until
        # [j < m] of both knots, each minus the mean of its kind.
        left, own, right = (
            part / self.rate for part in (first + second - mean, second - mean, -mean)
        )
        at = _positions(self.logits, index)
        by_weight = tf.where(at < index, left, tf.where(at > index, right, own))
        return (self.weights * self.clip_slope) * by_weight


def _passed(
    value: tf.Tensor,
    axis: _Axis,
    first: tf.Tensor | None,
    shifts: list[tf.Tensor],
    step: int,
) -> list[tf.Tensor]:
    """Return whether a value is not below the inner edges that come after `first`."""
    bins = axis.logits.shape[0]
    length = (axis.bounds.high - axis.bounds.low) / bins
    offset = value - axis.bounds.equal_knot(0.0 if first is None else first, bins)
    return [
        (offset - length * float(step * i)) * axis.rate >= shift
        for i, shift in enumerate(shifts[1:-1], 1)
    ]


def _search(
    value: tf.Tensor, axes: tuple[_Axis, _Axis], slopes: tf.Tensor, by: int
) -> tuple[Bin, tf.Tensor]:
    """Return the bin of `value`, whose slopes are logits, and its index as a float."""
    bounds, bins = axes[0].bounds, slopes.shape[0] - 1
    size = _block_size(bins)
    first = None
    ends: list[Any] = [None, None]
    if size < bins:
        edges = [
            axis.shifts(
                tf.unstack(tf.reduce_sum(_blocks(axis.weights - axis.mean, size), 1))
            )
            for axis in axes
        ]
        inner = _passed(value, axes[by], None, edges[by], size)
        first = _last(inner, None, size, value)
        passed = [first >= float(i * size) for i in range(1, bins // size)]
        starts = [_choose(passed, edge[:-1]) for edge in edges]
        ends = [_choose(passed, edge[1:]) for edge in edges]
        logits = [_choose(passed, tf.unstack(_blocks(a.logits, size))) for a in axes]
        edges = [
            _running(start, _weigh(chosen, bounds.bins)[0] - axis.mean)
            for axis, start, chosen in zip(axes, starts, logits, strict=True)
        ]
        slopes = _choose(
            passed, [slopes[i : i + size + 1] for i in range(0, bins, size)]
        )
    else:
        edges = [axis.shifts(tf.unstack(axis.weights - axis.mean)) for axis in axes]
    inner = _passed(value, axes[by], first, edges[by], 1)
    index = _last(inner, first, 1, value)
    local = index if first is None else index - first
    passed = [local >= float(i) for i in range(1, size)]
    is_first, is_last = index < 1.0, index >= float(bins - 1)
    low, high = (tf.cast(bound, value.dtype) for bound in bounds[:2])
    equal = bounds.equal_knot(index, bins), bounds.equal_knot(index + 1.0, bins)
    knots = []
    for axis, edge, end in zip(axes, edges, ends, strict=True):
        knot = axis.knot(equal[0], _choose(passed, edge[:-1]))
        knots.append(tf.where(is_first, low, knot))
        until = [*edge[1:-1], edge[-1] if end is None else end]
        knot = axis.knot(equal[1], _choose(passed, until))
        knots.append(tf.where(is_last, high, knot))
    raw = tf.unstack(slopes)
    slope0, slope1 = (_choose(passed, part) for part in (raw[:-1], raw[1:]))
    found = Bin(knots[0], knots[1], knots[2], knots[3], slope0, slope1)
    return found, index


def pick_bin(
    value: tf.Tensor,
    widths: tf.Tensor,
    heights: tf.Tensor,
    slopes: tf.Tensor,
    bounds: Bounds,
    *,
    inverse: bool,
) -> Bin:
    """Return the bin of each position.

    Args:
        value: Positions, `[...]`, in the domain or, if `inverse`, in the codomain.
            What lies outside is given the first or the last bin.
        widths: Logits of the widths, `[K, ...]`, of the same `...`.
        heights: Logits of the heights, `[K, ...]`.
        slopes: Logits of the slopes, `[K + 1, ...]`.
        bounds: What limits the splines.
        inverse: Whether positions are searched among the heights.

    Returns:
        The numbers of the bins, with gradients by the logits; the search has none by
        the position.
    """

    @tf.custom_gradient
    def pick(
        widths: tf.Tensor, heights: tf.Tensor, slopes: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, ...], Any]:
        axes = (_Axis(widths, bounds), _Axis(heights, bounds))
        found, index = _search(value, axes, slopes, by=int(inverse))
        clipped = [
            rational_quadratic.soft_clip(raw, bounds.slopes) for raw in found[4:]
        ]
        found = found._replace(slope0=tf.exp(clipped[0]), slope1=tf.exp(clipped[1]))

        def gradient(*upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            by_widths = axes[0].gradient(index, found[0:2], upstream[0:2])
            by_heights = axes[1].gradient(index, found[2:4], upstream[2:4])
            # The slope of the soft clip, by its value.
            left, right = (
                g * slope * tf.square(1.0 - tf.abs(c) * (1.0 / bounds.slopes))
                for g, slope, c in zip(upstream[4:], found[4:], clipped, strict=True)
            )
            at = _positions(slopes, index)
            zero = tf.zeros([], value.dtype)
            right = tf.where(tf.equal(at, index + 1.0), right, zero)
            by_slopes = tf.where(tf.equal(at, index), left, right)
            return by_widths, by_heights, by_slopes

        return tuple(found), gradient

    return Bin(*pick(widths, heights, slopes))
