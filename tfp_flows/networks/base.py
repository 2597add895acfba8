"""The conditioner that every network of this package derives from."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks, _context, _documented
from tfp_flows._types import Condition, Shape, TensorLike
from tfp_flows.math import circular
from tfp_flows.math.linear import products
from tfp_flows.networks import arguments, foreign

__all__ = [
    "Conditioner",
    "activation_function",
    "read_output_shape",
    "read_period",
    "read_periodic",
]

# Inputs are standardised, so that this is some standard deviations: a network that
# extrapolates to a single outlier costs more likelihood than all of its fine detail.
INPUT_BOUND = 3.0
# So far out the bound is reached to all digits, and squares do not overflow yet.
FAR_INPUT = 1e9
# In float16, whose largest number is 65504, a condition counts as no farther out.
FAR_CONDITION = 1e3
# What a flow is that needs no hidden layer, behind what a network is to be given.
NO_HIDDEN = "; 'linear' is a flow without any"
# Functions of a scalar in `tf.nn` and `tf`; files name activations, and no other name
# of TensorFlow may be reached through one.
ACTIVATIONS = (
    *("relu", "silu", "swish", "gelu", "elu", "selu", "leaky_relu", "relu6"),
    *("tanh", "sigmoid", "softplus", "softsign", "sin", "cos", "identity"),
)


def activation_function(activation: str | Callable) -> Callable:
    """Return the function of an activation given by its name in `tf.nn`, or as is."""
    if callable(activation):
        return activation
    if activation not in ACTIVATIONS:
        msg = (
            "`activation` must be callable or the name of one in tf.nn, got "
            f"{activation!r}. Use one of {', '.join(ACTIVATIONS)}."
        )
        raise ValueError(msg)
    function: Callable = getattr(tf.nn, activation, None) or getattr(tf, activation)
    return function


def read_period(period: Sequence[float] | None) -> tuple[float, float] | None:
    """Return the interval of angles that an argument gives, `None` for numbers."""
    if period is None:
        return None
    low, high = period
    _checks.interval(low, high, ("period[0]", "period[1]"))
    return float(low), float(high)


def read_periodic(
    periodic: Sequence[bool] | None, period: Sequence[float] | None, size: int
) -> tuple[bool, ...] | None:
    """Return which inputs are angles, `None` for all that there is a period for.

    Raises:
        ValueError: If there is no period, or not one answer for each input.
    """
    if periodic is None:
        return None
    if period is None or len(periodic) != size:
        msg = (
            f"`periodic` must say yes or no for each of {size} inputs and come with a "
            f"`period`, got {len(periodic)} and period={period}. Leave it out for all."
        )
        raise ValueError(msg)
    return tuple(bool(part) for part in periodic)


def read_output_shape(output_shape: Any) -> tuple[int, ...]:
    """Return `(D, P)`.

    Raises:
        ValueError: If these are not two sizes.
    """
    read = _checks.static_shape(output_shape, "output_shape")
    if read is None or len(read) != 2:
        msg = (
            "`output_shape` must be (D, P), coordinates and parameters of each, got "
            f"{output_shape!r}. Give (1, P) for one coordinate."
        )
        raise ValueError(msg)
    return read


class Weighted:
    """What networks and embeddings state: their numbers, and sizes of their results."""

    _output_shape: tuple[int, ...]
    _condition_shape: tuple[int, ...] | None
    _weights: list[tf.Variable]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the result of one event: `(D, P)` of a conditioner."""
        return self._output_shape

    @property
    def condition_shape(self) -> tuple[int, ...] | None:
        """Trailing shape of the condition, `None` without one."""
        return self._condition_shape

    @property
    def weights(self) -> list[tf.Variable]:
        """All numbers of the network."""
        return self._weights

    def read(self) -> list[tf.Tensor]:
        """Return all numbers as tensors."""
        return [tf.convert_to_tensor(weight) for weight in self._weights]


class Shaped(_documented.Documented, Weighted):
    """What every network states: sizes of what it takes and gives, and its numbers."""

    _arguments = arguments.ARGUMENTS
    _input_size: int
    _dtype: str

    @property
    def input_size(self) -> int:
        """Number of input coordinates."""
        return self._input_size

    @property
    def dtype(self) -> tf.DType:
        """Type of the numbers of the network and of its result."""
        return tf.as_dtype(self._dtype)


