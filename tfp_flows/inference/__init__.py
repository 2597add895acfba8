"""Inference with flows: from a target density to draws that can be trusted."""

from tfp_flows.inference.importance import (
    Estimate,
    ImportanceSample,
    importance_sample,
)

__all__ = [
    "Estimate",
    "ImportanceSample",
    "importance_sample",
]
