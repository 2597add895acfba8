"""Whether two samples come from one distribution: classifiers and kernels."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from tfp_flows import _checks, _optional, _results
from tfp_flows._types import Seed, TensorLike
from tfp_flows.diagnostics import reading
from tfp_flows.diagnostics.uniformity import LEVEL

__all__ = ["TwoSample", "c2st", "mmd"]

# Rows of each sample whose kernel is kept in memory, and permutations of them.
MOST_ROWS, PERMUTATIONS = 2_000, 200


@dataclasses.dataclass(frozen=True)
class TwoSample(_results.Number):
    """A distance of two samples; `float()` gives it.

    Attributes:
        name: What was computed.
        value: The distance.
        p_value: Of both samples coming from one distribution.
    """

    name: str
    value: float
    p_value: float

    @property
    def differ(self) -> bool:
        """Whether the samples are told apart."""
        return self.p_value < LEVEL

    def __str__(self) -> str:
        """Return a sentence."""
        end = "the samples differ" if self.differ else "no difference is seen"
        return f"{self.name} {self.value:.4f}, p {self.p_value:.3f}: {end}"


def c2st(
    x: TensorLike, reference: TensorLike, *, folds: int = 5, seed: int = 1
) -> TwoSample:
    """Return how well a classifier tells a sample from a reference.

    The accuracy on held-out rows of a network with two hidden layers of ten units for
    each column, both samples standardised by the reference: .5 is chance, 1 certainty.
    The setting is that of the public benchmark of simulation-based inference.

    Args:
        x: The sample, `[N, D]`; of a joint distribution in its structure.
        reference: What it is compared with, `[M, D]`; of as many rows, best.
        folds: Parts of the rows, of which each is held out once.
        seed: Int that fixes folds and network.

    Returns:
        The accuracy. Its p-value is that of guessing, which held-out accuracies follow
        closely, but not exactly: folds share rows.

    Raises:
        ValueError: If columns differ, or values are not finite.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import diagnostics
        >>> rng = np.random.default_rng(0)
        >>> x, y = rng.normal(size=(300, 1)), rng.normal(size=(300, 1))
        >>> diagnostics.c2st(x, y).differ, diagnostics.c2st(x + 1, y).differ
        (False, True)

    References:
        Lopez-Paz, Oquab (2017). Revisiting Classifier Two-Sample Tests.
        https://arxiv.org/abs/1610.06545

        Lueckmann et al. (2021). Benchmarking Simulation-Based Inference.
        https://arxiv.org/abs/2101.04653
    """
    purpose = "train the classifier of a two-sample test"
    networks, selection, stats = (
        _optional.require(name, extra="sklearn", purpose=purpose)
        for name in ("sklearn.neural_network", "sklearn.model_selection", "scipy.stats")
    )
    first, second = _standardized(x, reference)
    _checks.count(folds, 2, "folds")
    rows = np.concatenate([second, first])
    labels = np.repeat([0.0, 1.0], [len(second), len(first)])
    hidden = (10 * rows.shape[1],) * 2
    network = networks.MLPClassifier(hidden, max_iter=10_000, random_state=seed)
    parts = selection.KFold(folds, shuffle=True, random_state=seed)
    accuracy = selection.cross_val_score(network, rows, labels, cv=parts).mean()
    guess = max(len(first), len(second)) / len(rows)
    right = math.ceil(accuracy * len(rows)) - 1
    return TwoSample(
        "C2ST", float(accuracy), float(stats.binom.sf(right, len(rows), guess))
    )


def mmd(
    x: TensorLike,
    reference: TensorLike,
    *,
    bandwidth: float | None = None,
    seed: Seed = 0,
) -> TwoSample:
    """Return the squared maximum mean discrepancy of two samples.

    The unbiased estimate, which scatters around 0 for samples of one distribution, for
    a Gaussian kernel on columns standardised by the reference. The p-value is that of
    200 permutations. Of larger samples, 2,000 rows each are looked at.

    Args:
        x: The sample, `[N, D]`; of a joint distribution in its structure.
        reference: What it is compared with, `[M, D]`.
        bandwidth: Of the kernel; by default the median distance of two rows.
        seed: Int that draws rows and permutations.

    Raises:
        ValueError: If columns differ, or values are not finite.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import diagnostics
        >>> rng = np.random.default_rng(0)
        >>> x, y = rng.normal(size=(300, 2)), rng.normal(size=(300, 2))
        >>> diagnostics.mmd(x, y).differ, diagnostics.mmd(x / 1.3, y).differ
        (False, True)

    References:
        Gretton et al. (2012). A Kernel Two-Sample Test. JMLR 13.
        https://jmlr.org/papers/v13/gretton12a.html, eq. 3
    """
    rng = reading.generator(seed)
    parts = []
    for part in _standardized(x, reference):
        kept = rng.choice(len(part), min(len(part), MOST_ROWS), replace=False)
        parts.append(part[kept])
    count, rows = len(parts[0]), np.concatenate(parts)
    squares = (rows**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2.0 * rows @ rows.T, 0.0)
    if bandwidth is None:
        bandwidth = float(np.sqrt(np.median(distances[np.triu_indices(len(rows), 1)])))
        bandwidth = bandwidth or 1.0
    elif not bandwidth > 0.0:
        msg = f"`bandwidth` must be positive, got {bandwidth!r}. Leave it out."
        raise ValueError(msg)
    kernel = np.exp(-0.5 * distances / bandwidth**2)
    np.fill_diagonal(kernel, 0.0)
    found = _discrepancy(kernel, np.arange(len(rows)), count)
    others = [
        _discrepancy(kernel, rng.permutation(len(rows)), count)
        for _ in range(PERMUTATIONS)
    ]
    p_value = (1 + sum(other >= found for other in others)) / (PERMUTATIONS + 1)
    return TwoSample("MMD^2", found, p_value)


def _discrepancy(kernel: np.ndarray, order: np.ndarray, count: int) -> float:
    """Return the estimate if the first rows of an order are one sample."""
    rest = len(kernel) - count
    sign = np.zeros(len(kernel))
    sign[order[:count]] = 1.0
    with_first = kernel @ sign
    within = with_first @ sign
    between = with_first.sum() - within
    others = kernel.sum() - within - 2.0 * between
    value = within / (count * (count - 1)) + others / (rest * (rest - 1))
    return float(value - 2.0 * between / (count * rest))


def _standardized(x: Any, reference: Any) -> tuple[np.ndarray, np.ndarray]:
    first, second = reading.rows(x, "x"), reading.rows(reference, "reference")
    if first.shape[1] != second.shape[1]:
        msg = (
            f"`x` must have the {second.shape[1]} columns of `reference`, got "
            f"{first.shape[1]}. Pass the same columns in the same order."
        )
        raise ValueError(msg)
    if min(len(first), len(second)) < 10:
        msg = (
            "both samples must have 10 rows or more, got "
            f"{len(first)} and {len(second)}. Draw more."
        )
        raise ValueError(msg)
    scale = second.std(axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    shift = second.mean(axis=0)
    return (first - shift) / scale, (second - shift) / scale
