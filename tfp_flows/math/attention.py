"""Attention over tokens that come before, and the normalisation around it."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

__all__ = ["causal", "normalised", "of_one"]

# Added to a variance: of a token that is constant, little is left of its noise.
EPSILON = 1e-5


def _at_least_single(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(x, tf.float32) if x.dtype.size < 4 else x


def normalised(x: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Return vectors with mean 0 and deviation 1, times a scale for each component.

    Args:
        x: Vectors, `[..., W]`; moments have at least 32 bits.
        scale: `[W]`.
    """
    wide = _at_least_single(x)
    wide -= tf.reduce_mean(wide, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(wide), axis=-1, keepdims=True)
    return tf.cast(wide * tf.math.rsqrt(variance + EPSILON), x.dtype) * scale


def causal(queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Return the mean of the values that each token's query finds up to itself.

    Args:
        queries: `[N, T, H, W]` of `H` heads, like `keys` and `values`.
        keys: The logit of a token is its product with the query over `sqrt(W)`.
        values: What is averaged with the softmax of the logits as weights.

    Returns:
        `[N, T, H, W]`.
    """
    size = queries.shape[1]
    logits = tf.einsum("nqhw,nkhw->nhqk", queries, keys)
    seen = np.tri(size, dtype=bool)
    weights = _softmax(logits, tf.constant(seen), queries.shape[-1])
    return tf.einsum("nhqk,nkhw->nqhw", weights, values)


def of_one(
    queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, i: tf.Tensor
) -> tf.Tensor:
    """Return what the query of token `i` finds among the tokens up to it.

    Args:
        queries: `[N, H, W]`, of one token.
        keys: `[T, N, H, W]`, tokens first; those behind `i` do not count.
        values: `[T, N, H, W]`.
        i: Number of the token.

    Returns:
        `[N, H, W]`.
    """
    logits = tf.einsum("nhw,tnhw->nht", queries, keys)
    weights = _softmax(logits, tf.range(keys.shape[0]) <= i, queries.shape[-1])
    return tf.einsum("nht,tnhw->nhw", weights, values)


def _softmax(logits: tf.Tensor, seen: tf.Tensor, width: int) -> tf.Tensor:
    """Return the weights of attention: zeros where a token is not seen."""
    wide = _at_least_single(logits) / math.sqrt(width)
    wide = tf.where(seen, wide, wide.dtype.min)
    return tf.cast(tf.nn.softmax(wide), logits.dtype)
