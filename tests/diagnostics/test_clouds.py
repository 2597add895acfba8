"""Distances of clouds beside numbers by hand."""

import numpy as np
import pytest

from tfp_flows import datasets, diagnostics


def test_distances_by_hand():
    x, y = [[0.0, 0.0], [1.0, 0.0]], [[0.0, 2.0], [1.0, 0.0]]
    # To the nearest: 1 and 0 there, 4 and 0 back, all squared, halved.
    assert diagnostics.chamfer(x, y) == pytest.approx(0.5 * 1.0 + 0.5 * 4.0)
    assert diagnostics.earth_mover(x, y) == pytest.approx(1.0)
    # The greedy match of equal points would cost (0 + 3) / 2.
    assert diagnostics.earth_mover([[0.0], [1.0]], [[1.0], [2.0]]) == 1.0
    assert diagnostics.chamfer(x, [*y, [1.0, 0.0]]) == pytest.approx(0.5 + 4.0 / 3)


def test_scores_by_hand():
    # Clouds of one point: the set is apart from the reference, but for one copy.
    x = np.array([[[0.0]], [[0.1]], [[9.0]]])
    reference = np.array([[[-0.01]], [[20.0]], [[21.0]]])
    scores = diagnostics.cloud_scores(x, reference, distance="earth_mover")
    # Nearest of x to -0.01, 20, 21: 0.01, 11 and 12 away.
    assert scores.minimum_matching == pytest.approx(23.01 / 3)
    # Nearest of the reference to 0, 0.1, 9: always the first.
    assert scores.coverage == pytest.approx(1 / 3)
    # Sets of nearest neighbours: ref, x, x | x, ref, ref.
    assert scores.nearest_neighbour == pytest.approx(4 / 6)
    # Shares 2/3 and 1/3 in one cell: the others are not shared.
    p, q = np.array([2, 1, 0, 0]) / 3, np.array([1, 0, 1, 1]) / 3
    m = 0.5 * (p + q)
    wanted = 0.5 * sum(np.sum(a[a > 0] * np.log(a[a > 0] / m[a > 0])) for a in (p, q))
    assert scores.jensen_shannon == pytest.approx(wanted)
    assert "COV   33.3%" in str(scores)


def test_equal_sets_are_alike_and_others_apart():
    x, y = (datasets.point_clouds("spheres", 15, points=60, seed=s) for s in (0, 1))
    boxes = datasets.point_clouds("boxes", 15, points=60, seed=2)
    alike, apart = (diagnostics.cloud_scores(x, z) for z in (y, boxes))
    assert alike.nearest_neighbour < 0.8 < apart.nearest_neighbour + 0.05
    assert alike.minimum_matching < apart.minimum_matching
    assert alike.jensen_shannon < apart.jensen_shannon < np.log(2.0)
    # Copies have each other as nearest neighbours.
    assert diagnostics.cloud_scores(x, x).nearest_neighbour == 0.0
    assert diagnostics.cloud_scores(x, x).coverage == 1.0


def test_bad_clouds_are_named():
    clouds = np.zeros([3, 4, 2])
    with pytest.raises(ValueError, match="equally many points, got 4 and 5"):
        diagnostics.earth_mover(np.zeros([4, 2]), np.zeros([5, 2]))
    with pytest.raises(ValueError, match="`x` must have points in each cloud"):
        diagnostics.chamfer(np.zeros([0, 2]), np.zeros([5, 2]))
    with pytest.raises(ValueError, match="equally many coordinates, got 2 and 3"):
        diagnostics.cloud_scores(clouds, np.zeros([3, 4, 3]))
    with pytest.raises(ValueError, match="equally many points, got 2 to 3"):
        diagnostics.cloud_scores([np.zeros([2, 2]), np.zeros([3, 2])], clouds)
    with pytest.raises(ValueError, match="`reference` must have two clouds or more"):
        diagnostics.cloud_scores(clouds, clouds[:1])
    with pytest.raises(ValueError, match="`x` must be finite"):
        diagnostics.cloud_scores(np.full([3, 4, 2], np.nan), clouds)
    with pytest.raises(ValueError, match="`distance` must be one of 'chamfer'"):
        diagnostics.cloud_scores(clouds, clouds, distance="hausdorff")
