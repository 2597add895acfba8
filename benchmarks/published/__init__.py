"""The published systems that `reproductions.py` runs, one module for each field."""

from published import (
    applications,
    checks,
    conditional,
    continuous,
    doors,
    energies,
    gaussianization,
    images,
    learned,
    maps,
    mnist,
    plane,
    reverse,
    small,
)
from published.entries import ENTRIES

__all__ = [
    "ENTRIES",
    "applications",
    "checks",
    "conditional",
    "continuous",
    "doors",
    "energies",
    "gaussianization",
    "images",
    "learned",
    "maps",
    "mnist",
    "plane",
    "reverse",
    "small",
]
