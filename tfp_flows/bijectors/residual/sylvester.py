"""Sylvester maps: planar maps along several directions at once."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, Seed, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone
from tfp_flows.bijectors._core.parameters import Option, Parameter, one_of
from tfp_flows.math import bends
from tfp_flows.math.linear import products

__all__ = ["Sylvester"]

KINDS = ("orthogonal", "householder", "triangular")
# Deviation of the offsets at the start: equal ones would stay alike.
OFFSET = 0.5


class Sylvester(base.Bijector):
    """Add bends along `M` orthonormal directions, which triangular matrices join.

    `y = x + Q @ R @ tanh(S @ Q.T @ x + b)`, with the directions as the columns of `Q`,
    and `R` and `S` upper triangular. The map is invertible where the products of their
    diagonals are above -1, and any `diagonal` is made so: where `c = diagonal * inner`
    is negative, `R` has `diagonal / (1 - c)`.

    With `kind="orthogonal"` the columns are the rows of `axes`, made orthonormal one
    after the other; with `"householder"` the first `M` columns of the product of the
    reflections along them; with `"triangular"` they are the first `M` coordinates.

    Forward is a closed form, `O(D * M)` per event. Inverse searches for `M` roots of
    increasing functions of one number, in at most `M` sweeps, and has exact
    derivatives. The log-det follows from the matrix determinant lemma.

    Raises:
        ValueError: If sizes do not agree.
        tf.errors.InvalidArgumentError: By `inverse`, if a search finds no root.

    Example:
        >>> import tfp_flows as tfpf
        >>> sylvester = tfpf.bijectors.Sylvester.trainable(3, 2, seed=0)
        >>> sylvester.forward([1., 2., 3.]).numpy().tolist()
        [1.0, 2.0, 3.0]

    References:
        van den Berg et al. (2018). Sylvester Normalizing Flows for Variational
        Inference. https://arxiv.org/abs/1803.05649
    """

    outer: TensorLike = Parameter(
        "M M", "`R`, of which the part above the diagonal is used.", start=0.0
    )
    diagonal: TensorLike = Parameter(
        "M", "Gives the diagonal of `R`, as above.", start=0.0
    )
    inner: TensorLike = Parameter("M M", "`S`, upper triangular.")
    offset: TensorLike = Parameter("M", "The offset `b`.", start=0.0)
    axes: TensorLike | None = Parameter(
        "H D", "Gives the directions; `None` if these are coordinates.", default=None
    )
    _: KW_ONLY
    kind: str = Option(
        'How directions are made: `"orthogonal"`, `"householder"` or `"triangular"`.',
        default="orthogonal",
        check=one_of(*KINDS),
    )
    event_size: int | None = Option(
        "Number of coordinates `D`; only for triangular maps with fewer directions.",
        default=None,
    )

    _is_increasing = monotone.increasing_of_one

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        count, rows = sizes["M"], sizes.get("H")
        if (self.kind == "triangular") != (self.axes is None):
            msg = (
                "`axes` must be given unless `kind` is 'triangular', got kind "
                f"{self.kind!r} and {'no' if rows is None else rows} axes. Use "
                "Sylvester.trainable, which makes them."
            )
            raise ValueError(msg)
        size = sizes.setdefault("D", self.event_size or count)
        self._sizes = count, size
        if count > size or (self.kind == "orthogonal" and rows != count):
            msg = (
                f"`axes` must be at least {count} numbers wide, and {count} rows if "
                f"orthogonal, got {rows} of {size}. There is one direction for each "
                "row of `inner`."
            )
            raise ValueError(msg)
        return {}

    @classmethod
    def trainable(
        cls,
        size: int,
        num_directions: int | None = None,
        *,
        kind: str = "orthogonal",
        num_reflections: int | None = None,
        seed: Seed = None,
        dtype: DType = tf.float32,
        **kwargs: Any,
    ) -> Sylvester:
        """Return a map of new variables that starts as the identity.

        Args:
            num_directions: Number of directions `M`, by default all.
            kind: See the class.
            num_reflections: Number of reflections, by default `M`.
            seed: Seed of the axes and the offsets.
        """
        _checks.at_least(size, 1, "size")
        _checks.one_of(kind, KINDS, "kind")
        count = size if num_directions is None else num_directions
        _checks.between(count, 1, size, "num_directions")
        rng = arguments.generator(seed)
        kwargs.update(inner=tf.eye(count), offset=OFFSET * rng.normal(size=count))
        if kind == "triangular":
            # Planes that lie across: bends along the coordinates alone train slowly.
            across = rng.normal(size=[count, count]) / max(1, count - 1) ** 0.5
            inner = np.eye(count) + np.triu(across, 1)
            kwargs.update(event_size=size, inner=inner)
        else:
            rows = num_reflections if kind == "householder" else None
            rows = count if rows is None else rows
            _checks.at_least(rows, 1, "num_reflections")
            kwargs.update(axes=rng.normal(size=[rows, size]))
        return cls._of_variables({"M": count, "D": size}, dtype, kind=kind, **kwargs)

    def directions(self) -> tf.Tensor:
        """Return the transpose of `Q`, `[..., M, D]`."""
        count, size = self._sizes
        if self.kind == "triangular":
            return tf.eye(count, size, dtype=self.dtype)
        axes = tf.convert_to_tensor(self.axes)
        if self.kind == "orthogonal":
            return products.orthonormal_rows(axes)
        batch = axes.shape.rank - 2
        rows = tf.reshape(
            tf.eye(count, size, dtype=axes.dtype), [count, *[1] * batch, size]
        )
        rows = products.reflect(axes, rows)
        return tf.transpose(rows, [*range(1, batch + 1), 0, batch + 1])

    def _matrices(self) -> tuple[tf.Tensor, ...]:
        """Return `R`, `S`, and product and `1 + product` of their diagonals."""
        inner = tf.linalg.band_part(tf.convert_to_tensor(self.inner), 0, -1)
        on = tf.eye(inner.shape[-1], dtype=inner.dtype)
        slopes = tf.reduce_sum(inner * on, axis=-1)
        diagonal = tf.convert_to_tensor(self.diagonal)
        raw = slopes * diagonal
        product, stretch = bends.bounded(raw)
        below = tf.where(raw < 0.0, raw, tf.zeros_like(raw))
        outer = products.upper_triangle(
            tf.convert_to_tensor(self.outer), diagonal / (1.0 - below)
        )
        return outer, inner, product, stretch

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = self.directions()
        outer, inner, _, stretch = self._matrices()
        height = products.matvec(inner, products.matvec(rows, x)) + self.offset
        move = products.matvec(outer, tf.tanh(height))
        y = x + products.matvec(rows, move, transpose=True)
        return y, tf.reduce_sum(bends.log_slope(height, stretch), axis=-1)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = self.directions()
        outer, inner, product, stretch = self._matrices()
        value = products.matvec(inner, products.matvec(rows, y)) + self.offset
        strict = products.with_diagonal(tf.matmul(inner, outer), tf.zeros_like(product))
        height = bends.unbend_triangular(value, strict, product, stretch)
        move = products.matvec(outer, tf.tanh(height))
        x = y - products.matvec(rows, move, transpose=True)
        return x, -tf.reduce_sum(bends.log_slope(height, stretch), axis=-1)
