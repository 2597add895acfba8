"""Pure tensor functions: no variables, no classes with state."""

from __future__ import annotations

from tfp_flows.math import leaky, linear, masks, mixtures, moments, splines

__all__ = ["leaky", "linear", "masks", "mixtures", "moments", "splines"]
