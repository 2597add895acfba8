"""The result of a measure: a number, its standard error and its unit."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tfp_flows import _checks, _context, _results

__all__ = ["UNITS", "Measure", "from_rows"]

# Each unit in nats.
UNITS = {"nats": 1.0, "bits": math.log(2.0)}


@dataclasses.dataclass(frozen=True)
class Measure(_results.Number):
    """An estimate with its standard error; `float()` gives the estimate.

    Attributes:
        name: What was measured, such as `"entropy"`.
        value: The estimate.
        stderr: Its standard error: scatter of the rows, and doubt about the fit.
        unit: `"nats"` or `"bits"`.
        fit_doubt: The part of `stderr` that comes from the fit: half of what rows held
            out and rows of the fit disagree by, what densities may have missed, what
            those of several folds disagree by where they score other rows, and a
            floor of 5 nats over all rows of a fit.
        doubts: Sentences that say why the value cannot be trusted; the standard error
            is infinite where the true value may be.

    Example:
        >>> Measure("entropy", 1.4189, 0.0071)
        entropy 1.4189 +- 0.0071 nats
    """

    name: str
    value: float
    stderr: float
    unit: str = "nats"
    fit_doubt: float = 0.0
    doubts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        doubt = " (doubtful)" if self.doubts else ""
        return f"{self.name} {self.value:.4f} +- {self.stderr:.4f} {self.unit}{doubt}"

    def to(self, unit: str) -> Measure:
        """Return the measure in another unit.

        Args:
            unit: `"nats"` or `"bits"`.

        Example:
            >>> Measure("entropy", 2.0, 0.1, "bits").to("nats")
            entropy 1.3863 +- 0.0693 nats
        """
        _checks.one_of(unit, tuple(UNITS), "unit")
        factor = UNITS[self.unit] / UNITS[unit]
        return Measure(
            self.name,
            self.value * factor,
            self.stderr * factor,
            unit,
            self.fit_doubt * factor,
            self.doubts,
        )


def from_rows(
    name: str,
    rows: np.ndarray,
    doubt: float,
    *,
    unit: str,
    bootstrap: int,
    seed: int | None,
    groups: np.ndarray | None = None,
    doubts: tuple[str, ...] = (),
    infinite: bool = False,
) -> Measure:
    """Return the mean of independent rows as a measure.

    Args:
        name: What was measured.
        rows: One number for each row, in nats, `[N]`.
        doubt: Standard deviation that the fit adds, in nats.
        unit: Unit of the result.
        bootstrap: Number of times that rows are drawn again for the standard error; 0
            takes their standard deviation.
        seed: Int that fixes these draws.
        groups: Number of the group of each row, `[N]`: copies are one draw.
        doubts: Why the value cannot be trusted.
        infinite: Whether the true value may be infinite.
    """
    count = len(rows)
    if bootstrap:
        rng = _context.generator(seed)
        means = [rows[rng.integers(count, size=count)].mean() for _ in range(bootstrap)]
        scatter = float(np.std(means, ddof=1))
    else:
        scatter = float(rows.std(ddof=1)) / math.sqrt(count)
        if groups is not None:
            sums = np.bincount(groups, rows - rows.mean(), minlength=count)
            scatter = max(scatter, float(np.sqrt(np.sum(sums**2))) / count)
    error = math.inf if infinite else math.hypot(scatter, doubt)
    value = float(rows.mean())
    return Measure(name, value, error, "nats", doubt, tuple(doubts)).to(unit)
