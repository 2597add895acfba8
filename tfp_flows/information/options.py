"""The options that all measures share."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

from tfp_flows import _checks, datasets, flows
from tfp_flows.information import crossfit, doubts, samples
from tfp_flows.information.measure import UNITS, Measure, from_rows

__all__ = ["Options"]


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of every measure, given by keyword.

    Attributes:
        flow: The density: a name out of `tfp_flows.flows.names()`; or a dict of options
            of `tfp_flows.fit`, the name under `"flow"`; or a fitted flow, which must
            not have seen the rows.
        unit: `"nats"` or `"bits"`.
        folds: Number of folds `K`. A fit sees all rows but those of one fold, and
            there are `K` of each density.
        validation: Share of the rows of a fit by which it stops.
        bootstrap: Number of times that rows are drawn again for the standard error;
            by default their standard deviation gives it.
        spread: Whether to spread rounded columns, those with less than 90 % distinct
            values, evenly between their values: atoms have no density.
        seed: Int that fixes folds, fits, and draws.
    """

    flow: str | dict[str, Any] | flows.Flow = "rbig"
    unit: str = "nats"
    folds: int = 2
    validation: float | None = 0.1
    bootstrap: int = 0
    spread: bool = True
    seed: int | None = None

    def __post_init__(self) -> None:
        _checks.one_of(self.unit, tuple(UNITS), "unit")
        _checks.at_least(self.folds, 2, "folds")
        _checks.at_least(self.bootstrap, 0, "bootstrap")
        if self.validation is not None:
            _checks.fraction(self.validation, "validation")
        if isinstance(self.flow, flows.Flow):
            return
        if isinstance(self.flow, dict) and "flow" not in self.flow:
            msg = (
                "`flow` must name the flow under the key 'flow', got a dict with "
                f"{sorted(self.flow)}. Add for example 'flow': 'rbig'."
            )
            raise ValueError(msg)
        name = self.flow["flow"] if isinstance(self.flow, dict) else self.flow
        _checks.one_of(name, flows.names(), "flow")

    @classmethod
    def of(cls, given: dict[str, Any]) -> Options:
        """Return options from keywords, with a message that lists them."""
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(given) - set(known))
        if unknown:
            msg = (
                f"`options` must be among {', '.join(known)}, got "
                f"{', '.join(unknown)}. Correct the name."
            )
            raise TypeError(msg)
        return cls(**given)

    @property
    def fitted(self) -> flows.Flow | None:
        """The fitted flow, if one was given."""
        return self.flow if isinstance(self.flow, flows.Flow) else None

    def read(self, data: Any, argument: str) -> samples.Sample:
        """Return the checked rows of an argument."""
        return samples.read(data, argument, spread=self.spread, seed=self.seed)

    def paired(self, **data: Any) -> list[samples.Sample]:
        """Return the checked rows of arguments that belong together row by row."""
        return samples.paired(data, spread=self.spread, seed=self.seed)

    def cross(self, *given: samples.Sample) -> crossfit.CrossFit:
        """Return the folds of the rows; beside a fitted flow, RBIG fits.

        Where most rows differ, equal ones are copies and go to one fold.
        """
        groups = datasets.copies(*(sample.raw for sample in given))
        return crossfit.CrossFit(
            len(given[0]),
            complete=not any(sample.rounded for sample in given),
            folds=self.folds,
            flow="rbig" if isinstance(self.flow, flows.Flow) else self.flow,
            validation=self.validation,
            seed=self.seed,
            groups=groups,
        )

    def doubts(self, *given: samples.Sample) -> doubts.Doubts:
        """Return why a measure of rows that belong together cannot be trusted."""
        groups = datasets.copies(*(sample.raw for sample in given))
        return doubts.found(given, groups, spread=self.spread)

    def measure(
        self,
        name: str,
        rows: Any,
        doubt: float,
        *given: Sequence[samples.Sample],
    ) -> Measure:
        """Return the mean of the rows, in nats, as a measure in the unit asked for.

        Args:
            name: What was measured.
            rows: One number for each row of the first samples, `[N]`.
            doubt: Standard deviation that the fit adds.
            *given: Samples whose rows belong together, and others of other rows.
        """
        found = [self.doubts(*part) for part in given]
        sentences = tuple(dict.fromkeys(s for part in found for s in part))
        for sentence in sentences:
            warnings.warn(sentence, UserWarning, stacklevel=3)
        return from_rows(
            name,
            rows,
            doubt,
            unit=self.unit,
            bootstrap=self.bootstrap,
            seed=self.seed,
            groups=datasets.copies(*(sample.raw for sample in given[0])),
            doubts=sentences,
            infinite=any(part.infinite for part in found),
        )
