"""Causal transformers: attention over the tokens that come before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Shape, TensorLike
from tfp_flows.math import attention, indexing
from tfp_flows.networks import tokens

__all__ = ["CausalTransformer"]

# Hidden units of the network behind each attention, as a multiple of the width.
EXPANSION = 4
# Deviation of the learned positions at the start: a token's place and its value count
# about alike.
POSITION_SCALE = 0.5

Attend = Callable[[int, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name", "seed"), module_name="tfp_flows.networks"
)
class CausalTransformer(tokens.TokenNetwork):
    """Transformer whose parameters of a token see the tokens before it, and no other.

    The coordinates of an event, in their order, are cut into tokens of `token_size`.
    Each token is embedded with a learned position, the sequence is moved on by one
    behind a learned first token, and `num_layers` layers of attention, each over the
    tokens up to its own, and of a network of two dense layers follow, with layer
    normalisation before both. A condition is added, times a matrix, to every token. One
    token after the other, keys and values of earlier ones are kept, so that an event
    costs about one pass.

    Args:
        width: Units of each token in the hidden layers.
        num_layers: Number of layers.
        num_heads: Heads of each attention; must divide `width`.
        token_size: Coordinates of one token; must divide `event_size`. Those of one
            token do not see each other.
        condition_shape: Trailing shape of the condition; every token sees all of it.
        dropout: Share of units dropped behind attention and dense layers in training.
        compute_dtype: Type of the products, for mixed precision; normalisation and
            attention weights have at least 32 bits.
        seed: Int that fixes the initial values and a random order.

    Raises:
        ValueError: If sizes do not divide each other, or if `order` is no permutation.

    Example:
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.CausalTransformer(6, 2, width=8, token_size=2, seed=1)
        >>> net([[1., 2., 3., 4., 5., 6.]]).shape.as_list()
        [1, 6, 2]

    References:
        Zhai et al. (2024). Normalizing Flows are Capable Generative Models.
        https://arxiv.org/abs/2412.06329
    """

    def __init__(
        self,
        event_size: int,
        params_size: int,
        width: int = 64,
        num_layers: int = 2,
        *,
        num_heads: int = 4,
        token_size: int = 1,
        order: str | Sequence[int] = "left-to-right",
        activation: str | Callable = "gelu",
        condition_shape: Shape | None = None,
        dropout: float = 0.0,
        initial_output: TensorLike | None = None,
        dtype: Any = "float32",
        compute_dtype: Any = None,
        period: tuple[float, float] | None = None,
        periodic: Sequence[bool] | None = None,
        weights: Sequence[Any] | None = None,
        seed: int | None = None,
        name: str = "causal_transformer",
    ) -> None:
        self._event_size, self._params_size = event_size, params_size
        self._read_tokens(
            *(event_size, token_size, order, seed),
            activation=activation,
            period=period,
            periodic=periodic,
        )
        sizes = {"params_size": params_size, "width": width, "num_layers": num_layers}
        for argument, value in sizes.items():
            _checks.count(value, 1, argument)
        _checks.divides(num_heads, width, "num_heads", "the width")
        self._width, self._num_layers = int(width), int(num_layers)
        self._num_heads = int(num_heads)
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

    def _shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        width, inner = self._width, EXPANSION * self._width
        shapes: list[tuple[str, tuple[int, ...]]] = [
            ("first", (width,)),
            ("positions", (self.num_tokens, width)),
        ]
        if self.num_tokens > 1:
            shapes.append(("embedding", (self._features, width)))
        if self.condition_size:
            shapes.append(("condition", (self.condition_size, width)))
        for i in range(self._num_layers):
            shapes += [
                (f"scale_{i}", (width,)),
                (f"keys_{i}", (width, 3 * width)),
                (f"mixing_{i}", (width, width)),
                (f"scale_inner_{i}", (width,)),
                (f"kernel_{i}", (width, inner)),
                (f"bias_{i}", (inner,)),
                (f"block_{i}", (inner, width)),
                (f"offset_{i}", (width,)),
            ]
        outputs = self._params_size * self._token_size
        return [
            *shapes,
            ("scale_head", (width,)),
            ("head", (width, outputs)),
            ("head_bias", (self.num_tokens, outputs)),
        ]

    def _initial(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray:
        if name == "head_bias":
            row = np.repeat(np.asarray(self._initial_output), self._token_size)
            return np.broadcast_to(row, shape)
        if name == "positions":
            return POSITION_SCALE * rng.normal(size=shape)
        if name.startswith("scale"):
            return np.ones(shape)
        if name == "head" or len(shape) == 1:
            return np.zeros(shape)
        scale = 1.0 / math.sqrt(shape[0])
        if name.startswith(("mixing", "block")):
            # What all layers add together keeps its scale.
            scale /= math.sqrt(2.0 * self._num_layers)
        return scale * rng.normal(size=shape)

    def _conditioned(
        self, weights: dict[str, tf.Tensor], rows: tf.Tensor | None
    ) -> tf.Tensor | None:
        """Return what conditions `[N, C]` add to a token, `[N, W]`."""
        return None if rows is None else tf.matmul(rows, weights["condition"])

    def _layers(
        self, weights: dict[str, tf.Tensor], hidden: tf.Tensor, attend: Attend
    ) -> tf.Tensor:
        """Return what the head sees of tokens `[..., W]`.

        Args:
            weights: Weights by name.
            hidden: Embedded tokens.
            attend: Called with the number of a layer and queries, keys and values,
                `[..., heads, W / heads]`; returns what the queries find.
        """
        heads = [self._num_heads, self._width // self._num_heads]
        for i in range(self._num_layers):
            normed = attention.normalised(hidden, weights[f"scale_{i}"])
            flat = tf.matmul(normed, weights[f"keys_{i}"])
            shape = tf.concat([tf.shape(flat)[:-1], [3, *heads]], axis=0)
            queries, keys, values = tf.unstack(tf.reshape(flat, shape), axis=-3)
            found = attend(i, queries, keys, values)
            found = tf.matmul(
                tf.reshape(found, tf.shape(hidden)), weights[f"mixing_{i}"]
            )
            hidden += self._drop(found, 2 * i)
            normed = attention.normalised(hidden, weights[f"scale_inner_{i}"])
            inner = tf.matmul(normed, weights[f"kernel_{i}"]) + weights[f"bias_{i}"]
            inner = tf.matmul(self._activate(inner), weights[f"block_{i}"])
            hidden += self._drop(inner + weights[f"offset_{i}"], 2 * i + 1)
        return attention.normalised(hidden, weights["scale_head"])

    def _outputs(
        self,
        weights: dict[str, tf.Tensor],
        tokens: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        count = tf.shape(tokens)[0]
        hidden = tf.broadcast_to(weights["first"], [count, 1, self._width])
        if self.num_tokens > 1:
            embedded = tf.matmul(tokens[:, :-1], weights["embedding"])
            hidden = tf.concat([hidden, embedded], axis=1)
        hidden += weights["positions"]
        rows = self._condition_columns(condition)
        added = self._conditioned(weights, rows)
        if added is not None:
            hidden += added[:, tf.newaxis]
        hidden = self._layers(weights, hidden, lambda _, *qkv: attention.causal(*qkv))
        return tf.matmul(hidden, weights["head"]) + weights["head_bias"]

    def token_by_token(
        self, like: tf.Tensor, condition: tf.Tensor | None
    ) -> tuple[tokens.Step, tokens.State]:
        """Return the network for one token after the other: keys and values are kept.

        Args:
            like: Any row of events, `[N]`; only its length counts.
            condition: Conditions, `[C, N]`, or `None`.
        """
        weights = self._read_weights()
        zeros = tf.zeros_like(like, self._compute_dtype)[:, tf.newaxis]
        added = self._conditioned(weights, self._condition_columns(condition))
        added = zeros if added is None else added

        def step(
            i: tf.Tensor, previous: tf.Tensor, state: tokens.State
        ) -> tuple[tf.Tensor, tokens.State]:
            kept, hidden = list(state), weights["first"]
            if self.num_tokens > 1:
                embedded = tf.matmul(self._token(previous), weights["embedding"])
                hidden = tf.where(tf.equal(i, 0), hidden, embedded)
            hidden = hidden + indexing.take(weights["positions"], i) + added

            def attend(
                layer: int, queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor
            ) -> tf.Tensor:
                first, second = 2 * layer, 2 * layer + 1
                kept[first] = indexing.put(kept[first], i, keys)
                kept[second] = indexing.put(kept[second], i, values)
                return attention.of_one(queries, kept[first], kept[second], i)

            hidden = self._layers(weights, hidden, attend)
            head = tf.matmul(hidden, weights["head"])
            head += indexing.take(weights["head_bias"], i)
            return self._token_params(head), tuple(kept)

        size = [self.num_tokens, 1, self._num_heads, self._width // self._num_heads]
        room = zeros[..., tf.newaxis] + tf.zeros(size, zeros.dtype)
        return step, (room,) * (2 * self._num_layers)
