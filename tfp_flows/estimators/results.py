"""What a comparison found: a score for each model, and who leads."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows._counts import counted
from tfp_flows.training import baseline

if TYPE_CHECKING:
    from tfp_flows import flows

__all__ = ["Comparison", "Score", "estimated"]

UNIT = "nats per row, columns in their own units"
# A lead counts from so many standard errors on.
_CLEAR = 2.0
_HEADER = f"{'model':<18} {'log-likelihood':>22} {'over a Gaussian':>20} {'seconds':>8}"


def estimated(values: np.ndarray, clusters: np.ndarray | None) -> baseline.Estimate:
    """Return a mean and its standard error, in which rows of one group count as one.

    Args:
        values: A number for each row, `[N]`.
        clusters: Its group, `[N]`, or `None` if each row is one.
    """
    mean, error = baseline.estimate(values)
    if clusters is None or error is None:
        return baseline.Estimate(mean, error)
    _, index = np.unique(clusters, return_inverse=True)
    sums = np.bincount(index, values - mean)
    count = len(sums)
    if count < 2:
        return baseline.Estimate(mean, None)
    spread = float((sums**2).sum()) * count / (count - 1)
    return baseline.Estimate(mean, math.sqrt(spread) / len(values))


@dataclasses.dataclass(frozen=True)
class Score:
    """What one model comes to on the rows held out.

    Attributes:
        name: Of the model.
        is_flow: Whether it is a flow.
        log_prob: Log-density of each row, `[N]`; `None` if the fit failed.
        mean: Their mean, with its standard error.
        lead: What the model is ahead of the Gaussian, the same rows taken together.
        seconds: How long fit and score took.
        parameters: How many numbers were fitted; `None` where the rows are kept.
        flow: The fitted flow.
        is_fitted: Whether the flow came fitted, perhaps to some of these rows.
        failure: Why the fit failed.
    """

    name: str
    is_flow: bool = True
    log_prob: np.ndarray | None = None
    mean: baseline.Estimate | None = None
    lead: baseline.Estimate | None = None
    seconds: float = 0.0
    parameters: int | None = None
    flow: flows.Flow | None = None
    is_fitted: bool = False
    failure: str | None = None

    @staticmethod
    def header() -> str:
        """Return the first line of the table."""
        return _HEADER

    def over(self, other: Score | None, clusters: np.ndarray | None) -> Score:
        """Return the score with its lead over another one."""
        if other is None or other.log_prob is None or self.log_prob is None:
            return self
        lead = estimated(self.log_prob - other.log_prob, clusters)
        return dataclasses.replace(self, lead=lead)

    def __str__(self) -> str:
        """Return a line of the table."""
        if self.mean is None:
            return f"{self.name:<18} failed: {self.failure}"
        is_itself = self.name == "Gaussian"
        lead = "" if self.lead is None or is_itself else self.lead
        return (
            f"{self.name:<18} {_figure(self.mean):>22} {_figure(lead):>20} "
            f"{self.seconds:8.0f}"
        )

    def facts(self) -> dict[str, Any]:
        """Return numbers and words only."""
        facts = {
            "model": self.name,
            "is_flow": self.is_flow,
            "mean": None if self.mean is None else self.mean.mean,
            "standard_error": None if self.mean is None else self.mean.error,
            "over_gaussian": None if self.lead is None else self.lead.mean,
            "over_gaussian_standard_error": (
                None if self.lead is None else self.lead.error
            ),
            "parameters": self.parameters,
            "seconds": round(self.seconds, 1),
        }
        return facts if self.failure is None else {**facts, "failure": self.failure}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What models come to on the same rows; `print` shows the table.

    Attributes:
        scores: One for each model, in the order of the fits.
        rows: How many rows were fitted, and how many scored.
        held_out: Numbers of the rows that were scored, among those kept, `[N]`.
        clusters: What rows belong together, `[N]`, in standard errors; or `None`.
        notes: Sentences about the rows.
        seed: What fixed rows, noise and fits.
        quick: Whether the fits were cut short.
    """

    scores: tuple[Score, ...]
    rows: tuple[int, int]
    held_out: np.ndarray
    clusters: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    seed: int = 0
    quick: bool = False

    def __getitem__(self, name: str) -> Score:
        """Return the score of a model."""
        found = {score.name: score for score in self.scores}
        if name not in found:
            msg = f"there is no model {name!r}, only {', '.join(found)}"
            raise KeyError(msg)
        return found[name]

    def best(self, *, is_flow: bool) -> Score | None:
        """Return the best flow, or the best baseline, if one has a finite score."""
        best, highest = None, -math.inf
        for score in self.scores:
            mean = -math.inf if score.mean is None else score.mean.mean
            if score.is_flow == is_flow and highest < mean < math.inf:
                best, highest = score, mean
        return best

    @property
    def lead(self) -> baseline.Estimate | None:
        """What the best flow is ahead of the best baseline, by row."""
        flow, rival = self.best(is_flow=True), self.best(is_flow=False)
        if flow is None or rival is None:
            return None
        ours, theirs = flow.log_prob, rival.log_prob
        if ours is None or theirs is None:
            return None
        return estimated(ours - theirs, self.clusters)

    @property
    def verdict(self) -> str:
        """A sentence on who leads, and what to do."""
        flow, rival, lead = (
            self.best(is_flow=True),
            self.best(is_flow=False),
            self.lead,
        )
        if flow is None or rival is None or lead is None:
            return "There is nothing to compare: fit a flow and a baseline."
        pair = f"{lead} nats per row"
        if lead.error is None or abs(lead.mean) < _CLEAR * lead.error:
            return (
                f"{flow.name} and {rival.name} are within the error of {self.rows[1]} "
                f"rows ({pair}): take the simpler one, or compare on more rows."
            )
        if lead.mean > 0:
            return f"{flow.name} leads the best baseline, {rival.name}, by {pair}."
        what = "fit without quick" if self.quick else "fit longer, or on more rows"
        return (
            f"{rival.name} is ahead of the best flow, {flow.name}, by "
            f"{_figure(baseline.Estimate(-lead.mean, lead.error))} nats per row: "
            f"{what}, or take it."
        )

    def __str__(self) -> str:
        """Return the table, and the verdict."""
        lines = [_HEADER, *map(str, self.scores), *self.notes, self.summary]
        return "\n".join([*lines, self.verdict])

    @property
    def summary(self) -> str:
        """A line on rows and units."""
        fitted, scored = self.rows
        return (
            f"{counted(fitted, 'row')} fitted, {scored:,} held out and scored; {UNIT}"
        )

    def facts(self) -> dict[str, Any]:
        """Return numbers and words only, as JSON holds them."""
        lead = self.lead
        return {
            "rows": {"fit": self.rows[0], "held_out": self.rows[1]},
            "unit": UNIT,
            "scores": [score.facts() for score in self.scores],
            "best_flow_minus_best_baseline": (
                None
                if lead is None
                else {"mean": lead.mean, "standard_error": lead.error}
            ),
            "verdict": self.verdict,
            "notes": list(self.notes),
            "seed": self.seed,
            "quick": self.quick,
        }


def _figure(value: baseline.Estimate | str) -> str:
    if isinstance(value, str):
        return value
    if value.error is None:
        return f"{value.mean:.3f}"
    return f"{value.mean:.3f} +- {value.error:.3f}"
