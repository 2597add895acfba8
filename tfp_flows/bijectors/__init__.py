"""Maps: `tfb.Bijector`s that compute value and log-det in one pass."""

from tfp_flows._context import training_scope
from tfp_flows.bijectors._core.base import Bijector
from tfp_flows.bijectors._core.cache import caching
from tfp_flows.bijectors._core.parameters import Option, Parameter, Part
from tfp_flows.bijectors._core.stochastic import Stochastic
from tfp_flows.bijectors.adapters import EmbedCondition, OnFlattened
from tfp_flows.bijectors.amortized import Amortized
from tfp_flows.bijectors.autoregressive.block import BlockAutoregressive
from tfp_flows.bijectors.autoregressive.masked import MaskedAutoregressive
from tfp_flows.bijectors.composition import Chain, Conditioned, Invert
from tfp_flows.bijectors.continuous.ode import NeuralODE
from tfp_flows.bijectors.coupling.coupling import Coupling
from tfp_flows.bijectors.coupling.images import ChannelCoupling, CheckerboardCoupling
from tfp_flows.bijectors.elementwise.parameterised import (
    ConditionalElementwise,
    Elementwise,
)
from tfp_flows.bijectors.elementwise.pixels import PixelSigmoid
from tfp_flows.bijectors.elementwise.prelu import LeakyReLU, PReLU
from tfp_flows.bijectors.elementwise.spline import RationalQuadraticSpline
from tfp_flows.bijectors.gaussianization.histogram import (
    HistogramCDF,
    MarginalGaussianize,
    NormalCDF,
)
from tfp_flows.bijectors.gaussianization.marginal_mixture import MarginalMixture
from tfp_flows.bijectors.gaussianization.marginal_spline import MarginalSpline
from tfp_flows.bijectors.gaussianization.radius import RadialGaussianize
from tfp_flows.bijectors.gaussianization.rosenblatt import MixtureGaussianize
from tfp_flows.bijectors.linear.conv1x1 import InvertibleConv1x1
from tfp_flows.bijectors.linear.householder import HouseholderProduct
from tfp_flows.bijectors.linear.lu import LU
from tfp_flows.bijectors.linear.orthogonal import Orthogonal
from tfp_flows.bijectors.linear.permutation import Permutation
from tfp_flows.bijectors.linear.rotation import Rotation
from tfp_flows.bijectors.linear.triangular import LowRankAffine, TriangularAffine
from tfp_flows.bijectors.manifolds.sphere import Sphere
from tfp_flows.bijectors.multiscale.multiscale import MultiScale
from tfp_flows.bijectors.multiscale.squeeze import Squeeze
from tfp_flows.bijectors.multiscale.wavelets import CosineTransform, HaarWavelet
from tfp_flows.bijectors.normalization.actnorm import ActNorm
from tfp_flows.bijectors.normalization.batchnorm import BatchNorm
from tfp_flows.bijectors.normalization.standardize import Standardize
from tfp_flows.bijectors.residual.banana import Banana
from tfp_flows.bijectors.residual.block import ResidualBlock
from tfp_flows.bijectors.residual.planar import Planar
from tfp_flows.bijectors.residual.radial import Radial
from tfp_flows.bijectors.residual.sylvester import Sylvester
from tfp_flows.bijectors.surjections.base import Preimages, Surjection
from tfp_flows.bijectors.surjections.fold import AbsoluteValue
from tfp_flows.bijectors.surjections.given import GammaGiven, NormalGiven
from tfp_flows.bijectors.surjections.maximum import Maximum
from tfp_flows.bijectors.surjections.slice import Augment, Slice
from tfp_flows.bijectors.transformers import (
    Additive,
    Affine,
    Bernstein,
    CircularSpline,
    DeepSigmoidal,
    LogisticMixture,
    MonotoneNetwork,
    NormalMixture,
    RationalQuadratic,
    SumOfSquares,
    Transformer,
)

__all__ = [
    "LU",
    "AbsoluteValue",
    "ActNorm",
    "Additive",
    "Affine",
    "Amortized",
    "Augment",
    "Banana",
    "BatchNorm",
    "Bernstein",
    "Bijector",
    "BlockAutoregressive",
    "Chain",
    "ChannelCoupling",
    "CheckerboardCoupling",
    "CircularSpline",
    "ConditionalElementwise",
    "Conditioned",
    "CosineTransform",
    "Coupling",
    "DeepSigmoidal",
    "Elementwise",
    "EmbedCondition",
    "GammaGiven",
    "HaarWavelet",
    "HistogramCDF",
    "HouseholderProduct",
    "Invert",
    "InvertibleConv1x1",
    "LeakyReLU",
    "LogisticMixture",
    "LowRankAffine",
    "MarginalGaussianize",
    "MarginalMixture",
    "MarginalSpline",
    "MaskedAutoregressive",
    "Maximum",
    "MixtureGaussianize",
    "MonotoneNetwork",
    "MultiScale",
    "NeuralODE",
    "NormalCDF",
    "NormalGiven",
    "NormalMixture",
    "OnFlattened",
    "Option",
    "Orthogonal",
    "PReLU",
    "Parameter",
    "Part",
    "Permutation",
    "PixelSigmoid",
    "Planar",
    "Preimages",
    "Radial",
    "RadialGaussianize",
    "RationalQuadratic",
    "RationalQuadraticSpline",
    "ResidualBlock",
    "Rotation",
    "Slice",
    "Sphere",
    "Squeeze",
    "Standardize",
    "Stochastic",
    "SumOfSquares",
    "Surjection",
    "Sylvester",
    "Transformer",
    "TriangularAffine",
    "caching",
    "training_scope",
]
