"""zuko, as it is (`eager`) and under `torch.compile` (`compile`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import works
import zuko
from peers import _torch
from zuko.transforms import FreeFormJacobianTransform, MonotonicRQSTransform

__all__ = ["build", "family"]

SLOPE = 1e-3


def build(work: works.Work, variant: str, folder: Path) -> works.Model:
    """Return the model of a work."""
    compiled = variant == "compile"
    if work.kind == "spline":
        return _torch.splines(work, folder, logits, spline, compiled=compiled)
    layers = autoregressive(work) if work.kind in ("maf", "iaf") else coupling(work)
    base = zuko.lazy.UnconditionalDistribution(
        zuko.distributions.DiagNormal,
        torch.zeros(work.size),
        torch.ones(work.size),
        buffer=True,
    )
    flow = zuko.lazy.Flow(layers, base)
    shape = (work.batch,)
    return _torch.model(
        work,
        flow,
        lambda x: flow().log_prob(x),
        lambda: flow().rsample(shape),
        lambda: flow().rsample_and_log_prob(shape),
        compiled=compiled,
    )


class Field(torch.nn.Module):
    """The velocity of all libraries, by the weights of `works.field`."""

    def __init__(self, work: works.Work) -> None:
        super().__init__()
        arrays = works.field(work)
        self.weights = torch.nn.ParameterList(torch.from_numpy(a) for a in arrays)
        order = torch.arange(1, works.FREQUENCIES + 1)
        self.register_buffer("frequencies", torch.pi * order)

    def forward(self, time: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return velocities at one time."""
        angles = self.frequencies * time
        features = torch.cat([time[None], angles.cos(), angles.sin()])
        *inner, head, bias = self.weights
        for i in range(0, len(inner), 3):
            kernel, offset, by_time = inner[i : i + 3]
            bend = offset + by_time @ features
            x = torch.nn.functional.silu(x @ kernel.T + bend)
        return x @ head.T + bias

    def transform(self) -> FreeFormJacobianTransform:
        """Return the way from the data to the base."""
        zero = torch.zeros(())
        return FreeFormJacobianTransform(
            self,
            t0=zero,
            t1=zero + 1.0,
            phi=self.parameters(),
            atol=works.TOLERANCE,
            rtol=works.TOLERANCE,
        )


def family(work: works.Work, variant: str) -> works.Model:
    """Return a continuous flow."""
    if work.kind != "cnf":
        raise works.Skip("it has none")
    if variant == "compile":
        raise works.Skip("its solver is a loop of Python")
    velocity = Field(work)
    scale = torch.ones(work.size)
    base = zuko.distributions.DiagNormal(torch.zeros(work.size), scale)
    shape = (work.batch,)

    def flow() -> Any:
        return zuko.distributions.NormalizingFlow(velocity.transform(), base)

    model = _torch.model(
        work,
        velocity,
        lambda x: flow().log_prob(x),
        lambda: flow().rsample(shape),
        lambda: flow().rsample_and_log_prob(shape),
    )
    model.wanted = model.parameters
    model.note = "one step for all rows, by its own network with equal weights"
    return model


def autoregressive(work: works.Work) -> list[Any]:
    """Return masked autoregressive layers, from the data to the base."""
    layers = []
    for i in range(work.layers):
        order = torch.arange(work.size)
        layer = zuko.flows.MaskedAutoregressiveTransform(
            work.size,
            order=order.flip(0) if i % 2 else order,
            hidden_features=work.hidden,
        )
        layers.append(layer.inv if work.kind == "iaf" else layer)
    return layers


def coupling(work: works.Work) -> list[Any]:
    """Return coupling layers; zuko's network has no residual form."""
    options: dict[str, Any] = {}
    if work.bins:
        shapes = [(work.bins,), (work.bins,), (work.bins - 1,)]
        options = {"univariate": MonotonicRQSTransform, "shapes": shapes}
    layers = []
    for mask in works.masks(work):
        layer = zuko.flows.coupling.GeneralCouplingTransform(
            work.size, mask=mask, hidden_features=work.hidden, **options
        )
        if work.residual:
            kept = sum(mask)
            outputs = (work.size - kept) * work.per_scalar
            layer.hyper = _torch.Residual(kept, outputs, work.hidden)
        layers.append(layer)
    return layers


def logits(knots: Any) -> list[np.ndarray]:
    """Invert zuko's soft clip of logarithms."""
    out = []
    for key, factor in (("widths", 2.0), ("heights", 2.0), ("slopes", 1.0)):
        values = np.log(knots[key])
        if key != "slopes":
            # A softmax does not see a shift: keep away from the bound on both sides.
            values -= 0.5 * (values.max(-1) + values.min(-1))[:, None]
        out.append(values / (1.0 - np.abs(factor * values / np.log(SLOPE))))
    return out


def spline(
    x: torch.Tensor,
    widths: torch.Tensor,
    heights: torch.Tensor,
    slopes: torch.Tensor,
    inverse: bool,  # noqa: FBT001 - of the shared call
) -> tuple[torch.Tensor, torch.Tensor]:
    """Evaluate zuko's spline."""
    transform = MonotonicRQSTransform(widths, heights, slopes, works.BOUND, SLOPE)
    if inverse:
        return transform.inv.call_and_ladj(x)
    return transform.call_and_ladj(x)
