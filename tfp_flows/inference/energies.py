"""Free energies: how much of a target lies where, in units of kT."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tfp_flows import _checks
from tfp_flows.inference.importance import Estimate, ImportanceSample

__all__ = ["FreeEnergyProfile", "free_energy_difference", "free_energy_profile"]


class FreeEnergyProfile(NamedTuple):
    """Free energy along a coordinate.

    Attributes:
        centres: Middles of the bins, `[K]`.
        value: Free energy in kT, lowest at 0, `inf` for bins without a draw, `[K]`.
        stderr: Standard errors, `[K]`.
    """

    centres: np.ndarray
    value: np.ndarray
    stderr: np.ndarray


def free_energy_difference(
    sample: ImportanceSample,
    start: Callable[[Any], Any],
    end: Callable[[Any], Any],
) -> Estimate:
    """Return the free energy of one state minus that of another, in kT.

    It is `log P(start) - log P(end)` under the target, by reweighted draws.

    Args:
        sample: Weighted draws, whose proposal must reach both states; see
            `importance_sample`.
        start: Function of events `[N, *event_shape]` that says which are in the first
            state, `[N]`.
        end: The same for the second state.

    Returns:
        The difference, positive where `end` is rarer, and its standard error.

    Raises:
        ValueError: If no draw with a positive weight is in one of the states.

    Example:
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> target = tfd.Sample(tfd.Normal(0.0, 1.0), 1)
        >>> proposal = tfd.Sample(tfd.Normal(0.5, 1.2), 1)
        >>> found = inference.importance_sample(target, proposal, 10_000, seed=0)
        >>> value, stderr = inference.free_energy_difference(
        ...     found, lambda x: x[:, 0] < 1.0, lambda x: x[:, 0] > 1.0)
        >>> abs(value - 1.668) < 4.0 * stderr < 0.2  # log(.8413 / .1587)
        True
    """
    for name, given in {"start": start, "end": end}.items():
        _checks.function(given, name)

    def states(x: Any) -> np.ndarray:
        pair = [np.asarray(state(x), np.float64) for state in (start, end)]
        return np.stack(pair, axis=-1)

    shares = np.asarray(sample.expectation(states).value)
    for name, share in zip(("start", "end"), shares, strict=True):
        if not share > 0.0:
            msg = (
                f"`{name}` must hold some draws, got none of positive weight among "
                f"{len(sample)}. Train the proposal on samples of both states."
            )
            raise ValueError(msg)
    relative = sample.expectation(lambda x: states(x) @ ([1.0, -1.0] / shares))
    value = math.log(shares[0]) - math.log(shares[1])
    return Estimate(value, float(relative.stderr))


def free_energy_profile(
    sample: ImportanceSample,
    coordinate: Callable[[Any], Any],
    edges: Any,
) -> FreeEnergyProfile:
    """Return the free energy along a coordinate, in kT: minus the log of its density.

    Args:
        sample: Weighted draws; see `importance_sample`.
        coordinate: Function of events `[N, *event_shape]` that returns `[N]`.
        edges: Ends of the bins in ascending order, `[K + 1]`.

    Returns:
        The profile; draws outside of the bins have no part in it.

    Raises:
        TypeError: If `coordinate` is no function.
        ValueError: If the ends do not ascend, or no draw lies between them, or if the
            coordinate is not one number for each event.

    Example:
        >>> import numpy as np
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> target = tfd.Sample(tfd.Normal(0.0, 1.0), 1)
        >>> proposal = tfd.Sample(tfd.Normal(0.5, 1.2), 1)
        >>> found = inference.importance_sample(target, proposal, 10_000, seed=0)
        >>> profile = inference.free_energy_profile(
        ...     found, lambda x: x[:, 0], [-1.5, -0.5, 0.5, 1.5])
        >>> bool(np.all(np.abs(profile.value - [0.46, 0.0, 0.46]) < 0.1))
        True
    """
    _checks.function(coordinate, "coordinate")
    edges = np.asarray(edges, np.float64)
    if edges.ndim != 1 or len(edges) < 2 or np.any(np.diff(edges) <= 0.0):
        msg = f"`edges` must be ascending numbers [K + 1], got {edges.tolist()}."
        raise ValueError(msg)

    def inside(x: Any) -> np.ndarray:
        values = np.asarray(coordinate(x), np.float64)
        if values.ndim != 1:
            msg = (
                "`coordinate` must return one number for each event, got shape "
                f"{list(values.shape)}. Write for example lambda x: x[:, 0]."
            )
            raise ValueError(msg)
        places = np.searchsorted(edges, values, side="right")[:, None]
        return (places == np.arange(1, len(edges))).astype(np.float64)

    shares, errors = (np.asarray(v) for v in sample.expectation(inside))
    if not shares.sum() > 0.0:
        msg = (
            f"`edges` must span some draws, got [{edges[0]}, {edges[-1]}] without any."
        )
        raise ValueError(msg)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = -np.log(shares / np.diff(edges))
        stderr = np.where(shares > 0.0, errors / shares, math.inf)
    centres = 0.5 * (edges[1:] + edges[:-1])
    return FreeEnergyProfile(centres, value - value.min(), stderr)
