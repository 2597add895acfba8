"""Convolutional networks: conditioners of images."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Condition, Shape, TensorLike
from tfp_flows.math import images
from tfp_flows.networks import base

__all__ = ["ConvNet"]

# Relative size of the last product of a block at the start, as in `networks.dense`.
BLOCK_SCALE = 0.1


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name", "seed"), module_name="tfp_flows.networks"
)
class ConvNet(base.Conditioner):
    """Convolutional network with a zero-initialised head: plain, or gated residual.

    Plain, it is the network of Glow: a convolution, 1x1 convolutions, and the head, a
    convolution again. Residual, each further entry of `hidden_units` is a block
    `h + a * sigmoid(b)`, where `a, b` are a 1x1 convolution of a convolution of `h`.

    Images are padded with zeros. A condition is added, times a matrix, to the first
    layer and in each block: a vector at every pixel alike, a feature map
    `[height, width, C]` at the pixels where it is. Of a map with more pixels than the
    images, blocks become channels first; one with fewer pixels is repeated.

    Args:
        input_size: Number of channels that the network sees.
        output_shape: `(D, P)`: `P` parameters for each of `D` channels of a pixel.
        hidden_units: Channels of the hidden layers; equal ones if residual.
        kernel_size: Side of the convolutions, odd.
        residual: Whether layers after the first are gated residual blocks.
        positions: Whether the network sees row and column of each pixel, from -1 to 1,
            beside the channels: for images that are centred or aligned.
        condition_shape: Trailing shape of the condition, such as one-hot labels, or of
            a feature map.
        condition_factor: Side of the blocks of a feature map that become channels:
            how much larger it is than the images, 1 if it is smaller.

    Shapes:
        `[..., H, W, input_size]` to `[..., H, W, D, P]`.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.ConvNet(3, (2, 5), hidden_units=(16, 16), seed=1)
        >>> net(np.ones([7, 8, 8, 3], "float32")).shape.as_list()
        [7, 8, 8, 2, 5]

    References:
        Kingma, Dhariwal (2018). Glow. https://arxiv.org/abs/1807.03039, section 3.3;
        Ho et al. (2019). Flow++. https://arxiv.org/abs/1902.00275, section 3.3
    """

    def __init__(
        self,
        input_size: int,
        output_shape: Sequence[int],
        hidden_units: Sequence[int] = (64, 64),
        *,
        kernel_size: int = 3,
        residual: bool = False,
        positions: bool = False,
        activation: str | Callable = "relu",
        condition_shape: Shape | None = None,
        condition_factor: int = 1,
        dropout: float = 0.0,
        initial_output: TensorLike | None = None,
        dtype: Any = "float32",
        compute_dtype: Any = None,
        weights: Sequence[Any] | None = None,
        seed: int | None = None,
        name: str = "conv_net",
    ) -> None:
        self._hidden_units = _checks.hidden_units(hidden_units, base.NO_HIDDEN)
        _checks.at_least(input_size, 1, "input_size")
        if residual and len(set(self._hidden_units)) != 1:
            msg = (
                "`hidden_units` of a residual network must be equal, got "
                f"{self._hidden_units}. Repeat one number, as in (64, 64, 64)."
            )
            raise ValueError(msg)
        if kernel_size < 1 or kernel_size % 2 == 0:
            msg = f"`kernel_size` must be odd and positive, got {kernel_size}. Use 3."
            raise ValueError(msg)
        self._kernel_size = int(kernel_size)
        self._residual = residual
        self._positions = positions
        _checks.at_least(condition_factor, 1, "condition_factor")
        self._condition_factor = int(condition_factor)
        self._activation = activation
        self._activate = base.activation_function(activation)
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

    @property
    def _map_shape(self) -> tuple[int, ...] | None:
        """Shape of a condition that is a feature map, else `None`."""
        shape = self._condition_shape
        return shape if shape is not None and len(shape) == 3 else None

    def _shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        units, side, size = self._hidden_units, self._kernel_size, self.condition_size
        if self._map_shape is not None:
            size = self._map_shape[-1] * self._condition_factor**2
        inputs = self._input_size + 2 * self._positions
        shapes: list[tuple[str, tuple[int, ...]]] = [
            ("kernel_0", (side, side, inputs, units[0])),
            ("bias_0", (units[0],)),
        ]
        if size:
            shapes.append(("condition_0", (size, units[0])))
        for i, (before, after) in enumerate(itertools.pairwise(units), 1):
            if not self._residual:
                shapes.append((f"kernel_{i}", (1, 1, before, after)))
                shapes.append((f"bias_{i}", (after,)))
                continue
            shapes.append((f"kernel_{i}", (side, side, before, after)))
            shapes.append((f"bias_{i}", (after,)))
            if size:
                shapes.append((f"condition_{i}", (size, after)))
            shapes.append((f"block_{i}", (1, 1, after, 2 * after)))
            shapes.append((f"offset_{i}", (2 * after,)))
        outputs = math.prod(self._output_shape)
        return [
            *shapes,
            ("head", (side, side, units[-1], outputs)),
            ("head_bias", (outputs,)),
        ]

    def _initial(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        if name == "head_bias":
            return np.repeat(np.asarray(self._initial_output), self._output_shape[0])
        if name == "head" or len(shape) == 1:
            return np.zeros(shape)
        bound = math.sqrt(3.0 / math.prod(shape[:-1]))
        if name.startswith("block"):
            bound *= BLOCK_SCALE
        return rng.uniform(-1.0, 1.0, size=shape) * bound

    def _with_positions(self, x: tf.Tensor) -> tf.Tensor:
        if not self._positions:
            return x
        height, width = x.shape[1], x.shape[2]
        grid = np.meshgrid(
            np.linspace(-1.0, 1.0, height) if height > 1 else np.zeros(1),
            np.linspace(-1.0, 1.0, width) if width > 1 else np.zeros(1),
            indexing="ij",
        )
        places = tf.constant(np.stack(grid, axis=-1), x.dtype)
        places = tf.broadcast_to(places, tf.concat([tf.shape(x)[:3], [2]], axis=0))
        return tf.concat([x, places], axis=-1)

    def _at_pixels(self, condition: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Return conditions `[N, C]` as `[N, height, width, K]` or `[N, 1, 1, C]`."""
        if self._map_shape is None:
            return condition[:, tf.newaxis, tf.newaxis]
        sides = self._map_shape[:2]
        value = tf.reshape(condition, [-1, *self._map_shape])
        value = images.squeeze(value, self._condition_factor, "pixels")
        scale = (height // value.shape[1], width // value.shape[2])
        if (height, width) != (value.shape[1] * scale[0], value.shape[2] * scale[1]):
            msg = (
                f"`condition` of {sides[0]} x {sides[1]} pixels does not fit to "
                f"images of {height} x {width} at condition_factor="
                f"{self._condition_factor}. One size must be a multiple of the other."
            )
            raise ValueError(msg)
        return tf.repeat(tf.repeat(value, scale[0], axis=1), scale[1], axis=2)

    def _network(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        """Return the head's result for images, `[N, H, W, P * D]`."""

        def convolve(kernel: str, bias: str, value: tf.Tensor) -> tf.Tensor:
            value = tf.nn.conv2d(value, weights[kernel], strides=1, padding="SAME")
            return tf.nn.bias_add(value, weights[bias])

        if condition is not None:
            condition = self._at_pixels(condition, x.shape[1], x.shape[2])

        def conditioned(value: tf.Tensor, layer: int) -> tf.Tensor:
            if condition is None:
                return value
            return value + tf.matmul(condition, weights[f"condition_{layer}"])

        act, last = self._activate, len(self._hidden_units) - 1
        hidden = conditioned(convolve("kernel_0", "bias_0", self._with_positions(x)), 0)
        for i in range(1, last + 1):
            inner = self._drop(act(hidden), i - 1)
            inner = convolve(f"kernel_{i}", f"bias_{i}", inner)
            if not self._residual:
                hidden = inner
                continue
            inner = act(conditioned(inner, i))
            inner = convolve(f"block_{i}", f"offset_{i}", inner)
            value, gate = tf.split(inner, 2, axis=-1)
            hidden += value * tf.sigmoid(gate)
        return convolve("head", "head_bias", self._drop(act(hidden), last))

    def _columns(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        """Return the head's result for columns, as images of one pixel."""
        pixels = tf.transpose(x)[:, tf.newaxis, tf.newaxis]
        condition = None if condition is None else tf.transpose(condition)
        return tf.transpose(self._network(weights, pixels, condition)[:, 0, 0])

    def images(self, x: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """Return the parameters of a batch of images.

        Args:
            x: Images, `[N, H, W, input_size]`.
            condition: Conditions, `[N, C]`, or `None`.

        Returns:
            Parameters, `[P, N, H, W, D]`, in the type of `x`.
        """
        if condition is not None:
            condition = self._seen_condition(condition)
        count, dtype = None, x.dtype
        if not x.shape[0]:
            # On CPUs a convolution of no image returns a wrong shape: add a black one.
            count = tf.shape(x)[0]
            more = tf.cast(tf.equal(count, 0), tf.int32)
            x = tf.pad(x, [[0, more], [0, 0], [0, 0], [0, 0]])
            if condition is not None:
                condition = tf.pad(condition, [[0, more], [0, 0]])
        head = self._network(
            self._named(self._weights), self._bounded_inputs(x), condition
        )
        head = tf.cast(head[:count], dtype)
        return tf.stack(tf.split(head, self._output_shape[1], axis=-1))

    def __call__(self, x: TensorLike, condition: Condition = None) -> tf.Tensor:
        """Return the parameters of images.

        Args:
            x: Images, `[..., H, W, input_size]`.
            condition: Conditions, `[..., *condition_shape]` with the same leading
                dimensions, or `None`.

        Returns:
            Parameters, `[..., H, W, D, P]`.
        """
        x = tf.convert_to_tensor(x, dtype_hint=self.dtype)
        owner = f"`{type(self).__name__}`"
        _checks.require_trailing(x.shape, (self._input_size,), "x", owner)
        _checks.require_condition(condition, self._condition_shape, owner)
        batch, event = tf.shape(x)[:-3], x.shape[-3:].as_list()
        if condition is not None:
            condition = tf.convert_to_tensor(condition, dtype_hint=self.dtype)
            _checks.require_trailing(
                condition.shape, self._condition_shape, "condition", owner
            )
            condition = tf.reshape(condition, [-1, self.condition_size])
        out = self.images(tf.reshape(x, [-1, *event]), condition)
        out = tf.transpose(out, [1, 2, 3, 4, 0])
        shape = tf.concat([batch, event[:2], self._output_shape], axis=0)
        return tf.reshape(out, shape)
