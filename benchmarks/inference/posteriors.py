"""`fit_posterior` with its defaults on posteriors of known reference draws.

    python benchmarks/inference/posteriors.py [--models NAME ...] [--smoke]

For each posterior: the largest error of a mean, in standard deviations of the
reference, and the range of the ratios of standard deviations, by plain draws of the
posterior, over all parameters; Pareto k-hat, effective sample size of a draw, lower
bound and log-evidence. The folder of the references lies beside the checkout.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import _posteriors
import _report
import numpy as np

from tfp_flows import inference

QUICKEST = ["kidiq-kidscore_momiq"]
MEAN, LOW, HIGH, SHAPE = 0.1, 0.9, 1.1, 0.7


def row(name: str, *, quick: bool) -> tuple[str, bool, bool]:
    """Return a line of the table, and whether moments and k-hat reach their bars."""
    model, mean, deviation = _posteriors.load(name)
    options = {"steps": 2, "draws": 200} if quick else {}
    begin = time.perf_counter()
    posterior, report = inference.fit_posterior(
        model.target, seed=0, verbose=0, **options, **model.options
    )
    seconds = time.perf_counter() - begin
    x = model.parameters(posterior.sample(200 if quick else 20_000, seed=(0, 1)))
    error = float(np.max(np.abs(x.mean(axis=0) - mean) / deviation))
    ratios = x.std(axis=0) / deviation
    good = error <= MEAN and ratios.min() >= LOW and ratios.max() <= HIGH
    line = (
        f"{name.split('-')[-1]:26s}{len(mean):4d}{error:9.3f}{ratios.min():8.3f}"
        f"{ratios.max():8.3f}{report.k_hat:8.2f}{report.ess_per_draw:7.3f}"
        f"{report.elbo.value:12.3f}{report.sample.log_evidence.value:12.3f}"
        f"{seconds:8.0f}"
    )
    return line, bool(good), report.k_hat <= SHAPE


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser: argparse.ArgumentParser = _report.parser(__doc__)
    parser.add_argument("--models", nargs="+", default=list(_posteriors.MODELS))
    given = parser.parse_args(arguments)
    _report.header("Posteriors by fit_posterior, defaults")
    if not _posteriors.FOLDER.is_dir():
        print(f"no references in {_posteriors.FOLDER}: nothing to compare with")
        return
    print(
        f"{'posterior':26s}{'par':>4s}{'|mean|':>9s}{'sd min':>8s}{'sd max':>8s}"
        f"{'k-hat':>8s}{'ESS':>7s}{'ELBO':>12s}{'log Z':>12s}{'seconds':>8s}",
        flush=True,
    )
    names = QUICKEST if given.smoke else given.models
    moments = shapes = 0
    for name in names:
        line, good, shape = row(name, quick=given.smoke)
        print(line, flush=True)
        moments, shapes = moments + good, shapes + shape
    print(f"moments within their bars: {moments} of {len(names)}")
    print(f"k-hat at most {SHAPE}: {shapes} of {len(names)}")


if __name__ == "__main__":
    main()
