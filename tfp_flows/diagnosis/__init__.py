"""What is wrong with a flow, a table, or the pair of both, and what to do."""

from __future__ import annotations

from tfp_flows.diagnosis.diagnose import diagnose
from tfp_flows.diagnosis.diagnosis import Diagnosis
from tfp_flows.diagnosis.limits import LIMITS, RATE, Limit
from tfp_flows.diagnosis.measure import Measure

__all__ = ["LIMITS", "RATE", "Diagnosis", "Limit", "Measure", "diagnose"]
