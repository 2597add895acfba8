"""Rational-quadratic splines and tables."""

from tfp_flows.math.splines import (
    rational_quadratic,
    search,
    tables,
    tails,
)

__all__ = [
    "rational_quadratic",
    "search",
    "tables",
    "tails",
]
