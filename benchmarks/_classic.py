"""RBIG as published: 50 layers of histograms, a margin of 10 %, PCA, no tails."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfp_flows import bijectors as maps

__all__ = ["fit"]

LAYERS = 50


def fit(x: np.ndarray, layers: int = LAYERS) -> Callable[[np.ndarray], np.ndarray]:
    """Return the log-density of a fit, as a function of rows.

    What lies outside the grid of a layer counts as its edge.
    """
    found = []
    for _ in range(layers if x.shape[1] > 1 else 1):
        table = maps.MarginalGaussianize.from_samples(
            x, int(np.sqrt(len(x))), pseudo_counts=1e-3, margin=0.1, dtype=tf.float64
        )
        x = table.inverse_and_log_det(x)[0].numpy()
        rotation = np.eye(1) if x.shape[1] == 1 else np.linalg.eigh(np.cov(x.T))[1]
        x = x @ rotation
        found.append((table, rotation))

    def log_prob(x: np.ndarray) -> np.ndarray:
        log_det = np.zeros(len(x))
        for table, rotation in found:
            x = np.clip(x, table.low, table.high)
            x, step = (t.numpy() for t in table.inverse_and_log_det(x))
            log_det += step
            x = x @ rotation
        constant = 0.5 * x.shape[1] * math.log(2.0 * math.pi)
        return log_det - 0.5 * np.sum(x**2, axis=1) - constant

    return log_prob
