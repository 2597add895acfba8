"""C2ST of posteriors from simulators, beside published ones.

    python benchmarks/inference/sbibm.py --tasks two_moons --methods npe

Four tasks of the public benchmark of simulation-based inference, at observations of
`../shared/data/sbibm` with 10,000 reference draws each. `c2st` is the mean accuracy of
a classifier over the observations (.5 is chance), `published` the mean and deviation
over ten observations, `bar` that mean plus its deviation over the root of the number of
observations here. One setting for all tasks: the default of `NPE`, `FMPE` and `NLE`;
`tsnpe` and `snl` have ten rounds. `seconds` is the CPU time of the fits, simulations
included; that of the classifiers is not.

Tasks and scores: Lueckmann et al. (2021). https://arxiv.org/abs/2101.04653
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))

import _report

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "sbibm"
PUBLISHED = {
    "npe": "NPE",
    "fmpe": "FMPE",
    "tsnpe": "SNPE",
    "nle": "NLE",
    "snl": "SNLE",
}
RERUN = "gaussian_mixture_rerun.csv"
ROUNDS = 10


def two_moons(theta: np.ndarray, seed: int) -> np.ndarray:
    """Return points of a crescent whose place the parameters say."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(-np.pi / 2, np.pi / 2, len(theta))
    radius = rng.normal(0.1, 0.01, len(theta))
    x = radius * np.cos(angle) + 0.25 - np.abs(theta.sum(axis=1)) / np.sqrt(2.0)
    y = radius * np.sin(angle) + (theta[:, 1] - theta[:, 0]) / np.sqrt(2.0)
    return np.stack([x, y], axis=1)


def slcp(theta: np.ndarray, seed: int) -> np.ndarray:
    """Return four draws of a plane normal distribution: simple likelihood."""
    noise = np.random.default_rng(seed).normal(size=(len(theta), 4, 2))
    scales, rho = theta[:, None, 2:4] ** 2, np.tanh(theta[:, 4])[:, None]
    second = rho * noise[..., 0] + np.sqrt(1.0 - rho**2) * noise[..., 1]
    noise = np.stack([noise[..., 0], second], axis=-1)
    return (theta[:, None, :2] + scales * noise).reshape(len(theta), 8)


def gaussian_mixture(theta: np.ndarray, seed: int) -> np.ndarray:
    """Return the parameters with noise that is wide or narrow."""
    rng = np.random.default_rng(seed)
    scale = np.where(rng.uniform(size=(len(theta), 1)) < 0.5, 1.0, 0.1)
    return theta + scale * rng.normal(size=theta.shape)


def gaussian_linear_uniform(theta: np.ndarray, seed: int) -> np.ndarray:
    """Return ten parameters with noise of variance .1."""
    return theta + np.sqrt(0.1) * np.random.default_rng(seed).normal(size=theta.shape)


# Simulator, size and half-width of the prior's box.
TASKS: dict[str, tuple[Callable[..., np.ndarray], int, float]] = {
    "two_moons": (two_moons, 2, 1.0),
    "slcp": (slcp, 5, 3.0),
    "gaussian_mixture": (gaussian_mixture, 2, 10.0),
    "gaussian_linear_uniform": (gaussian_linear_uniform, 10, 1.0),
}


def published(task: str, method: str, simulations: int) -> tuple[float, float] | None:
    """Return mean and deviation of the published scores, if there are."""
    with (DATA / "published_c2st.csv").open(encoding="utf-8") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (row["task"], row["algorithm"]) == (task, PUBLISHED[method])
            and int(row["num_simulations"]) == simulations
        ]
    rerun = [row for row in rows if row["source"] == RERUN]
    if not rows:
        return None
    row = (rerun or rows)[0]
    return float(row["mean"]), float(row["std"])


def observations(task: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return observations and reference draws of their posteriors."""
    found = []
    for path in sorted(DATA.glob(f"{task}_obs*.npz")):
        with np.load(path, allow_pickle=False) as data:
            found.append((data["observation"], data["reference_posterior"]))
    return found


def posteriors(
    task: str, method: str, simulations: int, seed: int, settings: dict[str, Any]
) -> tuple[list[np.ndarray], float]:
    """Return draws for each observation, and the CPU seconds that they took."""
    from tensorflow_probability import distributions as tfd

    from tfp_flows import inference

    simulator, size, bound = TASKS[task]
    box = np.full(size, bound, np.float32)
    prior = tfd.Independent(tfd.Uniform(-box, box), 1)
    start, draws = time.process_time(), []
    kinds = {"npe": inference.NPE, "fmpe": inference.FMPE, "nle": inference.NLE}
    if method in kinds:
        kind = kinds[method]
        pairs = inference.simulate(prior, simulator, simulations, seed=seed, verbose=0)
        fitted = kind(prior, seed=seed).fit(*pairs, verbose=0, **settings)
        found = [fitted.posterior(x_o) for x_o, _ in observations(task)]
    else:
        found = [
            inference.sequential(
                prior,
                simulator,
                x_o,
                rounds=ROUNDS,
                simulations=simulations // ROUNDS,
                method=method,
                seed=seed,
                verbose=0,
                **settings,
            ).posterior
            for x_o, _ in observations(task)
        ]
    for posterior in found:
        draws.append(np.asarray(posterior.sample(10_000, seed=seed + 1)))
    return draws, time.process_time() - start


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each task and method."""
    parser = _report.parser(__doc__)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--methods", nargs="+", choices=PUBLISHED, default=["npe"])
    parser.add_argument("--simulations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    _report.header(f"C2ST at {options.simulations} simulations", "scikit-learn")
    print(
        f"{'task':<24} {'method':<6} c2st  each             published    bar   seconds"
    )
    if not DATA.is_dir():
        print(f"no data: {DATA} is missing")
        return
    if options.smoke:
        options.tasks, options.simulations = ["two_moons"], 500
    settings = {"epochs": 2} if options.smoke else {}
    from tfp_flows import diagnostics

    for task in options.tasks:
        for method in options.methods:
            draws, seconds = posteriors(
                task, method, options.simulations, options.seed, settings
            )
            references = [reference for _, reference in observations(task)]
            kept = slice(200 if options.smoke else None)
            scores = [
                float(diagnostics.c2st(x[kept], reference[kept]))
                for x, reference in zip(draws, references, strict=True)
            ]
            each = " ".join(f"{score:.3f}" for score in scores)
            line = f"{task:<24} {method:<6} {np.mean(scores):.3f} {each:<17}"
            known = published(task, method, options.simulations)
            if known is not None:
                bar = known[0] + known[1] / np.sqrt(len(scores))
                line += f" {known[0]:.3f} +- {known[1]:.3f} {bar:.3f}"
            print(f"{line} {seconds:6.0f}", flush=True)


if __name__ == "__main__":
    main()
