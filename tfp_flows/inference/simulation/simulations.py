"""Simulations as they come: checked, the invalid ones left out and counted."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _arrays
from tfp_flows.inference.simulation.parameters import Parameters

__all__ = ["Middle", "Simulations", "observation"]

FEWEST = 50
# An observation further from the middle than this share of the simulations is far.
FAR = 0.999
# Larger observations are compared number by number, without their covariance.
LARGEST = 200


@dataclasses.dataclass(frozen=True)
class Simulations:
    """Pairs of parameters and simulated data.

    Attributes:
        rows: Parameters, flat, `[N, D]`.
        vectors: Parameters without bounds, `[N, size]`.
        x: What was simulated, `[N, *x_shape]`.
        invalid: How many were left out, as they hold NaN or infinite numbers.
    """

    rows: np.ndarray
    vectors: np.ndarray
    x: np.ndarray
    invalid: int = 0

    @classmethod
    def read(cls, parameters: Parameters, theta: Any, x: Any = None) -> Simulations:
        """Check what users hand over.

        Args:
            parameters: Those of the prior.
            theta: Parameters, see `Parameters.read`; or a finite dataset of batches of
                pairs of parameters and data.
            x: Data, `[N, *x_shape]`.

        Raises:
            ValueError: If shapes do not fit, too few are valid, or the prior's support
                misses parameters.
        """
        if isinstance(theta, tf.data.Dataset):
            theta, x = _gathered(theta, x)
        elif x is None:
            msg = "`x` is missing: give the simulations that belong to `theta`."
            raise ValueError(msg)
        parts, rows = parameters.read(theta)
        x = getattr(x, "x", x)
        x = x.to_numpy() if hasattr(x, "to_numpy") else x
        dtype = parameters.dtype.as_numpy_dtype
        x = _arrays.as_array(x, dtype, "x")
        if x.ndim == 1:
            x = x[:, None]
        if len(x) != len(rows):
            msg = (
                f"`theta` and `x` must have equally many rows, got {len(rows)} and "
                f"{len(x)}: each simulation belongs to its parameters."
            )
            raise ValueError(msg)
        valid = np.isfinite(x).all(axis=tuple(range(1, x.ndim)))
        valid &= np.isfinite(rows).all(axis=1)
        invalid = int(np.sum(~valid))
        if len(x) - invalid < FEWEST:
            msg = (
                f"there must be {FEWEST} valid simulations or more, got "
                f"{len(x) - invalid} of {len(x)}. Simulate some thousands."
            )
            raise ValueError(msg)
        if invalid:
            _warn_of_invalid(invalid, len(x))
        parts, rows, x = [part[valid] for part in parts], rows[valid], x[valid]
        _require_support(parameters, parts, rows)
        return cls(rows, parameters.unbounded(parts), x, invalid)


def _gathered(dataset: tf.data.Dataset, x: Any) -> tuple[Any, np.ndarray]:
    """Return all that a dataset of batches of pairs holds."""
    spec = dataset.element_spec
    if x is not None or not isinstance(spec, tuple) or len(spec) != 2:
        msg = (
            "a dataset of simulations must yield pairs of batches (theta, x), got "
            f"{spec}{'' if x is None else ' and `x` beside it'}."
        )
        raise ValueError(msg)
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        msg = (
            "a dataset of simulations must end: leave out its `repeat`, or "
            "`take` so many batches."
        )
        raise ValueError(msg)
    batches = [tf.nest.flatten(batch) for batch in dataset]
    arrays = [np.concatenate([b[i] for b in batches]) for i in range(len(batches[0]))]
    packed = tf.nest.pack_sequence_as(spec, arrays)
    return packed[0], packed[1]


def _warn_of_invalid(invalid: int, count: int) -> None:
    warnings.warn(
        f"{invalid} of {count} simulations ({invalid / count:.1%}) hold NaN or "
        "infinite numbers and are left out: the posterior is the one given that a "
        "simulation is valid. Have the simulator return numbers in their place if they "
        "are many.",
        stacklevel=4,
    )


def _require_support(
    parameters: Parameters, parts: list[np.ndarray], rows: np.ndarray
) -> None:
    outside = np.flatnonzero(np.isneginf(parameters.log_prob(parts)))
    if outside.size:
        msg = (
            "`prior` must hold the parameters of the simulations in its support, got "
            f"{outside.size} of {len(rows)} outside, such as row {outside[0] + 1}: "
            f"{rows[outside[0]].tolist()}. Give the prior that drew them."
        )
        raise ValueError(msg)


class Middle:
    """How far data are from the middle of the simulations.

    Args:
        x: Simulations, `[N, ...]`.
    """

    def __init__(self, x: np.ndarray) -> None:
        flat = x.reshape(len(x), -1).astype(np.float64)
        self.loc = flat.mean(axis=0)
        scale = flat.std(axis=0)
        self.scale = np.where(scale > 0.0, scale, 1.0)
        z = (flat - self.loc) / self.scale
        self.root = np.eye(1)
        if z.shape[1] <= LARGEST:
            values, axes = np.linalg.eigh(z.T @ z / len(z))
            # Sums of other numbers have no variance of their own: a floor.
            self.root = axes / np.sqrt(np.maximum(values, 1e-6 * values.max()))
        self.distances = np.sort(self._distance(flat))

    def _distance(self, flat: np.ndarray) -> np.ndarray:
        z = (flat - self.loc) / self.scale
        if len(self.root) == z.shape[-1]:
            z = z @ self.root
        return np.linalg.norm(z, axis=-1)

    def percentile(self, x: np.ndarray) -> float:
        """Return how many of 100 simulations are nearer to the middle."""
        found = self._distance(np.asarray(x, np.float64).reshape(1, -1))[0]
        return (
            100.0 * float(np.searchsorted(self.distances, found)) / len(self.distances)
        )

    def warn_if_far(self, observations: np.ndarray) -> None:
        """Warn if an observation, of `[N, ...]`, is unlike the simulations."""
        for x in observations:
            percentile = self.percentile(x)
            if percentile <= 100.0 * FAR:
                continue
            factor = self._distance(x.reshape(1, -1).astype(np.float64))[0]
            factor /= max(self.distances[-1], np.finfo(np.float64).tiny)
            warnings.warn(
                "the observation is further from the middle of the simulations than "
                f"{percentile:.1f} % of them, {factor:.2g} times as far as the "
                "furthest: the posterior is a guess. Check the units of `x_o`, the "
                "prior and the simulator.",
                stacklevel=4,
            )


def observation(
    x_o: Any, shape: tuple[int, ...], dtype: Any, middle: Middle
) -> np.ndarray:
    """Return observations, `[..., *shape]`, after checks.

    Args:
        x_o: Observation, or a batch of them.
        shape: Shape of one.
        dtype: Of the flow.
        middle: The simulations' middle.

    Raises:
        ValueError: If the shape is another one, or numbers are not finite.
    """
    x_o = x_o.to_numpy() if hasattr(x_o, "to_numpy") else x_o
    found = _arrays.as_array(getattr(x_o, "x", x_o), dtype, "x_o")
    if found.ndim == 0 and shape == (1,):
        found = found[None]
    if found.shape[found.ndim - len(shape) :] != shape or found.ndim < len(shape):
        msg = (
            f"`x_o` must have trailing shape {shape}, that of a simulation, got shape "
            f"{found.shape}. Compute the same summaries as in `x`."
        )
        raise ValueError(msg)
    if not np.isfinite(found).all():
        msg = (
            "`x_o` must hold finite numbers, got NaN or infinite ones. Simulations "
            "with such were left out: fill them in both in the same way."
        )
        raise ValueError(msg)
    middle.warn_if_far(found.reshape(-1, *shape))
    return found
