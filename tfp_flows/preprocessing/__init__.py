"""How tables meet flows: what each column is, and the maps that follow from it."""

from tfp_flows.preprocessing.column import Column

__all__ = ["Column"]
