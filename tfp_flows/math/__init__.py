"""Pure tensor functions: no variables, no classes with state."""

from __future__ import annotations

from tfp_flows.math import (
    bernstein,
    block,
    circular,
    gaussianization,
    leaky,
    linear,
    lines,
    masks,
    mixtures,
    moments,
    monotone_network,
    normal,
    ode,
    pareto,
    quadrature,
    roots,
    sigmoids,
    splines,
    sum_of_squares,
    traces,
)

__all__ = [
    "bernstein",
    "block",
    "circular",
    "gaussianization",
    "leaky",
    "linear",
    "lines",
    "masks",
    "mixtures",
    "moments",
    "monotone_network",
    "normal",
    "ode",
    "pareto",
    "quadrature",
    "roots",
    "sigmoids",
    "splines",
    "sum_of_squares",
    "traces",
]
