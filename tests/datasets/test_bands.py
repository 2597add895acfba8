"""Made-up pixels of a satellite."""

from __future__ import annotations

import numpy as np

from tfp_flows import datasets


def test_bands_are_positive_and_fixed_by_the_seed():
    table = datasets.satellite_bands(500, seed=0)
    assert table.columns == (*datasets.BANDS, "leaf_area")
    assert table.x.min() > 0
    np.testing.assert_array_equal(table.x, datasets.satellite_bands(500, seed=0).x)


def test_light_cancels_in_a_ratio_of_bands_that_leaves_set():
    table = datasets.satellite_bands(4000, seed=0)
    red, infrared = (table.select([name]).x[:, 0] for name in ("red", "near_infrared"))
    leaf_area = table.x[:, -1]
    alone = np.corrcoef(infrared, leaf_area)[0, 1]
    together = np.corrcoef(infrared / red, leaf_area)[0, 1]
    assert together > alone + 0.1
