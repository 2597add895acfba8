"""Normalizing flows for TensorFlow Probability.

Names are resolved on first use, so that importing the package (and asking the command
line for help) does not import TensorFlow.
"""

from __future__ import annotations

import importlib

from tfp_flows import _keras_names

# The one table of public names: a module, or `module:attribute`.
_LAZY = {
    "bijectors": "tfp_flows.bijectors",
    "calibrate": "tfp_flows.diagnostics:calibrate",
    "compare": "tfp_flows.estimators:compare",
    "datasets": "tfp_flows.datasets",
    "diagnose": "tfp_flows.diagnosis:diagnose",
    "diagnosis": "tfp_flows.diagnosis",
    "diagnostics": "tfp_flows.diagnostics",
    "distributions": "tfp_flows.distributions",
    "estimators": "tfp_flows.estimators",
    "fit": "tfp_flows.training:fit",
    "flows": "tfp_flows.flows",
    "inference": "tfp_flows.inference",
    "information": "tfp_flows.information",
    "load": "tfp_flows.flows:load",
    "math": "tfp_flows.math",
    "models": "tfp_flows.models",
    "networks": "tfp_flows.networks",
    "plots": "tfp_flows.plots",
    "preprocessing": "tfp_flows.preprocessing",
    "testing": "tfp_flows.testing",
    "training": "tfp_flows.training",
}

__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = _installed_version()
    elif name in _LAZY:
        module, _, attribute = _LAZY[name].partition(":")
        value = importlib.import_module(module)
        if attribute:
            value = getattr(value, attribute)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _installed_version() -> str:
    from importlib import metadata

    try:
        return metadata.version(__name__)
    except metadata.PackageNotFoundError:  # a source tree on the path, not installed
        return "0+unknown"


_keras_names.announce()
