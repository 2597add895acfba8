"""What a fit of a posterior has come to, and whether to trust it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from tfp_flows import flows
from tfp_flows.inference import importance, proposals, targets
from tfp_flows.inference.drift import Drift
from tfp_flows.inference.whitened import Whitened

__all__ = ["PosteriorReport", "report_of"]

ADVICE = (
    "Try more steps, restarts, a larger flow, or the objective 'alpha', and compare "
    "with MCMC."
)


@dataclasses.dataclass(frozen=True)
class PosteriorReport:
    """What a fit of a posterior has come to.

    Attributes:
        elbo: Lower bound of the log-evidence, with its standard error: the mean of the
            log-weights of the flow's draws.
        sample: Draws of the flow weighted to be those of the target: log-evidence,
            expectations, resampled draws.
        start: How training started: `"laplace"`, `"mean-field"` or `"none"`.
        start_elbo: Lower bound of the start.
        flow: The flow, over vectors without bounds relative to the start.
        whitened: The target over these vectors.
        losses: The loss of each epoch of the best restart, and of its repairs.
        drift: Whether chains that start at the weighted draws stay there, and whether
            a few draws decide a deviation; `None` where this was not checked, as
            weights fail already.
        repairs: Rounds of training on states of chains that it took, 0 if the flow's
            own draws were enough.
        gradients: Gradients of the target that updates, checks and repairs took; what
            the start takes is left out.
    """

    elbo: importance.Estimate
    sample: importance.ImportanceSample
    start: str
    start_elbo: float
    flow: flows.Flow
    whitened: Whitened
    losses: tuple[float, ...]
    drift: Drift | None = None
    repairs: int = 0
    gradients: int = 0

    @property
    def ess_per_draw(self) -> float:
        """Effective sample size of a draw of the posterior, 1 at best."""
        return self.sample.ess / len(self.sample)

    @property
    def k_hat(self) -> float:
        """Shape of the tail of the importance weights, to be below 0.7."""
        return self.sample.k_hat

    @property
    def reliable(self) -> bool:
        """Whether reweighted draws can be trusted: by their weights, and by chains."""
        return self._doubt is None

    @property
    def _doubt(self) -> importance.ImportanceSample | Drift | None:
        """What speaks against the posterior, `None` if nothing does."""
        if not self.sample.reliable:
            return self.sample
        if self.drift is not None and not self.drift.reliable:
            return self.drift
        return None

    @property
    def judgement(self) -> str:
        """A sentence that says whether the posterior can be trusted, and what to do."""
        doubt = self._doubt
        found = (doubt or self.sample).judgement
        if self.repairs:
            found += (
                f" Training went on for {self.repairs} rounds, on states of chains, as "
                "the flow that its own draws had made was not to be trusted."
            )
        return found if doubt is None else f"{found} {ADVICE}"

    def __str__(self) -> str:
        """Return figures and judgement."""
        value, stderr = self.sample.log_evidence
        return (
            f"ELBO {self.elbo.value:.3f} +- {self.elbo.stderr:.3f}, log-evidence "
            f"{value:.3f} +- {stderr:.3f}, start {self.start} "
            f"(ELBO {self.start_elbo:.3f}).\n{self.judgement}"
        )


def report_of(
    target: targets.Target,
    whitened: Whitened,
    flow: flows.Flow,
    history: Any,
    draws: int,
    seed: int,
) -> PosteriorReport:
    """Return what a fit has come to, by new draws."""
    sample = importance.ImportanceSample(
        proposals.Draws(
            target,
            whitened.flat(flow),
            draws,
            importance.BLOCK_SIZE,
            seed,
            flat=True,
        )
    )
    gaps = sample.log_weights
    error = math.inf  # of a bound that is -inf
    if np.all(np.isfinite(gaps)):
        error = float(np.std(gaps)) / math.sqrt(len(gaps))
    return PosteriorReport(
        elbo=importance.Estimate(float(np.mean(gaps)), error),
        sample=sample,
        start=whitened.start.kind,
        start_elbo=whitened.start.elbo,
        flow=flow,
        whitened=whitened,
        losses=tuple(float(loss) for loss in history.history["loss"]),
    )
