"""Compiled evaluation of ensembles: member by member, by functions of one flow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_flows import _context, _tapes
from tfp_flows._types import Condition, Seed, Shape, TensorLike
from tfp_flows.distributions.members import log_mixture, mixture_quantile
from tfp_flows.flows._model import compiled

__all__ = ["CompiledEnsemble", "members_first"]


def members_first(values: tf.Tensor) -> tf.Tensor:
    """Return `[..., M]` as `[M, ...]`."""
    rank = values.shape.rank - 1
    return tf.transpose(values, [rank, *range(rank)])


class CompiledEnsemble(compiled.CompiledFlow):
    """Compiled functions of an ensemble.

    In eager mode those of one flow serve all members, one after the other: each is
    traced, and compiled by XLA, once. Samples are those of members, in shares.
    """

    def log_prob(
        self,
        x: TensorLike,
        condition: Condition,
        *,
        jit_compile: bool,
        kind: str = "log_prob",
        shape: tuple[int, ...] = (),
    ) -> tf.Tensor:
        """See `Flow.log_prob`."""
        if not tf.executing_eagerly() or _tapes.is_recording():
            return super().log_prob(
                x, condition, jit_compile=jit_compile, kind=kind, shape=shape
            )
        flow, found = self._flow, []
        for i in range(flow.num_members):
            with flow.loaded(i) as member:
                found.append(member.log_prob(x, condition, jit_compile=jit_compile))
        if kind == "members":
            return tf.stack(found, axis=-1)
        return log_mixture(tf.stack(found), flow.log_weights)

    def quantile(self, levels: tf.Tensor, condition: tf.Tensor) -> tf.Tensor:
        """Return quantiles, `[K, N]`: Newton steps over functions traced once.

        A function of the whole mixture would hold the maps of each member several
        times, and take longer to trace than it saves.
        """
        flow = self._flow
        if not tf.executing_eagerly() or _tapes.is_recording():
            return super().quantile(levels, condition)
        condition = self._condition(condition)
        rows = () if condition is None else (condition,)
        count = 1 if condition is None else condition.shape[0]
        levels = tf.broadcast_to(levels, [levels.shape[0], count])

        def each(kind: str, numbers: tf.Tensor) -> tf.Tensor:
            found = []
            for i in range(flow.num_members):
                with flow.loaded(i) as member:
                    found.append(member.evaluated(kind, numbers, *rows))
            return tf.stack(found)

        def tails(x: tf.Tensor) -> Sequence[tf.Tensor]:
            return tf.unstack(log_mixture(each("tails", x), flow.log_weights))

        return mixture_quantile(levels, each("quantile", levels), tails)

    def sample(
        self,
        sample_shape: Shape | tuple[()],
        condition: Condition,
        seed: Seed,
        *,
        jit_compile: bool,
    ) -> tf.Tensor:
        """See `Flow.sample`."""
        if not tf.executing_eagerly() or _tapes.is_recording():
            return super().sample(sample_shape, condition, seed, jit_compile=False)
        flow = self._flow
        condition = self._condition(condition)
        words = _context.stateless_seed(seed).numpy()
        rng = np.random.default_rng(np.abs(words.astype(np.int64)))
        shape = tuple(int(n) for n in np.ravel(np.asarray(sample_shape, np.int32)))
        rows = None
        if condition is not None:
            wanted = flow.condition_shape
            leading = tuple(condition.shape)[: condition.shape.rank - len(wanted)]
            shape = (*shape, *leading)
            rows = np.broadcast_to(condition, (*shape, *wanted))
            rows = rows.reshape(-1, *wanted)
        count = int(np.prod(shape, dtype=np.int64))
        chances = np.asarray(flow.mixture_weights, np.float64)
        which = rng.choice(flow.num_members, size=count, p=chances / chances.sum())
        out = np.empty([count, *flow.event_shape], flow.variable_dtype)
        for i in np.unique(which):
            own = np.flatnonzero(which == i)
            number = rng.integers(2**31, size=2).astype(np.int32)
            with flow.loaded(i) as member:
                out[own] = member.sample(
                    len(own) if rows is None else (),
                    None if rows is None else rows[own],
                    number,
                    jit_compile=jit_compile,
                )
        return tf.reshape(tf.constant(out), [*shape, *flow.event_shape])
