"""Estimators that are quick to fit."""

from tfp_flows import estimators

# A full Gaussian, not compiled, seen once.
QUICK = {
    "flow": "linear",
    "epochs": 1,
    "validation": None,
    "fit_arguments": {"jit_compile": False},
    "random_state": 0,
}

RIVAL = {name: value for name, value in QUICK.items() if name != "flow"}


def density(**given):
    return estimators.FlowDensity(**{**QUICK, **given})


def conditional(**given):
    return estimators.ConditionalFlowDensity(**{**QUICK, **given})


def gaussianizer(**given):
    return estimators.Gaussianizer(**{"epochs": 1, "random_state": 0, **given})


def detector(**given):
    return estimators.FlowAnomalyDetector(**{**QUICK, "noise": 0, **given})


def blurred(**given):
    return detector(**{"noise": "auto", **given})


def classifier(**given):
    quick = {name: QUICK[name] for name in ("flow", "validation", "random_state")}
    return estimators.FlowClassifier(**{**quick, "epochs": 25, **given})


def gaussian(**given):
    return estimators.ConditionalGaussian(**{**RIVAL, **given})


def mixture_network(**given):
    return estimators.MixtureDensityNetwork(**{**RIVAL, **given})


def kernel_network(**given):
    return estimators.KernelMixtureNetwork(**{**RIVAL, **given})


RIVALS = (gaussian, mixture_network, kernel_network)
ALL = (density, conditional, gaussianizer, blurred, classifier)
