"""Fitting flows."""

from tfp_flows.training.callbacks import StopOnNonFinite
from tfp_flows.training.fitting import fit

__all__ = ["StopOnNonFinite", "fit"]
