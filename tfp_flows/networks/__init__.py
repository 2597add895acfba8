"""Conditioners: networks that turn inputs and a condition into parameters."""

from tfp_flows.networks.adapter import NetworkConditioner, as_conditioner
from tfp_flows.networks.any_order import AnyOrder
from tfp_flows.networks.attention import CausalTransformer
from tfp_flows.networks.base import Conditioner
from tfp_flows.networks.block import BlockNetwork
from tfp_flows.networks.causal_convolution import CausalConvolution
from tfp_flows.networks.condition import ConditionEmbedding
from tfp_flows.networks.conv import ConvNet
from tfp_flows.networks.lipschitz import LipschitzMLP
from tfp_flows.networks.masked import MADE
from tfp_flows.networks.mlp import MLP
from tfp_flows.networks.table import Table
from tfp_flows.networks.tokens import TokenNetwork
from tfp_flows.networks.vector_field import VectorField

__all__ = [
    "MADE",
    "MLP",
    "AnyOrder",
    "BlockNetwork",
    "CausalConvolution",
    "CausalTransformer",
    "ConditionEmbedding",
    "Conditioner",
    "ConvNet",
    "LipschitzMLP",
    "NetworkConditioner",
    "Table",
    "TokenNetwork",
    "VectorField",
    "as_conditioner",
]
