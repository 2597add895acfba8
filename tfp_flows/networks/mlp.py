"""Multi-layer perceptron, plain or residual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows._types import Shape, TensorLike
from tfp_flows.networks import dense

__all__ = ["MLP"]


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name", "seed"), module_name="tfp_flows.networks"
)
class MLP(dense.StackNetwork):
    """Multi-layer perceptron with a zero-initialised head.

    Args:
        input_size: Number of input coordinates; 0 for a network of the condition only.
        hidden_units: Widths of the hidden layers. Residual: the first is the width,
            and each further entry, which must equal it, is one block of two layers.
        condition_shape: Trailing shape of the condition; it enters the first layer and
            every residual block.

    Example:
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.MLP(3, (2, 5), hidden_units=(16,), seed=1)
        >>> net([[1., 2., 3.]]).shape.as_list()
        [1, 2, 5]

    References:
        He et al. (2016). Identity mappings in deep residual networks.
        https://arxiv.org/abs/1603.05027
    """

    def __init__(
        self,
        input_size: int,
        output_shape: Sequence[int],
        hidden_units: Sequence[int] = (128, 128),
        *,
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
        name: str = "mlp",
    ) -> None:
        self._read_stack(
            *(input_size, hidden_units, residual), activation, period, periodic
        )
        super().__init__(
            input_size=input_size,
            output_shape=output_shape,
            condition_shape=condition_shape,
            dropout=dropout,
            initial_output=initial_output,
            dtype=dtype,
            compute_dtype=compute_dtype,
            weights=weights,
            seed=seed,
            name=name,
        )

    def _initial(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        fan_in = None if len(shape) == 1 else np.full(shape[0], float(shape[1]))
        return dense.initial(
            name, shape, fan_in, rng, self._initial_output, self._output_shape[0]
        )

    def _columns(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        return self._stack.apply(dense.Affine(weights, condition), x, self._drop)
