"""A network whose slope is below a bound, whatever its weights are."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Shape
from tfp_flows.math import contractions
from tfp_flows.networks import base

__all__ = ["LipschitzMLP"]

Push = Callable[[tf.Tensor], tf.Tensor]
# The largest slope of `z * sigmoid(z)` is 1.09984.
SWISH = 1.0 / 1.1
ACTIVATIONS = ("lipswish", "sin")


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name", "seed"), module_name="tfp_flows.networks"
)
class LipschitzMLP(base.Conditioner):
    """Multi-layer perceptron on events that is a contraction of them.

    Each product is divided by a bound of its spectral norm where that is above its
    share of `lipschitz`; activations have slopes of 1 at most, and so has the softly
    bounded input. The bound is a Schatten norm of the matrix, a few per cent above the
    spectral norm at most: unlike one by power iterations it always holds, and there is
    nothing to keep between steps or in files.

    Args:
        size: Number of coordinates `D` of input and output.
        lipschitz: The bound of the slope by the events, above 0 and below 1. The
            condition may have any effect.
        activation: `"lipswish"`, `z * sigmoid(b * z) / 1.1` with learned `b`, or
            `"sin"`.
        condition_shape: Trailing shape of the condition, which enters the first layer.
        dtype: Type of weights, computation and result: a bound does not survive
            rounding to fewer digits.

    Raises:
        ValueError: If `lipschitz` is not between 0 and 1.

    Example:
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.LipschitzMLP(2, (8,), seed=1)
        >>> net([[1., 2.]]).shape.as_list()
        [1, 2, 1]

    References:
        Chen et al. (2019). Residual Flows for Invertible Generative Modeling.
        https://arxiv.org/abs/1906.02735
    """

    def __init__(
        self,
        size: int,
        hidden_units: Sequence[int] = (64, 64),
        *,
        lipschitz: float = 0.9,
        activation: str = "lipswish",
        condition_shape: Shape | None = None,
        dtype: Any = "float32",
        weights: Sequence[Any] | None = None,
        seed: int | None = None,
        name: str = "lipschitz_mlp",
    ) -> None:
        _checks.at_least(size, 1, "size")
        _checks.one_of(activation, ACTIVATIONS, "activation")
        if not 0.0 < lipschitz < 1.0:
            msg = (
                f"`lipschitz` must be above 0 and below 1, got {lipschitz}: from 1 on "
                "a residual map need not be invertible. Pass for example 0.9."
            )
            raise ValueError(msg)
        self._size = int(size)
        self._hidden_units = _checks.hidden_units(hidden_units, base.NO_HIDDEN)
        self._lipschitz = float(lipschitz)
        self._activation = activation
        super().__init__(
            input_size=size,
            output_shape=(size, 1),
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
    def lipschitz(self) -> float:
        """The bound of the slope."""
        return self._lipschitz

    def _shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        units = (self._size, *self._hidden_units)
        shapes: list[tuple[str, tuple[int, ...]]] = []
        for i, (before, after) in enumerate(itertools.pairwise(units)):
            shapes += [(f"kernel_{i}", (after, before)), (f"bias_{i}", (after, 1))]
            if self._activation == "lipswish":
                shapes.append((f"slope_{i}", (1, 1)))
        if self.condition_size:
            shapes.append(("condition", (units[1], self.condition_size)))
        return [*shapes, ("head", (self._size, units[-1]))]

    def _initial(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        if name.startswith("slope"):
            return np.full(shape, 0.5)
        if name.startswith("bias"):
            return rng.uniform(-1.0, 1.0, size=shape)
        if name == "head":
            return np.zeros(shape)
        return rng.normal(size=shape) / np.sqrt(shape[1])

    def _columns(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        return self._passed(weights, x, condition)[0]

    def linearized(
        self,
        x: tf.Tensor,
        condition: tf.Tensor | None = None,
        weights: Sequence[tf.Tensor] | None = None,
    ) -> tuple[tf.Tensor, Push]:
        """Return the value at columns, and what their Jacobians make of directions.

        Args:
            x: Inputs, `[D, N]`.
            condition: Conditions, `[C, N]`, or `None`.
            weights: What `read` returned, or others in their place.

        Returns:
            The value `[D, N]`, and a function from `[D, K, N]` to `[D, K, N]`: the
            Jacobian of each event times `K` directions.
        """
        inner = tf.clip_by_value(x, -base.FAR_INPUT, base.FAR_INPUT)
        inverse = tf.math.rsqrt(1.0 + tf.square(inner / base.INPUT_BOUND))
        named = self._named(self._weights if weights is None else weights)
        value, steps = self._passed(named, inner * inverse, condition)
        bound_slope = inverse * inverse * inverse

        def push(directions: tf.Tensor) -> tf.Tensor:
            moved = directions * bound_slope[:, tf.newaxis]
            for kernel, slope in steps:
                flat = tf.reshape(moved, [kernel.shape[1], -1])
                shape = tf.concat([[kernel.shape[0]], tf.shape(moved)[1:]], axis=0)
                moved = tf.reshape(tf.matmul(kernel, flat), shape)
                if slope is not None:
                    moved *= slope[:, tf.newaxis]
            return moved

        return value, push

    def _passed(
        self,
        weights: dict[str, tf.Tensor],
        hidden: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tuple[tf.Tensor, list[tuple[tf.Tensor, tf.Tensor | None]]]:
        """Return the value, and kernel and slope of each layer."""
        count = len(self._hidden_units)
        share = self._lipschitz ** (1.0 / (count + 1))
        steps: list[tuple[tf.Tensor, tf.Tensor | None]] = []
        for i in range(count):
            kernel = contractions.bounded_matrix(weights[f"kernel_{i}"], share)
            z = tf.matmul(kernel, hidden) + weights[f"bias_{i}"]
            if i == 0 and condition is not None:
                z += tf.matmul(weights["condition"], condition)
            hidden, slope = self._activated(z, weights.get(f"slope_{i}"))
            steps.append((kernel, slope))
        head = contractions.bounded_matrix(weights["head"], share)
        return tf.matmul(head, hidden), [*steps, (head, None)]

    def _activated(
        self, z: tf.Tensor, raw: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return values and slopes of the activation."""
        if raw is None:
            return tf.sin(z), tf.cos(z)
        scale = tf.math.softplus(raw)
        gate = tf.sigmoid(scale * z)
        slope = gate + scale * z * gate * (1.0 - gate)
        return SWISH * z * gate, SWISH * slope
