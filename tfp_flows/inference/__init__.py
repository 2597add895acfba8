"""Inference with flows: from a target density to draws that can be trusted."""

from tfp_flows.inference.chain_draws import Chains
from tfp_flows.inference.drift import Drift
from tfp_flows.inference.energies import (
    FreeEnergyProfile,
    free_energy_difference,
    free_energy_profile,
)
from tfp_flows.inference.evidence import Evidence, evidence
from tfp_flows.inference.flow_proposal import FlowProposal
from tfp_flows.inference.hand_over import to_arviz
from tfp_flows.inference.importance import (
    Estimate,
    ImportanceSample,
    importance_sample,
)
from tfp_flows.inference.integrals import Integral, integrate
from tfp_flows.inference.posterior import PosteriorReport, fit_posterior
from tfp_flows.inference.sampling import sample_posterior
from tfp_flows.inference.simulation.chains import ChainPosterior
from tfp_flows.inference.simulation.fmpe import FMPE
from tfp_flows.inference.simulation.nle import NLE
from tfp_flows.inference.simulation.npe import NPE
from tfp_flows.inference.simulation.nre import NRE
from tfp_flows.inference.simulation.posterior import Posterior
from tfp_flows.inference.simulation.sequential import SequentialResult, sequential
from tfp_flows.inference.simulation.simulate import simulate
from tfp_flows.networks.embeddings import (
    ImageEmbedding,
    SeriesEmbedding,
    SetEmbedding,
)

__all__ = [
    "FMPE",
    "NLE",
    "NPE",
    "NRE",
    "ChainPosterior",
    "Chains",
    "Drift",
    "Estimate",
    "Evidence",
    "FlowProposal",
    "FreeEnergyProfile",
    "ImageEmbedding",
    "ImportanceSample",
    "Integral",
    "Posterior",
    "PosteriorReport",
    "SequentialResult",
    "SeriesEmbedding",
    "SetEmbedding",
    "evidence",
    "fit_posterior",
    "free_energy_difference",
    "free_energy_profile",
    "importance_sample",
    "integrate",
    "sample_posterior",
    "sequential",
    "simulate",
    "to_arviz",
]
