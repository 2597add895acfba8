"""Masked networks, in which each output sees only the inputs before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Shape, TensorLike
from tfp_flows.math import graphs, masks
from tfp_flows.networks import dense, sequential

__all__ = ["MADE"]


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name", "seed"), module_name="tfp_flows.networks"
)
class MADE(dense.StackNetwork):
    """Masked autoregressive network: parameters of a coordinate see those before it.

    The masks multiply the weights in the forward pass, whatever changes the weights.
    Hidden units are sorted by what they may see, so that wide layers are block
    triangular, and only the blocks that are not all zero are multiplied.

    Args:
        hidden_units: Widths of the hidden layers. Residual: see `MLP`.
        adjacency: Matrix `[D, D]` of zeros and ones without a cycle: row `i` holds 1 at
            the coordinates that the parameters of coordinate `i` see, its parents;
            `None` for all that come before. Parents then come first in `order`.
        condition_shape: Trailing shape of the condition; every output sees all of it.
        seed: Int that fixes the initial values and a random order.

    Raises:
        ValueError: If `order` is no permutation, or if `adjacency` is no such matrix.

    Example:
        >>> import tfp_flows as tfpf
        >>> made = tfpf.networks.MADE(3, 2, hidden_units=(16,), seed=1)
        >>> made([[1., 2., 3.]]).shape.as_list()
        [1, 3, 2]

    References:
        Germain et al. (2015). MADE. https://arxiv.org/abs/1502.03509
        Wehenkel, Louppe (2021). Graphical Normalizing Flows.
        https://arxiv.org/abs/2006.02548
        Nash, Durkan (2019). Autoregressive Energy Machines (residual blocks).
        https://arxiv.org/abs/1904.05626
    """

    def __init__(
        self,
        event_size: int,
        params_size: int,
        hidden_units: Sequence[int] = (128, 128),
        *,
        order: str | Sequence[int] = "left-to-right",
        adjacency: Any = None,
        residual: bool = False,
        activation: str | Callable = "relu",
        condition_shape: Shape | None = None,
        dropout: float = 0.0,
        initial_output: TensorLike | None = None,
        dtype: Any = "float32",
        compute_dtype: Any = None,
        period: tuple[float, float] | None = None,
        periodic: Sequence[bool] | None = None,
        weights: Sequence[Any] | None = None,
        seed: int | None = None,
        name: str = "made",
    ) -> None:
        _checks.at_least(event_size, 1, "event_size")
        _checks.at_least(params_size, 1, "params_size")
        self._event_size = event_size
        self._params_size = params_size
        self._read_stack(
            *(event_size, hidden_units, residual), activation, period, periodic
        )
        self._adjacency = graphs.read_adjacency(adjacency)
        self._order, degrees = self._make_masks(
            order, seed, with_zero=condition_shape is not None
        )
        self._blocks = masks.stack_blocks(self._masks(), event_size)
        self._slots = masks.stack_slots(self._order, degrees, params_size)
        super().__init__(
            input_size=event_size,
            output_shape=(event_size, params_size),
            condition_shape=condition_shape,
            dropout=dropout,
            initial_output=initial_output,
            dtype=dtype,
            compute_dtype=compute_dtype,
            weights=weights,
            seed=seed,
            name=name,
        )

    def _make_masks(
        self, order: Any, seed: int | None, *, with_zero: bool
    ) -> tuple[tuple[int, ...], list[np.ndarray]]:
        """Make the masks; return ranks of coordinates, and of units of each layer.

        Args:
            order: As it was given.
            seed: Of a random order.
            with_zero: Whether hidden units may see no coordinate, but a condition.
        """
        size, adjacency = self._event_size, self._adjacency
        if adjacency is None:
            ranks = masks.order_ranks(order, size, seed)
            degrees = [
                masks.hidden_degrees(units, size, with_zero=with_zero)
                for units in self._hidden_units
            ]
            self._masks = masks.stack_masks(ranks, degrees, self._params_size)
            return ranks, degrees
        _require_size(adjacency, size)
        ranks = graphs.read_ranks(order, adjacency)
        seen = [
            graphs.unit_parents(units, adjacency, ranks, with_none=with_zero)
            for units in self._hidden_units
        ]
        self._masks = masks.held(
            graphs.weight_masks(adjacency, seen, self._params_size)
        )
        return ranks, [graphs.unit_ranks(units, ranks) for units in seen]

    def _mask(self, name: str) -> np.ndarray | None:
        mask = self._masks().get(name.replace("block", "kernel"))
        if name == "kernel_0" and mask is not None and self._period is not None:
            return np.tile(mask, [1, 2])
        return mask

    def _initial(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        mask = self._mask(name)
        fan_in = None
        if len(shape) == 2:
            fan_in = np.full(shape[0], shape[1]) if mask is None else mask.sum(axis=1)
        return dense.initial(
            name, shape, fan_in, rng, self._initial_output, self._output_shape[0]
        )

    def _columns(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        product = dense.Affine(self._masked(weights), condition, self._multiply)
        return self._stack.apply(product, x, self._drop)

    def _masked(self, weights: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        masked = {}
        for name, weight in weights.items():
            mask = self._mask(name)
            masked[name] = (
                weight if mask is None else weight * tf.constant(mask, weight.dtype)
            )
        return masked

    def _multiply(self, name: str, weight: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Multiply blocks of rows by the columns that they may see."""
        if name == "kernel_0" and self._period is not None:
            # Cosines, then sines: both are masked alike.
            halves = zip(tf.split(weight, 2, axis=1), tf.split(x, 2), strict=True)
            return tf.add_n([self._blockwise(name, *half) for half in halves])
        return self._blockwise(name, weight, x)

    def _blockwise(self, name: str, weight: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        blocks = self._blocks()[name.replace("block", "kernel")]
        if len(blocks) == 1:
            return tf.matmul(weight, x)
        width = 1
        if name == "head":  # parameter-major: the blocks are of coordinates
            width = self._params_size
        size = blocks[-1].stop
        rows = tf.split(
            tf.reshape(weight, [width, size, -1]),
            [block.stop - block.start for block in blocks],
            axis=1,
        )
        parts = []
        for block, part in zip(blocks, rows, strict=True):
            part = tf.reshape(part[:, :, : block.seen], [-1, block.seen])
            out = tf.matmul(part, x[: block.seen])
            parts.append(tf.reshape(out, [width, block.stop - block.start, -1]))
        out = tf.concat(parts, axis=1)
        return tf.reshape(out, [width * size, -1])

    def sequential(
        self,
        weights: Sequence[tf.Tensor],
        condition: tf.Tensor | None,
        events: tf.Tensor,
    ) -> sequential.Sequential:
        """Return the network for one coordinate after the other, in their order.

        Args:
            weights: Values of `weights`.
            condition: Conditions, `[C, N]`, or `None`.
            events: Columns, `[D, N]`; only their number counts.
        """
        if condition is not None:
            condition = self._seen_condition(condition)
        product = dense.Affine(
            self._masked(self._named(weights)), condition, self._multiply
        )
        return sequential.Sequential(
            self._stack, self._slots(), product, self._bounded_inputs, events
        )


def _require_size(adjacency: graphs.Matrix, size: int) -> None:
    if len(adjacency) != size:
        msg = (
            f"`adjacency` must have a row for each of {size} coordinates, got "
            f"{len(adjacency)}. Give a square matrix of this size."
        )
        raise ValueError(msg)
