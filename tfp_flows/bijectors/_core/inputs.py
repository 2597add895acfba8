"""What maps are given: real numbers of their dtype, or a sentence that says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows import _arrays
from tfp_flows._types import TensorLike

__all__ = ["Explaining", "numbers"]


def numbers(bijector: Any, value: TensorLike, argument: str) -> tf.Tensor:
    """Return an input as a tensor of real numbers.

    TFP leaves integers as they are where a map has no dtype of its own; the formula of
    a map would round its own numbers to integers, too.

    Args:
        bijector: The map.
        value: The input.
        argument: What the map calls it.

    Raises:
        TypeError: If it is text, or complex numbers.
    """
    wanted = bijector.dtype or tf.float32
    value = tf.convert_to_tensor(value, dtype_hint=wanted)
    if value.dtype.is_floating or (bijector.moves_only and value.dtype.is_integer):
        return value
    return _arrays.as_tensor(value, wanted, argument)


class Explaining(tfb.Bijector):
    """A bijector that says what is wrong with an input where TensorFlow fails."""

    moves_only = False  # whether outputs are inputs in other places, integers too

    def forward(self, x: TensorLike, *args: Any, **kwargs: Any) -> tf.Tensor:
        """Return the image of `x`, as in TFP."""
        with _explained(self, x, "x"):
            return super().forward(x, *args, **kwargs)

    def inverse(self, y: TensorLike, *args: Any, **kwargs: Any) -> tf.Tensor:
        """Return the point whose image is `y`, as in TFP."""
        with _explained(self, y, "y"):
            return super().inverse(y, *args, **kwargs)

    def forward_log_det_jacobian(
        self, x: TensorLike, *args: Any, **kwargs: Any
    ) -> tf.Tensor:
        """Return the log-det of `forward` at `x`, as in TFP."""
        with _explained(self, x, "x"):
            return super().forward_log_det_jacobian(x, *args, **kwargs)

    def inverse_log_det_jacobian(
        self, y: TensorLike, *args: Any, **kwargs: Any
    ) -> tf.Tensor:
        """Return the log-det of `inverse` at `y`, as in TFP."""
        with _explained(self, y, "y"):
            return super().inverse_log_det_jacobian(y, *args, **kwargs)


@contextlib.contextmanager
def _explained(bijector: Any, value: Any, argument: str) -> Iterator[None]:
    """Say what is wrong with an input, before TFP takes a part of it or fails.

    Of arrays it would take the real parts alone, or count days.
    """
    if isinstance(value, np.ndarray):
        _arrays.require_real(value, argument)
    try:
        yield
    except (TypeError, ValueError):
        _require_numbers(bijector, value, argument)
        raise


def _require_numbers(bijector: Any, value: Any, argument: str) -> None:
    """Raise if a value is no tensor of the map's dtype, nor becomes one.

    Raises:
        TypeError: If it is not, with what to do.
        ValueError: If it is `None`.
    """
    _arrays.as_tensor(value, tf.float64, argument)  # refuses what is no number
    dtype = bijector.dtype
    own = value.dtype if tf.is_tensor(value) else None
    if own is None or dtype is None or own == dtype:
        return
    owner = type(bijector).__name__
    is_kept = own in (tf.float32, tf.float64)
    made = f", or make the map of {own.name} numbers" if is_kept else ""
    msg = (
        f"`{argument}` must be {dtype.name}, as the numbers of `{owner}` are, got "
        f"{own.name}. Cast it by tf.cast({argument}, {dtype.name!r}){made}."
    )
    raise TypeError(msg)
