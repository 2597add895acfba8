"""Base densities of flows, and the densities of flows."""

from tfp_flows.distributions.bases import BASES, Base, base
from tfp_flows.distributions.members import MixtureOfMembers
from tfp_flows.distributions.recalibrated import Recalibrated
from tfp_flows.distributions.surjected import SurjectedDistribution
from tfp_flows.distributions.transformed import FlowDistribution

__all__ = [
    "BASES",
    "Base",
    "FlowDistribution",
    "MixtureOfMembers",
    "Recalibrated",
    "SurjectedDistribution",
    "base",
]
