"""Pure tensor functions: no variables, no classes with state."""

from __future__ import annotations

from tfp_flows.math import (
    bernstein,
    gaussianization,
    leaky,
    linear,
    masks,
    mixtures,
    moments,
    normal,
    roots,
    splines,
)

__all__ = [
    "bernstein",
    "gaussianization",
    "leaky",
    "linear",
    "masks",
    "mixtures",
    "moments",
    "normal",
    "roots",
    "splines",
]
