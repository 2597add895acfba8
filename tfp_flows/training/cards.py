"""What a fit writes on the card of its flow."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from tfp_flows import _serialize, flows
from tfp_flows.flows._model import card, seal
from tfp_flows.training.baseline import Estimate
from tfp_flows.training.report import Report

__all__ = ["data_digest", "written"]


def written(
    flow: flows.Flow, report: Report, x: Any = None, condition: Any = None
) -> dict[str, Any]:
    """Return the card of a flow that was just fitted.

    Args:
        flow: The flow.
        report: What the fit has come to.
        x: All rows of the fit, validation rows too, if they were at hand.
        condition: Their conditions.
    """
    found: dict[str, Any] = {
        "columns": _serialize.listed(flow.columns),
        "condition_columns": _serialize.listed(flow.condition_columns),
        "data": None,
        "gaussian": _plain(report.gaussian),
        "licence": (flow.card or {}).get("licence"),
        "log_likelihood": _plain(report.log_likelihood),
        "of": report.of,
        "rows": report.count,
        "unit": report.unit,
        "versions": card.versions(),
        "weights": seal.weights_digest(flow),
    }
    if x is not None:
        found["data"] = {"rows": len(x), "sha256": data_digest(x, condition)}
    return found


def data_digest(x: Any, condition: Any = None) -> str:
    """Return a checksum of rows: of their numbers as float64, in their order."""
    digest = hashlib.sha256()
    for part in (x, condition):
        if part is not None:
            values = np.ascontiguousarray(part, np.float64)
            digest.update(f"{values.shape};".encode())
            digest.update(values.tobytes())
    return digest.hexdigest()


def _plain(estimate: Estimate | None) -> dict[str, float | None] | None:
    if estimate is None or not np.isfinite(estimate.mean):
        return None
    return {"mean": estimate.mean, "standard_error": estimate.error}
