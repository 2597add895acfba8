"""Integrals of positive networks."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfp_flows import _checks
from tfp_flows.bijectors.transformers import searched
from tfp_flows.math import monotone_network, roots

__all__ = ["MonotoneNetwork"]


@dataclasses.dataclass(frozen=True)
class MonotoneNetwork(searched.WithLines):
    """Integral of a positive network on `[range_min, range_max]`, lines outside.

    The log of the slope is a network of one hidden layer, whose numbers are the
    parameters; the value is its integral, by `num_nodes` evaluations (UMNN).
    Derivatives are those of the integral. More nodes allow sharper bends, at more
    cost: units are bounded to what the nodes resolve to some 1e-7.

    It is the map from the data to the base, which a density needs: `inverse` takes one
    integral, and `forward` searches for a root in some ten of them.

    Args:
        num_units: Hidden units of the network.
        num_nodes: Nodes of the integral, from 4 to 256.
        range_min: Where the network begins; the lines have the slopes of its ends.
        range_max: Where it ends.

    References:
        Wehenkel, Louppe (2019). Unconstrained Monotonic Neural Networks.
        https://arxiv.org/abs/1908.05164
    """

    num_units: int = 6
    num_nodes: int = 32
    range_min: float = -5.0
    range_max: float = 5.0

    def __post_init__(self) -> None:
        _checks.at_least(self.num_units, 1, "num_units")
        _checks.between(self.num_nodes, 4, 256, "num_nodes")
        _checks.interval(self.range_min, self.range_max)

    @property
    def params_size(self) -> int:
        """A shift, a bias, and weights, bends and centres of the units."""
        return 2 + 3 * self.num_units

    def initial(self) -> np.ndarray:
        """Spread the units, since equal ones would stay equal; it is the identity."""
        out = np.zeros([self.params_size])
        ends = 0.5 * self.range_min, 0.5 * self.range_max
        out[-self.num_units :] = np.linspace(*ends, self.num_units)
        return out

    def _function(self) -> roots.Function:
        return monotone_network.integral(self.num_nodes, self.range_min, self.range_max)
