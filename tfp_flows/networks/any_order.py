"""A network that sees any of the coordinates, and knows which it sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Shape, TensorLike
from tfp_flows.networks import dense

__all__ = ["AnyOrder"]


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name", "seed"), module_name="tfp_flows.networks"
)
class AnyOrder(dense.StackNetwork):
    """Network whose parameters of a coordinate see any set of the others.

    A mask beside the coordinates says which of them are seen; the others enter as
    zeros. Called as any conditioner it keeps the order from left to right, at the cost
    of `D` passes in one batch. `given` takes a mask for each event, one pass for the
    parameters of all coordinates that are not seen.

    Args:
        hidden_units: Widths of the hidden layers. Residual: see `MLP`.
        condition_shape: Trailing shape of the condition, which all parameters see.

    Example:
        >>> import tensorflow as tf
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.AnyOrder(3, 2, hidden_units=(16,), seed=1)
        >>> x, seen = tf.ones([3, 5]), tf.constant([[True], [False], [True]])
        >>> net.given(x, tf.repeat(seen, 5, axis=1)).shape.as_list()
        [2, 3, 5]

    References:
        Uria, Murray, Larochelle (2014). A Deep and Tractable Density Estimator.
        https://arxiv.org/abs/1310.1757
        Strauss, Oliva (2021). Arbitrary Conditional Distributions with Energy.
        https://arxiv.org/abs/2102.04426
    """

    def __init__(
        self,
        event_size: int,
        params_size: int,
        hidden_units: Sequence[int] = (128, 128),
        *,
        residual: bool = False,
        activation: str | Callable = "relu",
        condition_shape: Shape | None = None,
        dropout: float = 0.0,
        initial_output: TensorLike | None = None,
        dtype: Any = "float32",
        compute_dtype: Any = None,
        weights: Sequence[Any] | None = None,
        seed: int | None = None,
        name: str = "any_order",
    ) -> None:
        _checks.at_least(event_size, 1, "event_size")
        _checks.at_least(params_size, 1, "params_size")
        self._event_size = event_size
        self._params_size = params_size
        self._order = tuple(range(event_size))
        self._read_stack(event_size, hidden_units, residual, activation)
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

    def _shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        size, width = self._output_shape
        return self._stack.shapes(2 * size, self.condition_size, size * width)

    def _initial(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        size, _ = self._output_shape
        seen = np.full(shape[0], float(shape[-1]))
        return dense.initial(name, shape, seen, rng, self._initial_output, size)

    def _columns(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        """Return the parameters of each coordinate, which sees those to its left."""
        before = np.tri(self._event_size, k=-1, dtype=bool).T
        seen = before[:, :, np.newaxis] & tf.ones_like(x[:1], tf.bool)
        places = list(range(self._event_size))
        out = self._of_places(weights, x, seen, places, condition)
        return tf.reshape(out, [self._params_size * self._event_size, tf.shape(x)[1]])

    def given(
        self, x: tf.Tensor, seen: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Return the parameters of all coordinates, given those that are seen.

        Args:
            x: Coordinates, `[D, N]`; those that are not seen have no influence.
            seen: Which are seen, bools `[D, N]`.
            condition: Conditions, `[C, N]`, or `None`.

        Returns:
            Parameters, `[P, D, N]`; those of coordinates that are seen mean nothing.
        """
        inputs = self._masked(self._bounded_inputs(x), seen)
        condition = self._cast(condition)
        product = dense.Affine(self._named(self._weights), condition)
        out = self._stack.apply(product, inputs, self._drop)
        out = tf.reshape(out, [self._params_size, self._event_size, -1])
        return tf.cast(out, x.dtype)

    def of_places(
        self,
        x: tf.Tensor,
        seen: tf.Tensor,
        places: Any,
        condition: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Return the parameters of some coordinates, each with a mask of its own.

        Args:
            x: Coordinates, `[D, N]`; those that are not seen have no influence.
            seen: Which are seen by each of them, bools `[D, A, N]`.
            places: Their positions, `[A]`: ints, or a tensor.
            condition: Conditions, `[C, N]`, or `None`.

        Returns:
            Parameters, `[P, A, N]`.
        """
        named = self._named(self._weights)
        inputs, condition = self._bounded_inputs(x), self._cast(condition)
        out = self._of_places(named, inputs, seen, places, condition)
        return tf.cast(out, x.dtype)

    def _of_places(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        seen: tf.Tensor,
        places: Any,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        """Return parameters, `[P, A, N]`, of inputs as the network sees them."""
        size, width = self._event_size, self._params_size
        count = seen.shape[1]
        if condition is not None:
            condition = tf.tile(condition, [1, count])
        inputs = self._masked(x[:, tf.newaxis], seen)
        flat = tf.reshape(inputs, [2 * size, -1])

        def of_places(table: tf.Tensor, axes: list[int]) -> tf.Tensor:
            # XLA cannot pass the gradient of a choice along another axis in a loop.
            return tf.gather(tf.transpose(table, axes), places)

        def multiply(name: str, weight: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
            if name != "head":
                return tf.matmul(weight, value)
            # Of each copy of an event, only the rows of the coordinate that sees it.
            rows = of_places(tf.reshape(weight, [width, size, -1]), [1, 0, 2])
            copies = tf.reshape(value, [value.shape[0], count, -1])
            out = tf.matmul(rows, tf.transpose(copies, [1, 0, 2]))
            return tf.reshape(tf.transpose(out, [1, 0, 2]), [width * count, -1])

        bias = tf.reshape(weights["head_bias"], [width, size])
        bias = tf.reshape(tf.transpose(of_places(bias, [1, 0]), [1, 0]), [-1])
        product = dense.Affine({**weights, "head_bias": bias}, condition, multiply)
        out = self._stack.apply(product, flat, self._drop)
        return tf.reshape(out, [width, count, -1])

    def _masked(self, x: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
        """Return what is seen, and the mask: twice as many rows."""
        # Not a product: what is not seen may be no number.
        kept = tf.where(seen, x, tf.zeros([], x.dtype))
        return tf.concat([kept, tf.cast(seen, x.dtype)], axis=0)

    def _cast(self, condition: tf.Tensor | None) -> tf.Tensor | None:
        if condition is None:
            return None
        return self._seen_condition(condition)
