"""Where a measure becomes a finding, each limit with its reason."""

from __future__ import annotations

import dataclasses

__all__ = ["LIMITS", "RATE", "Limit"]

# Chance of a false alarm of one test, shared by the columns that it looks at: with some
# ten tests, one report in a hundred on rows that the flow describes.
RATE = 1e-3


@dataclasses.dataclass(frozen=True)
class Limit:
    """A limit.

    Attributes:
        value: From here on there is a finding.
        reason: Why this value.
    """

    value: float
    reason: str


LIMITS = {
    "precision": Limit(
        0.01,
        "nats; the smallest difference of likelihoods that a comparison counts",
    ),
    "scales": Limit(
        0.01,
        "of a base deviation: what a rounding error of the data may become in the "
        "base space, so that scales end at 0.01 / eps, 8e4 in float32",
    ),
    "condition number": Limit(
        0.01,
        "of a base deviation: what a rounding error along one direction may become "
        "along another, so that condition numbers end at 0.01 / eps",
    ),
    "tails": Limit(
        2.0,
        "times as many rows as samples below the samples' 1 % quantile: half as many "
        "again is noise of a few hundred rows",
    ),
    "deficit": Limit(
        1 / 3,
        "of the deficit in one row of a hundred: it is a seventh for one Gaussian "
        "column, and less for more columns",
    ),
    "outliers": Limit(
        6.0,
        "deviations from the median, and 1.5 times as far as the next: one of "
        "500 million normal values is beyond",
    ),
    "mass": Limit(
        0.05,
        "missing or too much: a grid of 200 cells a side is that fine for densities "
        "that are not spikes",
    ),
    "over-fitting": Limit(
        0.05,
        "nats per column more than a Gaussian loses between the same rows, and 3 "
        "standard errors: a good fit loses as much with 20 rows for each number "
        "that it tells",
    ),
    "lost gain": Limit(
        1 / 6,
        "of what the flow gains over a Gaussian on its own rows, which it loses on "
        "others, for over-fitting: default fits of 800 rows of two real tables, which "
        "validation rows stopped, lose 11 and 12 %, and this is half as much again",
    ),
    "shift": Limit(
        0.05,
        "of the rows that would have to move: fewer change no decision, however many "
        "rows make them significant",
    ),
    "copied rows": Limit(
        0.05,
        "of the rows that stand in the training rows, too: they reward what a density "
        "remembers",
    ),
    "bounds": Limit(
        0.01,
        "of the samples beyond an end of the data: a picture of some hundred samples "
        "shows them where nothing can be",
    ),
    "calibration": Limit(
        0.05,
        "of the rows on the wrong side of a quantile: intervals of 90 % then hold 85 %",
    ),
    "comparison": Limit(
        0.01,
        "nats and 2 standard errors, as the report of a fit has it",
    ),
}
