"""What maps that normalise channels share: axes, statistics, and the log-det."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Condition, DType, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, parameters
from tfp_flows.math import moments
from tfp_flows.math.linear import products

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["EVENT_NDIMS", "PerChannel"]


def _whole(value: Any, name: str) -> int:
    del name
    return int(value)


EVENT_NDIMS: Any = parameters.Option(
    "Rank of an event whose last axis are the channels: 1 for vectors `[C]`, 3 for "
    "images `[H, W, C]`.",
    default=1,
    check=parameters.at_least(1),
    convert=_whole,
)


class PerChannel(base.Bijector):
    """Base class of maps that scale and shift channels, the last axis of events.

    Subclasses declare a tensor per channel, and `event_ndims`, and list those that data
    set.
    """

    _event = "C"
    _is_increasing = monotone.increasing
    _event_ndims: int
    _adapted: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def trainable(
        cls,
        size: int,
        *,
        event_ndims: int = 1,
        dtype: DType = tf.float32,
        **kwargs: Any,
    ) -> Self:
        """Return a map of new variables that starts as the identity.

        Up to `epsilon`, where the map has one.

        Args:
            event_ndims: Rank of an event, see the class.
            **kwargs: Further arguments of the constructor.
        """
        kwargs.update(event_ndims=event_ndims)
        return cls._of_variables({"C": size}, dtype, **kwargs)

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        return {"forward_min_event_ndims": self._event_ndims}

    def adapt(self, y: TensorLike, condition: Condition = None) -> None:
        """Set the parameters such that `inverse(y)` has mean 0 and deviation 1.

        The statistics are taken in float64. A channel that varies less than the dtype
        of the data resolves counts as constant and gets scale 1.

        Args:
            y: Data, `[..., C]` or `[..., H, W, C]`.
            condition: Not used; accepted so that all maps adapt alike.

        Raises:
            TypeError: If the parameters are not variables.
            ValueError: If `y` is not finite or has the wrong shape.
        """
        del condition
        self._require_variables()
        parameter = getattr(self, self._adapted[0])
        self._set_moments(*self._statistics(tf.convert_to_tensor(y), parameter))

    def _require_variables(self) -> None:
        stated = {name: getattr(self, name) for name in self._adapted}
        given = {name: value for name, value in stated.items() if value is not None}
        arguments.require_variables(type(self).__name__, **given)

    @abc.abstractmethod
    def _set_moments(self, location: tf.Tensor, scale: tf.Tensor) -> None:
        """Set the parameters by location and scale of data, in float64."""

    def _axes(self, value: tf.Tensor, argument: str, parameter: Any) -> list[int]:
        """Return the axes of the events of a batch that share one parameter."""
        batch_ndims = parameter.shape.rank - 1
        self._require_event(value, argument, batch_ndims)
        return moments.sample_axes(
            value.shape.rank,
            batch_ndims=batch_ndims,
            event_ndims=self._event_ndims,
            kept=1,
        )

    def _statistics(self, y: tf.Tensor, parameter: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Return location and scale of the channels of data, in float64."""
        owner = type(self).__name__
        _checks.require_trailing(y.shape, self.checked_shape, "y", f"`{owner}`")
        axes = self._axes(y, "y", parameter)
        location, scale = moments.location_and_scale(y, axes)
        arguments.require_finite(location + scale, owner)
        return location, scale

    def _require_event(self, value: tf.Tensor, argument: str, more: int = 0) -> None:
        owner = f"`{type(self).__name__}`"
        rank = more + self._event_ndims
        arguments.require_rank(value.shape, rank, argument, owner)

    def _expanded(self, parameter: Any) -> tf.Tensor:
        """Return a parameter, shaped to broadcast with events."""
        return moments.expand_channels(parameter, self._event_ndims)

    def _log_det(
        self, log_factor: tf.Tensor, value: tf.Tensor, output: tf.Tensor
    ) -> tf.Tensor:
        """Sum log-derivatives `[..., 1, 1, C]` over the channels of all positions."""
        ndims = self._event_ndims
        count = min(ndims, log_factor.shape.rank)
        # A single axis, not a list of one, takes TensorFlow's fast path.
        axes = -1 if count == 1 else list(range(-count, 0))
        log_det = tf.reduce_sum(log_factor, axis=axes)
        log_det = log_det * moments.num_positions(value, ndims)
        return products.broadcast_log_det(log_det, output, ndims)
