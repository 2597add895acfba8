"""nflows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import works
from nflows import distributions, flows, transforms
from nflows.nn import nets
from nflows.transforms.splines import rational_quadratic
from peers import _torch

__all__ = ["build", "logits"]

MINIMUM = 1e-3


def build(work: works.Work, variant: str, folder: Path) -> works.Model:
    """Return the model of a work."""
    if work.kind == "spline":
        return _torch.splines(work, folder, logits, spline)
    layers = autoregressive(work) if work.kind in ("maf", "iaf") else coupling(work)
    flow = flows.Flow(
        transforms.CompositeTransform(layers),
        distributions.StandardNormal([work.size]),
    )
    return _torch.model(
        work,
        flow,
        flow.log_prob,
        lambda: flow.sample(work.batch),
        lambda: flow.sample_and_log_prob(work.batch),
    )


def autoregressive(work: works.Work) -> list[Any]:
    """Return masked autoregressive layers, from the data to the base."""
    layers: list[Any] = []
    for i in range(work.layers):
        if i:
            layers.append(transforms.ReversePermutation(work.size))
        layer = transforms.MaskedAffineAutoregressiveTransform(
            work.size,
            work.hidden[0],
            num_blocks=len(work.hidden) - 1,
            use_residual_blocks=False,
        )
        inverted = work.kind == "iaf"
        layers.append(transforms.InverseTransform(layer) if inverted else layer)
    return layers


def coupling(work: works.Work) -> list[Any]:
    """Return coupling layers."""

    def network(inputs: int, outputs: int) -> torch.nn.Module:
        if work.residual:
            blocks = len(work.hidden) - 1
            return nets.ResidualNet(inputs, outputs, work.hidden[0], num_blocks=blocks)
        plain = nets.MLP([inputs], [outputs], list(work.hidden))
        # The library calls the network with a context, which its own does not take.
        plain.forward = lambda x, context=None: nets.MLP.forward(plain, x)
        return plain

    layers: list[Any] = []
    for mask in works.masks(work):
        change = [0 if keep else 1 for keep in mask]
        if not work.bins:
            layers.append(transforms.AffineCouplingTransform(change, network))
            continue
        layer = transforms.PiecewiseRationalQuadraticCouplingTransform(
            change,
            network,
            num_bins=work.bins,
            tails="linear",
            tail_bound=works.BOUND,
        )
        layers.append(layer)
    return layers


def logits(knots: Any) -> list[np.ndarray]:
    """Invert the softmax and the softplus."""
    return [
        works.softmax_logits(knots["widths"], MINIMUM),
        works.softmax_logits(knots["heights"], MINIMUM),
        works.softplus_inverse(knots["slopes"] - MINIMUM),
    ]


def spline(
    x: torch.Tensor,
    widths: torch.Tensor,
    heights: torch.Tensor,
    slopes: torch.Tensor,
    inverse: bool,  # noqa: FBT001 - of the shared call
) -> tuple[torch.Tensor, torch.Tensor]:
    """Evaluate nflows' spline."""
    return rational_quadratic.unconstrained_rational_quadratic_spline(
        x, widths, heights, slopes, inverse, tail_bound=works.BOUND
    )