class Conditioner(Shaped, tfp.experimental.AutoCompositeTensor, tf.Module):
    """Base class of networks that turn inputs and a condition into parameters.

    A conditioner owns its numbers as `tf.Variable`s from the constructor on, in one
    list, `weights`. It works on columns (`[input_size, N]`, one event per column) and
    returns parameters first, `[P, D, N]`: the layout of the maps. Calling it like a
    function takes and returns trailing dimensions instead.

    Subclasses implement `_shapes`, which lists name and shape of every weight,
    `_initial`, and `_columns`.

    Args:
        input_size: Number of input coordinates, may be 0.
        condition_shape: Trailing shape of the condition, or `None`.
        initial_output: The `P` parameters that an untrained network gives everywhere,
            zeros if `None`.
        dtype: `"float32"` or `"float64"`, of weights and result.
        compute_dtype: Type of the products, for mixed precision; `None` for `dtype`.
        name: Name, also the prefix of the variables' names.
    """

    # The interval of which inputs are angles, `None` for numbers; and which of them are
    # angles, `None` for all.
    _period: tuple[float, float] | None = None
    _periodic: tuple[bool, ...] | None = None
    _order: tuple[int, ...] | None = None
    _activation: str | Callable

    def __init__(
        self,
        *,
        input_size: int,
        output_shape: Sequence[int],
        condition_shape: Shape | None,
        dropout: float,
        initial_output: TensorLike | None,
        dtype: Any,
        compute_dtype: Any,
        weights: Sequence[Any] | None,
        seed: int | None,
        name: str,
    ) -> None:
        tf.Module.__init__(self, name=name)
        _checks.at_least(input_size, 0, "input_size")
        _checks.fraction(dropout, "dropout")
        self._input_size = int(input_size)
        self._output_shape = read_output_shape(output_shape)
        self._condition_shape = _checks.optional_shape(
            condition_shape, "condition_shape"
        )
        self._dropout = float(dropout)
        self._dtype = tf.as_dtype(dtype).name
        _checks.supports_floating(tf.as_dtype(dtype), f"`{type(self).__name__}`")
        self._compute_dtype = tf.as_dtype(compute_dtype or dtype).name
        if initial_output is None:
            initial_output = [0.0] * self._output_shape[1]
        self._initial_output = tuple(float(v) for v in initial_output)
        self._seed = seed
        given = self._create(seed) if weights is None else map(foreign.raw, weights)
        self._weights = list(given)

    @property
    def condition_size(self) -> int:
        """Number of scalars in a condition, 0 without one."""
        shape = self._condition_shape
        return 0 if shape is None else math.prod(shape)

    @property
    def order(self) -> tuple[int, ...] | None:
        """The rank of each coordinate in the order that the network keeps, or `None`.

        With an order, a parameter depends on coordinates of lower rank only, whatever
        the weights are. Without one it may depend on all of them.
        """
        return self._order

    def _read_inputs(
        self,
        size: int,
        activation: str | Callable,
        period: Sequence[float] | None = None,
        periodic: Sequence[bool] | None = None,
    ) -> None:
        """Keep how inputs are seen, and the function of hidden units.

        Raises:
            ValueError: If one of them is none.
        """
        self._period = read_period(period)
        self._periodic = read_periodic(periodic, period, size)
        self._activation = activation

    @property
    def repeatable(self) -> bool:
        """Whether the network is a function of its inputs and weights alone."""
        return True

    @abc.abstractmethod
    def _shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Name and shape of each weight; products are `[out, in]`."""

    @abc.abstractmethod
    def _initial(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        """Return the initial value of one weight."""

    @abc.abstractmethod
    def _columns(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        """Return the head's result `[P * D, N]` in the compute type."""

    def _create(self, seed: int | None) -> list[tf.Variable]:
        rng = _context.generator(seed)
        variables = [
            tf.Variable(self._initial(name, shape, rng), dtype=self._dtype, name=name)
            for name, shape in self._shapes()
        ]
        if self._dropout:
            counter = tf.Variable(
                rng.integers(2**31, size=2),
                dtype=tf.int64,
                trainable=False,
                name="dropout_seed",
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
            variables.append(counter)
        return variables

    def columns(self, x: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """Return the parameters of a batch of columns.

        Args:
            x: Inputs, `[input_size, N]`.
            condition: Conditions, `[C, N]`, or `None`.

        Returns:
            Parameters, `[P, D, N]`, in the type of `x`.
        """
        if condition is not None:
            condition = self._seen_condition(condition)
        head = self._columns(
            self._named(self._weights), self._bounded_inputs(x), condition
        )
        size, width = self._output_shape
        # With neither inputs nor condition the head is one column for every event.
        head = tf.cast(head, x.dtype)
        out = tf.reshape(head, [width, size, -1])
        if self._input_size == 0 and condition is None:
            shape = tf.stack([width, size, tf.shape(x)[1]])
            out = tf.broadcast_to(out, shape)
        return out

    def _seen_condition(self, condition: tf.Tensor) -> tf.Tensor:
        """Return conditions in the type of the products, which may not overflow."""
        if self._compute_dtype == "float16":
            bounded = tf.clip_by_value(condition, -FAR_CONDITION, FAR_CONDITION)
            # NaN stays what it is.
            condition = tf.where(tf.math.is_nan(condition), condition, bounded)
        return tf.cast(condition, self._compute_dtype)

    def _named(self, weights: Sequence[Any]) -> dict[str, tf.Tensor]:
        """Return the weights by name, in the type of the products."""
        names = [name for name, _ in self._shapes()]
        return {
            name: tf.cast(value, self._compute_dtype)
            for name, value in zip(names, weights, strict=False)
        }

    def _bounded_inputs(self, x: tf.Tensor) -> tf.Tensor:
        """Return what the network sees: of a far outlier a bounded part.

        The maps see all of it. Of angles, cosines and sines: both ends are one point.
        """
        if self._period is not None and self._periodic is None:
            return tf.cast(circular.features(x, *self._period), self._compute_dtype)
        seen = tf.clip_by_value(x, -FAR_INPUT, FAR_INPUT)
        seen *= tf.math.rsqrt(1.0 + tf.square(seen * (1.0 / INPUT_BOUND)))
        if self._period is not None:
            is_angle = np.array(self._periodic, bool)
            seen = circular.mixed_features(x, seen, is_angle, *self._period)
        return tf.cast(seen, self._compute_dtype)

    def __call__(self, x: TensorLike, condition: Condition = None) -> tf.Tensor:
        """Return the parameters of events.

        Args:
            x: Inputs, `[..., input_size]`.
            condition: Conditions, `[..., *condition_shape]` with the same leading
                dimensions, or `None`.

        Returns:
            Parameters, `[..., D, P]`.
        """
        x = tf.convert_to_tensor(x, dtype_hint=self.dtype)
        owner = f"`{type(self).__name__}`"
        _checks.require_trailing(x.shape, (self._input_size,), "x", owner)
        _checks.require_condition(condition, self._condition_shape, owner)
        batch = tf.shape(x)[:-1]
        flat = products.transpose(
            tf.reshape(x, [tf.reduce_prod(batch), self._input_size])
        )
        if condition is not None:
            condition = tf.convert_to_tensor(condition, dtype_hint=self.dtype)
            _checks.require_trailing(
                condition.shape, self._condition_shape, "condition", owner
            )
            condition = products.transpose(
                tf.reshape(condition, [-1, self.condition_size])
            )
        out = products.transpose(self.columns(flat, condition))
        shape = tf.concat([batch, tf.constant(self._output_shape)], axis=0)
        return tf.reshape(out, shape)

    def advance(self) -> None:
        """Count an evaluation while training, so that dropout differs in the next."""
        if not self._dropout or not _context.is_training():
            return
        counter = self._weights[-1]
        if isinstance(counter, tf.Variable):
            counter.assign_add(tf.constant([0, 1], tf.int64))

    def _drop(self, hidden: tf.Tensor, layer: int) -> tf.Tensor:
        """Apply dropout to hidden columns while training."""
        if not self._dropout or not _context.is_training():
            return hidden
        member = _context.member()
        if member is not None:
            kept = member.uniform(tf.shape(hidden)) >= self._dropout
            return hidden * (tf.cast(kept, hidden.dtype) / (1.0 - self._dropout))
        if layer == 0:
            self.advance()
        counter = self._weights[-1]
        seed = tf.convert_to_tensor(counter) + tf.constant([layer + 1, 0], tf.int64)
        return tf.nn.experimental.stateless_dropout(hidden, self._dropout, seed=seed)
