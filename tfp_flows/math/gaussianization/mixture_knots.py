"""Marginal maps to the normal distribution through one-dimensional mixtures, as tables.

A mixture of normal distributions is fitted to the counts of fine cells, so that the
time does not grow with the rows. Its map `ndtri(F(x))` is then written down at knots
that lie where it bends: a few on each side of every component, next to none in the gaps
between. Where features have separate modes, such a map needs a tenth of the rows of
quantiles.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_flows.math.gaussianization import histograms, mixture_fits, mixture_maps
from tfp_flows.math.traced import traced

__all__ = ["mixture_knots"]

NUM_CELLS = 1024
# Where knots may lie: so many scales from a component, in so many places.
HALF_WIDTH, PLACES = 5.0, 41
MAX_STEPS = 30


def _start(centres: np.ndarray, counts: np.ndarray, num_components: int) -> np.ndarray:
    """Return quantiles at regular levels, `[D, K]`, from counts `[D, G]`."""
    levels = (np.arange(num_components) + 0.5) / num_components
    below = np.cumsum(counts, axis=1) - 0.5 * counts
    below /= counts.sum(axis=1, keepdims=True)
    return np.stack([np.interp(levels, row, centres) for row in below])


def _gaussianize(
    x: tf.Tensor, weights: tf.Tensor, means: tf.Tensor, scales: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    return mixture_maps.gaussianize(x, weights, means, scales, "normal")


def mixture_knots(
    x: np.ndarray, num_components: int, num_bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the knots of maps to the normal distribution through mixtures.

    Args:
        x: Data, `[N, D]`.
        num_components: Components of the mixture of each feature.
        num_bins: Number of bins `K`.

    Returns:
        Positions, values, and log-slopes, each `[D, K + 1]`.
    """
    low = x.min(axis=0)
    width = x.max(axis=0) - low
    width = np.where(width > 0, width, 1.0)
    counts = histograms.histogram((x - low) / width, 0.0, 1.0, NUM_CELLS)
    centres = (np.arange(NUM_CELLS) + 0.5) / NUM_CELLS
    start = _start(centres, counts, num_components)
    # With heavy tails most cells have no rows in any feature.
    held = np.any(counts > 0, axis=0)
    counts, centres = counts[:, held], centres[held]
    size = x.shape[1]
    log_weights, locations, log_scales = mixture_fits.expectation_maximisation(
        np.broadcast_to(centres[:, np.newaxis], [len(centres), size]),
        num_components,
        "normal",
        weights=counts.T,
        start=start,
        max_steps=MAX_STEPS,
    )
    # Within a cell nothing is known: ties would have scales near zero.
    log_scales = np.maximum(log_scales, np.log(0.3 / NUM_CELLS))

    def evaluate(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        apply = traced(_gaussianize, *[(None, None)] * 4)
        z, log_slope = apply(positions.T, log_weights, locations, log_scales)
        return z.numpy().T, log_slope.numpy().T

    places = np.linspace(-HALF_WIDTH, HALF_WIDTH, PLACES)
    offsets = np.exp(log_scales)[:, :, np.newaxis] * places
    dense = locations[:, :, np.newaxis] + offsets
    dense = np.sort(dense.reshape(size, -1), axis=1)
    values, log_slopes = evaluate(dense)
    # Knots where the map rises, and where its slope changes.
    bends = np.abs(np.diff(values)) + np.abs(np.diff(log_slopes)) + 1e-6
    length = np.concatenate([np.zeros([size, 1]), np.cumsum(bends, axis=1)], axis=1)
    marks = np.linspace(0.0, 1.0, num_bins + 1)
    positions = np.stack(
        [
            np.interp(marks * one[-1], one, where)
            for one, where in zip(length, dense, strict=True)
        ]
    )
    values, log_slopes = evaluate(positions)
    # Where the map is flat to the last digit, a little above the knot before.
    ramp = 1e-9 * np.arange(num_bins + 1)
    values = np.maximum.accumulate(values - ramp, axis=1) + ramp * 1.001
    scale = width[:, np.newaxis]
    return low[:, np.newaxis] + scale * positions, values, log_slopes - np.log(scale)
