"""`diagnose`: measures of a flow and a table, each with a judgement."""

from __future__ import annotations

from typing import Any

from tfp_flows import _checks, flows
from tfp_flows._types import Condition, TensorLike
from tfp_flows.diagnosis import calibration, cells, fit, numerics
from tfp_flows.diagnosis.diagnosis import Diagnosis, Pictures
from tfp_flows.diagnosis.evidence import SAMPLES, collect
from tfp_flows.flows import registry

__all__ = ["diagnose"]


def diagnose(
    flow: flows.Flow,
    x: TensorLike,
    condition: Condition = None,
    *,
    train: TensorLike | tuple[Any, Any] | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Diagnosis:
    """Look for what is wrong with a flow, a table, or the pair of both.

    Whether numbers hold (finite, float32 against float64, scales, gradients); what no
    density describes (copies, ties, outliers, bounds); whether the density is that of
    the rows (over-fitting, shift, tails, mass, calibration of each column and of the
    base space); and whether plain densities are better. Of more than 10,000 rows, so
    many are looked at, evenly spread.

    Args:
        flow: A flow of table rows, fitted.
        x: Rows to look at, `[N, D]`: array or table; best such that the fit has not
            seen.
        condition: Their conditions, for a conditional flow.
        train: Rows of the fit, or the pair of them and their conditions; without them
            there is no word on over-fitting and shift, and plain densities are fitted
            to half of `x`.
        samples: Samples of the flow that rows are compared with.
        seed: Int that fixes samples and splits.

    Returns:
        A report that prints as a table; see `Diagnosis`.

    Raises:
        ValueError: If flow and rows do not fit each other.
        TypeError: If `flow` is no flow.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> x = np.random.default_rng(0).normal(size=(600, 2))
        >>> flow, _ = tfpf.fit("linear", x[:300], epochs=30, seed=0, verbose=0)
        >>> [finding.name for finding in tfpf.diagnose(flow, x[300:]).findings]
        []
        >>> x[7, 1] = 900.0
        >>> for finding in tfpf.diagnose(flow, x[:300]).findings:
        ...     if finding.name == "outliers":
        ...         print(finding.judgement)
        Column 'x1' has 900 in row 8: far from all other values.
    """
    registry.require_flow(flow)
    _checks.count(samples, 100, "samples")
    evidence = collect(flow, x, condition, train, samples=samples, seed=seed)
    pit = calibration.transforms(evidence, seed)
    measures = [
        *numerics.measures(evidence),
        *cells.measures(evidence),
        *fit.measures(evidence),
        *calibration.measures(evidence, pit),
    ]
    train_rows = None if evidence.train is None else len(evidence.train)
    return Diagnosis(
        flow=repr(flow),
        rows=len(evidence.rows),
        train_rows=train_rows,
        columns=evidence.names,
        measures=tuple(measures),
        pictures=Pictures(
            evidence.rows.x,
            evidence.samples.x,
            evidence.rows.log_prob,
            evidence.samples.log_prob,
            pit,
        ),
    )
