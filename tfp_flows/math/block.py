"""Block autoregressive networks: increasing in one coordinate, any function of others.

Each of `D` coordinates has units of its own in every layer. The weights between two
layers are a matrix of `D x D` blocks: those of a coordinate with itself are positive,
those with coordinates that come before it are free, the others are zero. Rows are
normalised to a length that is trained. With `tanh` between the layers the network `f`
increases in each coordinate, and the derivative is a product of positive blocks, which
is kept as logs. A gate makes it grow without bound,

    y = (1 - a) * x + a * f(x),  a = sigmoid(gate)

so that it reaches every number, and its tails are straight lines.

A batch is columns, `[D, N]`; hidden units are `[D * H, N]`, coordinate by coordinate.

References:
    Nicola De Cao, Ivan Titov, Wilker Aziz (2019). Block Neural Autoregressive Flow.
    https://arxiv.org/abs/1904.04676, eq. 7 to 14
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfp_flows.math import indexing, roots
from tfp_flows.math.splines import rational_quadratic

__all__ = ["Network", "forward", "inverse", "normalised"]

# Logs of positive weights, of lengths of rows, and gates are softly clipped to these.
LOG_WEIGHT_BOUND = 8.0
LOG_LENGTH_BOUND = 6.0
GATE_BOUND = 7.0
# Units are saturated before: so far out the network is constant to all digits.
FAR = 1e10


class Network(NamedTuple):
    """The numbers of a network, for events of `D` coordinates.

    Attributes:
        weights: Of each layer, `[D * out, D * in]`.
        blocks: Those of each coordinate with itself, `[D, out, in]`.
        offsets: What biases and the condition add, `[D * out, N]` or `[D * out, 1]`.
        gate: Before the sigmoid, `[D]`.
    """

    weights: Sequence[tf.Tensor]
    blocks: Sequence[tf.Tensor]
    offsets: Sequence[tf.Tensor]
    gate: tf.Tensor


def normalised(
    raw: tf.Tensor, log_length: tf.Tensor, ranks: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the weights of a layer, and the blocks of coordinates with themselves.

    Args:
        raw: Free numbers, `[D * out, D * in]`.
        log_length: Logs of the lengths of rows, `[D * out]`.
        ranks: Rank of each coordinate.
    """
    size, rank = len(ranks), np.asarray(ranks)
    shape = [n // size for n in raw.shape]
    ones = np.ones(shape)
    before = tf.constant(np.kron(rank[:, None] > rank[None], ones), raw.dtype)
    same = tf.constant(np.kron(np.eye(size), ones), raw.dtype)
    positive = tf.exp(rational_quadratic.soft_clip(raw, LOG_WEIGHT_BOUND))
    weights = before * raw + same * positive
    length = tf.exp(rational_quadratic.soft_clip(log_length, LOG_LENGTH_BOUND))
    # Positive weights are there in every row: no length is zero.
    length *= tf.math.rsqrt(tf.reduce_sum(tf.square(weights), axis=1))
    weights *= length[:, tf.newaxis]
    grid = tf.reshape(same * weights, [size, shape[0], size, shape[1]])
    return weights, tf.reduce_sum(grid, axis=2)


def forward(x: tf.Tensor, network: Network) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate a network with its gate.

    Args:
        x: Columns, `[D, N]`.
        network: Its numbers.

    Returns:
        Values and the logs of the derivatives of each coordinate by itself, `[D, N]`.
    """
    value, log_slope, _ = _evaluate(x, network)
    return value, log_slope


def _evaluate(
    x: tf.Tensor, network: Network
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Return values, logs of derivatives, and the hidden units of all layers."""
    size = network.gate.shape[0]
    units = tf.clip_by_value(x, -FAR, FAR)
    log_slopes = tf.zeros_like(x)[:, tf.newaxis]
    hidden = [units]
    for layer, (weights, blocks, offset) in enumerate(zip(*network[:3], strict=True)):
        if layer > 0:
            # log(1 - tanh(u)**2), without a difference of nearly equal numbers.
            slope = 2.0 * (math.log(2.0) - units - tf.nn.softplus(-2.0 * units))
            log_slopes += tf.reshape(slope, [size, blocks.shape[2], -1])
            units = tf.tanh(units)
            hidden.append(units)
        peak = tf.reduce_max(log_slopes, axis=1, keepdims=True)
        peak = tf.stop_gradient(peak)
        log_slopes = peak + tf.math.log(tf.matmul(blocks, tf.exp(log_slopes - peak)))
        units = tf.matmul(weights, units) + offset
    gate = rational_quadratic.soft_clip(network.gate, GATE_BOUND)[:, tf.newaxis]
    value = tf.sigmoid(-gate) * x + tf.sigmoid(gate) * units
    inner = tf.math.log_sigmoid(gate) + log_slopes[:, 0]
    outer = tf.math.log_sigmoid(-gate) + tf.zeros_like(inner)
    return value, tf.reduce_logsumexp(tf.stack([inner, outer]), axis=0), hidden


def inverse(
    y: tf.Tensor, network: Network, ranks: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Solve `forward(x) = y`, one coordinate after the other.

    Each takes one search for a root, of a function of its own units only: those of
    the coordinates before it are known by then.

    Args:
        y: Columns, `[D, N]`, with at least one.
        network: Its numbers.
        ranks: Rank of each coordinate.

    Returns:
        Columns and the logs of the derivatives of the inverse map, `[D, N]`.
    """
    size, places = len(ranks), tf.constant(np.argsort(ranks), tf.int32)
    count = tf.shape(y)[1]
    rows = [_by_coordinate(tensor, size) for tensor in network.weights]
    offsets = [_by_coordinate(tensor, size) for tensor in network.offsets]
    depth, gate = len(rows), network.gate

    def step(i: tf.Tensor, *state: tf.Tensor) -> tuple[tf.Tensor, ...]:
        place = tf.gather(places, i)
        own = [indexing.take(blocks, place) for blocks in network.blocks]
        known = [
            indexing.take(row, place) @ tf.reshape(units, [row.shape[2], count])
            + indexing.take(offset, place)
            for row, offset, units in zip(rows, offsets, state[2:], strict=True)
        ]
        own_gate = indexing.take(gate, place)[tf.newaxis]

        def of_one(*numbers: tf.Tensor) -> Network:
            blocks = numbers[:depth]
            own = [block[tf.newaxis] for block in blocks]
            return Network(blocks, own, numbers[depth:-1], numbers[-1])

        def function(x: tf.Tensor, *numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            value, log_slope = forward(x[tf.newaxis], of_one(*numbers))
            return value[0], log_slope[0]

        numbers = [*own, *known, own_gate]
        x = roots.root(function, tf.gather(y, place), parameters=numbers)
        _, log_slope, hidden = _evaluate(x[tf.newaxis], of_one(*numbers))
        found = [-log_slope[0], x, *hidden]
        units = (
            indexing.put(table, place, row)
            for table, row in zip(state, found, strict=True)
        )
        return i + 1, *units

    widths = [1, *(row.shape[1] for row in rows[:-1])]
    start = [tf.zeros_like(y), tf.zeros_like(y)]
    start += [tf.zeros([size, width, count], y.dtype) for width in widths]
    if y.shape[1] is not None:
        start = [tf.ensure_shape(t, [*t.shape[:-1], y.shape[1]]) for t in start]
    _, log_det, x, *_ = tf.while_loop(
        lambda i, *_: i < size, step, (0, *start), maximum_iterations=size
    )
    return x, log_det


def _by_coordinate(table: tf.Tensor, size: int) -> tf.Tensor:
    """Return rows by coordinate: `[D * H, N]` as `[D, H, N]`."""
    out = tf.reshape(table, [size, table.shape[0] // size, tf.shape(table)[1]])
    out.set_shape([size, table.shape[0] // size, table.shape[1]])
    return out
