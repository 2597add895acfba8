"""Made-up pixels of a satellite: bands that share vegetation, soil, water and light."""

from __future__ import annotations

import numpy as np

from tfp_flows import _checks
from tfp_flows.datasets.table import Table

__all__ = ["BANDS", "satellite_bands"]

BANDS = ("blue", "green", "red", "red_edge", "near_infrared", "swir_1", "swir_2")
# Reflectances of leaves, dry soil and wet soil, roughly as field spectra show them.
LEAVES = np.array([0.03, 0.08, 0.04, 0.20, 0.48, 0.22, 0.09])
DRY_SOIL = np.array([0.12, 0.18, 0.24, 0.28, 0.33, 0.42, 0.38])
WET_SOIL = np.array([0.06, 0.09, 0.12, 0.14, 0.17, 0.15, 0.11])
# Share of the light that a unit of leaf area takes, and deviation of a detector.
EXTINCTION, NOISE = 0.55, 0.004


def satellite_bands(n: int, seed: int | None = None) -> Table:
    """Return made-up reflectances of seven bands, and the leaf area below them.

    A pixel is a mixture of leaves and soil. Leaves cover `1 - exp(-0.55 * leaf_area)`
    of it; the soil is more or less wet; the slope of the ground makes all bands
    brighter or darker together; each band has a little noise of its own. So the bands
    depend on three hidden numbers, and on each other, in no Gaussian way.

    Args:
        n: Number of pixels.
        seed: Int that fixes them.

    Returns:
        The table: the bands `BANDS`, and `leaf_area`.

    Example:
        >>> import tfp_flows as tfpf
        >>> table = tfpf.datasets.satellite_bands(100, seed=0)
        >>> table.columns[-2:], table.x.shape
        (('swir_2', 'leaf_area'), (100, 8))
    """
    _checks.count(n, 1, "n")
    rng = np.random.default_rng(seed)
    leaf_area = rng.gamma(1.5, 1.6, size=n)
    wet = rng.beta(1.2, 1.8, size=n)[:, np.newaxis]
    cover = 1.0 - np.exp(-EXTINCTION * leaf_area)[:, np.newaxis]
    light = np.exp(0.12 * rng.normal(size=[n, 1]))
    soil = wet * WET_SOIL + (1.0 - wet) * DRY_SOIL
    bands = light * (cover * LEAVES + (1.0 - cover) * soil)
    bands = bands * np.exp(NOISE / bands.mean(axis=0) * rng.normal(size=bands.shape))
    return Table(np.column_stack([bands, leaf_area]), (*BANDS, "leaf_area"))
