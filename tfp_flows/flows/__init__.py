"""Ready-made flows: Keras models that are trainable TFP distributions."""

from tfp_flows.flows._model.options import option
from tfp_flows.flows._model.policy import FitPolicy
from tfp_flows.flows._model.recipe import Recipe
from tfp_flows.flows.any_order.flow import AnyOrderFlow
from tfp_flows.flows.base import Flow
from tfp_flows.flows.continuous.flow import ContinuousFlow, FlowMatchingFlow
from tfp_flows.flows.ensemble import Ensemble
from tfp_flows.flows.files import load
from tfp_flows.flows.gaussianization.rbig import RBIG, Gaussianization
from tfp_flows.flows.gaussianization.sliced import GIS, SIG
from tfp_flows.flows.images.attention import TarFlowImage
from tfp_flows.flows.images.glow import Glow, NeuralSplineImageFlow
from tfp_flows.flows.images.realnvp import RealNVPImage
from tfp_flows.flows.maps import MapsFlow
from tfp_flows.flows.mixture import MixtureFlow
from tfp_flows.flows.registry import (
    DEFAULT,
    all_names,
    build,
    flow_class,
    image_names,
    manifold_names,
    names,
)
from tfp_flows.flows.surjective import AugmentedFlow, SymmetricFlow
from tfp_flows.flows.vectors.attention import TarFlow
from tfp_flows.flows.vectors.autoregressive import (
    AutoregressiveFlow,
    AutoregressiveSplineFlow,
    BernsteinFlow,
    InverseAutoregressiveFlow,
    MaskedAutoregressiveFlow,
    MixtureAutoregressiveFlow,
    MonotoneNetworkFlow,
    NeuralAutoregressiveFlow,
    SumOfSquaresFlow,
)
from tfp_flows.flows.vectors.block import BlockAutoregressiveFlow
from tfp_flows.flows.vectors.coupling import (
    NICE,
    CircularFlow,
    CouplingFlow,
    NeuralSplineFlow,
    RealNVP,
)
from tfp_flows.flows.vectors.linear import LinearFlow
from tfp_flows.flows.vectors.planar import (
    HouseholderFlow,
    PlanarFlow,
    RadialFlow,
    SylvesterFlow,
)
from tfp_flows.flows.vectors.residual import ResidualFlow
from tfp_flows.flows.vectors.series import SeriesFlow
from tfp_flows.flows.vectors.sphere import SphereFlow

__all__ = [
    "DEFAULT",
    "GIS",
    "NICE",
    "RBIG",
    "SIG",
    "AnyOrderFlow",
    "AugmentedFlow",
    "AutoregressiveFlow",
    "AutoregressiveSplineFlow",
    "BernsteinFlow",
    "BlockAutoregressiveFlow",
    "CircularFlow",
    "ContinuousFlow",
    "CouplingFlow",
    "Ensemble",
    "FitPolicy",
    "Flow",
    "FlowMatchingFlow",
    "Gaussianization",
    "Glow",
    "HouseholderFlow",
    "InverseAutoregressiveFlow",
    "LinearFlow",
    "MapsFlow",
    "MaskedAutoregressiveFlow",
    "MixtureAutoregressiveFlow",
    "MixtureFlow",
    "MonotoneNetworkFlow",
    "NeuralAutoregressiveFlow",
    "NeuralSplineFlow",
    "NeuralSplineImageFlow",
    "PlanarFlow",
    "RadialFlow",
    "RealNVP",
    "RealNVPImage",
    "Recipe",
    "ResidualFlow",
    "SeriesFlow",
    "SphereFlow",
    "SumOfSquaresFlow",
    "SylvesterFlow",
    "SymmetricFlow",
    "TarFlow",
    "TarFlowImage",
    "all_names",
    "build",
    "flow_class",
    "image_names",
    "load",
    "manifold_names",
    "names",
    "option",
]
