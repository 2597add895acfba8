"""Lets a user's own network serve as a conditioner."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Condition, Shape, TensorLike
from tfp_flows.networks import base

__all__ = ["NetworkConditioner", "as_conditioner"]


class NetworkConditioner(tf.Module):
    """Wraps a Keras 3 or tf_keras network, or any callable, as a conditioner.

    The network gets events as rows, `[N, input_size]`, and returns `[N, D * P]` or
    `[N, D, P]`. A Keras model with two inputs, and a callable that takes two
    positional arguments, get `x` and the condition; other networks get both
    concatenated along the last axis. The wrapper builds the network once, on zeros,
    so that all its variables exist, and lists them for `tf.Module`.

    A network of unknown making is not the identity at the start, unless its last layer
    is initialised with zeros. For a masked autoregressive map it must itself keep the
    order of the coordinates.

    Args:
        network: The network.
        input_size: Number of input coordinates.
        output_shape: `(D, P)`.
        condition_shape: Trailing shape of the condition, or `None`.
        dtype: Type in which the network works.
        name: Name.

    Raises:
        ValueError: If the network returns another shape.
    """

    def __init__(
        self,
        network: Callable[..., Any],
        input_size: int,
        output_shape: Sequence[int],
        *,
        condition_shape: Shape | None = None,
        dtype: Any = "float32",
        name: str = "network_conditioner",
    ) -> None:
        super().__init__(name=name)
        if not callable(network):
            msg = f"`network` must be callable, got {network!r}. Pass a Keras model."
            raise TypeError(msg)
        self.network = network
        self.input_size = input_size
        self.output_shape = _checks.static_shape(output_shape, "output_shape")
        self.condition_shape = _checks.static_shape(condition_shape, "condition_shape")
        self.dtype = tf.as_dtype(dtype)
        self._takes_two = self.condition_shape is not None and _takes_two(network)
        condition = None
        if self.condition_shape is not None:
            condition = tf.zeros([1, math.prod(self.condition_shape)], dtype)
        out = self._call(tf.zeros([1, input_size], dtype), condition)
        if out.shape.num_elements() != math.prod(self.output_shape):
            msg = (
                f"`network` must return {math.prod(self.output_shape)} numbers per "
                f"event, {self.output_shape[1]} for each of {self.output_shape[0]} "
                f"coordinates, got shape {tuple(out.shape)}. Change its last layer."
            )
            raise ValueError(msg)
        # Keras 3 hides its variables from `tf.Module`: hand over the raw ones.
        self._raw_variables = _raw_variables(network)

    def _call(self, x: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        if condition is None:
            return tf.convert_to_tensor(self.network(x))
        if self._takes_two:
            inputs = getattr(self.network, "inputs", None)
            shaped = tf.reshape(condition, [-1, *(self.condition_shape or ())])
            if isinstance(inputs, (list, tuple)):
                return tf.convert_to_tensor(self.network([x, shaped]))
            return tf.convert_to_tensor(self.network(x, shaped))
        return tf.convert_to_tensor(self.network(tf.concat([x, condition], axis=-1)))

    def columns(self, x: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """Return parameters `[P, D, N]` of inputs `[input_size, N]`."""
        rows = None if condition is None else tf.transpose(condition)
        out = self._call(tf.transpose(x), rows)
        out = tf.cast(tf.reshape(out, [-1, *self.output_shape]), x.dtype)
        return tf.transpose(out, [2, 1, 0])

    def __call__(self, x: TensorLike, condition: Condition = None) -> tf.Tensor:
        """Return parameters `[N, D, P]` of inputs `[N, input_size]`."""
        x = tf.convert_to_tensor(x, dtype_hint=self.dtype)
        rows = condition
        if condition is not None:
            size = math.prod(self.condition_shape or ())
            rows = tf.reshape(condition, [-1, size])
        return tf.reshape(self._call(x, rows), [-1, *self.output_shape])


def _takes_two(network: Callable[..., Any]) -> bool:
    """Whether a network takes the condition as a second input."""
    inputs = getattr(network, "inputs", None)
    if isinstance(inputs, (list, tuple)):
        return len(inputs) == 2
    function = getattr(network, "call", network)
    try:
        arguments = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    required = [a for a in arguments if a.kind in positional and a.default is a.empty]
    return len(required) == 2


def _raw_variables(network: Callable[..., Any]) -> list[tf.Variable]:
    found = getattr(network, "variables", ())
    return [v if isinstance(v, tf.Variable) else v.value for v in found]


def as_conditioner(
    network: Any,
    input_size: int,
    output_shape: Sequence[int],
    *,
    condition_shape: Shape | None = None,
    dtype: Any = "float32",
) -> base.Conditioner | NetworkConditioner:
    """Return `network` if it is a conditioner of the right shape, else wrap it.

    Args:
        network: A conditioner, a Keras network, or a callable.
        input_size: Number of input coordinates.
        output_shape: `(D, P)`.
        condition_shape: Trailing shape of the condition, or `None`.
        dtype: Type in which the network works.

    Returns:
        The conditioner.

    Raises:
        ValueError: If the shapes do not fit.
    """
    if not isinstance(network, (base.Conditioner, NetworkConditioner)):
        return NetworkConditioner(
            network,
            input_size,
            output_shape,
            condition_shape=condition_shape,
            dtype=dtype,
        )
    wanted = (input_size, tuple(output_shape), condition_shape)
    found = (network.input_size, network.output_shape, network.condition_shape)
    if wanted != found:
        msg = (
            "`conditioner` must have (input_size, output_shape, condition_shape) "
            f"{wanted}, got {found}. Build it for this map."
        )
        raise ValueError(msg)
    return network
