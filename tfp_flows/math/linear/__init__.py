"""Products, triangles and rotations."""

from tfp_flows.math.linear import (
    low_rank,
    products,
    rotations,
)

__all__ = [
    "low_rank",
    "products",
    "rotations",
]
