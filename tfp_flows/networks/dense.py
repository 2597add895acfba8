"""Stacks of dense layers on columns, shared by plain and masked networks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.networks import base

__all__ = ["Affine", "Stack", "initial"]

Product = Callable[[str, Any], tf.Tensor]

# Relative size of the last product of a residual block at the start: small, so that
# the sum of many blocks keeps its scale, but not zero, so that gradients reach all.
BLOCK_SCALE = 0.1


def _keep(hidden: tf.Tensor, _: int) -> tf.Tensor:
    return hidden


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
        self.activate = base.activation_function(activation)

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

    def products(self) -> list[tuple[str, int, int]]:
        """Return the products in order: name, and number of the layer made and read.

        Layer 0 is the input, the one after the hidden layers the output.
        """
        found = [("kernel_0", 1, 0)]
        for i in range(1, len(self.hidden_units)):
            found.append((f"kernel_{i}", i + 1, i))
            if self.residual:
                found.append((f"block_{i}", i + 1, i + 1))
        last = len(self.hidden_units)
        return [*found, ("head", last + 1, last)]

    def apply(
        self,
        product: Product,
        x: Any,
        drop: Callable[[tf.Tensor, int], tf.Tensor] = _keep,
        activate: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ) -> tf.Tensor:
        """Return the head's result.

        Args:
            product: Called with the name of an affine product and what it multiplies.
            x: Given to the first product.
            drop: Called with the hidden units and the number of their layer.
            activate: Replaces the activation.

        Returns:
            What the product named `"head"` returns.
        """
        activate = activate or self.activate
        hidden = product("kernel_0", x)
        for i in range(1, len(self.hidden_units)):
            if self.residual:
                inner = product(f"kernel_{i}", activate(hidden))
                inner = product(f"block_{i}", drop(activate(inner), i))
                hidden = hidden + inner
            else:
                hidden = product(f"kernel_{i}", drop(activate(hidden), i - 1))
        last = len(self.hidden_units) - 1
        return product("head", drop(activate(hidden), 0 if self.residual else last))

    def transposed(
        self, product: Product, slopes: list[tf.Tensor], head: tf.Tensor
    ) -> tf.Tensor:
        """Return the gradient by the input from that by the head's result.

        Args:
            product: Called with the name of a product and what its transpose
                multiplies.
            slopes: Slopes of the activations, in the order of their evaluation.
            head: Gradient by the result.

        Returns:
            What the transpose of `"kernel_0"` returns.
        """
        slopes = list(slopes)
        hidden = slopes.pop() * product("head", head)
        for i in reversed(range(1, len(self.hidden_units))):
            if self.residual:
                inner = slopes.pop() * product(f"block_{i}", hidden)
                hidden = hidden + slopes.pop() * product(f"kernel_{i}", inner)
            else:
                hidden = slopes.pop() * product(f"kernel_{i}", hidden)
        return product("kernel_0", hidden)


class StackNetwork(base.Conditioner):
    """Base class of conditioners that are one stack; they call `_read_stack` first."""

    _hidden_units: tuple[int, ...]
    _residual: bool
    _stack: Stack

    def _read_stack(
        self,
        size: int,
        hidden_units: Sequence[int],
        residual: bool,  # noqa: FBT001
        activation: str | Callable,
        period: Sequence[float] | None = None,
        periodic: Sequence[bool] | None = None,
    ) -> None:
        """Keep the stack, and how its inputs are seen.

        Raises:
            ValueError: If one of them is none.
        """
        self._hidden_units = _checks.hidden_units(hidden_units, base.NO_HIDDEN)
        self._residual = residual
        self._read_inputs(size, activation, period, periodic)
        self._stack = Stack(self._hidden_units, residual, activation)

    def _shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        size, width = self._output_shape
        inputs = self._input_size * (1 if self._period is None else 2)
        return self._stack.shapes(inputs, self.condition_size, size * width)


class Affine:
    """The affine products of a stack: weight, bias, and what the condition adds.

    Args:
        weights: Weights by name, as in `Stack.shapes`.
        condition: Conditions, `[C, N]`, or `None`.
        multiply: Called with a name, its weight and columns; by default `tf.matmul`.
    """

    def __init__(
        self,
        weights: dict[str, tf.Tensor],
        condition: tf.Tensor | None,
        multiply: Callable[[str, tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
    ) -> None:
        self.weights = weights
        self._condition = condition
        self._multiply = multiply or (lambda _, weight, x: tf.matmul(weight, x))

    def offset(self, name: str) -> tf.Tensor:
        """Return bias and condition of a product, `[out, N]` or `[out, 1]`."""
        kind, _, number = name.partition("_")
        bias = {"kernel": f"bias_{number}", "block": f"offset_{number}"}
        offset = tf.expand_dims(self.weights[bias.get(kind, "head_bias")], 1)
        kernel = self.weights.get(f"condition_{number}") if kind == "kernel" else None
        if self._condition is not None and kernel is not None:
            offset += tf.matmul(kernel, self._condition)
        return offset

    def __call__(self, name: str, x: tf.Tensor) -> tf.Tensor:
        """Return a product of columns, `[out, N]`."""
        if name not in self.weights:  # a network without inputs
            return self.offset(name)
        return self._multiply(name, self.weights[name], x) + self.offset(name)


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
