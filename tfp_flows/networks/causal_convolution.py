"""Causal dilated convolutions: each time sees a stretch of the times before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Shape, TensorLike
from tfp_flows.math import indexing
from tfp_flows.networks import tokens

__all__ = ["CausalConvolution"]

# Relative size of the last product of a block at the start, as in `networks.dense`.
BLOCK_SCALE = 0.1

Past = Callable[[int, tf.Tensor], list[tf.Tensor]]


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name", "seed"), module_name="tfp_flows.networks"
)
class CausalConvolution(tokens.TokenNetwork):
    """Convolutions over time whose parameters see the times before, and no others.

    The weights are the same at each time, as suits a series without a clock of its
    own: their number does not grow with its length. Layer `i` after the first is a
    residual block that reads `kernel_size` times, `dilations[i]` apart, so that the
    parameters of a time see `receptive_field` times before it. A condition is added,
    times a matrix, to the first layer and in each block. One time after the other,
    what later times read is kept, so that a series costs about one pass.

    Args:
        event_size: Number of coordinates `D`: times, times the channels of each.
        width: Channels of the hidden layers.
        dilations: Distances of the times that each block reads; `None` for 1, 2, 4 and
            so on until a time sees all before it, 6 blocks at most.
        kernel_size: Number of times that a block reads.
        token_size: Channels of the series: coordinates of one time, which follow each
            other, and do not see each other.
        order: `"left-to-right"`, or `"right-to-left"`, where each time sees those
            after it; or the rank of each coordinate.
        condition_shape: Trailing shape of the condition; every time sees all of it.
        dropout: Share of units dropped in each block in training.
        seed: Int that fixes the initial values and a random order.

    Raises:
        ValueError: If sizes do not fit, or if `order` is no permutation.

    Example:
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.CausalConvolution(6, 2, width=8, seed=1)
        >>> net([[1., 2., 3., 4., 5., 6.]]).shape.as_list(), net.receptive_field
        ([1, 6, 2], 8)

    References:
        van den Oord et al. (2016). WaveNet: A Generative Model for Raw Audio.
        https://arxiv.org/abs/1609.03499
    """

    def __init__(
        self,
        event_size: int,
        params_size: int,
        width: int = 32,
        *,
        dilations: Sequence[int] | None = None,
        kernel_size: int = 2,
        token_size: int = 1,
        order: str | Sequence[int] = "left-to-right",
        activation: str | Callable = "silu",
        condition_shape: Shape | None = None,
        dropout: float = 0.0,
        initial_output: TensorLike | None = None,
        dtype: Any = "float32",
        compute_dtype: Any = None,
        period: tuple[float, float] | None = None,
        periodic: Sequence[bool] | None = None,
        weights: Sequence[Any] | None = None,
        seed: int | None = None,
        name: str = "causal_convolution",
    ) -> None:
        self._event_size, self._params_size = event_size, params_size
        self._read_tokens(
            *(event_size, token_size, order, seed),
            activation=activation,
            period=period,
            periodic=periodic,
        )
        sizes = {"params_size": params_size, "width": width}
        for argument, value in sizes.items():
            _checks.count(value, 1, argument)
        _checks.count(kernel_size, 2, "kernel_size")
        self._width, self._kernel_size = int(width), int(kernel_size)
        if dilations is None:
            dilations = default_dilations(event_size // token_size, kernel_size)
        self._dilations = _checks.static_shape(dilations, "dilations")
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

    @property
    def receptive_field(self) -> int:
        """Number of times before it that the parameters of a time can see."""
        return 1 + (self._kernel_size - 1) * sum(self._dilations)

    def _shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        width, conditions = self._width, self.condition_size
        shapes: list[tuple[str, tuple[int, ...]]] = [
            ("first", (width,)),
            ("embedding", (self._features, width)),
            ("bias_0", (width,)),
        ]
        if conditions:
            shapes.append(("condition_0", (conditions, width)))
        for i in range(1, len(self._dilations) + 1):
            shapes.append((f"kernel_{i}", (self._kernel_size, width, width)))
            shapes.append((f"bias_{i}", (width,)))
            if conditions:
                shapes.append((f"condition_{i}", (conditions, width)))
            shapes.append((f"block_{i}", (width, width)))
            shapes.append((f"offset_{i}", (width,)))
        outputs = self._params_size * self._token_size
        return [*shapes, ("head", (width, outputs)), ("head_bias", (outputs,))]

    def _initial(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        if name == "head_bias":
            return np.repeat(np.asarray(self._initial_output), self._token_size)
        if name == "head" or len(shape) == 1:
            return np.zeros(shape)
        bound = math.sqrt(3.0 / math.prod(shape[:-1]))
        if name.startswith("block"):
            bound *= BLOCK_SCALE
        return rng.uniform(-1.0, 1.0, size=shape) * bound

    def _blocks(
        self,
        weights: dict[str, tf.Tensor],
        hidden: tf.Tensor,
        conditions: list[tf.Tensor] | None,
        past: Past,
    ) -> tf.Tensor:
        """Return the head's result.

        Args:
            weights: Weights by name.
            hidden: What the first layer gives, `[..., W]`.
            conditions: What the condition adds to each layer, if there is one.
            past: Called with the number of a block and what it reads now; returns what
                it reads at each of its times, the earliest first.
        """
        if conditions is not None:
            hidden = hidden + conditions[0]
        for i in range(1, len(self._dilations) + 1):
            read = past(i - 1, self._activate(hidden))
            parts = zip(read, tf.unstack(weights[f"kernel_{i}"]), strict=True)
            inner = tf.add_n([tf.matmul(x, kernel) for x, kernel in parts])
            inner = inner + weights[f"bias_{i}"]
            if conditions is not None:
                inner = inner + conditions[i]
            inner = self._drop(self._activate(inner), i - 1)
            hidden += tf.matmul(inner, weights[f"block_{i}"]) + weights[f"offset_{i}"]
        return tf.matmul(self._activate(hidden), weights["head"]) + weights["head_bias"]

    def _conditions(
        self, weights: dict[str, tf.Tensor], condition: tf.Tensor | None
    ) -> list[tf.Tensor] | None:
        """Return what conditions `[C, N]` add to each layer, `[N, W]`."""
        rows = self._condition_columns(condition)
        if rows is None:
            return None
        layers = range(len(self._dilations) + 1)
        return [tf.matmul(rows, weights[f"condition_{i}"]) for i in layers]

    def _outputs(
        self,
        weights: dict[str, tf.Tensor],
        tokens: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        count, times = tf.shape(tokens)[0], self.num_tokens
        hidden = tf.broadcast_to(weights["first"], [count, 1, self._width])
        if times > 1:
            embedded = tf.matmul(tokens[:, :-1], weights["embedding"])
            hidden = tf.concat([hidden, embedded], axis=1)
        hidden = hidden + weights["bias_0"]

        def past(block: int, x: tf.Tensor) -> list[tf.Tensor]:
            steps = [self._dilations[block] * k for k in range(self._kernel_size)]
            padded = tf.pad(x, [[0, 0], [steps[-1], 0], [0, 0]])
            return [padded[:, step : step + times] for step in steps]

        conditions = self._conditions(weights, condition)
        if conditions is not None:
            conditions = [part[:, tf.newaxis] for part in conditions]
        return self._blocks(weights, hidden, conditions, past)

    def token_by_token(
        self, like: tf.Tensor, condition: tf.Tensor | None
    ) -> tuple[tokens.Step, tokens.State]:
        """Return the network for one time after the other: what blocks read is kept.

        Args:
            like: Any row of events, `[N]`; only its length counts.
            condition: Conditions, `[C, N]`, or `None`.
        """
        weights = self._read_weights()
        conditions = self._conditions(weights, condition)
        zeros = tf.zeros_like(like, self._compute_dtype)[:, tf.newaxis]

        def step(
            i: tf.Tensor, previous: tf.Tensor, state: tokens.State
        ) -> tuple[tf.Tensor, tokens.State]:
            kept = list(state)
            embedded = tf.matmul(self._token(previous), weights["embedding"])
            hidden = tf.where(tf.equal(i, 0), weights["first"] + zeros, embedded)
            hidden = hidden + weights["bias_0"]

            def past(block: int, x: tf.Tensor) -> list[tf.Tensor]:
                steps = [self._dilations[block] * k for k in range(self._kernel_size)]
                kept[block] = indexing.put(kept[block], i + steps[-1], x)
                return [indexing.take(kept[block], i + step) for step in steps]

            head = self._blocks(weights, hidden, conditions, past)
            return self._token_params(head), tuple(kept)

        rooms = []
        for dilation in self._dilations:
            # Zeros before the first time, as in the whole pass.
            times = self.num_tokens + dilation * (self._kernel_size - 1)
            rooms.append(zeros + tf.zeros([times, 1, self._width], zeros.dtype))
        return step, tuple(rooms)


def default_dilations(num_times: int, kernel_size: int) -> tuple[int, ...]:
    """Return doubling distances by which a time sees all before it, 6 at most.

    Args:
        num_times: Number of times of a series.
        kernel_size: Number of times that each block reads.
    """
    found = [1]
    while 1 + (kernel_size - 1) * sum(found) < num_times - 1 and len(found) < 6:
        found.append(2 * found[-1])
    return tuple(found)
