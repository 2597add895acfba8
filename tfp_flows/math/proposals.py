"""Proposals for some coordinates given others, from a mixture of joint densities.

The conditional density of a Gaussian mixture is a Gaussian mixture, too. Here each of
its components gets the tails of a Student-t and some width more, so that weights
against a density with Gaussian tails, or polynomial ones, stay bounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import special

from tfp_flows.math.gaussianization import components

__all__ = ["Conditionals", "joint", "points"]

# Degrees of freedom, and how much wider components are than those of the mixture.
DF, INFLATION = 5.0, 1.15
# Up to so many numbers a draw needs, they are those of a low-discrepancy sequence.
MOST_QUASI = 12
# Components of the joint mixture, and rows of which it is made.
NUM_COMPONENTS, NUM_ROWS = 8, 6_144
# Draws farther from the median than so many quartile distances are left out.
FARTHEST = 30.0
# Weight of each component whatever the condition says: narrow ones err.
FLOOR = 1e-3


def joint(x: np.ndarray, seed: int) -> components.Components:
    """Fit a mixture to draws of a density, with a broad component behind it.

    Args:
        x: Draws, `[N, D]`.
        seed: Int that fixes the start.
    """
    x = np.asarray(x, np.float64)
    x = x[np.isfinite(x).all(axis=1)]
    low, middle, high = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
    width = np.maximum(high - low, 1e-12)
    near = np.all(np.abs(x - middle) <= FARTHEST * width, axis=1)
    x = x[near] if near.mean() > 0.5 else x
    scale = np.maximum(x.std(axis=0), 1e-12)
    u, rng = (x - middle) / scale, np.random.default_rng(seed)
    count = max(1, min(NUM_COMPONENTS, len(u) // (4 * (u.shape[1] + 1))))
    found = components.fit(u, count, rng, max_steps=30)
    if count > 1:
        found = components.with_background(found)
    return components.Components(
        found.log_weights, middle + found.means * scale, found.factors / scale
    )


def points(count: int, size: int, seed: int) -> np.ndarray:
    """Return points that fill the unit cube evenly, `[count, size]`."""
    if 0 < size <= MOST_QUASI:
        halton = tfp.mcmc.sample_halton_sequence(
            size, count, dtype=tf.float64, randomized=True, seed=(seed, 1)
        )
        return np.clip(halton.numpy(), 1e-9, 1.0 - 1e-9)
    found = np.random.default_rng(seed).uniform(size=[count, size])
    return np.clip(found, 1e-9, 1.0 - 1e-9)


class Conditionals:
    """Densities of the coordinates `free` given the coordinates `known`.

    Args:
        mixture: Of all coordinates.
        known: Positions of those that are given; none for the marginal of `free`.
        free: Positions of those to draw.
        dtype: Dtype of draws.
    """

    def __init__(
        self,
        mixture: components.Components,
        known: Sequence[int],
        free: Sequence[int],
        dtype: Any,
    ) -> None:
        roots = np.linalg.inv(mixture.factors)
        covariance = roots @ roots.transpose(0, 2, 1)
        a, b = np.array(known, int), np.array(free, int)
        inner = covariance[:, b][:, :, b]
        parts: dict[str, np.ndarray] = {
            "log_weights": mixture.log_weights,
            "known_means": mixture.means[:, a],
            "means": mixture.means[:, b],
        }
        if len(a):
            known_root = np.linalg.cholesky(covariance[:, a][:, :, a])
            whiten = np.linalg.inv(known_root)
            cross = covariance[:, b][:, :, a] @ whiten.transpose(0, 2, 1)
            inner = inner - cross @ cross.transpose(0, 2, 1)
            parts |= {"whiten": whiten, "slopes": cross}
            parts["known_log_det"] = np.log(np.diagonal(whiten, axis1=1, axis2=2)).sum(
                axis=1
            )
        ridge = 1e-9 * np.einsum("kii->k", inner)[:, None, None] * np.eye(len(b))
        root = INFLATION * np.linalg.cholesky(inner + ridge / max(1, len(b)))
        factor = np.linalg.inv(root)
        parts |= {"root": root, "factor": factor}
        parts["log_det"] = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        self._parts = {key: tf.constant(v, dtype) for key, v in parts.items()}
        self.num_known, self.num_free, self.dtype = len(a), len(b), dtype

    @property
    def num_uniforms(self) -> int:
        """Numbers in (0, 1) that a draw is made of."""
        return self.num_free + 2

    def given(self, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return log-weights and means of the components, `[N, K]` and `[N, K, B]`.

        Args:
            known: Given coordinates, `[N, A]`.
        """
        p = self._parts
        zeros = tf.zeros([tf.shape(known)[0], 1], self.dtype)
        log_weights = tf.nn.log_softmax(p["log_weights"]) + zeros
        means = p["means"] + zeros[..., tf.newaxis]
        if self.num_known:
            centred = known[:, tf.newaxis] - p["known_means"]
            white = tf.einsum("kij,nkj->nki", p["whiten"], centred)
            joint = log_weights + p["known_log_det"]
            joint -= 0.5 * tf.reduce_sum(tf.square(white), axis=-1)
            share = (1.0 - FLOOR) * tf.nn.softmax(joint)
            log_weights = tf.math.log(share + FLOOR / joint.shape[-1])
            means += tf.einsum("kij,nkj->nki", p["slopes"], white)
        return log_weights, means

    def draw(
        self, given: tuple[tf.Tensor, tf.Tensor], uniforms: np.ndarray
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return draws `[N, S, B]` and their log-densities `[N, S]`.

        Args:
            given: What `given` returned.
            uniforms: `[S, num_uniforms]`, the same for all.
        """
        log_weights, means = given
        u = tf.constant(uniforms, tf.float64)
        choice, body = u[:, 0], u[:, 2:]
        edges = tf.cumsum(tf.nn.softmax(tf.cast(log_weights, tf.float64)), axis=-1)
        passed = choice[:, tf.newaxis] > edges[:, tf.newaxis, :-1]
        index = tf.reduce_sum(tf.cast(passed, tf.int32), axis=-1)
        # SciPy's: TFP's overflows on its way, where `enable_check_numerics` stops.
        chi2 = tf.constant(2.0 * special.gammaincinv(0.5 * DF, uniforms[:, 1]))
        noise = tf.math.ndtri(body) * tf.sqrt(DF / chi2)[:, tf.newaxis]
        moved = tf.einsum(
            "kij,sj->ski", self._parts["root"], tf.cast(noise, self.dtype)
        )
        one_hot = tf.one_hot(index, means.shape[1], dtype=self.dtype)
        x = tf.einsum("nsk,nki->nsi", one_hot, means)
        x += tf.einsum("nsk,ski->nsi", one_hot, moved)
        return x, self.log_density(given, x)

    def log_density(
        self, given: tuple[tf.Tensor, tf.Tensor], x: tf.Tensor
    ) -> tf.Tensor:
        """Return log-densities of values, `[N, S, B]` to `[N, S]`."""
        log_weights, means = given
        p, size = self._parts, self.num_free
        constant = math.lgamma(0.5 * (DF + size)) - math.lgamma(0.5 * DF)
        constant -= 0.5 * size * math.log(DF * math.pi)
        # The product of a factor and a difference is a difference of products.
        far = tf.einsum("kij,nsj->nski", p["factor"], x)
        far -= tf.einsum("kij,nkj->nki", p["factor"], means)[:, tf.newaxis]
        square = tf.reduce_sum(tf.square(far), axis=-1)
        each = p["log_det"] - 0.5 * (DF + size) * tf.math.log1p(square / DF)
        return constant + tf.reduce_logsumexp(
            each + log_weights[:, tf.newaxis], axis=-1
        )
