"""The contract of maps with a value and a contribution to the likelihood."""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Condition, Given, Seed

__all__ = ["Preimages", "Surjection"]


class Preimages(NamedTuple):
    """Points that become data, each with its contribution to the log-likelihood.

    Attributes:
        z: Points, `[K, ..., D]`.
        log_weight: Contributions, `[K, ...]`.
    """

    z: tf.Tensor
    log_weight: tf.Tensor


class Surjection(tf.Module, abc.ABC):
    """Base class of maps between events of which one direction is not a function.

    A bijection has one `z` for each `x` and a log-det. A surjection has several, each
    with a contribution to the likelihood that takes the place of the log-det:

        log p(x) = logsumexp_k(log p(z_k) + log_weight_k).

    Where the points are all there are, or the only one, that is the exact density.
    Where they are drawn, its exponential is right in the mean, and itself a lower bound
    in the mean: `is_bound`. `distributions.SurjectedDistribution` makes a density of
    it.

    A subclass implements `inverse_size`, `_forward` and `_preimages`.

    Args:
        name: Name.

    Attributes:
        is_bound: Whether log-densities are lower bounds, in the mean over draws.
        is_reparameterized: Whether samples have derivatives by those of the base.
        num_preimages: How many points a density is computed of.
        condition_shape: Trailing shape of the condition that the map takes, or `None`.

    References:
        Nielsen, Jaini, Hoogeboom, Winther, Welling (2020). SurVAE Flows: Surjections to
        Bridge the Gap between VAEs and Flows. https://arxiv.org/abs/2007.02731
    """

    is_bound = False
    is_reparameterized = False
    num_preimages = 1
    condition_shape: tuple[int, ...] | None = None

    @abc.abstractmethod
    def inverse_size(self, size: int) -> int:
        """Return how many coordinates `z` has.

        Args:
            size: Number of coordinates of `x`.

        Raises:
            ValueError: If the map has no events of that size.
        """

    @abc.abstractmethod
    def forward_size(self, size: int) -> int:
        """Return how many coordinates `x` has.

        Args:
            size: Number of coordinates of `z`.

        Raises:
            ValueError: If the map has no events of that size.
        """

    @abc.abstractmethod
    def _forward(self, z: tf.Tensor, condition: Given, seed: Seed) -> tf.Tensor:
        """Return `x`, drawn where the map does not say which."""

    @abc.abstractmethod
    def _preimages(
        self, x: tf.Tensor, condition: Given, seed: Seed, num_draws: int | None
    ) -> Preimages:
        """Return points that become `x`, and their contributions."""

    def forward(
        self, z: Any, condition: Condition = None, *, seed: Seed = None
    ) -> tf.Tensor:
        """Return data of points of the base, drawn where the map does not say which.

        Args:
            z: Points, `[..., D]`.
            condition: `[..., *condition_shape]`, where the map takes one.
            seed: Int or stateless seed `[2]` of what is drawn.

        Returns:
            `[..., forward_size(D)]`.

        Raises:
            ValueError: If a shape does not fit.
        """
        z, condition = self._read(z, condition, "z")
        self.forward_size(z.shape[-1])
        return self._forward(z, condition, seed)

    def preimages(
        self,
        x: Any,
        condition: Condition = None,
        *,
        seed: Seed = None,
        num_draws: int | None = None,
    ) -> Preimages:
        """Return points that become data, and their contributions to the likelihood.

        Args:
            x: Data, `[..., D]`.
            condition: `[..., *condition_shape]`, where the map takes one.
            seed: Int or stateless seed `[2]` of what is drawn, anew for each event.
                Without one, draws are fixed numbers, the same for all events, and the
                contributions smooth functions of `x`.
            num_draws: How many points are drawn, where they are; `None` for the number
                that the map was built with.

        Raises:
            ValueError: If a shape does not fit.
        """
        x, condition = self._read(x, condition, "x")
        self.inverse_size(x.shape[-1])
        if num_draws is not None:
            _checks.count(num_draws, 1, "num_draws")
        return self._preimages(x, condition, seed, num_draws)

    def _require_size(self, size: int, wanted: int, argument: str) -> None:
        """Raise if events have not the one size that the map takes."""
        if size != wanted:
            msg = (
                f"`{argument}` of `{type(self).__name__}` must have {wanted} "
                f"coordinates, got {size}. The number is the map's `size`."
            )
            raise ValueError(msg)

    def _read(
        self, value: Any, condition: Condition, argument: str
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return events and condition as tensors of fitting shapes."""
        owner = f"`{type(self).__name__}`"
        value = tf.convert_to_tensor(value, dtype_hint=tf.float32)
        if value.shape.rank == 0 or value.shape[-1] is None:
            msg = (
                f"`{argument}` of {owner} must be vectors of a known size, got shape "
                f"{value.shape}. Add an axis, or set the shape by tf.ensure_shape."
            )
            raise ValueError(msg)
        _checks.require_condition(condition, self.condition_shape, owner)
        if condition is not None:
            condition = tf.cast(tf.convert_to_tensor(condition), value.dtype)
            _checks.require_trailing(
                condition.shape, self.condition_shape, "condition", owner
            )
            value, condition = _together(value, condition, self.condition_shape or ())
        return value, condition


def _together(
    value: tf.Tensor, condition: tf.Tensor, condition_shape: tuple[int, ...]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return events and conditions of one batch."""
    rank = condition.shape.rank - len(condition_shape)
    static = tf.broadcast_static_shape(value.shape[:-1], condition.shape[:rank])
    batch = tf.broadcast_dynamic_shape(tf.shape(value)[:-1], tf.shape(condition)[:rank])
    found = []
    for part, cut in ((value, value.shape.rank - 1), (condition, rank)):
        shape = tf.concat([batch, tf.shape(part)[cut:]], axis=0)
        whole = tf.broadcast_to(part, shape)
        found.append(tf.ensure_shape(whole, static.concatenate(part.shape[cut:])))
    return found[0], found[1]
