"""Pictures of data, densities and training, drawn with matplotlib.

Each function draws on the axes or the figure that it is given, or else on a new figure
of its own that belongs to no window: save it with `ax.figure.savefig(...)`. In a
notebook, a figure of `matplotlib.pyplot` shows itself: pass `ax=plt.gca()` or
`figure=plt.figure()`.
"""

from __future__ import annotations

from tfp_flows.plots.calibration import coverage, predictive, rank_ecdf, ranks
from tfp_flows.plots.corner import corner
from tfp_flows.plots.deformation import deformation
from tfp_flows.plots.density import density_2d
from tfp_flows.plots.gaussianization import (
    gaussianization,
    information_per_layer,
    marginals,
)
from tfp_flows.plots.gif import TrainingGif, training_gif
from tfp_flows.plots.history import history
from tfp_flows.plots.images import image_grid
from tfp_flows.plots.layers import layers
from tfp_flows.plots.layers_gif import layers_gif
from tfp_flows.plots.risk import risk_coverage
from tfp_flows.plots.sheets import SampleSheet

__all__ = [
    "SampleSheet",
    "TrainingGif",
    "corner",
    "coverage",
    "deformation",
    "density_2d",
    "gaussianization",
    "history",
    "image_grid",
    "information_per_layer",
    "layers",
    "layers_gif",
    "marginals",
    "predictive",
    "rank_ecdf",
    "ranks",
    "risk_coverage",
    "training_gif",
]
