"""Pareto-smoothed importance weights, and whether they can be trusted."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tfp_flows import _checks
from tfp_flows._types import TensorLike
from tfp_flows.math import pareto

__all__ = ["SmoothedWeights", "psis"]

# Above this shape no practical number of draws is enough.
LARGEST_SHAPE = 0.7
# From this share of effective draws on, a heavy tail is one of small weights.
NEARLY_EQUAL = 0.9


@dataclasses.dataclass(frozen=True)
class SmoothedWeights:
    """Importance weights with a smoothed tail.

    Attributes:
        log_weights: Logarithms of the smoothed weights, whose sum is 1, `[N]`.
        k_hat: Shape of the tail of the weights: 1 over the number of their moments that
            are finite. `-inf` where all are equal, `inf` where too few are positive to
            tell.
        ess: Effective sample size: so many draws of the target tell as much.
    """

    log_weights: np.ndarray
    k_hat: float
    ess: float

    def __len__(self) -> int:
        return len(self.log_weights)

    @property
    def weights(self) -> np.ndarray:
        """The smoothed weights, whose sum is 1, `[N]`."""
        return np.exp(self.log_weights)

    @property
    def threshold(self) -> float:
        """What `k_hat` must not exceed: 0.7, and less for fewer than 2,200 draws."""
        return min(LARGEST_SHAPE, 1.0 - 1.0 / math.log10(max(len(self), 11)))

    @property
    def reliable(self) -> bool:
        """Whether means of reweighted draws can be trusted."""
        return self.k_hat <= self.threshold

    @property
    def judgement(self) -> str:
        """A sentence that says whether reweighted draws can be trusted."""
        size = f"{self.ess:.0f} effective draws of {len(self)}"
        if math.isinf(self.k_hat) and self.k_hat > 0:
            return (
                f"Too few draws have a positive weight to judge them ({size}): take "
                "more draws, or a proposal that is closer to the target."
            )
        if self.reliable:
            return (
                f"Pareto k-hat {self.k_hat:.2f} is at most {self.threshold:.2f}, with "
                f"{size}: reweighted draws can be trusted."
            )
        above = f"Pareto k-hat {self.k_hat:.2f} is above {self.threshold:.2f}"
        if self.ess >= NEARLY_EQUAL * len(self):
            return (
                f"{above}, but weights are nearly equal, with {size}: means agree as "
                "far as draws reach, tails of the proposal may be too light."
            )
        return (
            f"{above}, with {size}: do not trust reweighted draws, the proposal misses "
            "parts of the target."
        )

    def __repr__(self) -> str:
        return f"SmoothedWeights: {self.judgement}"


def psis(
    log_weights: TensorLike, *, relative_efficiency: float = 1.0
) -> SmoothedWeights:
    """Smooth the largest importance weights, and judge them by their tail.

    The largest weights are replaced by quantiles of a generalised Pareto distribution
    fitted to them, which takes variance from means of reweighted draws; its shape says
    whether these means are worth anything.

    Args:
        log_weights: `log_prob` of the target, up to a constant, minus that of the
            proposal, at draws of the proposal, `[N]`; `-inf` is weight 0.
        relative_efficiency: Effective size of the draws over their number, below 1 for
            draws of a Markov chain.

    Returns:
        The smoothed weights with `k_hat`, `ess`, and a `judgement`.

    Raises:
        ValueError: If a weight is NaN or infinite, or if none is positive.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import diagnostics
        >>> x = np.random.default_rng(0).normal(size=4000)
        >>> narrow = diagnostics.psis(-0.1 * x**2)  # a target inside of the proposal
        >>> wide = diagnostics.psis(0.48 * x**2)  # one of 25 times its variance
        >>> narrow.reliable, wide.reliable
        (True, False)

    References:
        Vehtari, Simpson, Gelman, Yao, Gabry (2024). Pareto Smoothed Importance
        Sampling. https://arxiv.org/abs/1507.02646
    """
    given = np.asarray(log_weights, np.float64)
    if given.ndim != 1 or not len(given):
        msg = (
            f"`log_weights` must have shape [N], N > 0, got {list(given.shape)}. Pass "
            "one number for each draw."
        )
        raise ValueError(msg)
    _checks.at_least(relative_efficiency, 1e-6, "relative_efficiency")
    wrong = np.isnan(given) | np.isposinf(given)
    if wrong.any():
        first = int(np.argmax(wrong))
        msg = (
            f"`log_weights` must be below infinity, got {given[first]} at draw {first}"
            f" and {int(wrong.sum()) - 1} more. Check both densities there."
        )
        raise ValueError(msg)
    if np.isneginf(given).all():
        msg = (
            f"`log_weights` must not all be -inf, got {len(given)} draws of weight 0. "
            "Take a proposal that meets the support of the target."
        )
        raise ValueError(msg)
    smoothed, k_hat = pareto.smooth(given, relative_efficiency)
    smoothed -= smoothed.max()
    smoothed -= math.log(np.exp(smoothed).sum())
    ess = float(1.0 / np.exp(2.0 * smoothed).sum()) * min(relative_efficiency, 1.0)
    return SmoothedWeights(smoothed, k_hat, ess)
