"""How close clouds of points are, and sets of clouds to a reference."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy import optimize, spatial

from tfp_flows import _checks
from tfp_flows._types import TensorLike

__all__ = ["CloudScores", "chamfer", "cloud_scores", "earth_mover"]

DISTANCES = ("chamfer", "earth_mover")
# Cells along each axis of the grid on which all points of two sets are counted.
CELLS = 28


@dataclasses.dataclass(frozen=True)
class CloudScores:
    """How close a set of clouds is to a reference set.

    Attributes:
        distance: Name of the distance of two clouds.
        minimum_matching: Mean over reference clouds of the distance to the nearest
            other one (MMD): how good the best are.
        coverage: Share of reference clouds that are the nearest of one of the others
            (COV): how many kinds there are.
        nearest_neighbour: Accuracy of telling a cloud's set by that of its nearest
            neighbour (1-NNA): .5 if the sets are alike, 1 if they are apart; below .5
            copies of the reference.
        jensen_shannon: Divergence of where in space points of all clouds lie, in nats,
            at most `log 2` (JSD).
    """

    distance: str
    minimum_matching: float
    coverage: float
    nearest_neighbour: float
    jensen_shannon: float

    def __str__(self) -> str:
        """Return a line for each score."""
        return (
            f"MMD   {self.minimum_matching:.4g} ({self.distance})\n"
            f"COV   {self.coverage:.1%}\n"
            f"1-NNA {self.nearest_neighbour:.1%} (50 % is best)\n"
            f"JSD   {self.jensen_shannon:.4f} nats"
        )


def chamfer(x: TensorLike, y: TensorLike) -> float:
    """Return the Chamfer distance of two clouds.

    The mean squared distance of points of `x` to the nearest of `y`, plus that of
    points of `y` to the nearest of `x`.

    Args:
        x: Cloud, `[points, D]`.
        y: Cloud, `[points, D]`, of any number of points.

    Raises:
        ValueError: If a cloud has no points, or values that are not finite.

    Example:
        >>> from tfp_flows import diagnostics
        >>> diagnostics.chamfer([[0., 0.]], [[3., 4.], [0., 0.]])
        12.5
    """
    first, second = _cloud(x, "x"), _cloud(y, "y")
    _require_equal(first.shape[-1], second.shape[-1], "coordinates")
    return _chamfer(first, second)


def earth_mover(x: TensorLike, y: TensorLike) -> float:
    """Return the earth mover's distance of two clouds of equally many points.

    The mean distance of points that are matched one to one, as cheaply as possible. The
    matching is exact: 1,000 points take a fraction of a second.

    Args:
        x: Cloud, `[points, D]`.
        y: Cloud of as many points, `[points, D]`.

    Raises:
        ValueError: If a cloud has no points, numbers of points differ, or values are
            not finite.

    Example:
        >>> from tfp_flows import diagnostics
        >>> diagnostics.earth_mover([[0.], [10.]], [[11.], [2.]])
        1.5
    """
    first, second = _cloud(x, "x"), _cloud(y, "y")
    _require_equal(first.shape[-1], second.shape[-1], "coordinates")
    _require_equal(len(first), len(second), "points")
    return _earth_mover(first, second)


def cloud_scores(
    x: TensorLike, reference: TensorLike, *, distance: str = "chamfer"
) -> CloudScores:
    """Compare sampled clouds with a reference set.

    All pairs of clouds are compared: a hundred of a thousand points each take minutes
    by `"earth_mover"`.

    Args:
        x: Clouds, `[N, points, D]`.
        reference: Clouds, `[M, points, D]`; of as many clouds, best.
        distance: `"chamfer"` or `"earth_mover"`.

    Returns:
        The scores; `print` shows them.

    Raises:
        ValueError: If there are fewer than two clouds, if clouds have no points, or
            numbers of points that are not equal, or if coordinates differ.

    Example:
        >>> from tfp_flows import datasets, diagnostics
        >>> x = datasets.point_clouds("rings", 16, points=50)
        >>> 0 < diagnostics.cloud_scores(x[:8], x[8:]).coverage <= 1
        True

    References:
        Yang et al. (2019). PointFlow: 3D Point Cloud Generation with Continuous
        Normalizing Flows. https://arxiv.org/abs/1906.12320, section 5.1

        Achlioptas et al. (2018). Learning Representations and Generative Models for 3D
        Point Clouds. https://arxiv.org/abs/1707.02392
    """
    _checks.one_of(distance, DISTANCES, "distance")
    first, second = _clouds(x, "x"), _clouds(reference, "reference")
    _require_equal(first.shape[-1], second.shape[-1], "coordinates")
    if distance == "earth_mover":
        _require_equal(first.shape[1], second.shape[1], "points")
    measure = _chamfer if distance == "chamfer" else _earth_mover
    every = [*first, *second]
    count, total = len(first), len(every)
    table = np.full([total, total], np.inf)
    for i in range(total):
        for j in range(i):
            table[i, j] = table[j, i] = measure(every[i], every[j])
    between = table[:count, count:]
    is_first = np.arange(total) < count
    nearest = table.argmin(axis=1)
    return CloudScores(
        distance,
        float(between.min(axis=0).mean()),
        len(set(between.argmin(axis=1).tolist())) / len(second),
        float(np.mean(is_first[nearest] == is_first)),
        _jensen_shannon(first, second),
    )


def _chamfer(x: np.ndarray, y: np.ndarray) -> float:
    there = spatial.cKDTree(y).query(x)[0]
    back = spatial.cKDTree(x).query(y)[0]
    return float(np.mean(there**2) + np.mean(back**2))


def _earth_mover(x: np.ndarray, y: np.ndarray) -> float:
    costs = spatial.distance.cdist(x, y)
    return float(costs[optimize.linear_sum_assignment(costs)].mean())


def _jensen_shannon(x: np.ndarray, y: np.ndarray) -> float:
    """Return the divergence of the shares of points in cells of a grid, in nats."""
    flat = [part.reshape(-1, part.shape[-1]) for part in (x, y)]
    every = np.concatenate(flat)
    low, high = every.min(axis=0), every.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    shares = []
    for points in flat:
        cells = ((points - low) / width * CELLS).astype(int)
        shares.append(np.minimum(cells, CELLS - 1))
    _, places = np.unique(np.concatenate(shares), axis=0, return_inverse=True)
    places = places.ravel()
    size = places.max() + 1
    p, q = (
        np.bincount(part, minlength=size) / len(part)
        for part in np.split(places, [len(flat[0])])
    )
    middle = 0.5 * (p + q)
    return float(0.5 * sum(_divergence(part, middle) for part in (p, q)))


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    some = p > 0
    return float(np.sum(p[some] * np.log(p[some] / q[some])))


def _cloud(value: Any, argument: str) -> np.ndarray:
    return _checked(value, argument, ("points", "D"))


def _clouds(value: Any, argument: str) -> np.ndarray:
    if isinstance(value, (list, tuple)):
        counts = sorted({len(cloud) for cloud in value})
        if len(counts) > 1:
            msg = (
                f"`{argument}` must have clouds of equally many points, got "
                f"{counts[0]} to {counts[-1]}. Draw {counts[0]} points of each."
            )
            raise ValueError(msg)
    found = _checked(value, argument, ("N", "points", "D"))
    if len(found) < 2:
        msg = f"`{argument}` must have two clouds or more, got {len(found)}."
        raise ValueError(msg)
    return found


def _checked(value: Any, argument: str, axes: tuple[str, ...]) -> np.ndarray:
    """Return finite numbers of a shape in which no cloud is empty."""
    found = np.asarray(value, np.float64)
    words = ", ".join(axes)
    if found.ndim != len(axes):
        msg = f"`{argument}` must have shape ({words}), got {found.shape}."
        raise ValueError(msg)
    if 0 in found.shape[-2:]:
        msg = (
            f"`{argument}` must have points in each cloud, got shape {found.shape}. "
            "Leave empty clouds out."
        )
        raise ValueError(msg)
    if not np.all(np.isfinite(found)):
        msg = f"`{argument}` must be finite. Leave points with NaN or infinity out."
        raise ValueError(msg)
    return found


def _require_equal(first: int, second: int, what: str) -> None:
    if first != second:
        msg = f"both must have equally many {what}, got {first} and {second}. " + (
            "Draw as many of each." if what == "points" else "Compare like with like."
        )
        raise ValueError(msg)
