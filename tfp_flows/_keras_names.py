"""Names of flows and models, without an import of TensorFlow, for Keras and files.

Keras looks classes up by the names that importing them registers. `import tfp_flows`
imports no class, so that `keras.saving.load_model` would know none. Stand-ins take
their places until then: the first file that names a flow imports the flows.
"""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from typing import Any

__all__ = ["FLOWS", "MODELS", "RENAMED", "announce"]

# The classes that `tfp_flows.flows` registers and files may hold.
FLOWS = (
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
    "FlowMatchingFlow",
    "GIS",
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
    "NICE",
    "NeuralAutoregressiveFlow",
    "NeuralSplineFlow",
    "NeuralSplineImageFlow",
    "PlanarFlow",
    "RBIG",
    "RadialFlow",
    "RealNVP",
    "RealNVPImage",
    "ResidualFlow",
    "SIG",
    "SeriesFlow",
    "SphereFlow",
    "SylvesterFlow",
    "SymmetricFlow",
    "SumOfSquaresFlow",
    "TarFlow",
    "TarFlowImage",
)
# Those of `tfp_flows.models`.
MODELS = (
    "DenseReparameterization",
    "FlowVAE",
    "MultiplicativeDense",
    "PointFlow",
)
PACKAGE = "tfp_flows"
# Names of flows before, which scripts and commands may still hold.
RENAMED = {"maf-mog": "maf-mol"}


def announce() -> None:
    """Give Keras the names of the flows: now, or as soon as it is imported."""
    if hasattr(sys.modules.get("keras"), "saving"):
        _give_names()
    else:
        sys.meta_path.insert(0, _Watcher())


def _give_names() -> None:
    known = sys.modules["keras"].saving.get_custom_objects()
    for room, names in (("flows", FLOWS), ("models", MODELS)):
        for name in names:
            known.setdefault(f"{PACKAGE}>{name}", _stand_in(name, room))


def _stand_in(name: str, room: str) -> type:
    """Return a class that imports the one of this name once a file asks for it."""

    def from_config(cls: type, config: dict[str, Any], **kwargs: Any) -> Any:
        del cls
        importlib.import_module(f"{PACKAGE}.{room}")
        # What loads has a copy of the names, in which this class still stands.
        found = sys.modules["keras"].saving.get_custom_objects()[f"{PACKAGE}>{name}"]
        return found.from_config(config, **kwargs)

    return type(name, (), {"from_config": classmethod(from_config)})


class _Watcher(importlib.abc.MetaPathFinder):
    """Waits for the import of Keras, and is gone afterwards."""

    def __init__(self) -> None:
        self._asks = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        """Return the spec of Keras, which then gets the names."""
        del path, target
        if fullname != "keras" or self._asks:
            return None
        self._asks = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._asks = False
        if spec is not None and spec.loader is not None:
            run = functools.partial(self._run, spec.loader.exec_module)
            spec.loader.exec_module = run  # type: ignore[method-assign]
        return spec

    def _run(self, execute: Callable[[Any], None], module: Any) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        execute(module)
        _give_names()
