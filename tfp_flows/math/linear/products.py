"""Linear maps over the last axis whose log-determinants are cheap.

Matrices act on column vectors, `y = A @ x`. Functions that apply a matrix take events
`[..., D]` and matrices `[..., D, D]` whose leading dimensions broadcast; all events
that share a matrix are multiplied or solved in one call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

__all__ = [
    "bounded_log_scale",
    "broadcast_log_det",
    "cayley",
    "lower_triangle",
    "matvec",
    "orthonormal_rows",
    "permute",
    "reflect",
    "solve_factors",
    "solve_triangular",
    "transpose",
    "unbounded_log_scale",
    "unit_lower_triangle",
    "upper_triangle",
    "with_diagonal",
]

# A reflection vector counts as zero if its largest element is below this power of the
# smallest normal number: gradients go as the inverse and must stay finite.
_ZERO_POWER = 0.5
# Inverting a log-scale at its bound would be infinite; this much of it is reached.
_REACHED = 1.0 - 1e-6


def bounded_log_scale(log_scale: tf.Tensor, bound: float | None = 5.0) -> tf.Tensor:
    """Squash log-scales smoothly into `(-bound, bound)`, with slope 1 at zero.

    Scales stay within `exp(+-bound)`, so that neither direction of a map explodes.

    Args:
        log_scale: Unconstrained numbers, any shape.
        bound: Half-width of the interval, `None` to return `log_scale` as it is.

    Returns:
        `bound * tanh(log_scale / bound)`.
    """
    if bound is None:
        return log_scale
    return bound * tf.tanh(log_scale / bound)


def unbounded_log_scale(log_scale: tf.Tensor, bound: float | None = 5.0) -> tf.Tensor:
    """Invert `bounded_log_scale`; log-scales beyond the bound are cut to it."""
    if bound is None:
        return log_scale
    return bound * tf.atanh(tf.clip_by_value(log_scale / bound, -_REACHED, _REACHED))


def broadcast_log_det(
    log_det: tf.Tensor, value: tf.Tensor, event_ndims: int = 1
) -> tf.Tensor:
    """Give a log-det that does not depend on the input the batch shape of the input.

    Args:
        log_det: Log-det of each batch of parameters, `[...]`.
        value: Input of the map, `[..., *event_shape]`.
        event_ndims: Rank of the event.

    Returns:
        The log-det with the broadcast of both leading shapes.
    """
    rank = value.shape.rank
    batch = tf.TensorShape(None if rank is None else value.shape[: rank - event_ndims])
    static = tf.broadcast_static_shape(log_det.shape, batch)
    if static.is_fully_defined():
        return tf.broadcast_to(log_det, static)
    if log_det.shape.rank == 0 and batch.rank == 1:
        return tf.fill(tf.shape(value)[:1], log_det)
    shape = tf.shape(value)[: tf.rank(value) - event_ndims]
    shape = tf.broadcast_dynamic_shape(tf.shape(log_det), shape)
    return tf.ensure_shape(tf.broadcast_to(log_det, shape), static)


def permute(
    x: tf.Tensor,
    permutation: tuple[int, ...] | tf.Tensor,
    inverse: tuple[int, ...] | tf.Tensor,
) -> tf.Tensor:
    """Return `x[..., permutation]`, with a gather as the gradient, not a scatter."""

    @tf.custom_gradient
    def gather(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(dy: tf.Tensor) -> tf.Tensor:
            return permute(tf.convert_to_tensor(dy), inverse, permutation)

        return tf.gather(x, permutation, axis=-1), gradient

    if isinstance(permutation, tuple):
        if permutation == tuple(range(len(permutation))):
            return tf.identity(x)
        if permutation == tuple(reversed(range(len(permutation)))):
            return tf.reverse(x, axis=[-1])
    return gather(x)


def transpose(x: tf.Tensor, order: Sequence[int] | None = None) -> tf.Tensor:
    """Return `tf.transpose(x, order)`, whose gradient has a constant order too.

    TensorFlow inverts the order by an operation; in a loop that is differentiated
    twice it becomes data, which XLA refuses.
    """
    rank = x.shape.rank
    places = tuple(reversed(range(rank)) if order is None else order)

    @tf.custom_gradient
    def move(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(dy: tf.Tensor) -> tf.Tensor:
            # A gather upstream hands over slices.
            dy = tf.convert_to_tensor(dy)
            return transpose(dy, [places.index(axis) for axis in range(rank)])

        return tf.transpose(x, places), gradient

    return move(x)


def _on_rows(
    function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, batch_ndims: int
) -> tf.Tensor:
    """Apply a function of rows `[B..., N, D]` to events `[..., D]`.

    Args:
        function: Linear map of all rows with matrices of batch rank `batch_ndims`.
        x: Events. The `batch_ndims` dimensions before the last one belong to the
            batches of matrices, all before them are counted by `N`.
        batch_ndims: Number of batch dimensions of the matrices.

    Returns:
        The images, with the broadcast leading shape.
    """
    static = x.shape
    trailing = batch_ndims + 1
    if static.rank == 2 and batch_ndims == 0:
        return function(x)
    if static.rank is not None and static.rank < trailing:
        x = tf.reshape(x, tf.concat([[1] * (trailing - static.rank), tf.shape(x)], 0))
        x.set_shape([1] * (trailing - static.rank) + static.as_list())
        static = x.shape
    shape = tf.shape(x)
    if static.rank is None:
        ones = tf.ones([tf.maximum(trailing - tf.size(shape), 0)], tf.int32)
        shape = tf.concat([ones, shape], axis=0)
        x = tf.reshape(x, shape)
    samples, rest = shape[:-trailing], shape[-trailing:]
    rows = tf.reshape(x, tf.concat([[-1], rest], axis=0))
    if static.rank is not None:
        count = static[:-trailing].num_elements()
        rows.set_shape([count, *static[-trailing:]])
    order = [*range(1, batch_ndims + 1), 0, batch_ndims + 1]
    y = function(tf.transpose(rows, order) if batch_ndims else rows)
    order = [batch_ndims, *range(batch_ndims), batch_ndims + 1]
    y = tf.transpose(y, order) if batch_ndims else y
    out = tf.reshape(y, tf.concat([samples, tf.shape(y)[1:]], axis=0))
    if static.rank is not None:
        out.set_shape(static[:-trailing].concatenate(y.shape[1:]))
    return out


def matvec(matrix: tf.Tensor, x: tf.Tensor, *, transpose: bool = False) -> tf.Tensor:
    """Return `A @ x`, or `A.T @ x`, for events `[..., D]`.

    Args:
        matrix: `[..., E, D]`.
        x: Events, `[..., D]` (`[..., E]` if transposed).
        transpose: Whether to multiply with the transposed matrix.

    Returns:
        Events, `[..., E]` (`[..., D]`).
    """

    def multiply(rows: tf.Tensor) -> tf.Tensor:
        return tf.matmul(rows, matrix, transpose_b=not transpose)

    return _on_rows(multiply, x, matrix.shape.rank - 2)


def solve_triangular(matrix: tf.Tensor, y: tf.Tensor, *, lower: bool) -> tf.Tensor:
    """Return the `x` with `A @ x = y`, for events `[..., D]` and triangular `A`.

    Args:
        matrix: Triangular matrices, `[..., D, D]`.
        y: Events, `[..., D]`.
        lower: Whether the matrices are lower triangular.

    Returns:
        Events, `[..., D]`.
    """
    return _solve([(matrix, lower)], y)


def solve_factors(lower: tf.Tensor, upper: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Return the `x` with `L @ U @ x = y`, for events `[..., D]`.

    Args:
        lower: Lower triangular matrices, `[..., D, D]`.
        upper: Upper triangular matrices, `[..., D, D]`.
        y: Events, `[..., D]`.

    Returns:
        Events, `[..., D]`.
    """
    if lower.shape.rank != upper.shape.rank:
        return _solve([(upper, False)], _solve([(lower, True)], y))
    return _solve([(lower, True), (upper, False)], y)


