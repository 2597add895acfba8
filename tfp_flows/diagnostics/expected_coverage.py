"""Expected coverage: how often credible regions hold the truth."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfp_flows._types import Seed, TensorLike
from tfp_flows.diagnostics import reading, uniformity

__all__ = ["Coverage", "coverage"]


@dataclasses.dataclass(frozen=True)
class Coverage(uniformity.Tested):
    """How often credible regions of each level hold the truth.

    Attributes:
        levels: The smallest level whose region holds the truth, of each row, `[N]`.
        method: `"density"`, regions of highest density; or `"distance"`, balls around
            random points.
    """

    levels: np.ndarray
    method: str

    def expected(self, credibility: TensorLike) -> np.ndarray:
        """Return the share of rows whose truth lies in regions of some credibility.

        Args:
            credibility: Levels in (0, 1), `[K]`.

        Returns:
            `[K]`; equal to the credibility if calibrated.
        """
        wanted = np.asarray(credibility, np.float64)
        return uniformity.ecdf(self.levels[:, None], np.atleast_1d(wanted))[:, 0]

    def stderr(self, credibility: TensorLike) -> np.ndarray:
        """Return the standard error of the coverage, if calibrated, `[K]`."""
        wanted = np.atleast_1d(np.asarray(credibility, np.float64))
        error: np.ndarray = np.sqrt(wanted * (1.0 - wanted) / len(self.levels))
        return error

    def curve(
        self, probability: float = 0.95
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return credibilities, coverage, and the band of calibrated ones, `[K]`.

        Args:
            probability: That the whole curve of calibrated regions lies in the band.
        """
        wanted, low, high = uniformity.band(len(self.levels), probability)
        return wanted, self.expected(wanted), low, high

    @property
    def p_value(self) -> float:
        """The smallest p-value of three tests times their number."""
        found = uniformity.p_values(self.levels[:, None]).values()
        return float(min(1.0, len(uniformity.TESTS) * min(p[0] for p in found)))

    @property
    def worst(self) -> float:
        """Largest error of the coverage of levels .1 to .9, in standard errors."""
        levels = np.linspace(0.1, 0.9, 17)
        errors = (self.expected(levels) - levels) / self.stderr(levels)
        return float(np.abs(errors).max())

    def __str__(self) -> str:
        """Return a sentence."""
        levels = np.array([0.5, 0.9])
        shown = ", ".join(
            f"{found:.3f} +- {error:.3f} at {level:.1f}"
            for level, found, error in zip(
                levels, self.expected(levels), self.stderr(levels), strict=True
            )
        )
        head = f"coverage of {len(self.levels)} rows by {self.method}: {shown}"
        if self.is_calibrated:
            return f"{head}\nno fault of the posterior is seen"
        if self.method == "density":
            way = "too narrow" if self.levels.mean() > 0.5 else "too wide"
            return f"{head}\nthe posterior is not calibrated: its regions are {way}"
        return f"{head}\nthe posterior is not calibrated"


def coverage(
    theta: TensorLike,
    draws: TensorLike,
    *,
    log_prob: tuple[TensorLike, TensorLike] | None = None,
    references: TensorLike | None = None,
    seed: Seed = 0,
) -> Coverage:
    """Return how often credible regions of a posterior hold the true parameters.

    Without densities, regions are balls around random points, which are as large as
    holds a share of the draws (TARP): that needs draws only, and sees faults of all
    coordinates together. With densities, they are the regions of highest density.

    Args:
        theta: Parameters from the prior, `[N, D]`; of a joint prior in its structure,
            as `simulate` gives them.
        draws: Of the posterior of the data of each row, `[N, L, D]`, as `NPE.draws`
            gives them; or in the structure of `theta`, `[N, L, ...]` each.
        log_prob: Log-densities of `theta`, `[N]`, and of `draws`, `[N, L]`.
        references: Centre of the balls of each row, like `theta`; by default spread
            evenly over the range of `theta`.
        seed: Int that draws the centres.

    Raises:
        ValueError: If shapes do not fit or values are not finite.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import diagnostics
        >>> rng = np.random.default_rng(0)
        >>> theta = rng.normal(size=(500, 2))
        >>> x = theta + rng.normal(size=(500, 2))
        >>> noise = rng.normal(size=(500, 100, 2)) * np.sqrt(0.5) / 1.3
        >>> diagnostics.coverage(theta, x[:, None] / 2 + noise).is_calibrated
        False

    References:
        Hermans et al. (2022). A Trust Crisis In Simulation-Based Inference? Your
        Posterior Approximations Can Be Unfaithful. https://arxiv.org/abs/2110.06581

        Lemos et al. (2023). Sampling-Based Accuracy Testing of Posterior Estimators for
        General Inference. https://arxiv.org/abs/2302.03026, algorithm 2
    """
    truth, drawn = reading.draws_of(theta, draws, ("theta", "draws"))
    rng = reading.generator(seed)
    if log_prob is not None:
        of_truth, of_draws = reading.draws_of(*log_prob, ("log_prob[0]", "log_prob[1]"))
        _require_same(of_draws.shape[:2], drawn.shape[:2])
        closer, ties = of_draws > of_truth[:, None], of_draws == of_truth[:, None]
        method = "density"
    else:
        scale = truth.std(axis=0)
        scale = np.where(scale > 0.0, scale, 1.0)
        centres = _centres(truth, references, rng)
        near = np.linalg.norm((truth - centres) / scale, axis=-1)[:, None]
        all_near = np.linalg.norm((drawn - centres[:, None]) / scale, axis=-1)
        closer, ties = all_near < near, all_near == near
        method = "distance"
    count = closer.reshape(len(truth), -1).sum(axis=1)
    even = rng.uniform(size=len(truth)) * (ties.reshape(len(truth), -1).sum(axis=1) + 1)
    return Coverage((count + even) / (drawn.shape[1] + 1), method)


def _centres(truth: np.ndarray, given: Any, rng: np.random.Generator) -> np.ndarray:
    if given is None:
        low, high = truth.min(axis=0), truth.max(axis=0)
        return rng.uniform(low, high, size=truth.shape)
    found = reading.rows(given, "references")
    _require_same(found.shape, truth.shape)
    return found


def _require_same(found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        msg = (
            f"`log_prob` and `references` must have a row for each of `theta`, "
            f"{wanted} here, got {found}."
        )
        raise ValueError(msg)
