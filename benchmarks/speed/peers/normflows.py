"""normflows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import normflows
import numpy as np
import torch
import works
from normflows.flows.neural_spline.coupling import PiecewiseRationalQuadraticCoupling
from normflows.nets.resnet import ResidualNet
from normflows.utils import splines
from peers import _torch

__all__ = ["build", "family", "glow"]

MINIMUM = 1e-3


def build(work: works.Work, variant: str, folder: Path) -> works.Model:
    """Return the model of a work."""
    if work.kind == "spline":
        return _torch.splines(work, folder, logits, spline)
    note = ""
    if work.kind in ("maf", "iaf"):
        layers = autoregressive(work)
        note = "no activation behind the first product (its MADE)"
    else:
        layers = spline_coupling(work) if work.bins else affine_coupling(work)
    base = normflows.distributions.DiagGaussian(work.size, trainable=False)
    flow = normflows.NormalizingFlow(base, layers)

    def both() -> tuple[torch.Tensor, torch.Tensor]:
        return flow.sample(work.batch)

    model = _torch.model(work, flow, flow.log_prob, lambda: both()[0], both)
    model.note = note
    return model


def family(work: works.Work, variant: str) -> works.Model:
    """Return planar layers, whose closed form goes from the data to the base."""
    if work.kind != "planar":
        raise works.Skip("it has none")
    layers = [
        normflows.flows.Reverse(normflows.flows.Planar((work.size,), act="tanh"))
        for _ in range(work.layers)
    ]
    base = normflows.distributions.DiagGaussian(work.size, trainable=False)
    flow = normflows.NormalizingFlow(base, layers)
    model = _torch.model(work, flow, flow.log_prob, flow.sample, flow.sample)
    model.ops.pop("sample", None)
    model.skipped["sample"] = "its tanh is not inverted"
    model.wanted = model.parameters
    return model


def glow(work: works.Work, variant: str) -> works.Model:
    """Return Glow with a diagonal Gaussian for each level."""
    del variant
    pictures = torch.tensor(works.pictures(work)).permute(0, 3, 1, 2)
    x = ((pictures - 128.0) / 256.0).to(_torch.DEVICE)
    bases, merges, levels = [], [], []
    for i in range(works.LEVELS):
        channels, side = 3 * 2 ** (works.LEVELS + 1 - i), work.size
        side //= 2 ** (works.LEVELS - i)
        options = {"split_mode": "channel", "scale": True, "leaky": 0.0}
        steps = [
            normflows.flows.GlowBlock(channels, work.hidden[0], **options)
            for _ in range(work.layers)
        ]
        levels.append([*steps, normflows.flows.Squeeze()])
        if i:
            merges.append(normflows.flows.Merge())
        shape = (channels // 2 if i else channels, side, side)
        bases.append(normflows.distributions.DiagGaussian(shape))
    flow = normflows.MultiscaleFlow(bases, levels, merges)
    optimizer = torch.optim.Adam(flow.parameters(), works.LEARNING_RATE)

    def step() -> None:
        optimizer.zero_grad()
        flow.forward_kld(x).backward()
        optimizer.step()

    def log_prob() -> None:
        with torch.no_grad():
            flow.log_prob(x)

    def sample() -> None:
        with torch.no_grad():
            flow.sample(work.batch)

    ops = {"log_prob": log_prob, "sample": sample, "step": step}
    count = sum(p.numel() for p in flow.parameters() if p.requires_grad)
    note = "other priors of the levels"
    return works.Model({name: ops[name] for name in work.ops}, count, count, note=note)


def autoregressive(work: works.Work) -> list[Any]:
    """Return masked autoregressive layers, from the base to the data."""
    layers: list[Any] = []
    for i in range(work.layers):
        layer = normflows.flows.MaskedAffineAutoregressive(
            work.size,
            work.hidden[0],
            num_blocks=len(work.hidden) - 1,
            use_residual_blocks=False,
        )
        fast_sampling = work.kind == "iaf"
        layers.append(layer if fast_sampling else normflows.flows.Reverse(layer))
        if i + 1 < work.layers:
            layers.append(normflows.flows.Permute(work.size, mode="swap"))
    return layers


def affine_coupling(work: works.Work) -> list[Any]:
    """Return affine coupling layers, with the halves swapped between them."""
    layers: list[Any] = []
    for mask in works.masks(work):
        kept = sum(mask)
        outputs = 2 * (work.size - kept)
        net = normflows.nets.MLP([kept, *work.hidden, outputs])
        layers.append(normflows.flows.AffineCouplingBlock(net))
        layers.append(normflows.flows.Permute(work.size, mode="swap"))
    return layers


def spline_coupling(work: works.Work) -> list[Any]:
    """Return spline coupling layers without splines on the kept half."""

    def network(inputs: int, outputs: int) -> torch.nn.Module:
        blocks = len(work.hidden) - 1
        return ResidualNet(inputs, outputs, work.hidden[0], num_blocks=blocks)

    layers = []
    for mask in works.masks(work):
        layer = PiecewiseRationalQuadraticCoupling(
            torch.tensor([0 if keep else 1 for keep in mask]),
            network,
            num_bins=work.bins,
            tails="linear",
            tail_bound=works.BOUND,
        )
        layers.append(normflows.flows.Reverse(layer))
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
    """Evaluate normflows' spline."""
    return splines.unconstrained_rational_quadratic_spline(
        x, widths, heights, slopes, inverse, tail_bound=works.BOUND
    )
