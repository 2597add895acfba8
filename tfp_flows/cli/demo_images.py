"""The second half of `tfp-flows demo`: pictures of clothes in place of wines."""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows import _optional
from tfp_flows.cli import files, images, models, quiet, tables
from tfp_flows.cli.errors import explained
from tfp_flows.cli.output import Report

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.flows.images.base import ImageFlow

__all__ = ["OUTPUTS", "run"]

MODEL, SAMPLES, TEMPERATURES = "clothes.keras", "samples.png", "temperatures.png"
REPORT = "images.json"
OUTPUTS = (MODEL, SAMPLES, TEMPERATURES, REPORT)
HELD_OUT = 0.1
FLOW = "glow"
OPTIONS: dict[str, Any] = {"num_steps": 4, "hidden_units": (48, 48)}
EPOCHS, QUICK_EPOCHS, BATCH_SIZE, LEARNING_RATE = 50, 2, 32, 3e-3
TEMPERATURE = 0.7
ROWS = 6
SCALE = (0.0, 0.3, 0.5, 0.7, 0.85, 1.0)


def run(arguments: argparse.Namespace, folder: Path, out: Report) -> None:
    """Fit Glow to pictures of clothes, compare it with a Gaussian, draw samples.

    Raises:
        UsageError: If outputs exist or cannot be written, or an extra is missing.
    """
    start, say = time.monotonic(), out.note
    for name in OUTPUTS:
        suffix = Path(name).suffix
        files.check_output(str(folder / name), (suffix,), force=arguments.force)
    with explained():
        _optional.require("matplotlib.figure", extra="plot")
        covariance = _optional.require("sklearn.covariance", extra="sklearn")
    say("loading TensorFlow")
    quiet.import_tensorflow()
    import numpy as np

    from tfp_flows import datasets

    x, classes = datasets.fashion_mnist()
    labels = np.eye(len(datasets.FASHION_CLASSES))[classes]
    rows, held_out = tables.split_rows(HELD_OUT, arguments.seed, x, labels)
    say(f"fitting {FLOW} to {len(rows)} pictures; {len(held_out)} are held out")
    flow, epochs = _fit(x[rows], labels[rows], arguments)
    seconds = time.monotonic() - start
    say("fitting the Gaussian, drawing the sheets")
    results = {
        FLOW: models.mean_and_error(flow.bits_per_dim(x[held_out], labels[held_out])),
        "Gaussian": models.mean_and_error(
            _gaussian_bits(flow, x[rows], x[held_out], covariance)
        ),
    }
    models.save(flow, folder / MODEL)
    _draw(flow, folder, arguments.seed)
    report = {
        "data": "Fashion-MNIST, 1,500 of its pictures",
        "split": f"random, equal pictures on one side, seed {arguments.seed}",
        "images": {"fit": len(rows), "held_out": len(held_out)},
        "held_out_bits_per_dim": {
            label: {"mean": mean, "standard_error": error}
            for label, (mean, error) in results.items()
        },
        "parameters": models.parameter_count(flow),
        "seed": arguments.seed,
        "epochs": epochs,
        "fit_seconds": round(seconds, 1),
    }
    with files.replacing(folder / REPORT) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    words = f"bits/dim of {len(held_out)} pictures held out (lower is better)"
    out.line(words, **report)
    for label, (mean, error) in results.items():
        out.line(f"  {label:<13} {mean:8.3f} +- {error:.3f}")
    out.line(f"wrote {', '.join(OUTPUTS)} to {folder}")
    out.end()
    say(f"{time.monotonic() - start:.0f} s in all, {seconds:.0f} s of it the fit")


def _fit(
    x: np.ndarray, labels: np.ndarray, arguments: argparse.Namespace
) -> tuple[ImageFlow, int]:
    """Fit, and return the flow and the number of epochs."""
    from tfp_flows import datasets, training
    from tfp_flows.training.callbacks.progress import ProgressLine

    with ProgressLine.of_images(x.shape[1:], quiet=arguments.quiet) as line:
        flow, history = training.fit(
            FLOW,
            x,
            labels,
            validation=None,
            condition_columns=[f"{images.CLASS}{c}" for c in datasets.FASHION_CLASSES],
            epochs=QUICK_EPOCHS if arguments.quick else EPOCHS,
            batch_size=BATCH_SIZE,
            learning_rate=LEARNING_RATE,
            seed=arguments.seed,
            callbacks=[line],
            verbose=0,
            **OPTIONS,
        )
    return flow, len(history.history["loss"])


def _gaussian_bits(
    flow: ImageFlow, train: np.ndarray, test: np.ndarray, covariance: Any
) -> np.ndarray:
    """Return bits per dimension of a Gaussian with full covariance, `[N]`.

    It models the logits that the flow models, with the same noise on the pixels and
    every constant of the logit. The covariance is shrunk as Ledoit and Wolf do: with
    fewer than two pictures per dimension the plain one is worse.
    """
    import numpy as np

    pixels = flow.pixels
    parts = []
    for seed, raw in enumerate((train, test)):
        noisy = flow.dequantize(raw, seed=seed)
        parts.append(pixels.inverse(noisy).numpy().reshape(len(raw), -1))
    log_det = pixels.inverse_log_det_jacobian(noisy, event_ndims=3).numpy()
    model = covariance.LedoitWolf().fit(parts[0].astype(np.float64))
    z = parts[1] - model.location_
    size = z.shape[1]
    squares = np.einsum("ni,ij,nj->n", z, model.precision_, z)
    _, volume = np.linalg.slogdet(model.covariance_)
    nats = 0.5 * (squares + volume + size * math.log(2 * math.pi)) - log_det
    return nats / (size * math.log(2.0))


def _draw(flow: ImageFlow, folder: Path, seed: int) -> None:
    """Draw a sheet of samples, and one of the same noise at several temperatures."""
    import numpy as np

    from tfp_flows import datasets

    names = [name.split()[-1] for name in datasets.FASHION_CLASSES]
    count = len(names)
    eye = np.eye(count, dtype=np.float32)
    x = images.draw(flow, ROWS * count, np.tile(eye, [ROWS, 1]), seed, TEMPERATURE)
    images.grid(folder / SAMPLES, x, count, column_labels=names)
    rows = [images.draw(flow, count, eye, seed + 1, t) for t in SCALE]
    images.grid(
        folder / TEMPERATURES,
        np.stack(rows),
        row_labels=[f"T = {t:g}" for t in SCALE],
        column_labels=names,
    )