def _solve(factors: Sequence[tuple[tf.Tensor, bool]], y: tf.Tensor) -> tf.Tensor:
    """Solve with one triangular matrix after the other; each is lower or not."""

    def solve(rows: tf.Tensor) -> tf.Tensor:
        columns = tf.linalg.matrix_transpose(rows)
        for matrix, lower in factors:
            columns = tf.linalg.triangular_solve(matrix, columns, lower=lower)
        return tf.linalg.matrix_transpose(columns)

    return _on_rows(solve, y, factors[0][0].shape.rank - 2)


def unit_lower_triangle(strict: tf.Tensor) -> tf.Tensor:
    """Return the lower triangular matrix with ones on its diagonal.

    Args:
        strict: Matrix of which only the part below the diagonal is used, `[..., D, D]`.

    Returns:
        Matrices, `[..., D, D]`.
    """
    size = strict.shape[-1]
    below = np.tri(size, k=-1, dtype=bool)
    return tf.where(below, strict, np.eye(size, dtype=strict.dtype.as_numpy_dtype))


def lower_triangle(strict: tf.Tensor, diagonal: tf.Tensor) -> tf.Tensor:
    """Return the lower triangular matrix of a diagonal and what is strictly below it.

    Args:
        strict: Matrix of which only the part below the diagonal is used, `[..., D, D]`.
        diagonal: `[..., D]`.

    Returns:
        Matrices, `[..., D, D]`.
    """
    return with_diagonal(tf.linalg.band_part(strict, -1, 0), diagonal)


