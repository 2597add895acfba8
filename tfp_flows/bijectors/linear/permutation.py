"""Permutations of the last axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Seed
from tfp_flows.bijectors._core import arguments, base, monotone
from tfp_flows.bijectors._core.parameters import Option
from tfp_flows.math.linear import products

__all__ = ["Permutation", "invert_permutation", "random_permutation"]


def invert_permutation(permutation: Sequence[int]) -> tuple[int, ...]:
    """Return the places at which `0, 1, ...` occur in a permutation."""
    return tuple(int(place) for place in np.argsort(permutation))


def random_permutation(size: int, seed: Seed = None) -> tuple[int, ...]:
    """Return a uniformly random permutation of `range(size)`.

    Args:
        size: Number of elements.
        seed: Seed; `None` draws a new one.

    Returns:
        The permutation.
    """
    places = arguments.generator(seed).permutation(size)
    return tuple(int(place) for place in places)


def static_permutation(permutation: Any, argument: str) -> tuple[int, ...]:
    """Return `permutation` as a tuple of ints, or raise if it is none."""
    places = np.asarray(permutation)
    if (
        places.ndim != 1
        or places.size == 0
        or not np.issubdtype(places.dtype, np.integer)
        or not np.array_equal(np.sort(places), np.arange(places.size))
    ):
        msg = (
            f"`{argument}` must hold each of 0, ..., D - 1 once, got {permutation!r}. "
            "Pass for example (1, 0, 2)."
        )
        raise ValueError(msg)
    return tuple(int(place) for place in places)


class Permutation(base.Bijector):
    """Permute the last axis: `y[..., i] = x[..., permutation[i]]`.

    Both directions are one gather, and the log-det is 0. `tfb.Permute` takes tensors
    and any axis; here the permutation is static, its inverse is known beforehand, and
    gradients are gathers too.

    Raises:
        ValueError: If `permutation` is none.

    Shapes:
        `[..., D]` to `[..., D]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> permute = tfpf.bijectors.Permutation((2, 0, 1))
        >>> permute.forward([10., 11., 12.]).numpy().tolist()
        [12.0, 10.0, 11.0]
    """

    permutation: tuple[int, ...] = Option(
        "Where each output comes from: each of `0, ..., D - 1` once.",
        convert=static_permutation,
    )

    moves_only = True
    _is_constant_jacobian = True
    _is_increasing = monotone.increasing_of_one
    repeatable = True  # in the form that holds the places as tensors

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        self._inverse_permutation = invert_permutation(self.permutation)
        sizes["D"] = len(self.permutation)
        return {}

    @classmethod
    def reverse(cls, size: int, **kwargs: Any) -> Permutation:
        """Return the map that reverses `size` coordinates."""
        _checks.at_least(size, 1, "size")
        return cls(tuple(reversed(range(size))), **kwargs)

    @classmethod
    def random(cls, size: int, seed: Seed = None, **kwargs: Any) -> Permutation:
        """Return a uniformly random permutation of `size` coordinates.

        Args:
            seed: Seed; `None` draws a new one.
            **kwargs: Further arguments of the constructor.
        """
        _checks.at_least(size, 1, "size")
        return cls(random_permutation(size, seed), **kwargs)

    def loop_form(self) -> base.Bijector:
        """Return the map with its places as tensors."""
        return _Gather(
            tf.constant(self.permutation), tf.constant(self._inverse_permutation)
        )

    def _gather(
        self, value: tf.Tensor, there: tuple[int, ...], back: tuple[int, ...]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        zero = tf.zeros([], value.dtype)
        log_det = products.broadcast_log_det(zero, value)
        return products.permute(value, there, back), log_det

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._gather(x, self.permutation, self._inverse_permutation)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._gather(y, self._inverse_permutation, self.permutation)


class _Gather(base.Bijector):
    """A permutation whose places are tensors: loops go through different ones."""

    there: tf.Tensor = Option("Where each output comes from.")
    back: tf.Tensor = Option("Where each input goes.")

    _is_constant_jacobian = True

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        sizes["D"] = self.there.shape[-1]
        return {}

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return products.permute(x, self.there, self.back), tf.zeros([], x.dtype)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return products.permute(y, self.back, self.there), tf.zeros([], y.dtype)
