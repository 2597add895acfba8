"""Checks of what was inferred: calibration, two-sample tests, weights.

Each takes draws or log-weights, as arrays, and returns its figure with a judgement,
which `print` shows; but for `calibrate`, none needs to know the model that they are
from.
"""

from tfp_flows.diagnostics.calibration import Ranks, pit, sbc
from tfp_flows.diagnostics.clouds import (
    CloudScores,
    chamfer,
    cloud_scores,
    earth_mover,
)
from tfp_flows.diagnostics.expected_coverage import Coverage, coverage
from tfp_flows.diagnostics.predictive import Predictive, predictive_check
from tfp_flows.diagnostics.psis import SmoothedWeights, psis
from tfp_flows.diagnostics.recalibration import Calibrated, calibrate
from tfp_flows.diagnostics.two_sample import TwoSample, c2st, mmd

__all__ = [
    "Calibrated",
    "CloudScores",
    "Coverage",
    "Predictive",
    "Ranks",
    "SmoothedWeights",
    "TwoSample",
    "c2st",
    "calibrate",
    "chamfer",
    "cloud_scores",
    "coverage",
    "earth_mover",
    "mmd",
    "pit",
    "predictive_check",
    "psis",
    "sbc",
]
