"""Simulated clouds lie on their shapes."""

import numpy as np
import pytest

from tfp_flows import datasets


@pytest.mark.parametrize("name", datasets.cloud_names())
def test_clouds_have_their_shape_and_seed(name):
    x = datasets.point_clouds(name, 5, points=40, seed=3)
    assert x.shape == (5, 40, 2 if name == "rings" else 3)
    assert x.dtype == np.float32
    assert np.abs(x).max() < 1.15
    np.testing.assert_array_equal(x, datasets.point_clouds(name, 5, points=40, seed=3))
    assert not np.array_equal(x, datasets.point_clouds(name, 5, points=40, seed=4))


def test_spheres_and_boxes_are_hollow():
    spheres = datasets.point_clouds("spheres", 20, points=200)
    axes = np.abs(spheres).max(axis=1, keepdims=True)
    radius = np.linalg.norm(spheres / axes, axis=-1)
    assert np.quantile(radius, 0.01) > 0.8
    boxes = datasets.point_clouds("boxes", 20, points=200)
    sides = np.quantile(np.abs(boxes), 0.95, axis=1, keepdims=True)
    assert np.quantile((np.abs(boxes) / sides).max(axis=-1), 0.01) > 0.8
    # Every face has its share of points.
    on = np.abs(boxes) > 0.9 * sides
    assert np.all(on.mean(axis=(0, 1)) > 0.25)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="`name` must be one of 'boxes'"):
        datasets.point_clouds("cubes", 3)
    with pytest.raises(ValueError, match="`points` must be at least 1"):
        datasets.point_clouds("boxes", 3, points=0)
