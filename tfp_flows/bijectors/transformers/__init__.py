"""Scalar maps with parameters, for coupling, autoregressive, elementwise layers."""

from tfp_flows.bijectors.transformers.affine import Additive, Affine
from tfp_flows.bijectors.transformers.base import Transformer, transformer
from tfp_flows.bijectors.transformers.bernstein import Bernstein
from tfp_flows.bijectors.transformers.mixtures import LogisticMixture
from tfp_flows.bijectors.transformers.splines import RationalQuadratic

__all__ = [
    "Additive",
    "Affine",
    "Bernstein",
    "LogisticMixture",
    "RationalQuadratic",
    "Transformer",
    "transformer",
]
