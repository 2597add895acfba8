"""Estimates from data: histograms, mixtures, quantiles, directions."""

from tfp_flows.math.gaussianization import (
    cdf_tables,
    components,
    conditional_affine,
    histograms,
    mixture_fits,
    mixture_knots,
    mixture_maps,
    pursuit,
    quantiles,
    rosenblatt,
    rosenblatt_inverse,
    sliced,
    smoothing,
)

__all__ = [
    "cdf_tables",
    "components",
    "conditional_affine",
    "histograms",
    "mixture_fits",
    "mixture_knots",
    "mixture_maps",
    "pursuit",
    "quantiles",
    "rosenblatt",
    "rosenblatt_inverse",
    "sliced",
    "smoothing",
]
