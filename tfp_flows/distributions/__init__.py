"""Base densities of flows."""

from tfp_flows.distributions.bases import BASES, Base

__all__ = ["BASES", "Base"]
