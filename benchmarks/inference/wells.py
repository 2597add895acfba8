"""Double wells and peaks: log Z, free energies and integrals against exact values.

    python benchmarks/inference/wells.py [--parts NAME ...] [--dims D ...] [--seeds N]

`evidence`: log Z of the double well by importance sampling with a flow trained by the
reverse divergence (exact 11.02047). `free-energy`: the difference of both wells by a
flow trained on samples of both in equal parts, and on the energy (exact 3.37990 kT).
`camel`: two Gaussians of scale 0.2 on the diagonal of the unit cube, by `integrate`,
in 4, 8 and 16 dimensions, or those of `--dims`.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
import numpy as np
import tensorflow as tf

import tfp_flows as tfpf
from tfp_flows import inference

LOG_Z, DIFFERENCE = 11.02047, 3.37990
# Integrals over the cube, by error functions: dimensions, value, relative deviation of
# one uniform point.
CAMEL = {4: (0.963657, 2.75), 8: (0.928635, 11.99), 16: (0.862363, math.nan)}
WIDTH = 0.2


def energy(x: tf.Tensor) -> tf.Tensor:
    """Return the log-density of the double well, up to a constant."""
    return -(x[..., 0] ** 4 - 6.0 * x[..., 0] ** 2 + x[..., 0]) - 0.5 * x[..., 1] ** 2


def left(x: np.ndarray) -> np.ndarray:
    """Say which points are in the deeper well."""
    return x[:, 0] < 0.0


def right(x: np.ndarray) -> np.ndarray:
    """Say which points are in the other one."""
    return x[:, 0] >= 0.0


def samples(count: int, seed: int) -> np.ndarray:
    """Return points of both wells in equal parts, by rejection in each."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-3.0, 3.0, 6_001)
    density = np.exp(-(x**4 - 6.0 * x**2 + x) - 12.0)
    rows = []
    for side in (x < 0.0, x > 0.0):
        p = density * side / np.sum(density * side)
        within = 1e-3 * rng.uniform(-0.5, 0.5, count // 2)
        rows.append(rng.choice(x, count // 2, p=p) + within)
    first = np.concatenate(rows)
    return np.stack([first, rng.normal(size=len(first))], -1).astype("float32")


def evidence(seed: int, *, quick: bool) -> Iterator[str]:
    """Yield log Z of the double well by a flow trained on its energy alone."""
    _, report = inference.fit_posterior(
        energy, "nsf", event_shape=2, start="none", objective="alpha",
        steps=3 if quick else 2_000, num_samples=512, draws=200 if quick else 100_000,
        repairs=0 if quick else 2, seed=seed, verbose=0,
    )  # fmt: skip
    value, stderr = report.sample.log_evidence
    good = abs(value - LOG_Z) <= 0.03 and report.ess_per_draw >= 0.3
    yield (
        f"double well, log Z            {value:9.4f} +- {stderr:.4f}  exact {LOG_Z}  "
        f"ESS {report.ess_per_draw:.3f}  k-hat {report.k_hat:.2f}  "
        f"reached: {'yes' if good else 'NO'}"
    )


def free_energy(seed: int, *, quick: bool) -> Iterator[str]:
    """Yield the difference of the wells by a Boltzmann generator."""
    x = samples(200 if quick else 4_000, seed)
    # A few large steps would leave one well without a draw.
    options: dict[str, Any] = {"learning_rate": 1e-5} if quick else {}
    for weight in (0.5,) if quick else (0.0, 0.5):
        loss = tfpf.training.LikelihoodAndEnergy(energy, 256, energy_weight=weight)
        flow, _ = tfpf.fit(
            "nsf", x, objective=loss, base="normal", steps=3 if quick else 1_500,
            validation=None, columns="continuous", seed=seed, verbose=0,
            **options,
        )  # fmt: skip
        count = 500 if quick else 100_000
        found = inference.importance_sample(energy, flow, count, seed=seed)
        value, stderr = inference.free_energy_difference(found, left, right)
        good = abs(value - DIFFERENCE) <= 0.10
        yield (
            f"double well, dF, energy {weight:3.1f}   {value:9.4f} +- {stderr:.4f}  "
            f"exact {DIFFERENCE:.5f}  ESS {found.ess / count:.3f}  k-hat "
            f"{found.k_hat:.2f}  reached: {'yes' if good else 'NO'}"
        )


def camel(dims: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return two Gaussians on the diagonal of the unit cube."""
    scale = 0.5 * (WIDTH * math.sqrt(math.pi)) ** -dims

    def density(x: np.ndarray) -> np.ndarray:
        squares = [np.sum((x - m) ** 2, axis=-1) for m in (1.0 / 3.0, 2.0 / 3.0)]
        return scale * sum(np.exp(-s / WIDTH**2) for s in squares)

    return density


def integral(
    seed: int, *, quick: bool, sizes: Sequence[int] = tuple(CAMEL)
) -> Iterator[str]:
    """Yield integrals of the camel by at most 200,000 evaluations."""
    bars = {4: 0.25, 8: 0.8, 16: 2.0}
    for dims in sizes:
        exact, uniform = CAMEL[dims]
        begin = time.perf_counter()
        options: dict[str, Any] = {"evaluations": 200_000}
        if quick:
            options = {"evaluations": 1_000, "steps": 5, "num_layers": 1}
        found = inference.integrate(camel(dims), dims, seed=seed, **options)
        away = (found.value - exact) / found.stderr
        good = abs(away) <= 3.0 and found.relative_deviation <= bars[dims]
        yield (
            f"camel, {dims:2d} dimensions          {found.value:9.5f} +- "
            f"{found.stderr:.5f}  exact {exact}  {away:+.1f} sd  deviation "
            f"{found.relative_deviation:.3f} (uniform {uniform})  chi-square "
            f"{found.chi_square:.2f}  k-hat {found.k_hat:.2f}  "
            f"{time.perf_counter() - begin:.0f} s  reached: {'yes' if good else 'NO'}"
        )
        if quick:
            return


PARTS: dict[str, Callable[..., Iterator[str]]] = {
    "evidence": evidence,
    "free-energy": free_energy,
    "camel": integral,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser: argparse.ArgumentParser = _report.parser(__doc__)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument(
        "--dims", nargs="+", type=int, default=list(CAMEL), choices=CAMEL
    )
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args(arguments)
    _report.header("Wells and peaks: evidence, free energies, integrals")
    for part in given.parts:
        for seed in range(1 if given.smoke else given.seeds):
            options = {"sizes": given.dims} if part == "camel" else {}
            for line in PARTS[part](seed, quick=given.smoke, **options):
                print(line, flush=True)


if __name__ == "__main__":
    main()
