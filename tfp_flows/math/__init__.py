"""Pure tensor functions: no variables, no classes with state."""

from __future__ import annotations

from tfp_flows.math import leaky, masks, mixtures, moments, normal, roots
from tfp_flows.math.gaussianization import (
    cdf_tables,
    components,
    histograms,
    pivots,
    pursuit,
    quantiles,
    rosenblatt,
    sliced,
    smoothing,
)
from tfp_flows.math.linear import products, rotations
from tfp_flows.math.splines import rational_quadratic, search, tables, tails

__all__ = [
    "cdf_tables",
    "components",
    "histograms",
    "leaky",
    "linear",
    "masks",
    "mixtures",
    "moments",
    "normal",
    "pivots",
    "pursuit",
    "quantiles",
    "roots",
    "rosenblatt",
    "rotations",
    "sliced",
    "smoothing",
    "spline_search",
    "spline_tails",
    "splines",
    "tables",
]
