"""A velocity at every time and place, and what its Jacobian makes of directions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Shape
from tfp_flows.networks import base, dense

__all__ = ["VectorField"]

Push = Callable[[tf.Tensor], tf.Tensor]


def _silu(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    gate = tf.sigmoid(z)
    return z * gate, gate * (1.0 + z * (1.0 - gate))


def _tanh(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    value = tf.tanh(z)
    return value, 1.0 - value * value


def _softplus(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.math.softplus(z), tf.sigmoid(z)


def _sin(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.sin(z), tf.cos(z)


# Value and slope. Those with kinks have no log-dets that a solver could integrate.
ACTIVATIONS = {"silu": _silu, "tanh": _tanh, "softplus": _softplus, "sin": _sin}


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name", "seed"), module_name="tfp_flows.networks"
)
class VectorField(base.Conditioner):
    """Multi-layer perceptron of time and events that returns velocities.

    Every hidden layer sees the time, as cosines and sines of it beside itself, and the
    condition. Events are softly bounded inside, so that the velocity is bounded, too:
    an outlier is moved along, and no solution leaves for infinity. An untrained field
    is zero everywhere.

    Args:
        size: Number of coordinates `D`.
        activation: `"silu"`, `"tanh"`, `"softplus"` or `"sin"`.
        frequency: Typical frequency of the first layer, in radians per unit of the
            events, whose activation is then a sine: sharp edges are learned soon. 0 for
            `activation` there, too, and a field that is smooth.
        num_frequencies: Number of cosines and of sines of the time.
        condition_shape: Trailing shape of the condition.
        dtype: Type of weights, computation and result.

    Example:
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.VectorField(2, (8,), seed=1)
        >>> net([[0.5, 1., 2.]]).shape.as_list()  # time, then the coordinates
        [1, 2, 1]
    """

    _activation: str

    def __init__(
        self,
        size: int,
        hidden_units: Sequence[int] = (64, 64, 64),
        *,
        activation: str = "silu",
        frequency: float = 0.0,
        num_frequencies: int = 4,
        condition_shape: Shape | None = None,
        dtype: Any = "float32",
        weights: Sequence[Any] | None = None,
        seed: int | None = None,
        name: str = "vector_field",
    ) -> None:
        _checks.at_least(size, 1, "size")
        _checks.at_least(frequency, 0.0, "frequency")
        _checks.at_least(num_frequencies, 0, "num_frequencies")
        _checks.one_of(activation, tuple(ACTIVATIONS), "activation")
        self._size = int(size)
        self._hidden_units = _checks.hidden_units(hidden_units, base.NO_HIDDEN)
        self._activation = activation
        self._frequency = float(frequency)
        self._num_frequencies = int(num_frequencies)
        super().__init__(
            input_size=size + 1,
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

    def _shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        units = (self._size, *self._hidden_units)
        features = 1 + 2 * self._num_frequencies
        shapes: list[tuple[str, tuple[int, ...]]] = []
        for i, (before, after) in enumerate(itertools.pairwise(units)):
            shapes += [(f"kernel_{i}", (after, before)), (f"bias_{i}", (after,))]
            shapes.append((f"time_{i}", (after, features)))
            if self.condition_size:
                shapes.append((f"condition_{i}", (after, self.condition_size)))
        head = (self._size, units[-1])
        return [*shapes, ("head", head), ("head_bias", (self._size,))]

    def _initial(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        fan_in = None if len(shape) == 1 else np.full(shape[0], float(shape[1]))
        if name == "kernel_0" and self._frequency:
            return rng.normal(size=shape) * self._frequency / np.sqrt(shape[1])
        if name.startswith("bias"):
            bound = math.pi if name == "bias_0" and self._frequency else 1.0
            return rng.uniform(-bound, bound, size=shape)
        return dense.initial(name, shape, fan_in, rng, (0.0,), self._size)

    def _bounded_inputs(self, x: tf.Tensor) -> tf.Tensor:
        return x  # bounded where the time has been taken off

    def _columns(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        found = list(weights.values())
        return self.linearized(x[1:], x[0], condition, found)[0]

    def linearized(
        self,
        x: tf.Tensor,
        time: tf.Tensor,
        condition: tf.Tensor | None = None,
        weights: Sequence[tf.Tensor] | None = None,
    ) -> tuple[tf.Tensor, Push]:
        """Return the velocity of columns, and what their Jacobians make of directions.

        Args:
            x: Events, `[D, N]`.
            time: One time `[]`, or one for each event `[N]`.
            condition: Conditions, `[C, N]`, or `None`.
            weights: What `read` returned, so that a loop reads them once.

        Returns:
            The velocity `[D, N]`, and a function from `[D, K, N]` to `[D, K, N]`: the
            Jacobian of each event times `K` directions.
        """
        named = self._named(self._weights if weights is None else weights)
        times = self._features(tf.cast(time, x.dtype))
        inner = tf.clip_by_value(x, -base.FAR_INPUT, base.FAR_INPUT)
        inverse = tf.math.rsqrt(1.0 + tf.square(inner / base.INPUT_BOUND))
        hidden, steps = inner * inverse, []
        for i in range(len(self._hidden_units)):
            kernel = named[f"kernel_{i}"]
            z = tf.matmul(kernel, hidden) + named[f"bias_{i}"][:, tf.newaxis]
            z += tf.matmul(named[f"time_{i}"], times)
            if condition is not None:
                z += tf.matmul(named[f"condition_{i}"], condition)
            kind = "sin" if i == 0 and self._frequency else self._activation
            hidden, slope = ACTIVATIONS[kind](z)
            steps.append((kernel, slope))
        head = named["head"]
        bound_slope = inverse * inverse * inverse

        def push(directions: tf.Tensor) -> tf.Tensor:
            moved = directions * bound_slope[:, tf.newaxis]
            for kernel, slope in steps:
                moved = _product(kernel, moved) * slope[:, tf.newaxis]
            return _product(head, moved)

        value = tf.matmul(head, hidden) + named["head_bias"][:, tf.newaxis]
        return value, push

    def _features(self, time: tf.Tensor) -> tf.Tensor:
        """Return the time and its cosines and sines, `[F, N]` or `[F, 1]`."""
        time = tf.reshape(time, [1, -1])
        angles = [math.pi * k * time for k in range(1, self._num_frequencies + 1)]
        waves = [wave(angle) for angle in angles for wave in (tf.cos, tf.sin)]
        return tf.concat([time, *waves], axis=0)


def _product(matrix: tf.Tensor, directions: tf.Tensor) -> tf.Tensor:
    """Return a matrix times each of the directions `[D, K, N]`."""
    flat = tf.reshape(directions, [matrix.shape[1], -1])
    shape = tf.concat([[matrix.shape[0]], tf.shape(directions)[1:]], axis=0)
    return tf.reshape(tf.matmul(matrix, flat), shape)
