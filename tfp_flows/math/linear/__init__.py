"""Products, triangles and rotations."""

from tfp_flows.math.linear import (
    products,
    rotations,
)

__all__ = [
    "products",
    "rotations",
]
