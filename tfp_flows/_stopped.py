"""Where `tf.debugging.enable_check_numerics` stops at numbers of TFP's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

__all__ = ["explained"]

# What TFP's code is called in errors, what it is, and what to take in its place.
_OF_TFP = {
    "_random_gamma": (
        "sampler of gamma numbers, which a Student-t base draws",
        "base='normal'",
    ),
    "batch_interp_regular_1d_grid": (
        "interpolation, which tables of marginals use",
        "marginals='spline'",
    ),
}

# How TensorFlow's message begins.
_CHECKED = "Detected Infinity or NaN"


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Say in a sentence that a check stopped at a constant of TFP, not of a flow.

    Raises:
        RuntimeError: In place of TensorFlow's error.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        text = str(error)
        for name, (what, remedy) in _OF_TFP.items():
            if _CHECKED in text and name in text:
                msg = (
                    "`tf.debugging.enable_check_numerics` stops at a constant inside "
                    f"TFP's {what}: no number of this flow is bad. Work in a process "
                    f"without it, as TFP keeps the check, or take {remedy}."
                )
                raise RuntimeError(msg) from None
        raise
