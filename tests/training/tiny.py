"""Fits that are small enough for a test."""

from __future__ import annotations

import tfp_flows as tfpf
from tests.flows import small

__all__ = ["TINY", "X", "fit"]

X = small.table(120)
TINY = {"num_layers": 1, "hidden_units": (8,)}


def fit(flow="maf", x=X, condition=None, **options):
    """Fit a tiny flow for two epochs, without XLA."""
    if isinstance(flow, str):
        options = {**TINY, **options}
    options = {"epochs": 2, "batch_size": 40, "seed": 0, "verbose": 0, **options}
    options = {"jit_compile": False, **options}
    return tfpf.fit(flow, x, condition, **options)
