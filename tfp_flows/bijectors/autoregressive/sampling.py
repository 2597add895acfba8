"""Autoregressive maps in their slow direction: one coordinate after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _tapes
from tfp_flows._types import Pair
from tfp_flows.bijectors.transformers.base import Transformer
from tfp_flows.math import indexing

__all__ = ["OneByOne"]


@dataclasses.dataclass(frozen=True)
class OneByOne:
    """The ways to map columns one after the other, each given those before it.

    Each takes columns `[D, N]` and conditions `[C, N]` or `None`, and returns values,
    `[D, N]`, and log-dets, `[N]`.

    Args:
        transformer: The scalar map.
        conditioner: Any conditioner that keeps the order.
        order: Rank of each coordinate.
    """

    transformer: Transformer
    conditioner: Any
    order: tuple[int, ...]

    def by_passes(self, x: tf.Tensor, condition: tf.Tensor | None) -> Pair:
        """Map columns by one pass of the conditioner per coordinate, or per token."""
        ranks = getattr(self.conditioner, "steps", self.order)
        size = max(ranks) + 1
        ranks = tf.constant(ranks)[:, tf.newaxis]

        def step(
            i: tf.Tensor, y: tf.Tensor, log_det: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            params = self.conditioner.columns(y, condition)
            # Only the row whose turn it is has final parameters: the others are given
            # the origin, so that no unfinished row can overflow.
            now = tf.equal(ranks, i)
            turn = tf.where(now, x, tf.zeros_like(x))
            value, local = self.transformer.forward(turn, params)
            return i + 1, tf.where(now, value, y), tf.where(now, local, log_det)

        start = (tf.constant(0), tf.zeros_like(x), tf.zeros_like(x))
        _, y, log_det = tf.while_loop(
            lambda i, *_: i < size, step, start, maximum_iterations=size
        )
        return y, tf.reduce_sum(log_det, axis=0)

    def by_tokens(self, x: tf.Tensor, condition: tf.Tensor | None) -> Pair:
        """Map columns token by token, by a conditioner that keeps what later ones need.

        It has the method `token_by_token`, as a `networks.TokenNetwork`. The gradient
        goes back through the steps, and needs what each of them has kept.
        """
        weights = [tf.convert_to_tensor(w) for w in self.conditioner.weights]
        inputs = [x, *(w for w in weights if w.dtype.is_floating)]
        inputs += [] if condition is None else [condition]
        if _tapes.in_forward_mode(inputs):
            # It does not pass what is written into rows of a tensor.
            return self.by_passes(x, condition)
        count, size = self.conditioner.num_tokens, self.conditioner.token_size
        rows = indexing.take(x, np.argsort(self.order))
        rows = tf.reshape(rows, [count, size, -1])
        rows = tf.ensure_shape(rows, [count, size, x.shape[1]])
        parameters, state = self.conditioner.token_by_token(x[0], condition)

        def step(
            i: tf.Tensor,
            y: tf.Tensor,
            log_det: tf.Tensor,
            last: tf.Tensor,
            *state: tf.Tensor,
        ) -> tuple[tf.Tensor, ...]:
            params, state = parameters(i, last, state)
            params = tf.ensure_shape(
                tf.cast(params, x.dtype), [self.transformer.params_size, *last.shape]
            )
            value, local = self.transformer.forward(indexing.take(rows, i), params)
            log_det += tf.reduce_sum(local, axis=0)
            return i + 1, indexing.put(y, i, value), log_det, value, *state

        start = tf.zeros_like(rows), tf.zeros_like(x[0]), tf.zeros_like(rows[0])
        _, y, log_det, *_ = tf.while_loop(
            lambda i, *_: i < count,
            step,
            (tf.constant(0), *start, *state),
            maximum_iterations=count,
        )
        return indexing.take(tf.reshape(y, [count * size, -1]), self.order), log_det

    def by_places(self, x: tf.Tensor, condition: tf.Tensor | None) -> Pair:
        """Map columns by a conditioner that gives the parameters of one coordinate.

        It has the method `of_places`, as `networks.AnyOrder`.
        """
        size = len(self.order)
        rows = tf.range(size)[:, tf.newaxis]
        places = tf.constant(np.argsort(self.order), tf.int32)

        def step(
            i: tf.Tensor, y: tf.Tensor, seen: tf.Tensor, log_det: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            place = places[i]
            mask = (seen & tf.ones_like(y, tf.bool))[:, tf.newaxis]
            params = self.conditioner.of_places(y, mask, place[tf.newaxis], condition)
            value, local = self.transformer.forward(tf.gather(x, place), params[:, 0])
            now = tf.equal(rows, place)
            return i + 1, tf.where(now, value, y), seen | now, log_det + local

        start = (tf.constant(0), tf.zeros_like(x), rows < 0, tf.zeros_like(x[0]))
        _, y, _, log_det = tf.while_loop(
            lambda i, *_: i < size, step, start, maximum_iterations=size
        )
        return y, log_det

    def by_steps(self, x: tf.Tensor, condition: tf.Tensor | None) -> Pair:
        """Map columns at the cost of about one pass, by a conditioner that has steps.

        It has the method `sequential`, as `networks.MADE`. The gradient is that of the
        implicit function: with `y` known, one pass gives all parameters, and one way
        back through the order solves for the gradient by `x`. Its memory does not grow
        with the number of steps.
        """
        weights = [tf.convert_to_tensor(w) for w in self.conditioner.weights]
        weights = [w for w in weights if w.dtype.is_floating]
        conditions = [] if condition is None else [condition]
        inputs = [x, *weights, *conditions]
        is_direct = _tapes.in_forward_mode(inputs)
        if not is_direct:
            # No gradient goes through the steps: it is attached to what they find.
            inputs = [tf.stop_gradient(tensor) for tensor in inputs]
        first = 1 + len(weights)
        given = None if condition is None else inputs[-1]
        steps = self.conditioner.sequential(inputs[1:first], given, x)
        rows = tf.gather(inputs[0], np.argsort(self.order))

        def step(
            i: tf.Tensor, params: tf.Tensor, state: tuple[tf.Tensor, ...]
        ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
            y, log_det = state
            params = tf.cast(params, x.dtype)
            # Keeps the number of events static where it is, as loops demand.
            params = tf.ensure_shape(params, [None, *rows.shape[1:]])
            value, local = self.transformer.forward(tf.gather(rows, i), params)
            return value, (indexing.put(y, i, value), log_det + local)

        y, log_det = steps.run(step, (tf.zeros_like(rows), tf.zeros_like(rows[0])))
        y = indexing.take(y, self.order)
        if is_direct:
            return y, log_det

        @tf.custom_gradient
        def attach(
            y: tf.Tensor, log_det: tf.Tensor, *inputs: tf.Tensor
        ) -> tuple[tuple[tf.Tensor, ...], Any]:
            def gradient(*upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
                # Attached once more, so that the gradient can be differentiated, too.
                found, _ = attach(y, log_det, *inputs)
                return (
                    None,
                    None,
                    *self._gradient(
                        (found, inputs[1:first], inputs[first:]),
                        # A gather upstream hands over slices.
                        [tf.convert_to_tensor(part) for part in upstream],
                    ),
                )

            return (y, log_det), gradient

        return attach(y, log_det, x, *weights, *conditions)

    def _gradient(
        self,
        known: tuple[tf.Tensor, Sequence[tf.Tensor], Sequence[tf.Tensor]],
        upstream: Sequence[tf.Tensor],
    ) -> tuple[tf.Tensor | None, ...]:
        """Return the gradients by `x`, the weights, and the condition.

        The inverse, `x = T(y; p(y))`, is known in closed form. With `a` the gradient by
        `x`, which solves a triangular system, the gradient by the parameters is that of
        `-a * x - log_det' * inverse_log_det`.
        """
        y, weights, conditions = known
        by_y, by_log_det = upstream
        size, by_rank = len(self.order), np.argsort(self.order)
        inputs = [*weights, *conditions]
        with tf.GradientTape() as whole:
            whole.watch(inputs)
            given = next(iter(conditions), None)
            steps = self.conditioner.sequential(weights, given, y)
            flat, slopes = steps.whole(y)
            flat = tf.cast(flat, y.dtype)
            params = tf.reshape(flat, [-1, size, tf.shape(y)[1]])
            params = tf.ensure_shape(params, [self.transformer.params_size, *y.shape])
        with tf.GradientTape(persistent=True) as local:
            local.watch([y, params])
            x, inverse_log_det = self.transformer.inverse(y, params)
        weight = by_log_det + tf.zeros_like(inverse_log_det)
        slope, value_by_params = local.gradient(x, [y, params])
        _tapes.seen(slope)
        own, rest = local.gradient(inverse_log_det, [y, params], weight, "zero")
        by_y, slope = (indexing.take(t, by_rank) for t in (by_y - own, slope))
        value_by_params, rest = (
            indexing.take(tf.transpose(t, [1, 0, 2]), by_rank)
            for t in (value_by_params, rest)
        )

        def step(
            i: tf.Tensor, later: tf.Tensor, state: tuple[tf.Tensor, ...]
        ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
            now = (tf.gather(by_y, i) + later) / tf.gather(slope, i)
            by_params = -(now * tf.gather(value_by_params, i) + tf.gather(rest, i))
            return by_params, (indexing.put(state[0], i, now),)

        (by_x,) = steps.run_back(step, slopes, (tf.zeros_like(by_y),))
        by_params = -(by_x[:, tf.newaxis] * value_by_params + rest)
        by_params = tf.transpose(indexing.take(by_params, self.order), [1, 0, 2])
        by_inputs = whole.gradient(params, inputs, by_params)
        return indexing.take(by_x, self.order), *by_inputs