def upper_triangle(strict: tf.Tensor, diagonal: tf.Tensor) -> tf.Tensor:
    """Return the upper triangular matrix; see `lower_triangle`."""
    return with_diagonal(tf.linalg.band_part(strict, 0, -1), diagonal)


def with_diagonal(matrix: tf.Tensor, diagonal: tf.Tensor) -> tf.Tensor:
    """Return matrices with another diagonal.

    By a mask: gradients of `tf.linalg.set_diag` compile for known batches only.

    Args:
        matrix: `[..., D, D]`.
        diagonal: `[..., D]`; leading dimensions broadcast.
    """
    on = np.eye(matrix.shape[-1], dtype=bool)
    return tf.where(on, tf.expand_dims(diagonal, -2), matrix)


def reflect(vectors: tf.Tensor, x: tf.Tensor, *, inverse: bool = False) -> tf.Tensor:
    """Apply the product `H_1 @ ... @ H_M` of reflections, or its transpose.

    `H_m = I - 2 * v_m @ v_m.T / (v_m.T @ v_m)`. The product is evaluated at once as
    `x - V.T @ inv(S) @ V @ x`, where `S` is the upper triangle of `V @ V.T` with half
    of its diagonal: three small products in place of `M` steps.

    Args:
        vectors: The `v_m`, `[..., M, D]`. A zero vector leaves events as they are.
        x: Events, `[..., D]`.
        inverse: Whether to apply the transpose.

    Returns:
        Events, `[..., D]`.

    References:
        Joffrain et al. (2006). Accumulating Householder transformations, revisited.
        https://doi.org/10.1145/1141885.1141886
    """
    # A reflection does not depend on the length of its vector. Dividing by the largest
    # element keeps squares in range; as a constant, it leaves gradients as they are.
    size = tf.stop_gradient(tf.reduce_max(tf.abs(vectors), axis=-1, keepdims=True))
    smallest_normal = float(np.finfo(vectors.dtype.as_numpy_dtype).tiny)
    is_zero = size < tf.cast(smallest_normal**_ZERO_POWER, size.dtype)
    size = tf.where(is_zero, tf.ones_like(size), size)
    vectors = tf.where(is_zero, tf.zeros_like(vectors), vectors / size)
    gram = tf.matmul(vectors, vectors, transpose_b=True)
    half = 0.5 * tf.linalg.diag_part(gram)
    # Any number other than zero does for a row and column of zeros.
    half = tf.where(is_zero[..., 0], tf.ones_like(half), half)
    upper = upper_triangle(gram, half)
    solved = tf.linalg.triangular_solve(upper, vectors, lower=False)
    first, second = (vectors, solved) if inverse else (solved, vectors)
    return x - matvec(second, matvec(first, x), transpose=True)


def orthonormal_rows(matrix: tf.Tensor) -> tf.Tensor:
    """Make rows orthonormal, one after the other, as Gram and Schmidt do.

    The signs are those of the given rows, so that the result changes continuously.

    Args:
        matrix: Independent rows, `[..., M, D]` with `M <= D`.

    Returns:
        Matrices of the same shape.
    """
    columns, triangle = tf.linalg.qr(tf.linalg.matrix_transpose(matrix))
    negative = tf.linalg.diag_part(triangle)[..., tf.newaxis] < 0.0
    rows = tf.linalg.matrix_transpose(columns)
    return tf.where(negative, -rows, rows)


def cayley(skew: tf.Tensor, size: int) -> tf.Tensor:
    """Return the rotation `inv(I + A) @ (I - A)` of a skew-symmetric matrix `A`.

    Zeros give the identity. Every rotation without the eigenvalue -1 is the image of
    one `A`; the others are limits.

    Args:
        skew: The elements of `A` below its diagonal, row by row, `[..., D*(D-1)/2]`.
        size: `D`.

    Returns:
        Orthogonal matrices with determinant 1, `[..., D, D]`.
    """
    eye = tf.linalg.eye(size, dtype=skew.dtype)
    if size == 1:
        return tf.reduce_sum(skew, axis=-1)[..., tf.newaxis, tf.newaxis] + eye
    # What is not below the diagonal is taken from a zero behind the elements.
    places = np.full([size, size], size * (size - 1) // 2)
    places[np.tril_indices(size, -1)] = np.arange(size * (size - 1) // 2)
    padded = tf.concat([skew, tf.zeros_like(skew[..., :1])], axis=-1)
    lower = tf.gather(padded, places, axis=-1)
    matrix = lower - tf.linalg.matrix_transpose(lower)
    rotation = tf.linalg.solve(eye + matrix, eye - matrix)
    # The solution is orthogonal up to rounding times the size of A. One Newton step of
    # the polar decomposition squares that error.
    gram = tf.matmul(rotation, rotation, transpose_a=True)
    return tf.matmul(rotation, 1.5 * eye - 0.5 * gram)
