"""Information measures from samples, through fitted densities."""

from tfp_flows.information.dependence import (
    co_information,
    conditional_mutual_information,
    mutual_information,
    total_correlation,
)
from tfp_flows.information.entropies import (
    cross_entropy,
    entropy,
    kl_divergence,
    negentropy,
)
from tfp_flows.information.measure import Measure
from tfp_flows.information.options import Options

__all__ = [
    "Measure",
    "Options",
    "co_information",
    "conditional_mutual_information",
    "cross_entropy",
    "entropy",
    "kl_divergence",
    "mutual_information",
    "negentropy",
    "total_correlation",
]
