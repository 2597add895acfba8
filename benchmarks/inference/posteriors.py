"""`fit_posterior` and NeuTra with their defaults on posteriors of known moments.

    python benchmarks/inference/posteriors.py [--models NAME ...] [--neutra] [--smoke]

Posteriors of `posteriordb`, whose references lie beside the checkout, and targets of
`inference_gym` (pip install inference_gym==0.0.5). For each: the largest error of a
mean, in standard deviations of the reference, and the range of the ratios of standard
deviations, by plain draws of the posterior, over all parameters; Pareto k-hat,
effective sample size of a draw, lower bound and log-evidence; whether the report trusts
the reweighted draws. With `--neutra` also the largest error of a mean by chains, their
R-hat, and how many densities and gradients of the target fit and chains took.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import _gym
import _posteriors
import _report
import numpy as np
import tensorflow as tf

from tfp_flows import inference

QUICKEST = ["banana", "kidiq-kidscore_momiq"]
MEAN, LOW, HIGH, SHAPE, R_HAT = 0.1, 0.9, 1.1, 0.7, 1.01
LENGTH: dict[str, int] = {"num_draws": 1_000, "num_chains": 8, "burn_in": 500}


class Row(NamedTuple):
    """A line of the table, and which bars are reached.

    Attributes:
        line: The line.
        moments: Whether means and deviations are.
        shape: Whether k-hat is.
        met: Whether R-hat is; `False` without chains.
    """

    line: str
    moments: bool
    shape: bool
    met: bool


def load(name: str) -> tuple[_posteriors.Model, np.ndarray, np.ndarray]:
    """Return a model, and means and deviations of its reference."""
    source: Any = _gym if name in _gym.MODELS else _posteriors
    return source.load(name)


def available() -> list[str]:
    """Return the names of the posteriors whose references are there."""
    names = list(_posteriors.MODELS) if _posteriors.FOLDER.is_dir() else []
    return [*names, *(_gym.MODELS if _gym.is_installed() else ())]


def row(name: str, *, neutra: bool, quick: bool) -> Row:
    """Return what a fit, and chains if wanted, have come to."""
    model, mean, deviation = load(name)
    options: dict[str, Any] = {"seed": 0, "verbose": 0, **model.options}
    if quick:
        options.update(steps=2, draws=200, repairs=0)
    begin, chains = time.process_time(), None
    if neutra:
        length = dict.fromkeys(LENGTH, 20) if quick else LENGTH
        chains = inference.sample_posterior(model.target, "neutra", **length, **options)
        report = chains.report
        posterior = report.whitened.posterior(report.flow)
    else:
        posterior, report = inference.fit_posterior(model.target, **options)
    seconds = time.process_time() - begin
    x = model.parameters(posterior.sample(200 if quick else 20_000, seed=(0, 1)))
    error = float(np.max(np.abs(x.mean(axis=0) - mean) / deviation))
    ratios = x.std(axis=0) / deviation
    good = error <= MEAN and ratios.min() >= LOW and ratios.max() <= HIGH
    line = (
        f"{name.split('-')[-1]:26s}{len(mean):4d}{error:9.3f}{ratios.min():8.3f}"
        f"{ratios.max():8.3f}{report.k_hat:8.2f}{report.ess_per_draw:7.3f}"
        f"{report.elbo.value:12.3f}{report.sample.log_evidence.value:12.3f}"
        f"{'yes' if report.reliable else 'NO':>8s}"
    )
    met = False
    if chains is not None:
        flat = tf.nest.map_structure(
            lambda v: v.reshape(-1, *v.shape[2:]), chains.draws
        )
        moved = np.abs(model.parameters(flat).mean(axis=0) - mean) / deviation
        met = bool(np.max(chains.r_hat) < R_HAT)
        line += f"{moved.max():9.3f}{np.max(chains.r_hat):8.3f}"
        line += f"{chains.gradients + chains.warm_up_gradients:10d}"
    return Row(f"{line}{seconds:8.0f}", bool(good), report.k_hat <= SHAPE, met)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser: argparse.ArgumentParser = _report.parser(__doc__)
    every = [*_posteriors.MODELS, *_gym.MODELS]
    parser.add_argument("--models", nargs="+", choices=every)
    parser.add_argument("--neutra", action="store_true")
    given = parser.parse_args(arguments)
    _report.header("Posteriors by fit_posterior, defaults", "inference_gym")
    wanted = QUICKEST if given.smoke else given.models or every
    names = [name for name in wanted if name in available()]
    for name in sorted(set(wanted) - set(names)):
        print(f"{name}: no reference here, see --help")
    chains = f"{'chains':>9s}{'R-hat':>8s}{'calls':>10s}" if given.neutra else ""
    print(
        f"{'posterior':26s}{'par':>4s}{'|mean|':>9s}{'sd min':>8s}{'sd max':>8s}"
        f"{'k-hat':>8s}{'ESS':>7s}{'ELBO':>12s}{'log Z':>12s}{'trusted':>8s}"
        f"{chains}{'seconds':>8s}",
        flush=True,
    )
    rows = []
    for name in names:
        rows.append(row(name, neutra=given.neutra, quick=given.smoke))
        print(rows[-1].line, flush=True)
    print(f"moments within their bars: {sum(r.moments for r in rows)} of {len(rows)}")
    print(f"k-hat at most {SHAPE}: {sum(r.shape for r in rows)} of {len(rows)}")
    if given.neutra:
        print(f"R-hat below {R_HAT}: {sum(r.met for r in rows)} of {len(rows)}")


if __name__ == "__main__":
    main()
