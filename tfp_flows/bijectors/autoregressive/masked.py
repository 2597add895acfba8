"""Masked autoregressive maps: each coordinate is mapped given those before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import tensorflow as tf

from tfp_flows._context import is_training
from tfp_flows._types import Given, Pair
from tfp_flows.bijectors._core import conditioned, monotone
from tfp_flows.bijectors._core.batch import at_least_one
from tfp_flows.bijectors._core.parameters import Option, Part
from tfp_flows.bijectors.autoregressive import orders, sampling
from tfp_flows.bijectors.transformers.base import Transformer

__all__ = ["MaskedAutoregressive"]


class MaskedAutoregressive(conditioned.ByConditioner):
    """Map each coordinate given the data coordinates before it, and a condition.

    `inverse`, and with it the density of data, is fast: one conditioner pass.
    `forward`, and with it sampling, goes through the coordinates one after the other:
    `D` steps that cost about one pass in total with `networks.MADE`, a step for each
    token with `networks.CausalTransformer`, and `D` passes with a conditioner of
    another kind. With `networks.AnyOrder` both directions are `D` passes.
    `Invert` of this map is an inverse autoregressive one (IAF): fast sampling, slow
    density of data that it did not sample itself.

    Raises:
        ValueError: If the conditioner does not fit the transformer, or does not keep
            the order.

    Example:
        >>> import tfp_flows as tfpf
        >>> made = tfpf.networks.MADE(2, 2, hidden_units=(8,), seed=0)
        >>> maf = tfpf.bijectors.MaskedAutoregressive(tfpf.bijectors.Affine(), made)
        >>> maf.inverse([[1., 2.]]).numpy().tolist()
        [[1.0, 2.0]]

    References:
        Papamakarios et al. (2017). Masked Autoregressive Flow.
        https://arxiv.org/abs/1705.07057
        Kingma et al. (2016). Inverse Autoregressive Flow.
        https://arxiv.org/abs/1606.04934
    """

    transformer: Transformer = Option("The scalar map of each coordinate.")
    conditioner: Any = Part(
        "`networks.MADE`, or any conditioner from `D` inputs to "
        "`(D, transformer.params_size)` that keeps an order of coordinates. One that "
        "states no `order` is checked by values, in eager mode."
    )
    _: KW_ONLY
    order: Any = Option(
        "The rank of each coordinate, for a conditioner that does not state it; by "
        "default the conditioner's `order`, else from left to right.",
        default=None,
    )

    _is_increasing = monotone.increasing_of_one

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        conditioner = self.conditioner
        sizes["D"] = size = conditioner.input_size
        wanted = (size, self.transformer.params_size)
        if tuple(conditioner.output_shape) != wanted:
            msg = (
                f"`conditioner` must have output_shape {wanted} for this "
                f"transformer, got {tuple(conditioner.output_shape)}. Build it "
                "with params_size=transformer.params_size."
            )
            raise ValueError(msg)
        self._kept_order = orders.Order(conditioner, self.order)
        self._order = self._kept_order.ranks
        self._kept_order.check(conditioner)
        return {}

    def _either(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        self._kept_order.check(self.conditioner)
        value, condition, batch = self._columns(value, condition)
        if inverse:
            params = self.conditioner.columns(value, condition)
            x, log_det = self.transformer.inverse(value, params)
            return batch.events(x), batch.scalars(tf.reduce_sum(log_det, axis=0))
        x, condition, count = at_least_one(value, condition)
        y, log_det = self._one_by_one(x, condition)
        return batch.events(y[:, :count]), batch.scalars(log_det[:count])

    @property
    def _one_by_one(self) -> Callable[..., Pair]:
        """The way from coordinate to coordinate that this conditioner has."""
        ways = sampling.OneByOne(self.transformer, self.conditioner, self.order)
        if hasattr(self.conditioner, "of_places"):
            return ways.by_places
        # Dropout and angles are for passes of whole networks.
        is_plain = self.transformer.period is None and self.transformer.is_shared
        if is_training() or not is_plain:
            return ways.by_passes
        if hasattr(self.conditioner, "sequential"):
            return ways.by_steps
        if hasattr(self.conditioner, "token_by_token"):
            return ways.by_tokens
        return ways.by_passes
