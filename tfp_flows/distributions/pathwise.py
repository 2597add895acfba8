"""Draws whose derivative forward mode gets wrong are refused there."""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _tapes

__all__ = ["require_right_tangents"]

# TFP draws these by rejection, and attaches the derivative by their shape to the draws.
# Tapes take it; `ForwardAccumulator` takes that of the operations inside, which is not
# that of the density: of a gamma of shape 2.5 it was up to half as large again.
BY_REJECTION = (
    tfd.Beta,
    tfd.Chi2,
    tfd.Dirichlet,
    tfd.Gamma,
    tfd.GeneralizedNormal,
    tfd.InverseGamma,
    tfd.MultivariateStudentTLinearOperator,
    tfd.StudentT,
    tfd.VonMises,
)
# What their parameters of shape are called.
SHAPES = ("concentration", "concentration0", "concentration1", "df", "power")


def require_right_tangents(distribution: tfd.Distribution) -> None:
    """Raise if forward mode asks how draws depend on a parameter of shape.

    Args:
        distribution: What is about to be drawn from, with all that it holds.

    Raises:
        NotImplementedError: If it does; locations and scales are right.
    """
    if not _tapes.is_recording():
        return
    for part in _parts(distribution):
        if not isinstance(part, BY_REJECTION):
            continue
        for name in SHAPES:
            value = getattr(part, name, None)
            if value is None:
                continue
            if _tapes.in_forward_mode([tf.convert_to_tensor(value)]):
                msg = (
                    f"Forward mode does not know how draws of a `{type(part).__name__}`"
                    f" depend on its `{name}`. Take a tape, tf.GradientTape(), or keep "
                    f"`{name}` out of what the `ForwardAccumulator` follows."
                )
                raise NotImplementedError(msg)


def _parts(distribution: tfd.Distribution) -> Iterator[tfd.Distribution]:
    """Yield a distribution and those among its arguments, within each other too."""
    yield distribution
    for value in tf.nest.flatten(dict(distribution.parameters)):
        if isinstance(value, tfd.Distribution):
            yield from _parts(value)
