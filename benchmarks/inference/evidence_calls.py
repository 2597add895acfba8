"""Evidence by `integrate`, every call of the target counted, beside nested sampling.

    python benchmarks/inference/evidence_calls.py [--seeds N] [--targets NAME ...]

`loggamma`: ten dimensions on the unit cube, four modes, tails on one side; its
log-evidence is 0. `wells`: a double well in the plane, cut to a box that holds all but
1e-9 of it. `integrate` may call the target as often as nautilus needs, and takes no
gradient. Printed are the error of the log-evidence of each seed, and the median.

Published: nautilus, 46,100 calls and a median error of .061 on `loggamma`, and 16,100
calls and .0074 on `wells`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
import numpy as np
from scipy import integrate as quadrature
from scipy import stats

from tfp_flows import inference

SIDE = 30.0  # of the cube of `loggamma`
BOX = ([-4.0, -6.5], [4.0, 6.5])


class Target(NamedTuple):
    """A density to integrate.

    Attributes:
        function: Of points `[N, dims]`.
        dims: Number of coordinates.
        box: Where it is.
        log_z: The exact log-evidence.
        calls: How often nautilus calls it.
        rival: The median error of nautilus.
        bar: The median error to reach.
    """

    function: Callable[[np.ndarray], np.ndarray]
    dims: int
    box: Any
    log_z: float
    calls: int
    rival: float
    bar: float


def loggamma(x: np.ndarray) -> np.ndarray:
    """Return the density on the unit cube."""
    u = SIDE * x
    gamma, normal = stats.loggamma(1.0), stats.norm()
    found = 0.5 * (gamma.pdf(u[:, 0] - 10.0) + gamma.pdf(u[:, 0] - 20.0))
    found *= 0.5 * (normal.pdf(u[:, 1] - 10.0) + normal.pdf(u[:, 1] - 20.0))
    found *= np.prod(gamma.pdf(u[:, 2:5] - 10.0), axis=-1)
    found *= np.prod(normal.pdf(u[:, 5:] - 10.0), axis=-1)
    return found * SIDE ** x.shape[1]


def wells(x: np.ndarray) -> np.ndarray:
    """Return the density of the double well."""
    first = x[:, 0]
    return np.exp(-(first**4 - 6.0 * first**2 + first) - 0.5 * x[:, 1] ** 2)


def well_evidence() -> float:
    """Return the log-evidence of the double well by quadrature."""
    line = quadrature.quad(lambda x: float(wells(np.array([[x, 0.0]]))[0]), -6.0, 6.0)
    return float(np.log(line[0]) + 0.5 * np.log(2.0 * np.pi))


TARGETS: dict[str, Callable[[], Target]] = {
    "loggamma": lambda: Target(loggamma, 10, (0.0, 1.0), 0.0, 46_100, 0.061, 0.03),
    "wells": lambda: Target(wells, 2, BOX, well_evidence(), 16_100, 0.0074, 0.005),
}


def row(name: str, seeds: Sequence[int], *, quick: bool) -> str:
    """Return a line of the table."""
    target, errors, calls = TARGETS[name](), [], []
    begin = time.process_time()
    for seed in seeds:
        counted = _Counted(target.function)
        options: dict[str, Any] = {"evaluations": target.calls}
        if quick:
            options = {"evaluations": 1_000, "steps": 2, "num_layers": 1}
        found = inference.integrate(
            counted, target.dims, box=target.box, seed=seed, **options
        )
        errors.append(float(np.log(max(found.value, 1e-300))) - target.log_z)
        calls.append(counted.calls)
    median = float(np.median(np.abs(errors)))
    each = " ".join(f"{error:+.4f}" for error in errors)
    return (
        f"{name:10s}{target.dims:5d}{max(calls):8d}{median:9.4f}{target.bar:7.3f}"
        f"{target.rival:9.4f}  reached: {'yes' if median <= target.bar else 'NO'}  "
        f"{(time.process_time() - begin) / len(seeds):.0f} s each  {each}"
    )


class _Counted:
    """A function that counts the points at which it was called.

    Args:
        function: The function.
    """

    def __init__(self, function: Callable[[np.ndarray], np.ndarray]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.calls += len(x)
        return self.function(x)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser: argparse.ArgumentParser = _report.parser(__doc__)
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=TARGETS)
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args(arguments)
    _report.header("Evidence by counted calls, `integrate` with its defaults", "scipy")
    print(
        f"{'target':10s}{'dims':>5s}{'calls':>8s}{'|error|':>9s}{'bar':>7s}"
        f"{'nautilus':>9s}",
        flush=True,
    )
    for name in given.targets:
        seeds = range(1 if given.smoke else given.seeds)
        print(row(name, seeds, quick=given.smoke), flush=True)


if __name__ == "__main__":
    main()
