"""A conditioner of one input that is a table, for layers fitted from counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import TensorLike
from tfp_flows.networks import base

__all__ = ["Table"]


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name", "seed"), module_name="tfp_flows.networks"
)
class Table(base.Conditioner):
    """Piecewise linear functions of one coordinate, given by their values at knots.

    The knots are regular in the bounded coordinate that conditioners see,
    `x / sqrt(1 + (x / 3)**2)`, so that they are dense where a standardised coordinate
    is, and so that the functions approach constants far out. Nothing but the values is
    to be learnt, and sums over cells suffice to fit them.

    Args:
        num_knots: Number of knots.
        initial_output: The `P` parameters of an untrained table, zeros if `None`.
        compute_dtype: Type of the computation; `None` for `dtype`.
        seed: Not used; tables start from constants.

    Example:
        >>> import tfp_flows as tfpf
        >>> table = tfpf.networks.Table((2, 3), num_knots=5)
        >>> table([[1.], [2.]]).shape.as_list()
        [2, 2, 3]
    """

    def __init__(
        self,
        output_shape: Sequence[int],
        num_knots: int = 64,
        *,
        initial_output: TensorLike | None = None,
        dtype: Any = "float32",
        compute_dtype: Any = None,
        weights: Sequence[Any] | None = None,
        seed: int | None = None,
        name: str = "table",
    ) -> None:
        _checks.at_least(num_knots, 2, "num_knots")
        self._num_knots = int(num_knots)
        super().__init__(
            input_size=1,
            output_shape=output_shape,
            condition_shape=None,
            dropout=0.0,
            initial_output=initial_output,
            dtype=dtype,
            compute_dtype=compute_dtype,
            weights=weights,
            seed=seed,
            name=name,
        )

    @property
    def num_knots(self) -> int:
        """Number of knots."""
        return self._num_knots

    @staticmethod
    def position(x: np.ndarray, num_knots: int) -> np.ndarray:
        """Return where values lie among the knots, from 0 to `num_knots - 1`.

        Args:
            x: Values, `[...]`.
            num_knots: Number of knots.
        """
        seen = x / np.sqrt(1.0 + np.square(x / base.INPUT_BOUND))
        return (seen / base.INPUT_BOUND + 1.0) * (0.5 * (num_knots - 1))

    def _shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        size, width = self._output_shape
        return [("values", (size * width, self._num_knots))]

    def _initial(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        del name, rng
        outputs = np.repeat(self._initial_output, self._output_shape[0])
        return np.broadcast_to(outputs[:, np.newaxis], shape)

    def _columns(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        del condition
        values, last = weights["values"], self._num_knots - 1
        place = (x[0] * (1.0 / base.INPUT_BOUND) + 1.0) * (0.5 * last)
        # NaN takes the first cell, and stays NaN by its part of it.
        cell = tf.where(tf.math.is_nan(place), tf.zeros_like(place), tf.floor(place))
        cell = tf.clip_by_value(cell, 0.0, last - 1.0)
        index = tf.cast(cell, tf.int32)
        left, right = (tf.gather(values, index + i, axis=1) for i in (0, 1))
        return left + (place - cell) * (right - left)
