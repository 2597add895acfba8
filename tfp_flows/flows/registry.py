"""The names of the flows, which the command line, estimators and docs share."""

from __future__ import annotations

from typing import Any

from tfp_flows import _checks, _keras_names
from tfp_flows._types import Shape
from tfp_flows.flows import base, ensemble, mixture, surjective
from tfp_flows.flows._model import options
from tfp_flows.flows.any_order import flow as any_order
from tfp_flows.flows.continuous import flow as continuous
from tfp_flows.flows.gaussianization import rbig, sliced
from tfp_flows.flows.images import attention as image_attention
from tfp_flows.flows.images import glow, realnvp
from tfp_flows.flows.vectors import (
    attention,
    autoregressive,
    block,
    coupling,
    linear,
    planar,
    residual,
    series,
    sphere,
)

__all__ = [
    "DEFAULT",
    "all_names",
    "build",
    "flow_class",
    "image_names",
    "manifold_names",
    "names",
    "require_flow",
]

# The flow that `tfp-flows fit` and `tfp-flows demo` use unless told otherwise.
DEFAULT = "nsf-ar"
# What makes an ensemble of a flow.
ENSEMBLE = ("members", "bootstrap", "member_weights")

_FLOWS: dict[str, type[base.Flow]] = {
    "nice": coupling.NICE,
    "realnvp": coupling.RealNVP,
    "nsf": coupling.NeuralSplineFlow,
    "maf": autoregressive.MaskedAutoregressiveFlow,
    "iaf": autoregressive.InverseAutoregressiveFlow,
    "nsf-ar": autoregressive.AutoregressiveSplineFlow,
    "maf-mol": autoregressive.MixtureAutoregressiveFlow,
    "bernstein": autoregressive.BernsteinFlow,
    "sos": autoregressive.SumOfSquaresFlow,
    "naf": autoregressive.NeuralAutoregressiveFlow,
    "umnn": autoregressive.MonotoneNetworkFlow,
    "tarflow": attention.TarFlow,
    "series": series.SeriesFlow,
    "bnaf": block.BlockAutoregressiveFlow,
    "circular": coupling.CircularFlow,
    "coupling": coupling.CouplingFlow,
    "autoregressive": autoregressive.AutoregressiveFlow,
    "linear": linear.LinearFlow,
    "planar": planar.PlanarFlow,
    "radial": planar.RadialFlow,
    "sylvester": planar.SylvesterFlow,
    "householder": planar.HouseholderFlow,
    "residual": residual.ResidualFlow,
    "cnf": continuous.ContinuousFlow,
    "flow-matching": continuous.FlowMatchingFlow,
    "rbig": rbig.RBIG,
    "gis": sliced.GIS,
    "sig": sliced.SIG,
    "gaussianization": rbig.Gaussianization,
    "mixture": mixture.MixtureFlow,
    "any-order": any_order.AnyOrderFlow,
    "augmented": surjective.AugmentedFlow,
    "symmetric": surjective.SymmetricFlow,
}

# Flows whose events must be images `[H, W, C]`.
_IMAGE_FLOWS: dict[str, type[base.Flow]] = {
    "glow": glow.Glow,
    "realnvp-image": realnvp.RealNVPImage,
    "nsf-image": glow.NeuralSplineImageFlow,
    "tarflow-image": image_attention.TarFlowImage,
}


# Flows whose events must be points of a space that is not flat.
_MANIFOLD_FLOWS: dict[str, type[base.Flow]] = {"sphere": sphere.SphereFlow}


def names() -> tuple[str, ...]:
    """Return the names of the flows that `build` knows for any event."""
    return tuple(_FLOWS)


def image_names() -> tuple[str, ...]:
    """Return the names of the flows that `build` knows for images `[H, W, C]`."""
    return tuple(_IMAGE_FLOWS)


def manifold_names() -> tuple[str, ...]:
    """Return the names of the flows that `build` knows for spheres: unit vectors."""
    return (*_MANIFOLD_FLOWS,)


def all_names() -> tuple[str, ...]:
    """Return all names that `build` knows."""
    return (*names(), *image_names(), *manifold_names())


def flow_class(name: str) -> type[base.Flow]:
    """Return the class that `build` uses for a name, or for a name of before."""
    name = _keras_names.RENAMED.get(name, name)
    _checks.one_of(name, all_names(), "name")
    return {**_FLOWS, **_IMAGE_FLOWS, **_MANIFOLD_FLOWS}[name]


def build(
    name: str,
    /,
    event_shape: Shape,
    condition_shape: Shape | None = None,
    **given: Any,
) -> base.Flow:
    """Build a flow by name.

    Args:
        name: One of `all_names()`; an option of the same name is passed on to the flow.
        event_shape: Shape of one event; an int for vectors.
        condition_shape: Shape of the condition, `None` for an unconditional density.
        **given: Options of the flow's class. With `members`, the number of them, an
            `Ensemble` of such flows, which takes `bootstrap` and `member_weights`, too.

    Returns:
        The untrained flow, close to the identity.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If the flow has no such option, or its value is of another kind.

    Example:
        >>> import tfp_flows as tfpf
        >>> tfpf.flows.build("maf", 2, num_layers=1).event_shape
        (2,)
    """
    cls = flow_class(name)
    of_ensemble = {word: given.pop(word) for word in ENSEMBLE if word in given}
    options.require_known(cls, given, f"the flow {name!r}")
    kinds = options.types_of(cls)
    for word, value in given.items():
        _checks.of_kind(value, kinds[word], word)
    if of_ensemble.get("members") is not None:
        return ensemble.Ensemble(
            event_shape, condition_shape, flow=cls, **of_ensemble, **given
        )
    if any(of_ensemble.values()):
        msg = (
            f"`{next(iter(of_ensemble))}` is of ensembles: give `members`, their number"
            ", as well."
        )
        raise ValueError(msg)
    return cls(event_shape, condition_shape, **given)


def require_flow(flow: Any) -> None:
    """Raise unless something is a flow.

    Args:
        flow: What was given.

    Raises:
        TypeError: If it is not, with what to pass in its place.
    """
    if isinstance(flow, base.Flow):
        return
    found, remedy = f"a `{type(flow).__name__}`", "Pass what `tfp_flows.fit` returns."
    if isinstance(flow, str):
        found = repr(flow)
        remedy = f"Fit one first: flow, _ = tfp_flows.fit({flow!r}, x)."
        if flow.endswith(".keras"):
            remedy = f"Read it first: tfp_flows.load({flow!r})."
    elif isinstance(flow, tuple) and flow and isinstance(flow[0], base.Flow):
        remedy = "Pass the first of what `tfp_flows.fit` returns."
    elif hasattr(flow, "get_params"):  # an estimator
        remedy = "Pass its `flow_`, which is there after its `fit`."
    elif hasattr(flow, "log_prob"):
        remedy = "Pass the flow that it is the density of."
    msg = f"`flow` must be a flow, got {found}. {remedy}"
    raise TypeError(msg)
