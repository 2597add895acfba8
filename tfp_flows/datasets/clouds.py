"""Clouds of points on shapes that vary from cloud to cloud."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfp_flows import _checks

__all__ = ["cloud_names", "point_clouds"]

# Standard deviation of the noise of a point, whose shape has a size near 1.
NOISE = 0.02
# Half-axes of shapes are drawn between these.
SIZES = (0.4, 1.0)


def _rotations(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return turns in the plane, `[count, 2, 2]`."""
    angle = rng.uniform(0.0, np.pi, size=count)
    rows = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return np.transpose(np.array(rows), (2, 0, 1))


def _rings(count: int, points: int, rng: np.random.Generator) -> np.ndarray:
    """Return points on ellipses of two half-axes and a direction each."""
    axes = rng.uniform(*SIZES, size=(count, 1, 2))
    angle = rng.uniform(0.0, 2.0 * np.pi, size=(count, points))
    x = axes * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return x @ _rotations(count, rng)


def _spheres(count: int, points: int, rng: np.random.Generator) -> np.ndarray:
    """Return points on spheres that are stretched along three axes."""
    x = rng.normal(size=(count, points, 3))
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    return x * rng.uniform(*SIZES, size=(count, 1, 3))


def _boxes(count: int, points: int, rng: np.random.Generator) -> np.ndarray:
    """Return points on the faces of boxes, evenly by area."""
    sides = rng.uniform(*SIZES, size=(count, 3))
    areas = sides.prod(axis=1, keepdims=True) / sides
    x = rng.uniform(-1.0, 1.0, size=(count, points, 3)) * sides[:, np.newaxis]
    share = np.cumsum(areas / areas.sum(axis=1, keepdims=True), axis=1)
    level = rng.uniform(size=(count, points, 1))
    face = np.minimum((level > share[:, np.newaxis]).sum(axis=-1), 2)
    sign = rng.choice([-1.0, 1.0], size=(count, points))
    half = np.take_along_axis(sides, face, axis=1)
    np.put_along_axis(x, face[..., np.newaxis], (sign * half)[..., np.newaxis], axis=2)
    return x


def _mixed(count: int, points: int, rng: np.random.Generator) -> np.ndarray:
    """Return spheres and boxes, half of each, in random order."""
    half = count // 2
    both = [_spheres(half, points, rng), _boxes(count - half, points, rng)]
    return rng.permutation(np.concatenate(both))


_BUILDERS: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "boxes": _boxes,
    "mixed": _mixed,
    "rings": _rings,
    "spheres": _spheres,
}


def cloud_names() -> tuple[str, ...]:
    """List the names that `point_clouds` accepts, in alphabetical order.

    Returns:
        Tuple of names.
    """
    return tuple(_BUILDERS)


def point_clouds(
    name: str, count: int, *, points: int = 256, seed: int = 0
) -> np.ndarray:
    """Draw clouds of points on shapes whose sizes vary, with a little noise.

    Half-axes are uniform between 0.4 and 1, and noise has a standard deviation of 0.02.

    Args:
        name: `"rings"`, ellipses in the plane; `"spheres"`, stretched along the axes of
            space, `"boxes"`, the faces of boxes; or `"mixed"`, half of each.
        count: Number of clouds.
        points: Number of points of each.
        seed: Seed of `numpy.random.default_rng`; equal seeds give equal clouds.

    Returns:
        float32 array `[count, points, D]`, with `D = 2` for rings and 3 otherwise.

    Raises:
        ValueError: If the name is unknown, or a number is below 1.

    Example:
        >>> from tfp_flows import datasets
        >>> datasets.point_clouds("boxes", 5, points=100).shape
        (5, 100, 3)
    """
    _checks.one_of(name, cloud_names(), "name")
    _checks.count(count, 1, "count")
    _checks.count(points, 1, "points")
    rng = np.random.default_rng(seed)
    x = _BUILDERS[name](count, points, rng)
    return (x + NOISE * rng.normal(size=x.shape)).astype(np.float32)
