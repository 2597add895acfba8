"""Inference with flows: from a target density to draws that can be trusted."""

from tfp_flows.inference.importance import (
    Estimate,
    ImportanceSample,
    importance_sample,
)
from tfp_flows.inference.simulation.chains import ChainPosterior
from tfp_flows.inference.simulation.embeddings import SetEmbedding
from tfp_flows.inference.simulation.fmpe import FMPE
from tfp_flows.inference.simulation.nle import NLE
from tfp_flows.inference.simulation.npe import NPE
from tfp_flows.inference.simulation.posterior import Posterior
from tfp_flows.inference.simulation.sequential import SequentialResult, sequential
from tfp_flows.inference.simulation.simulate import simulate

__all__ = [
    "FMPE",
    "NLE",
    "NPE",
    "ChainPosterior",
    "Estimate",
    "ImportanceSample",
    "Posterior",
    "SequentialResult",
    "SetEmbedding",
    "importance_sample",
    "sequential",
    "simulate",
]
