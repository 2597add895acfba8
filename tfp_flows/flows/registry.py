"""The names of the flows, which the command line, estimators and docs share."""

from __future__ import annotations

import inspect
from typing import Any

from tfp_flows import _checks
from tfp_flows._types import Shape
from tfp_flows.flows import base
from tfp_flows.flows.gaussianization import rbig, sliced
from tfp_flows.flows.images import glow, realnvp
from tfp_flows.flows.vectors import autoregressive, coupling, linear

__all__ = ["DEFAULT", "build", "flow_class", "image_names", "names"]

# The flow that `tfp-flows fit` and `tfp-flows demo` use unless told otherwise.
DEFAULT = "nsf-ar"

_FLOWS: dict[str, type[base.Flow]] = {
    "nice": coupling.NICE,
    "realnvp": coupling.RealNVP,
    "nsf": coupling.NeuralSplineFlow,
    "maf": autoregressive.MaskedAutoregressiveFlow,
    "iaf": autoregressive.InverseAutoregressiveFlow,
    "nsf-ar": autoregressive.AutoregressiveSplineFlow,
    "maf-mog": autoregressive.MixtureAutoregressiveFlow,
    "linear": linear.LinearFlow,
    "rbig": rbig.RBIG,
    "gis": sliced.GIS,
    "sig": sliced.SIG,
    "gaussianization": rbig.Gaussianization,
}

# Flows whose events must be images `[H, W, C]`.
_IMAGE_FLOWS: dict[str, type[base.Flow]] = {
    "glow": glow.Glow,
    "realnvp-image": realnvp.RealNVPImage,
    "nsf-image": glow.NeuralSplineImageFlow,
}


def names() -> tuple[str, ...]:
    """Return the names of the flows that `build` knows for any event."""
    return tuple(_FLOWS)


def image_names() -> tuple[str, ...]:
    """Return the names of the flows that `build` knows for images `[H, W, C]`."""
    return tuple(_IMAGE_FLOWS)


def flow_class(name: str) -> type[base.Flow]:
    """Return the class that `build` uses for a name."""
    _checks.one_of(name, (*names(), *image_names()), "name")
    return {**_FLOWS, **_IMAGE_FLOWS}[name]


def build(
    name: str,
    /,
    event_shape: Shape,
    condition_shape: Shape | None = None,
    **options: Any,
) -> base.Flow:
    """Build a flow by name.

    Args:
        name: One of `names()` or `image_names()`; an option of the same name is passed
            on to the flow.
        event_shape: Shape of one event; an int for vectors.
        condition_shape: Shape of the condition, `None` for an unconditional density.
        **options: Of the flow's class.

    Returns:
        The untrained flow, close to the identity.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If the flow has no such option.

    Example:
        >>> import tfp_flows as tfpf
        >>> tfpf.flows.build("maf", 2, num_layers=1).event_shape
        (2,)
    """
    known = _options(flow_class(name))
    unknown = sorted(set(options) - set(known))
    if unknown:
        msg = (
            f"`options` of the flow {name!r} must be among {', '.join(known)}, got "
            f"{', '.join(unknown)}. Correct the name."
        )
        raise TypeError(msg)
    return flow_class(name)(event_shape, condition_shape, **options)


def _options(kind: type[base.Flow]) -> list[str]:
    """Return the names of a flow's own options, then those that all flows have."""
    own = inspect.signature(kind).parameters.values()
    common = inspect.signature(base.Flow).parameters.values()
    names = [p.name for p in (*own, *common) if p.kind is p.KEYWORD_ONLY]
    return list(dict.fromkeys(name for name in names if name != "options"))
