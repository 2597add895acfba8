"""What networks share that read an event token by token, in an order."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.math import masks
from tfp_flows.networks import base

__all__ = ["TokenNetwork"]

State = tuple[tf.Tensor, ...]
Step = Callable[[tf.Tensor, tf.Tensor, State], tuple[tf.Tensor, State]]


class TokenNetwork(base.Conditioner):
    """Base class of networks whose parameters of a token see the tokens before it.

    A token is a group of `token_size` coordinates that follow each other in the order.
    The network runs over all tokens at once, by `columns`, and one after the other, by
    `token_by_token`, which keeps what later tokens need.

    Subclasses implement `_outputs` and `token_by_token`, and call `_read_tokens` first.
    """

    _token_size: int
    _order: tuple[int, ...]

    def _read_tokens(
        self,
        event_size: int,
        token_size: int,
        order: str | Sequence[int],
        seed: int | None,
        **inputs: Any,
    ) -> None:
        """Keep the sizes, the order, and how inputs are seen, see `_read_inputs`.

        Raises:
            ValueError: If tokens do not divide the event, or if `order` is none.
        """
        _checks.count(event_size, 1, "event_size")
        _checks.divides(token_size, event_size, "token_size", "the event's size")
        self._token_size = int(token_size)
        self._order = masks.order_ranks(order, event_size, seed)
        self._read_inputs(event_size, **inputs)
        self._activate = base.activation_function(self._activation)

    @property
    def token_size(self) -> int:
        """Number of coordinates of a token."""
        return self._token_size

    @property
    def num_tokens(self) -> int:
        """Number of tokens of an event."""
        return self._input_size // self._token_size

    @property
    def steps(self) -> tuple[int, ...]:
        """The number of the token of each coordinate, in the order."""
        return tuple(rank // self._token_size for rank in self._order)

    @property
    def _features(self) -> int:
        """Numbers that the network sees of one token."""
        return self._token_size * (1 if self._period is None else 2)

    @abc.abstractmethod
    def _outputs(
        self,
        weights: dict[str, tf.Tensor],
        tokens: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        """Return the head's results, `[N, T, P * S]`, of tokens `[N, T, features]`."""

    @abc.abstractmethod
    def token_by_token(
        self, like: tf.Tensor, condition: tf.Tensor | None
    ) -> tuple[Step, State]:
        """Return the network for one token after the other, in their order.

        Args:
            like: Any row of events, `[N]`; only its length counts.
            condition: Conditions, `[C, N]`, or `None`.

        Returns:
            A function of the number of a token, of the token before it, `[S, N]`
            (anything for the first one), and of the state, which returns the token's
            parameters, `[P, S, N]`, and the next state; and the first state.
        """

    def _columns(
        self,
        weights: dict[str, tf.Tensor],
        x: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tf.Tensor:
        size, width = self._output_shape
        by_rank = np.argsort(self._order)
        parts = x.shape[0] // size  # cosines, then sines, of angles
        x = tf.gather(tf.reshape(x, [parts, size, -1]), by_rank, axis=1)
        x = tf.reshape(x, [parts, self.num_tokens, self._token_size, -1])
        x = tf.reshape(
            tf.transpose(x, [3, 1, 0, 2]), [-1, self.num_tokens, self._features]
        )
        out = self._outputs(weights, x, condition)
        out = tf.reshape(out, [-1, self.num_tokens, width, self._token_size])
        out = tf.reshape(tf.transpose(out, [2, 1, 3, 0]), [width, size, -1])
        return tf.reshape(tf.gather(out, self._order, axis=1), [width * size, -1])

    def _token(self, previous: tf.Tensor) -> tf.Tensor:
        """Return what the network sees of one token `[S, N]`, `[N, features]`."""
        return tf.transpose(self._bounded_inputs(previous))

    def _token_params(self, head: tf.Tensor) -> tf.Tensor:
        """Return the head's result for one token, `[N, P * S]`, as `[P, S, N]`."""
        width = self._output_shape[1]
        return tf.reshape(tf.transpose(head), [width, self._token_size, -1])

    def _read_weights(self) -> dict[str, tf.Tensor]:
        """Return the weights by name as tensors: a loop reads them once."""
        return self._named([tf.convert_to_tensor(w) for w in self._weights])

    def _condition_columns(self, condition: tf.Tensor | None) -> Any:
        """Return conditions `[C, N]` as rows `[N, C]` in the type of the products."""
        if condition is None:
            return None
        return tf.transpose(self._seen_condition(condition))
