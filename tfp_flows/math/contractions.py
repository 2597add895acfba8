"""Maps `x + g(x)` with a contraction `g`: its matrices, log-dets, and systems.

Jacobians come as `push`: a function that takes directions `[D, K, N]`, `K` for each of
`N` events, and returns what the Jacobian of `g` at each event makes of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

__all__ = [
    "bounded_matrix",
    "estimated_log_det",
    "jacobian",
    "log_det_and_solution",
]

Push = Callable[[tf.Tensor], tf.Tensor]
# The spectral norm is bounded by the root of order 32 of a trace: for a matrix of N
# equal singular values that is too much by N ** (1 / 32), for others by less.
SQUARINGS = 4
# The loop over random numbers of terms ends where this share of events is left.
LEFT = 1e-9


def bounded_matrix(matrix: tf.Tensor, bound: float) -> tf.Tensor:
    """Return a matrix divided so that its spectral norm is at most `bound`.

    It is returned as it is where an upper bound of its norm is below that.

    Args:
        matrix: `[M, N]`.
        bound: Positive.
    """
    rows, columns = matrix.shape
    gram = tf.matmul(
        matrix, matrix, transpose_a=rows > columns, transpose_b=rows <= columns
    )
    trace = tf.linalg.trace(gram)
    tiny = float(np.finfo(matrix.dtype.as_numpy_dtype).tiny) ** 0.5
    is_zero = trace < tiny
    trace = tf.where(is_zero, tf.ones_like(trace), trace)
    # A zero matrix is replaced by one whose powers have finite logs.
    eye = tf.eye(gram.shape[0], dtype=matrix.dtype)
    power = tf.where(is_zero, eye, gram / trace)
    log_square = tf.math.log(trace)
    for order in range(1, SQUARINGS + 1):
        power = tf.matmul(power, power)
        trace = tf.linalg.trace(power)
        power /= trace
        log_square += tf.math.log(trace) * 0.5**order
    log_norm = tf.where(is_zero, tf.zeros_like(trace), 0.5 * log_square)
    allowed = math.log(bound)
    scale = tf.where(log_norm > allowed, tf.exp(allowed - log_norm), 1.0)
    return matrix * tf.where(is_zero, tf.ones_like(scale), scale)


def jacobian(push: Push, value: tf.Tensor) -> tf.Tensor:
    """Return `I + J` of events, `[D, D, N]`, by one direction for each coordinate.

    Args:
        push: See the module.
        value: Events, `[D, N]`.
    """
    size = value.shape[0]
    eye = tf.eye(size, dtype=value.dtype)[..., tf.newaxis]
    return eye + push(eye + tf.zeros_like(value))


def log_det_and_solution(
    matrix: tf.Tensor, right: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `log|det A|` and the `x` with `A @ x = right`, by elimination.

    No pivots are sought: with `A = I + J` for a contraction `J` all are positive.

    Args:
        matrix: `[D, D, N]`.
        right: `[D, N]`.

    Returns:
        The log-det `[N]`, and the solution `[D, N]`.
    """
    rows, log_det = [], tf.zeros_like(right[0])
    rest, side = matrix, right
    for _ in range(matrix.shape[0]):
        pivot, row, first = rest[0, 0], rest[0, 1:], side[0]
        log_det += tf.math.log(pivot)
        rows.append((pivot, row, first))
        factors = rest[1:, 0] / pivot
        rest = rest[1:, 1:] - factors[:, tf.newaxis] * row
        side = side[1:] - factors * first
    found: list[tf.Tensor] = []
    for pivot, row, first in reversed(rows):
        known = tf.reduce_sum(row * tf.stack(found), axis=0) if found else 0.0
        found.insert(0, (first - known) / pivot)
    return log_det, tf.stack(found)


def estimated_log_det(
    push: Push,
    value: tf.Tensor,
    seed: tf.Tensor,
    *,
    num_probes: int,
    num_terms: int,
    lipschitz: float,
) -> tf.Tensor:
    """Return an unbiased estimate of `log det(I + J)`, by its power series.

    Traces are estimated by random signs. After some terms the series goes on with the
    probability `lipschitz` for each further one, which is weighted accordingly: the
    mean is that of all terms, and the variance finite.

    Args:
        push: See the module.
        value: Events, `[D, N]`.
        seed: Stateless seed `[2]`.
        num_probes: Number of random directions of each event.
        num_terms: Number of terms that are always there.
        lipschitz: Bound of the norm of `J`.

    Returns:
        `[N]`.

    References:
        Chen et al. (2019). Residual Flows for Invertible Generative Modeling.
        https://arxiv.org/abs/1906.02735, theorem 1
    """
    size, dtype = value.shape[0], value.dtype
    count = tf.shape(value)[1]
    uniform = tf.random.stateless_uniform([size, num_probes, count], seed)
    signs = tf.where(uniform < 0.5, -1.0, 1.0)
    probes = tf.cast(signs, dtype)
    uniform = tf.random.stateless_uniform([count], seed + 1)
    # How many further terms each event gets.
    further = tf.floor(tf.math.log(1.0 - uniform) / math.log(lipschitz))
    further = tf.cast(further, dtype)

    def trace(moved: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.reduce_sum(probes * moved, axis=0), axis=0)

    moved, total = probes, tf.zeros_like(value[0])
    for k in range(1, num_terms + 1):
        moved = push(moved)
        total += (-1.0) ** (k + 1) / k * trace(moved)

    def step(
        j: tf.Tensor, moved: tf.Tensor, total: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        moved, j = push(moved), j + 1.0
        k = j + num_terms
        sign = 1.0 - 2.0 * tf.math.floormod(k + 1.0, 2.0)
        weight = sign / k * tf.exp(-j * math.log(lipschitz))
        term = tf.where(further >= j, weight * trace(moved), tf.zeros_like(total))
        return j, moved, total + term

    moved.set_shape([size, num_probes, value.shape[1]])
    state = (tf.zeros([], dtype), moved, total)
    return tf.while_loop(
        lambda j, *_: tf.reduce_any(further > j),
        step,
        state,
        maximum_iterations=math.ceil(math.log(LEFT) / math.log(lipschitz)),
    )[-1]
