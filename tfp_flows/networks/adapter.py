"""Lets a user's own network serve as a conditioner."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Condition, Shape, TensorLike
from tfp_flows.math.linear import products
from tfp_flows.networks import base, foreign

__all__ = ["NetworkConditioner", "as_conditioner"]


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name",), module_name="tfp_flows.networks"
)
class NetworkConditioner(base.Shaped, tfp.experimental.AutoCompositeTensor, tf.Module):
    """Wraps a Keras 3 or tf_keras network, or any callable, as a conditioner.

    The network gets events as rows, `[N, input_size]`, and returns `[N, D * P]` or
    `[N, D, P]`. A Keras model with two inputs, and a callable that takes two
    positional arguments, get `x` and the condition; other networks get both
    concatenated along the last axis. The wrapper calls the network once, on zeros,
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
        weights: The variables of the network; found by a first call if `None`.
        name: Name.

    Raises:
        TypeError: If the network cannot be called.
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
        weights: Sequence[tf.Variable] | None = None,
        name: str = "network_conditioner",
    ) -> None:
        tf.Module.__init__(self, name=name)
        if not callable(network):
            msg = f"`network` must be callable, got {network!r}. Pass a Keras model."
            raise TypeError(msg)
        self._network = network
        self._input_size = int(input_size)
        self._output_shape = base.read_output_shape(output_shape)
        self._condition_shape = _checks.optional_shape(
            condition_shape, "condition_shape"
        )
        self._dtype = tf.as_dtype(dtype).name
        self._takes_two = self._condition_shape is not None and _takes_two(network)
        self._weights = self._first_call() if weights is None else list(weights)

    @property
    def network(self) -> Callable[..., Any]:
        """The wrapped network."""
        return self._network

    def _first_call(self) -> list[tf.Variable]:
        """Build the network, check what it returns, and list its variables."""
        x = tf.zeros([1, self._input_size], self._dtype)
        condition = None
        if self._condition_shape is not None:
            size = math.prod(self._condition_shape)
            condition = tf.zeros([1, size], self._dtype)
        out, weights = foreign.build(self._network, self._call, x, condition)
        if out.shape.num_elements() != math.prod(self._output_shape):
            msg = (
                f"`network` must return {math.prod(self._output_shape)} numbers per "
                f"event, {self._output_shape[1]} for each of {self._output_shape[0]} "
                f"coordinates, got shape {tuple(out.shape)}. Change its last layer."
            )
            raise ValueError(msg)
        return weights

    def __deepcopy__(self, memo: dict[int, Any]) -> NetworkConditioner:
        """Return a conditioner whose variables are those of the network's copy."""
        network, weights = foreign.deepcopy(self._network, self._weights, memo)
        return type(self)(
            network,
            self._input_size,
            self._output_shape,
            condition_shape=self._condition_shape,
            dtype=self._dtype,
            weights=weights,
            name=self.name,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the list of weights: the network brings its own."""
        make = functools.partial(
            type(self),
            self._network,
            self._input_size,
            self._output_shape,
            condition_shape=self._condition_shape,
            dtype=self._dtype,
            name=self.name,
        )
        return make, ()

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
        rows = None if condition is None else products.transpose(condition)
        out = self._call(products.transpose(x), rows)
        out = tf.cast(tf.reshape(out, [-1, *self.output_shape]), x.dtype)
        return products.transpose(out, [2, 1, 0])

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
    shape = _checks.optional_shape(condition_shape, "condition_shape")
    wanted = (input_size, base.read_output_shape(output_shape), shape)
    found = (network.input_size, network.output_shape, network.condition_shape)
    if wanted != found:
        msg = (
            "`conditioner` must have (input_size, output_shape, condition_shape) "
            f"{wanted}, got {found}. Build it for this map."
        )
        raise ValueError(msg)
    return network
