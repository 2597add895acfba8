"""What the peers in PyTorch share."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import devices
import numpy as np
import torch
import works

__all__ = ["Residual", "model", "network", "splines"]

torch.set_num_threads(len(os.sched_getaffinity(0)))
DEVICE = "cuda" if devices.on_gpu() else "cpu"
torch.set_default_device(DEVICE)


class Residual(torch.nn.Module):
    """Residual network, for libraries that have none of their own."""

    def __init__(self, inputs: int, outputs: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        width = hidden[0]
        self.first = torch.nn.Linear(inputs, width)
        self.blocks = torch.nn.ModuleList(
            torch.nn.Sequential(
                torch.nn.ReLU(),
                torch.nn.Linear(width, width),
                torch.nn.ReLU(),
                torch.nn.Linear(width, width),
            )
            for _ in hidden[1:]
        )
        self.last = torch.nn.Linear(width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs."""
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


def network(inputs: int, outputs: int, hidden: tuple[int, ...]) -> torch.nn.Module:
    """Return a plain network."""
    layers: list[torch.nn.Module] = []
    for before, after in itertools.pairwise((inputs, *hidden)):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(hidden[-1], outputs))


def model(
    work: works.Work,
    flow: torch.nn.Module,
    log_prob: Callable[[torch.Tensor], torch.Tensor],
    sample: Callable[[], torch.Tensor],
    both: Callable[[], tuple[torch.Tensor, torch.Tensor]],
    *,
    compiled: bool = False,
) -> works.Model:
    """Return the model of a flow.

    Args:
        work: The work.
        flow: Owner of the parameters.
        log_prob: From data to log-densities.
        sample: Returns samples, with gradients.
        both: Returns samples and their log-densities, with gradients.
        compiled: Whether to use `torch.compile`.
    """
    x = torch.from_numpy(works.data(work)).to(DEVICE)
    optimizer = torch.optim.Adam(flow.parameters(), works.LEARNING_RATE, fused=True)

    def likelihood() -> torch.Tensor:
        return -log_prob(x).mean()

    def divergence() -> torch.Tensor:
        y, log_q = both()
        return (log_q + 0.5 * torch.square(y - 1.0).sum(-1)).mean()

    def squares() -> torch.Tensor:
        return torch.square(sample()).mean()

    wrap = torch.compile if compiled else (lambda function: function)
    loss = wrap(divergence if work.kind == "iaf" else likelihood)
    mean = wrap(squares)
    density, draw = wrap(log_prob), wrap(sample)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    def gradient() -> None:
        optimizer.zero_grad()
        mean().backward()

    def without(function: Callable, *arguments: Any) -> Callable[[], Any]:
        def call() -> Any:
            with torch.no_grad():
                return function(*arguments)

        return call

    ops = {
        "log_prob": without(density, x),
        "sample": without(draw),
        "step": step,
        "sample_gradient": gradient,
    }
    count = sum(p.numel() for p in flow.parameters())
    return works.Model({name: ops[name] for name in work.ops}, count)


def splines(
    work: works.Work,
    folder: Path,
    logits: Callable[[Any], list[np.ndarray]],
    apply: Callable[..., tuple[torch.Tensor, torch.Tensor]],
    *,
    compiled: bool = False,
) -> works.Model:
    """Return the model of splines.

    Args:
        work: The work.
        folder: Where the reference knots lie.
        logits: From knots to what the library takes for them: widths, heights, slopes.
        apply: The spline of the library: `(x, widths, heights, slopes, inverse)` to
            value and log-det.
        compiled: Whether to use `torch.compile`.
    """
    knots = np.load(folder / f"{work.name}.npz")
    tensors = [
        torch.from_numpy(works.repeat(values, work)).to(DEVICE)
        for values in (knots["x"], *logits(knots))
    ]
    wrap = torch.compile if compiled else (lambda function: function)
    run = wrap(apply)

    def direction(*, inverse: bool) -> Any:
        with torch.no_grad():
            return run(*tensors, inverse)

    leaves = [t.clone().requires_grad_() for t in tensors]

    def gradient() -> Any:
        y, log_det = run(*leaves, False)  # noqa: FBT003 - the compiled one's call
        return torch.autograd.grad((y + log_det).sum(), leaves)

    # In float64 and not compiled: it is the maps that must agree, not their rounding.
    exact = [
        torch.from_numpy(values).to(DEVICE) for values in (knots["x"], *logits(knots))
    ]
    outputs = {
        f"{name} {part}": value.cpu().numpy()
        for name, inverse in (("forward", False), ("inverse", True))
        for part, value in zip(
            ("value", "log-det"), apply(*exact, inverse), strict=True
        )
    }
    ops = {
        "forward": lambda: direction(inverse=False),
        "inverse": lambda: direction(inverse=True),
        "gradient": gradient,
    }
    return works.Model(ops, outputs=outputs)
