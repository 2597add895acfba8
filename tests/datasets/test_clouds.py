"""Simulated clouds lie on their shapes."""

import numpy as np
import pytest

from tfp_flows import datasets
from tfp_flows.datasets import clouds


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


def test_cylinders_and_tori_have_equal_points_on_equal_areas(monkeypatch):
    monkeypatch.setattr(clouds, "NOISE", 0.0)
    x = datasets.point_clouds("cylinders", 20, points=4_000).astype("float64")
    radius = np.linalg.norm(x[..., :2], axis=-1)
    np.testing.assert_allclose(radius, np.repeat(radius[:, :1], 4_000, 1), rtol=1e-5)
    height = np.abs(x[..., 2]).max(axis=1)
    np.testing.assert_allclose(np.abs(x[..., 2]).mean(axis=1) / height, 0.5, atol=0.03)
    x = datasets.point_clouds("tori", 20, points=4_000).astype("float64")
    across = np.linalg.norm(x[..., :2], axis=-1)
    section = np.abs(x[..., 2]).max(axis=1)
    ring = across.max(axis=1) - section
    away = np.hypot(across - ring[:, np.newaxis], x[..., 2])
    np.testing.assert_allclose(away, np.repeat(section[:, None], 4_000, 1), rtol=0.01)
    # The mean over the area of the distance from the axis: the tube alone gives `R`.
    excess = (across.mean(axis=1) - ring) / (section**2 / (2.0 * ring))
    np.testing.assert_allclose(excess.mean(), 1.0, atol=0.1)


def test_shapes_are_a_quarter_of_each_kind():
    x = datasets.point_clouds("shapes", 40, points=300)
    hollow = (np.linalg.norm(x[..., :2], axis=-1).min(axis=1) > 0.15).sum()
    assert 10 <= hollow <= 24  # cylinders and tori, and no other
    assert datasets.point_clouds("shapes", 6, points=3).shape == (6, 3, 3)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="`name` must be one of 'boxes'"):
        datasets.point_clouds("cubes", 3)
    with pytest.raises(ValueError, match="`points` must be at least 1"):
        datasets.point_clouds("boxes", 3, points=0)
