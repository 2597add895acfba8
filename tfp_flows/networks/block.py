"""Block autoregressive networks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Shape
from tfp_flows.math import block, masks
from tfp_flows.networks import base

__all__ = ["BlockNetwork"]

# The biases of the first layer start within this: units bend at different places.
SPREAD = 2.0
# The share of the network in its map starts below one half.
GATE = -1.0
# Logs of weights have far to go: their variables are this much smaller, so that a step
# of an optimizer is as large as the paper's, ten times that for other networks.
GAIN = 10.0


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name", "seed"), module_name="tfp_flows.networks"
)
class BlockNetwork(base.Conditioner):
    """A network that increases in each coordinate, given those before it.

    Calling it returns the values, one for each coordinate. The map
    `bijectors.BlockAutoregressive` takes it whole, with derivatives and inverse.

    Args:
        event_size: Number of coordinates `D`.
        hidden_units: Units of each coordinate in the hidden layers.
        ranks: Order of the coordinates: see `order` of `MADE`.
        condition_shape: Trailing shape of the condition, which enters the first layer.
        seed: Int that fixes the initial values and a random order.

    Example:
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.BlockNetwork(3, hidden_units=(8,), seed=1)
        >>> net([[1., 2., 3.]]).shape.as_list()
        [1, 3, 1]

    References:
        De Cao et al. (2019). Block Neural Autoregressive Flow.
        https://arxiv.org/abs/1904.04676
    """

    def __init__(
        self,
        event_size: int,
        hidden_units: Sequence[int] = (16, 16),
        *,
        ranks: str | Sequence[int] = "left-to-right",
        condition_shape: Shape | None = None,
        dtype: Any = "float32",
        weights: Sequence[Any] | None = None,
        seed: int | None = None,
        name: str = "block_network",
    ) -> None:
        _checks.at_least(event_size, 1, "event_size")
        self._event_size = event_size
        self._hidden_units = _checks.hidden_units(hidden_units, base.NO_HIDDEN)
        self._ranks = masks.order_ranks(ranks, event_size, seed)
        super().__init__(
            input_size=event_size,
            output_shape=(event_size, 1),
            condition_shape=condition_shape,
            dropout=0.0,
            initial_output=None,
            dtype=dtype,
            compute_dtype=None,
            weights=weights,
            seed=seed,
            name=name,
        )

    @property
    def ranks(self) -> tuple[int, ...]:
        """The rank of each coordinate: the one with rank 0 comes first."""
        return self._ranks

    def _shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        size = self._event_size
        shapes: list[tuple[str, tuple[int, ...]]] = [("gate", (size,))]
        widths = [1, *self._hidden_units, 1]
        for i, (before, after) in enumerate(itertools.pairwise(widths)):
            shapes += [
                (f"kernel_{i}", (size * after, size * before)),
                (f"log_length_{i}", (size * after,)),
                (f"bias_{i}", (size * after,)),
            ]
        if self.condition_size:
            rows = size * self._hidden_units[0]
            shapes.append(("condition_0", (rows, self.condition_size)))
        return shapes

    def _initial(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        return self._start(name, shape, rng) / GAIN

    def _start(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        if name == "gate":
            return np.full(shape, GATE)
        if name == "bias_0":
            return rng.uniform(-SPREAD, SPREAD, shape)
        if name == f"log_length_{len(self._hidden_units)}":
            # Some multiple of the mean of units: the start is close to the identity.
            return np.full(shape, 0.5 - 0.5 * np.log(self._hidden_units[-1]))
        if len(shape) == 1:
            return np.zeros(shape)
        return rng.normal(0.0, 1.0 / np.sqrt(shape[1]), shape)

    def network(self, condition: tf.Tensor | None = None) -> block.Network:
        """Return what the network is for conditions.

        Args:
            condition: Conditions, `[C, N]`, or `None`.
        """
        known = {k: GAIN * v for k, v in self._named(self._weights).items()}
        weights, blocks, offsets = [], [], []
        for i in range(len(self._hidden_units) + 1):
            whole, own = block.normalised(
                known[f"kernel_{i}"], known[f"log_length_{i}"], self._ranks
            )
            weights.append(whole)
            blocks.append(own)
            offsets.append(known[f"bias_{i}"][:, tf.newaxis])
        if condition is not None:
            kernel = known["condition_0"]
            offsets[0] += tf.matmul(kernel, tf.cast(condition, kernel.dtype))
        return block.Network(weights, blocks, offsets, known["gate"])

    def _bounded_inputs(self, x: tf.Tensor) -> tf.Tensor:
        return tf.cast(x, self._compute_dtype)

    def _columns(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        del weights
        return block.forward(x, self.network(condition))[0]
