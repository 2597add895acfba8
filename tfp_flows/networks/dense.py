"""Stacks of dense layers on columns, shared by plain and masked networks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfp_flows.networks import base

__all__ = ["Stack", "initial"]

# Relative size of the last product of a residual block at the start: small, so that
# the sum of many blocks keeps its scale, but not zero, so that gradients reach all.
BLOCK_SCALE = 0.1


class Stack:
    """The structure of a stack: its weights' shapes and how they act on columns.

    Args:
        hidden_units: Widths of the hidden layers.
        residual: Whether layers after the first are blocks of two with a skip.
        activation: Name in `tf.nn`, or a function.
    """

    def __init__(
        self,
        hidden_units: tuple[int, ...],
        residual: bool,  # noqa: FBT001
        activation: str | Callable,
    ) -> None:
        if residual and len(set(hidden_units)) != 1:
            msg = (
                "`hidden_units` of a residual network must be equal, got "
                f"{hidden_units}. Repeat one width, as in (64, 64, 64)."
            )
            raise ValueError(msg)
        self.hidden_units = hidden_units
        self.residual = residual
        self._activate = base.activation_function(activation)

    def shapes(
        self, inputs: int, conditions: int, outputs: int
    ) -> list[tuple[str, tuple[int, ...]]]:
        """Return name and shape of every weight, products as `[out, in]`."""
        units = self.hidden_units
        shapes: list[tuple[str, tuple[int, ...]]] = []
        if inputs:
            shapes.append(("kernel_0", (units[0], inputs)))
        shapes.append(("bias_0", (units[0],)))
        if conditions:
            shapes.append(("condition_0", (units[0], conditions)))
        for i, (before, after) in enumerate(itertools.pairwise(units), start=1):
            shapes += [(f"kernel_{i}", (after, before)), (f"bias_{i}", (after,))]
            if self.residual:
                shapes += [(f"block_{i}", (after, after)), (f"offset_{i}", (after,))]
                if conditions:
                    shapes.append((f"condition_{i}", (after, conditions)))
        return [*shapes, ("head", (outputs, units[-1])), ("head_bias", (outputs,))]

    def apply(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        condition: tf.Tensor | None,
        drop: Callable[[tf.Tensor, int], tf.Tensor],
    ) -> tf.Tensor:
        """Return the head's result for columns.

        Args:
            weights: Weights by name.
            x: Inputs, `[inputs, N]`.
            condition: Conditions, `[C, N]`, or `None`.
            drop: Called with the hidden units and the number of their layer.

        Returns:
            `[outputs, N]`.
        """
        hidden = weights["bias_0"][:, tf.newaxis]
        if "kernel_0" in weights:
            hidden += tf.matmul(weights["kernel_0"], x)
        if condition is not None:
            hidden += tf.matmul(weights["condition_0"], condition)
        step = self._block if self.residual else self._layer
        for i in range(1, len(self.hidden_units)):
            hidden = step(weights, hidden, condition, drop, i)
        last = len(self.hidden_units) - 1
        hidden = drop(self._activate(hidden), 0 if self.residual else last)
        return tf.matmul(weights["head"], hidden) + weights["head_bias"][:, tf.newaxis]

    def _layer(
        self,
        weights: dict[str, tf.Tensor],
        hidden: tf.Tensor,
        condition: tf.Tensor | None,
        drop: Callable[[tf.Tensor, int], tf.Tensor],
        i: int,
    ) -> tf.Tensor:
        hidden = drop(self._activate(hidden), i - 1)
        return (
            tf.matmul(weights[f"kernel_{i}"], hidden)
            + weights[f"bias_{i}"][:, tf.newaxis]
        )

    def _block(
        self,
        weights: dict[str, tf.Tensor],
        hidden: tf.Tensor,
        condition: tf.Tensor | None,
        drop: Callable[[tf.Tensor, int], tf.Tensor],
        i: int,
    ) -> tf.Tensor:
        inner = tf.matmul(weights[f"kernel_{i}"], self._activate(hidden))
        inner += weights[f"bias_{i}"][:, tf.newaxis]
        if condition is not None:
            inner += tf.matmul(weights[f"condition_{i}"], condition)
        inner = drop(self._activate(inner), i)
        inner = tf.matmul(weights[f"block_{i}"], inner)
        return hidden + inner + weights[f"offset_{i}"][:, tf.newaxis]


def initial(
    name: str,
    shape: tuple[int, ...],
    fan_in: np.ndarray | None,
    rng: np.random.Generator,
    initial_output: Sequence[float],
    size: int,
) -> np.ndarray:
    """Return the initial value of one weight.

    Args:
        name: Its name in `Stack.shapes`.
        shape: Its shape.
        fan_in: Number of inputs that each row sees, `[out]`.
        rng: Where random numbers come from.
        initial_output: Parameters of an untrained network, `[P]`.
        size: Number of coordinates, `D`.

    Returns:
        He-uniform numbers for hidden products, zeros for the head.
    """
    if name == "head_bias":
        return np.repeat(np.asarray(initial_output), size)
    if name == "head" or len(shape) == 1:
        return np.zeros(shape)
    bound = np.sqrt(3.0 / np.maximum(1.0 if fan_in is None else fan_in, 1.0))[
        :, np.newaxis
    ]
    if name.startswith("block"):
        bound = bound * BLOCK_SCALE
    return rng.uniform(-1.0, 1.0, size=shape) * bound
