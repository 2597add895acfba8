"""Fitting flows."""

from tfp_flows.flows._model.batch import Batch
from tfp_flows.flows._model.distributed import LostWorkerError
from tfp_flows.flows._model.objective import MaximumLikelihood, Objective
from tfp_flows.flows.any_order.objective import RandomMasks
from tfp_flows.flows.continuous.matching import FlowMatching
from tfp_flows.flows.continuous.regularized import RegularizedLikelihood
from tfp_flows.training.callbacks.averaging import AverageWeights
from tfp_flows.training.callbacks.stopping import StopOnNonFinite
from tfp_flows.training.cluster import multi_worker_strategy
from tfp_flows.training.data.images import image_batches
from tfp_flows.training.fitting import fit
from tfp_flows.training.greedy.fit import fit_more
from tfp_flows.training.loop import ReadError
from tfp_flows.training.objectives.alpha import AlphaDivergence, ImportanceWeighted
from tfp_flows.training.objectives.forward_kl import ForwardKL, LikelihoodAndEnergy
from tfp_flows.training.objectives.reverse_kl import ReverseKL
from tfp_flows.training.objectives.weights import MaximumAPosteriori, MeanField
from tfp_flows.training.report import Ending, Report
from tfp_flows.training.scoring import Scores, score

__all__ = [
    "AlphaDivergence",
    "AverageWeights",
    "Batch",
    "Ending",
    "FlowMatching",
    "ForwardKL",
    "ImportanceWeighted",
    "LikelihoodAndEnergy",
    "LostWorkerError",
    "MaximumAPosteriori",
    "MaximumLikelihood",
    "MeanField",
    "Objective",
    "RandomMasks",
    "ReadError",
    "RegularizedLikelihood",
    "Report",
    "ReverseKL",
    "Scores",
    "StopOnNonFinite",
    "fit",
    "fit_more",
    "image_batches",
    "multi_worker_strategy",
    "score",
]
