"""Flows as estimators of scikit-learn.

They take arrays and data frames, in pipelines, searches and cross-validation as any
other estimator does; `flow_` is the fitted flow, with all that it can do.
"""

from tfp_flows import _optional

_optional.require("sklearn", extra="sklearn")

from tfp_flows.estimators.anomaly import FlowAnomalyDetector
from tfp_flows.estimators.answers import JointLogProb, RiskCoverage
from tfp_flows.estimators.baselines import BASELINES, Baseline, fit_baseline
from tfp_flows.estimators.classifier import FlowClassifier
from tfp_flows.estimators.comparison import compare
from tfp_flows.estimators.conditional import ConditionalFlowDensity
from tfp_flows.estimators.density import FlowDensity
from tfp_flows.estimators.forest import QuantileForest
from tfp_flows.estimators.gaussianizer import Gaussianizer
from tfp_flows.estimators.results import Comparison, Score
from tfp_flows.estimators.rivals import (
    ConditionalGaussian,
    KernelMixtureNetwork,
    MixtureDensityNetwork,
)
from tfp_flows.estimators.selection import (
    MutualInfo,
    mutual_info,
    mutual_info_flow,
)

__all__ = [
    "BASELINES",
    "Baseline",
    "Comparison",
    "ConditionalFlowDensity",
    "ConditionalGaussian",
    "FlowAnomalyDetector",
    "FlowClassifier",
    "FlowDensity",
    "Gaussianizer",
    "JointLogProb",
    "KernelMixtureNetwork",
    "MixtureDensityNetwork",
    "MutualInfo",
    "QuantileForest",
    "RiskCoverage",
    "Score",
    "compare",
    "fit_baseline",
    "mutual_info",
    "mutual_info_flow",
]
