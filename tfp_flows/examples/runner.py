"""What the examples share: arguments, the fit with its log, and the picture."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows import _files

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.flows import Flow

__all__ = ["parser", "run"]

LEARNING_RATE = 5e-3
_LINES = 10
# Other libraries' names of flows; the last two are simple maps alone.
OTHER_NAMES = {
    "planar": "planar",
    "radial": "radial",
    "realnvp": "realnvp",
    "maf": "maf",
    "nsf_ar": "nsf-ar",
    "nsf_cl": "nsf",
    "actnorm": "actnorm",
    "onebyoneconv": "conv1x1",
}
MAPS = ("actnorm", "conv1x1")
_BAD_USAGE = 2


def parser(
    name: str, description: str, *, n: int, flows: int
) -> argparse.ArgumentParser:
    """Return the parser of an example.

    Args:
        name: Name of the example's module.
        description: What it does.
        n: Default number of points.
        flows: Default number of layers.
    """
    out = argparse.ArgumentParser(
        prog=f"python -m tfp_flows.examples.{name}", description=description
    )
    add = out.add_argument
    add("--n", type=int, default=n, help=f"points to fit; default {n}")
    add("--flows", type=int, default=flows, help=f"layers; default {flows}")
    add(
        "--flow",
        default="nsf-ar",
        type=_name,
        help="name of a flow, see `tfp-flows list`; or actnorm or conv1x1, these maps "
        "alone; default nsf-ar",
    )
    add("--iterations", type=int, default=500, help="updates; default 500")
    add("--convolve", action="store_true", help="a linear map (LU) after each layer")
    add("--actnorm", action="store_true", help="an ActNorm after each layer")
    add("--seed", type=int, default=0, help="default 0")
    add("--out", default=f"{name}.png", help=f"picture to write; default {name}.png")
    add("--force", action="store_true", help="overwrite the picture")
    return out


def run(
    arguments: argparse.Namespace,
    data: Callable[[int, int], np.ndarray],
    draw: Callable[[Sequence[Any], Sequence[np.ndarray]], None],
) -> int:
    """Fit, print the log, and draw data, samples and latent points.

    Args:
        arguments: What `parser` read.
        data: Function of `n` and `seed` that returns points `[n, D]`.
        draw: Function that draws three arrays of points on three axes.

    Returns:
        The exit code.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    out = Path(arguments.out)
    reason = _refusal(arguments, out)
    if reason:
        print(f"{arguments.flow}: {reason}", file=sys.stderr)
        return _BAD_USAGE
    from tfp_flows.plots import canvas

    x = data(arguments.n, arguments.seed)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    flow = _build(arguments, x.shape[1])
    flow.adapt(x)
    _fit(flow, x, arguments.iterations)
    samples = flow.sample(len(x), seed=(arguments.seed, 1)).numpy()
    latent = flow.bijector().inverse(x).numpy()
    figure = canvas.new_figure(9.0, 3.2)
    axes = figure.subplots(1, 3)
    draw(axes, [x, samples, latent])
    for ax, title in zip(axes, ("data", "samples", "latent points"), strict=True):
        ax.set_title(title, fontsize=10)
        canvas.tidy(ax, ticks=5)
    with _files.replacing(out) as temporary:
        figure.savefig(temporary, dpi=120)
    print(f"wrote {out}")
    return 0


def _name(text: str) -> str:
    return OTHER_NAMES.get(text.lower(), text)


def _refusal(arguments: argparse.Namespace, out: Path) -> str | None:
    """Return why the arguments cannot be used, if so."""
    if out.exists() and not arguments.force:
        return f"'{out}' exists: choose another --out or add --force."
    if not out.parent.is_dir():
        return f"there is no folder '{out.parent}' for --out."
    if arguments.n < 2 or min(arguments.flows, arguments.iterations) < 1:
        return "--n must be at least 2, --flows and --iterations at least 1."
    from tfp_flows import flows

    known = (*flows.names(), *MAPS)
    if arguments.flow not in known:
        return f"there is no such flow, only {', '.join(known)}."
    return None


def _build(arguments: argparse.Namespace, size: int) -> Flow:
    from tfp_flows import flows
    from tfp_flows.examples.stack import NONE, Stack

    sizes = {"num_layers": arguments.flows, "seed": arguments.seed}
    name = arguments.flow
    if arguments.convolve or arguments.actnorm or name in MAPS:
        return Stack(
            size,
            block=NONE if name in MAPS else name,
            convolve=arguments.convolve or name == "conv1x1",
            actnorm=arguments.actnorm or name == "actnorm",
            **sizes,
        )
    return flows.build(arguments.flow, size, **sizes)


def _fit(flow: Flow, x: np.ndarray, iterations: int) -> None:
    """Take full-batch Adam steps; log means of the log-density and its two terms."""
    import keras

    def log(step: int) -> None:
        z, log_det = flow.bijector().inverse_and_log_det(x)
        prior = flow.partial(0).log_prob(z).numpy().mean()
        change = log_det.numpy().mean()
        print(
            f"iteration {step:>5}  log_prob {prior + change:8.3f}  "
            f"prior {prior:8.3f}  log_det {change:8.3f}",
            flush=True,
        )

    every = max(1, iterations // _LINES)
    log(0)
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: (
            log(epoch + 1)
            if (epoch + 1) % every == 0 or epoch + 1 == iterations
            else None
        )
    )
    flow.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE))
    flow.fit(x, batch_size=len(x), epochs=iterations, callbacks=[callback], verbose=0)
