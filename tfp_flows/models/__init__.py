"""Models with flows inside: Bayesian networks, autoencoders, clouds of points."""

from tfp_flows.models.bayesian import BayesianDense, DenseReparameterization
from tfp_flows.models.latent import LatentModel
from tfp_flows.models.multiplicative import MultiplicativeDense
from tfp_flows.models.point_clouds import PointFlow
from tfp_flows.models.predictive import predictive_draws
from tfp_flows.models.vae import FlowVAE

__all__ = [
    "BayesianDense",
    "DenseReparameterization",
    "FlowVAE",
    "LatentModel",
    "MultiplicativeDense",
    "PointFlow",
    "predictive_draws",
]
