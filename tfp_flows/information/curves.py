"""What a fitted density has missed, by how it improves with the number of rows.

A flexible density that has found all there is to find gains nothing from more rows but
less noise, which the mean over rows seen and held out is free of. Where that mean still
rises from half of the rows to all of them, structure is left, and more rows would show
it. How much is left depends on how fast the error falls with their number: the estimate
takes the fast rate of few parameters, the doubt reaches to that of many.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["Shortfall", "shortfall"]

# The error of all rows, in units of what they gain over half of them, if it falls with
# their number to the power of 1, and of 1/3: the truth is taken to lie between.
FAST, SLOW = (1.0 / (2.0**power - 1.0) for power in (1, 1 / 3))


class Shortfall(NamedTuple):
    """What the mean over rows has missed: an estimate, its variance and its doubt."""

    mean: float
    variance: float
    doubt: float


def shortfall(
    log_prob: np.ndarray,
    fold: np.ndarray,
    refit: Callable[[int, np.ndarray], np.ndarray],
    rng: np.random.Generator,
) -> Shortfall:
    """Estimate by how much the log-likelihoods of fits would rise with more rows.

    Args:
        log_prob: Log-densities by the fit of each fold, `[K, N]`.
        fold: Fold of each row, `[N]`.
        refit: Takes a fold and the numbers of rows to fit to; returns log-densities of
            all rows by that fit, `[N]`.
        rng: Chooses halves of the rows.

    Returns:
        The estimate, from the first two folds.
    """
    gains, variances = [], []
    for number in range(2):
        seen = np.flatnonzero(fold != number)
        half = rng.permutation(seen)[: len(seen) // 2]
        gain = log_prob[number] - refit(number, half)
        # The mean over rows held out and seen, as everywhere; the same rows for both.
        parts = gain[fold == number], gain[half]
        gains.append(0.5 * sum(float(part.mean()) for part in parts))
        variances.append(0.25 * sum(float(part.var()) / len(part) for part in parts))
    mean = float(np.mean(gains))
    # Fits scatter by more than their rows tell.
    variance = max(sum(variances) / 4.0, float(np.var(gains)) / 2.0)
    beyond = max(0.0, mean - math.sqrt(variance))
    return Shortfall(FAST * mean, FAST**2 * variance, (SLOW - FAST) * beyond)
