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
# Radii of the section of a torus, in that of its ring.
SECTIONS = (0.2, 0.5)


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


def _cylinders(count: int, points: int, rng: np.random.Generator) -> np.ndarray:
    """Return points on cylinders without ends, whose axes are upright."""
    radius, height = rng.uniform(*SIZES, size=(2, count, 1))
    angle = rng.uniform(0.0, 2.0 * np.pi, size=(count, points))
    z = height * rng.uniform(-1.0, 1.0, size=(count, points))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=-1)


def _tori(count: int, points: int, rng: np.random.Generator) -> np.ndarray:
    """Return points on rings with a round section, evenly by area."""
    share = rng.uniform(*SECTIONS, size=(count, 1))
    radius = rng.uniform(*SIZES, size=(count, 1)) / (1.0 + share)
    section = share * radius
    # The outer side has more area: its angle has the density `1 + r cos(a) / R`.
    level = rng.uniform(0.0, 2.0 * np.pi, size=(count, points))
    inner = rng.uniform(-1.0, 1.0, size=(count, points)) > share * np.cos(level)
    level = np.where(inner, np.pi - level, level)
    angle = rng.uniform(0.0, 2.0 * np.pi, size=(count, points))
    across = radius + section * np.cos(level)
    return np.stack(
        [across * np.cos(angle), across * np.sin(angle), section * np.sin(level)],
        axis=-1,
    )


def _shapes(count: int, points: int, rng: np.random.Generator) -> np.ndarray:
    """Return clouds of each solid kind, as evenly as it goes, in random order."""
    builders = (_spheres, _boxes, _cylinders, _tori)
    sizes = [count // 4 + (i < count % 4) for i in range(4)]
    parts = [build(n, points, rng) for build, n in zip(builders, sizes, strict=True)]
    return rng.permutation(np.concatenate(parts))


def _mixed(count: int, points: int, rng: np.random.Generator) -> np.ndarray:
    """Return spheres and boxes, half of each, in random order."""
    half = count // 2
    both = [_spheres(half, points, rng), _boxes(count - half, points, rng)]
    return rng.permutation(np.concatenate(both))


_BUILDERS: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "boxes": _boxes,
    "cylinders": _cylinders,
    "mixed": _mixed,
    "rings": _rings,
    "shapes": _shapes,
    "spheres": _spheres,
    "tori": _tori,
}


def cloud_names() -> tuple[str, ...]:
    """List the names that `point_clouds` accepts, in alphabetical order.

    Returns:
        Tuple of names.

    Example:
        >>> from tfp_flows import datasets
        >>> "rings" in datasets.cloud_names()
        True
    """
    return tuple(_BUILDERS)


def point_clouds(
    name: str, count: int, *, points: int = 256, seed: int = 0
) -> np.ndarray:
    """Draw clouds of points on shapes whose sizes vary, with a little noise.

    Half-axes, and radii of tori as a whole, are uniform between 0.4 and 1, and noise
    has a standard deviation of 0.02.

    Args:
        name: `"rings"`, ellipses in the plane; `"spheres"`, stretched along the axes of
            space; `"boxes"`, the faces of boxes; `"cylinders"` without ends and
            `"tori"`, both upright; `"mixed"`, spheres and boxes, half of each; or
            `"shapes"`, a quarter of each kind in space.
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
