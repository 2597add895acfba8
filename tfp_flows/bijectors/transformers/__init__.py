"""Scalar maps with parameters, for coupling, autoregressive, elementwise layers."""

from tfp_flows.bijectors.transformers.affine import Additive, Affine
from tfp_flows.bijectors.transformers.base import Transformer, transformer
from tfp_flows.bijectors.transformers.bernstein import Bernstein
from tfp_flows.bijectors.transformers.circular import CircularSpline
from tfp_flows.bijectors.transformers.deep_sigmoidal import DeepSigmoidal
from tfp_flows.bijectors.transformers.mixtures import LogisticMixture, NormalMixture
from tfp_flows.bijectors.transformers.monotone_network import MonotoneNetwork
from tfp_flows.bijectors.transformers.splines import RationalQuadratic
from tfp_flows.bijectors.transformers.sum_of_squares import SumOfSquares

__all__ = [
    "Additive",
    "Affine",
    "Bernstein",
    "CircularSpline",
    "DeepSigmoidal",
    "LogisticMixture",
    "MonotoneNetwork",
    "NormalMixture",
    "RationalQuadratic",
    "SumOfSquares",
    "Transformer",
    "transformer",
]
