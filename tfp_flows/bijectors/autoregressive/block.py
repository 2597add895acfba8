"""Block neural autoregressive map: the network is the map."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows._types import Given, Pair
from tfp_flows.bijectors._core import base, monotone
from tfp_flows.bijectors._core.batch import at_least_one
from tfp_flows.bijectors._core.parameters import Part
from tfp_flows.math import block

__all__ = ["BlockAutoregressive"]


class BlockAutoregressive(base.Bijector):
    """Map all coordinates by one network that increases in each of them (BNAF).

    `inverse`, and with it the density of data, is fast: one pass. `forward`, and with
    it sampling, goes through the coordinates one after the other, each with a search
    for a root of a network of its own units only. Far out each coordinate is a
    straight line of itself.

    Raises:
        TypeError: If the network is of another kind.

    Example:
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.BlockNetwork(2, (8,), seed=0)
        >>> bnaf = tfpf.bijectors.BlockAutoregressive(net)
        >>> z = bnaf.inverse([[1., 2.]])
        >>> bnaf.forward(z).numpy().round(4).tolist()
        [[1.0, 2.0]]

    References:
        De Cao et al. (2019). Block Neural Autoregressive Flow.
        https://arxiv.org/abs/1904.04676
    """

    network: Any = Part("`networks.BlockNetwork` of `D` coordinates.")

    _is_increasing = monotone.increasing_of_one

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        if not hasattr(self.network, "ranks"):
            msg = (
                "`network` must be a networks.BlockNetwork, got a "
                f"{type(self.network).__name__}. Build one of the events' size."
            )
            raise TypeError(msg)
        sizes["D"] = self.network.input_size
        return {}

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Given = None) -> Pair:
        y, condition, batch = self._columns(y, condition)
        x, log_slopes = block.forward(y, self.network.network(condition))
        return batch.events(x), batch.scalars(tf.reduce_sum(log_slopes, axis=0))

    def _forward_and_log_det(self, x: tf.Tensor, condition: Given = None) -> Pair:
        x, condition, batch = self._columns(x, condition)
        x, condition, count = at_least_one(x, condition)
        network = self.network.network(condition)
        y, log_dets = block.inverse(x, network, self.network.ranks)
        log_det = tf.reduce_sum(log_dets, axis=0)
        return batch.events(y[:, :count]), batch.scalars(log_det[:count])
