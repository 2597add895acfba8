"""Checks of log-dets: autodiff Jacobians, opposite signs, densities of mass one."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfp_flows.bijectors._core import cache, stochastic
from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase

__all__ = [
    "check_log_det",
    "check_mass",
    "check_opposite_log_dets",
    "check_unbiased",
    "density_mass",
]

# Rows of one event, each of which has noise of its own.
PROBES = 1_000


@registry.bijector_check
def check_log_det(case: BijectorCase) -> None:
    """Both log-dets are those of the Jacobian that autodiff finds."""
    check = "log_det"
    for dtype in case.dtypes:
        bijector, tolerance = case.bijector(dtype), case.tolerances.log_det(dtype)
        x, condition = case.points((8,), dtype), case.condition((8,), dtype)
        y = case.images(x, **condition)
        with cache.caching(enabled=False):
            for name, method, log_det, value in (
                ("forward", bijector.forward, registry.forward_log_det, x),
                ("inverse", bijector.inverse, registry.inverse_log_det, y),
            ):
                jacobian = registry.jacobian(
                    functools.partial(method, **condition), value, case.size
                )
                expected = np.linalg.slogdet(jacobian)[1]
                # Another tensor than autodiff saw: TFP's maps have a cache, too.
                found = log_det(case, bijector, tf.identity(value), **condition)
                found = np.broadcast_to(found, expected.shape)
                what = f"{name} log-det against autodiff in {dtype}"
                registry.compare(
                    case, check, what, found, expected, tolerance, case.size
                )


@registry.bijector_check
def check_unbiased(case: BijectorCase) -> None:
    """The mean of 1,000 estimates of a log-det is 3 standard errors off at most."""
    bijector = case.bijector()
    if not isinstance(bijector, stochastic.Stochastic):
        return
    x = tf.repeat(case.points((1,)), PROBES, axis=0)
    condition = {k: tf.repeat(v, PROBES, 0) for k, v in case.condition((1,)).items()}
    exact, estimated = (
        registry.forward_log_det(
            case, bijector.copy(exact=way), tf.identity(x), **condition
        ).numpy()
        for way in (True, False)
    )
    error = abs(np.mean(estimated) - exact[0])
    bound = 3.0 * np.std(estimated) / PROBES**0.5 + case.tolerances.log_det32
    if not error <= bound:
        case.fail("unbiased", "mean of estimates", error, bound)
    if not np.std(estimated) > 0.0:
        case.fail("unbiased", "estimates are all equal", 0.0, "noise of each row")


@registry.bijector_check
def check_opposite_log_dets(case: BijectorCase) -> None:
    """The inverse log-det at `forward(x)` is minus the forward log-det at `x`."""
    for dtype in case.dtypes:
        bijector = case.bijector(dtype)
        x, condition = case.points(dtype=dtype), case.condition(dtype=dtype)
        y = case.images(x, **condition)
        forward = registry.forward_log_det(case, bijector, x, **condition)
        inverse = registry.inverse_log_det(case, bijector, y, **condition)
        what = f"inverse log-det against minus the forward one in {dtype}"
        tolerance = case.tolerances.log_det(dtype)
        registry.compare(
            case, "opposite_log_dets", what, inverse, -forward, tolerance, case.size
        )


def density_mass(
    log_prob: Callable[[tf.Tensor], tf.Tensor],
    samples: np.ndarray,
    interval: tuple[float, float] = (-math.inf, math.inf),
    *,
    cells: int | None = None,
    margin: float = 0.1,
) -> float:
    """Return the integral of a density in one or two dimensions, by the midpoint rule.

    Args:
        log_prob: Log-density of points `[N, D]`.
        samples: Points `[N, D]` that span where the density is.
        interval: Where each coordinate may be.
        cells: Approximate number of cells per dimension.
        margin: By how much of its size the box of the samples is widened at each side.

    Returns:
        The integral over the box.
    """
    size = samples.shape[-1]
    cells = cells or {1: 4_000, 2: 400}[size]
    axes, weights = [], []
    for column in samples.T:
        more = margin * (column.max() - column.min())
        low = max(column.min() - more, interval[0])
        high = min(column.max() + more, interval[1])
        # Half of the cells are equally wide, half equally probable; zero, where maps
        # like to have an edge, is one of a cell.
        wide = np.linspace(low, high, cells // 2)
        likely = np.quantile(column, np.linspace(0, 1, cells // 2))
        bounds = np.unique(np.concatenate([wide, likely, [np.clip(0, low, high)]]))
        axes.append((bounds[1:] + bounds[:-1]) / 2)
        weights.append(np.diff(bounds))
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, size)
    area = np.prod(np.stack(np.meshgrid(*weights, indexing="ij"), -1), -1).reshape(-1)
    total, parts = 0.0, math.ceil(len(grid) / 65_536)
    for points, areas in zip(
        np.array_split(grid, parts), np.array_split(area, parts), strict=True
    ):
        density = np.exp(np.asarray(log_prob(points), np.float64))
        total += float(np.sum(density * areas))
    return total


@registry.bijector_check
def check_mass(case: BijectorCase) -> None:
    """The density that the map gives to a simple base integrates to one."""
    if not case.quadrature or case.size > 2:
        return
    dtype = case.dtypes[-1]
    bijector, base = case.bijector(dtype), case.base(dtype)
    condition = case.condition((), dtype)
    # Twice as wide as the base has them, so that the box holds all of its mass.
    z = base.sample(20_000, seed=[case.seed, 5])
    if math.isinf(case.domain[0]):
        z = 1.7 * z
    samples = np.asarray(bijector.forward(z, **condition)).reshape(-1, case.size)

    def log_prob(points: np.ndarray) -> tf.Tensor:
        y = tf.constant(points.reshape(-1, *case.event_shape), dtype)
        log_det = registry.inverse_log_det(case, bijector, y, **condition)
        return base.log_prob(bijector.inverse(y, **condition)) + log_det

    mass = density_mass(log_prob, samples, case.codomain)
    if not abs(mass - 1) <= case.tolerances.mass:
        bound = f"1 +- {case.tolerances.mass}"
        case.fail("mass", "the density integrates to", f"{mass:.5f}", bound)
