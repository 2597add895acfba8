"""Maps whose log-det may be an estimate by random probes."""

from __future__ import annotations

from dataclasses import KW_ONLY

import tensorflow as tf

from tfp_flows.bijectors._core import base
from tfp_flows.bijectors._core.parameters import Option, at_least

__all__ = ["Stochastic"]

# Up to so many coordinates exact log-dets are as cheap as good estimates.
MAX_EXACT = 32


class Stochastic(base.Bijector):
    """Base class of maps that estimate log-dets, or compute them exactly if told so.

    Estimates are unbiased, and their logs of densities are, too. The noise is a
    function of the input, of what the map makes of it, and of `seed`: one evaluation
    has one noise, as often as it is asked for, and the steps of a training have
    different ones, since weights differ.

    A trained map is made exact, with the same variables, by `map_.copy(exact=True)`.
    """

    _: KW_ONLY
    exact: bool | None = Option(
        f"Whether log-dets are exact; `None`: up to {MAX_EXACT} coordinates.",
        default=None,
    )
    num_probes: int = Option(
        "Random directions of each event, of which estimates are means.",
        default=1,
        check=at_least(1),
    )
    seed: int = Option("Other numbers give other noise.", default=0)

    def is_exact(self) -> bool:
        """Return whether log-dets are exact."""
        if self.exact is not None:
            return self.exact
        return self.checked_shape is not None and self.checked_shape[-1] <= MAX_EXACT

    def _noise_seed(self, *tensors: tf.Tensor) -> tf.Tensor:
        """Return a stateless seed that depends on what is computed."""
        parts = [tf.reduce_sum(tf.cast(t, tf.float32)) for t in tensors]
        bits = tf.bitcast(tf.stop_gradient(tf.stack(parts)), tf.int32)
        mixed = bits[0]
        for i in range(1, len(parts)):
            mixed = tf.bitwise.bitwise_xor(mixed * 31, bits[i])
        return tf.stack([mixed, tf.constant(self.seed, tf.int32)])
