"""Bounds of the likelihood, and draws, of models with latent variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context, _process

__all__ = ["AT_ONCE", "Bounds"]

# Draws that are decoded at once.
AT_ONCE = 4_096


class Bounds:
    """What a latent model says of events once it is there, by compiled functions.

    The model gives the terms of the bound, draws of the posterior, and the prior.
    """

    latent_size: int
    prior_flow: Any
    variable_dtype: Any
    _compiled: dict[Any, Callable[..., Any]]
    _terms: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    _features_of: Callable[..., tf.Tensor]
    _posterior_draw: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    _array: Callable[[Any], np.ndarray]

    def elbo(self, x: Any, *, draws: int = 1, seed: int | None = None) -> np.ndarray:
        """Return the evidence lower bound of each event in nats, `[N]`.

        Args:
            x: Events, `[N, ...]`.
            draws: Draws of the posterior whose mean it is.
            seed: Int that fixes the draws.
        """
        likelihood, ratio = self._weights(x, draws, seed)
        return (likelihood + ratio).mean(axis=0)

    def log_prob_bound(
        self, x: Any, *, draws: int = 100, seed: int | None = None
    ) -> np.ndarray:
        """Return a lower bound of `log p(x)` of each event in nats, `[N]`.

        The importance-weighted bound, `log(mean(p(x, z) / q(z|x)))` over draws: its
        expectation rises with their number, up to `log p(x)`.

        Args:
            x: Events, `[N, ...]`.
            draws: Number of draws.
            seed: Int that fixes the draws.

        References:
            Burda, Grosse, Salakhutdinov (2016). Importance Weighted Autoencoders.
            https://arxiv.org/abs/1509.00519, eq. 8
        """
        weights = np.add(*self._weights(x, draws, seed))
        top = weights.max(axis=0)
        return top + np.log(np.exp(weights - top).mean(axis=0))

    def _weights(
        self, x: Any, draws: int, seed: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return both terms of the bound, `[draws, N]` each, in float64."""
        _checks.count(draws, 1, "draws")
        values = self._array(x).astype(self.variable_dtype)
        rng = _context.generator(seed)
        together = self._events_at_once(values)
        rows, at_once = max(1, together // draws), min(draws, together)
        parts = []
        for first in range(0, len(values), rows):
            part = tf.convert_to_tensor(values[first : first + rows])
            found = []
            for done in range(0, draws, at_once):
                count = min(at_once, draws - done)
                drawn = tf.constant(rng.integers(2**31 - 1, size=2), tf.int32)
                run = self._run(("terms", count), self._traced_terms, count)
                found.append(np.stack([np.asarray(t) for t in run(part, drawn)]))
            parts.append(np.concatenate(found, axis=1))
        if not parts:
            return np.zeros([draws, 0]), np.zeros([draws, 0])
        likelihood, ratio = np.concatenate(parts, axis=2).astype(np.float64)
        return likelihood, ratio

    def _events_at_once(self, x: np.ndarray) -> int:
        """Return how many draws are decoded at once."""
        del x
        return AT_ONCE

    def _traced_terms(self, count: int) -> Callable[..., Any]:
        return lambda x, seed: self._terms(x, seed, count, training=False)

    def _run(
        self, key: Any, make: Callable[..., Callable[..., Any]], *args: Any
    ) -> Callable[..., Any]:
        """Return a compiled function, made once."""
        _process.require_own()
        if key not in self._compiled:
            self._compiled[key] = tf.function(
                make(*args), autograph=False, reduce_retracing=True
            )
        return self._compiled[key]

    def encode(self, x: Any, *, seed: int | None = None) -> tf.Tensor:
        """Return one draw of the posterior of each event, `[N, L]`.

        Args:
            x: Events, `[N, ...]`.
            seed: Int that fixes the draws.
        """
        values = self._array(x).astype(self.variable_dtype)
        drawn = tf.constant(_context.generator(seed).integers(2**31 - 1, size=2))
        run = self._run("encode", lambda: self._encoded)
        return run(tf.convert_to_tensor(values), tf.cast(drawn, tf.int32))

    def _encoded(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return self._posterior_draw(self._features_of(x, training=False), seed)[0]

    def sample_latent(self, count: int, *, seed: int | None = None) -> tf.Tensor:
        """Return draws of the prior, `[count, L]`.

        Args:
            count: Number of draws.
            seed: Int that fixes them.
        """
        _checks.count(count, 1, "count")
        drawn = _context.generator(seed).integers(2**31 - 1, size=2)
        if self.prior_flow is not None:
            return self.prior_flow.sample(count, seed=drawn.astype(np.int32))
        shape = [count, self.latent_size]
        return tf.random.stateless_normal(shape, drawn, dtype=self.variable_dtype)
