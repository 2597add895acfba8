"""The map from the whole line of each coordinate to the support of a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core import base, monotone
from tfp_flows.bijectors._core.parameters import Option, Parameter
from tfp_flows.bijectors._core.properties import POSITIVE
from tfp_flows.math import circular, ranges

__all__ = ["CIRCLES", "KINDS", "Supports"]

Part = tuple[tf.Tensor, tf.Tensor]
CIRCLES = ("circle", "wrapped")
KINDS = ("line", "interval", "above", "below", "log-above", "log-below", *CIRCLES)


def _are_kinds(value: Any, name: str) -> None:
    for kind in value:
        _checks.one_of(kind, KINDS, name)


class Supports(base.Bijector):
    """Map each coordinate of the line onto the support of its column.

    An interval by the normal CDF, so that a uniform column becomes normal; a half-line
    by the exponential distribution that has normal quantiles, `low - scale *
    log(ndtr(-x))`, or by `low + scale * exp(x)`. Strictly increasing. Both directions
    cost one pass. Outside the support the inverse log-det is minus infinity.

    Raises:
        ValueError: If a kind is unknown, or if there is not one for each coordinate.

    Shapes:
        `[..., D]`.

    Example:
        >>> from tfp_flows.preprocessing import supports
        >>> kinds = ("line", "interval", "above")
        >>> onto = supports.Supports([0., 0., 3.], [0., 10., 0.], [1.] * 3, kinds=kinds)
        >>> onto.forward([[-1., 0., -40.]]).numpy().tolist()
        [[-1.0, 5.0, 3.0]]
    """

    low: TensorLike = Parameter(
        "D", "Lower ends, of those that have one.", start=0.0, trainable=False
    )
    high: TensorLike = Parameter(
        "D", "Upper ends, of those that have one.", start=1.0, trainable=False
    )
    scale: TensorLike = Parameter(
        "D",
        "Scales of half-lines, positive.",
        start=1.0,
        trainable=False,
        constraint=POSITIVE,
        remedy="Pass the mean distance from the end.",
    )
    _: KW_ONLY
    kinds: Sequence[str] = Option(
        'Kind of each coordinate: `"line"`, `"interval"`, `"above"` a lower end, '
        '`"below"` an upper end, `"log-above"` or `"log-below"` by logarithms, '
        '`"circle"` for angles of a period, which lie in `[-1, 1]` on the line, and '
        '`"wrapped"` for angles of any turn.',
        check=_are_kinds,
        convert=lambda value, name: tuple(value),
    )

    _is_increasing = monotone.increasing

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        if len(self.kinds) != sizes["D"]:
            msg = (
                f"`kinds` must be one for each of {sizes['D']} coordinates, got "
                f"{len(self.kinds)}. Give 'line' for those without ends."
            )
            raise ValueError(msg)
        self._groups = [
            (kind, np.array([i for i, k in enumerate(self.kinds) if k == kind]))
            for kind in KINDS
            if kind in self.kinds
        ]
        order = np.concatenate([places for _, places in self._groups])
        self._back = np.argsort(order)
        return {}

    @classmethod
    def trainable(
        cls, kinds: Sequence[str], *, dtype: DType = tf.float32, **kwargs: Any
    ) -> Supports:
        """Return a map of new variables, which no optimizer trains.

        Args:
            kinds: Kind of each coordinate.
            dtype: Dtype of the variables.
            **kwargs: `name` and `validate_args`.
        """
        sizes = {"D": len(kinds)}
        return cls._of_variables(sizes, dtype, kinds=tuple(kinds), **kwargs)

    def inverse_each(self, y: tf.Tensor) -> Part:
        """Return the inverse, and the log-derivative of each coordinate, `[..., D]`.

        Args:
            y: Values of the columns, `[..., D]`.
        """
        return self._by_kind(y, _INVERSE, each=True)

    def _forward_and_log_det(self, x: tf.Tensor) -> Part:
        return self._by_kind(x, _FORWARD)

    def _inverse_and_log_det(self, y: tf.Tensor) -> Part:
        return self._by_kind(y, _INVERSE)

    def _by_kind(
        self,
        value: tf.Tensor,
        maps: dict[str, Callable[..., Part]],
        *,
        each: bool = False,
    ) -> Part:
        """Apply to each coordinate the map of its kind."""
        ends = [tf.convert_to_tensor(p) for p in (self.low, self.high, self.scale)]
        values, log_dets = [], []
        for kind, places in self._groups:
            parts = (tf.gather(part, places, axis=-1) for part in (value, *ends))
            out, log_det = maps[kind](*parts)
            values.append(out)
            if each:
                log_dets.append(log_det + tf.zeros_like(out))
            elif kind != "line":
                log_dets.append(tf.reduce_sum(log_det, axis=-1))
        out = tf.concat(values, axis=-1) if len(values) > 1 else values[0]
        if len(values) > 1:
            out = tf.gather(out, self._back, axis=-1)
        if each:
            return out, tf.gather(tf.concat(log_dets, axis=-1), self._back, axis=-1)
        return out, tf.add_n(log_dets) if log_dets else tf.zeros_like(out[..., 0])


def _mirrored(function: Callable[..., Part], *, inverse: bool) -> Callable[..., Part]:
    """Return a map onto the half-line below an end, of that above one."""

    def below(x: tf.Tensor, low: tf.Tensor, high: tf.Tensor, scale: tf.Tensor) -> Part:
        del low
        if inverse:
            value, log_det = function(high - x, tf.zeros_like(high), scale)
            return -value, log_det
        value, log_det = function(-x, tf.zeros_like(high), scale)
        return high - value, log_det

    return below


def _above(function: Callable[..., Part]) -> Callable[..., Part]:
    return lambda x, low, high, scale: function(x, low, scale)


def _line(x: tf.Tensor, low: Any, high: Any, scale: Any) -> Part:
    return x, tf.zeros_like(x)


_FORWARD: dict[str, Callable[..., Part]] = {
    "line": _line,
    "interval": lambda x, low, high, scale: ranges.interval_forward(x, low, high),
    "above": _above(ranges.half_line_forward),
    "below": _mirrored(ranges.half_line_forward, inverse=False),
    "log-above": _above(ranges.log_line_forward),
    "log-below": _mirrored(ranges.log_line_forward, inverse=False),
    "circle": lambda x, low, high, scale: circular.turn_forward(x, low, high),
    "wrapped": lambda x, low, high, scale: circular.turn_forward(x, low, high),
}
_INVERSE: dict[str, Callable[..., Part]] = {
    "line": _line,
    "interval": lambda y, low, high, scale: ranges.interval_inverse(y, low, high),
    "above": _above(ranges.half_line_inverse),
    "below": _mirrored(ranges.half_line_inverse, inverse=True),
    "log-above": _above(ranges.log_line_inverse),
    "log-below": _mirrored(ranges.log_line_inverse, inverse=True),
    "circle": lambda y, low, high, scale: circular.turn_inverse(y, low, high),
    "wrapped": lambda y, low, high, scale: circular.turn_inverse(
        circular.wrap(y, low, high), low, high
    ),
}
