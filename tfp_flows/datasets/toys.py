"""Named toy densities with exact entropies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from tfp_flows import _checks
from tfp_flows.datasets import curves, mixtures, shears
from tfp_flows.datasets.toy import Toy

__all__ = [
    "built",
    "check_count",
    "get_toy",
    "toy",
    "toy_entropy",
    "toy_log_prob",
    "toy_names",
]

Built = TypeVar("Built")

_BUILDERS: dict[str, Callable[[], Toy]] = {
    "25gaussians": mixtures.twenty_five_gaussians,
    "2spirals": curves.Spirals,
    "8gaussians": mixtures.eight_gaussians,
    "banana": shears.Banana,
    "checkerboard": shears.Checkerboard,
    "circles": lambda: curves.Rings((1.5, 3.0), 0.24, 3.26814),
    "concentric_circles": curves.ConcentricCircles,
    "ex_1d": mixtures.ex_1d,
    "ex_2d": mixtures.ex_2d,
    "ex_2d_mixture": mixtures.ex_2d_mixture,
    "jang_gaussian": mixtures.jang_gaussian,
    "parabola": lambda: shears.Parabola(4.0),
    "quadratic": lambda: shears.Parabola(2.0),
    "rings": lambda: curves.Rings((0.75, 1.5, 2.25, 3.0), 0.08, 2.62318),
    "sin_wave": shears.SinWave,
    "two_moons": lambda: curves.Moons(0.05, 0.28923),
    "two_moons_noisy": lambda: curves.Moons(0.1, 1.00758),
}


def check_count(n: int) -> int:
    """Return `n` as an int if it counts points, else explain.

    Args:
        n: Number of points.

    Returns:
        The same number.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is negative.
    """
    if not isinstance(n, (int, np.integer)) or isinstance(n, bool):
        raise TypeError(f"`n` must be a number of points, got {n!r}. Pass an int.")
    if n < 0:
        raise ValueError(f"`n` must be at least 0, got {n}. Ask for 0 or more points.")
    return int(n)


def get_toy(name: str) -> Toy:
    """Build a toy by name.

    Args:
        name: One of `toy_names()`.

    Returns:
        Object with `sample(n, rng)`, `log_prob(x)`, `entropy` and `num_dims`.

    Raises:
        ValueError: If the name is unknown.
    """
    return built(_BUILDERS, name)


def built(builders: Mapping[str, Callable[[], Built]], name: str) -> Built:
    """Build what a name stands for.

    Args:
        builders: Functions by name.
        name: One of the names.

    Raises:
        ValueError: If the name is unknown.
    """
    _checks.one_of(name, tuple(sorted(builders)), "name")
    return builders[name]()


def toy_names() -> tuple[str, ...]:
    """List the names that `toy` accepts, in alphabetical order.

    Returns:
        Tuple of names.

    Example:
        >>> from tfp_flows import datasets
        >>> datasets.toy_names()[:3]
        ('25gaussians', '2spirals', '8gaussians')
    """
    return tuple(sorted(_BUILDERS))


def toy(name: str, n: int, seed: int = 0) -> np.ndarray:
    """Draw independent points from a named toy density.

    Args:
        name: One of `toy_names()`.
        n: Number of points.
        seed: Seed of `numpy.random.default_rng`; equal seeds give equal points.

    Returns:
        float32 array `[n, D]`, with `D = 1` for `"ex_1d"` and `D = 2` otherwise.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If the name is unknown or `n` is negative.

    Example:
        >>> from tfp_flows import datasets
        >>> datasets.toy("rings", 100).shape
        (100, 2)
    """
    density = get_toy(name)
    points = density.sample(check_count(n), np.random.default_rng(seed))
    return points.astype(np.float32)


def toy_entropy(name: str) -> float | None:
    """Return the differential entropy of a toy, the floor of any model's loss.

    Each is a closed form, or the integral of `-p log p` by quadrature, right to five
    decimals; the tests of this module compute them again.

    Args:
        name: One of `toy_names()`.

    Returns:
        Entropy in nats, or None if it is not known.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> from tfp_flows import datasets
        >>> round(datasets.toy_entropy("checkerboard"), 5)
        3.46574
    """
    return get_toy(name).entropy


def toy_log_prob(name: str, x: np.ndarray) -> np.ndarray:
    """Evaluate the exact log-density of a toy.

    Args:
        name: One of `toy_names()`.
        x: Points, `[..., D]`.

    Returns:
        float64 array `[...]` in nats; -inf outside the support.

    Raises:
        ValueError: If the name is unknown or the last axis of `x` is not `D`.

    Example:
        >>> from tfp_flows import datasets
        >>> x = datasets.toy("rings", 10_000)
        >>> mean = datasets.toy_log_prob("rings", x).mean()
        >>> bool(abs(mean + datasets.toy_entropy("rings")) < 0.05)
        True
    """
    density = get_toy(name)
    x = np.asarray(x, np.float64)
    if x.ndim == 0 or x.shape[-1] != density.num_dims:
        raise ValueError(
            f"`x` must have shape [..., {density.num_dims}] for {name!r}, got "
            f"{x.shape}. Put one point in each row."
        )
    flat = density.log_prob(x.reshape(-1, density.num_dims))
    return flat.reshape(x.shape[:-1])
