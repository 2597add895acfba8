"""Missing cells of a real table, filled by a flow and by scikit-learn.

    python benchmarks/inference/imputation.py [--table white] [--quick]

A fifth of the cells of distinct rows are taken out, of those to fit and of those to
fill. The error of a filled cell is in standard deviations of its column. The flow also
says how sure it is: printed is how many cells lie in the middle 90 % of its draws.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, SimpleImputer

import tfp_flows as tfpf

SHARE, NEW = 0.2, 0.2


def table(name: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows to fit and rows to fill, both with gaps, and the latter whole."""
    rng = np.random.default_rng(seed)
    x = np.unique(tfpf.datasets.wine(name).x.astype(np.float64), axis=0)
    x = x[rng.permutation(len(x))]
    holes = np.where(rng.uniform(size=x.shape) < SHARE, np.nan, x)
    count = round(NEW * len(x))
    return holes[count:], holes[:count], x[:count]


def main(argv: list[str] | None = None) -> None:
    """Print the errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", default="white", choices=("white", "red"))
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a smoke test")
    given = parser.parse_args(argv)
    train, holes, whole = table(given.table, given.seed)
    options: dict[str, Any] = {}
    if given.quick:
        train, holes, whole, given.draws = train[:200], holes[:50], whole[:50], 5
        options = {"epochs": 1, "hidden_units": (8, 8), "columns": "continuous"}
    missing, deviation = np.isnan(holes), np.nanstd(train, axis=0)

    def error(filled: np.ndarray) -> float:
        gaps = ((filled - whole) / deviation)[missing]
        return float(np.sqrt(np.mean(gaps**2)))

    print(f"{given.table} wine: {len(train)} rows, {missing.sum()} cells to fill")
    print("filled by\terror in standard deviations")
    for name, imputer in (
        ("column means", SimpleImputer()),
        ("IterativeImputer", IterativeImputer(random_state=given.seed)),
    ):
        print(f"{name}\t{error(imputer.fit(train).transform(holes)):.3f}", flush=True)
    start = time.process_time()
    flow, history = tfpf.fit(
        train,
        conditionals="any",
        missing="marginal",
        seed=given.seed,
        verbose=0,
        **options,
    )
    seconds = time.process_time() - start
    draws = flow.impute(holes, draws=given.draws, seed=given.seed)
    print(f"flow, mean of {given.draws} draws\t{error(draws.mean(axis=0)):.3f}")
    print(f"flow, one draw\t{error(draws[0]):.3f}")
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    inside = ((whole >= low) & (whole <= high))[missing].mean()
    print(f"cells in the middle 90 % of the draws: {100 * inside:.1f} %")
    print(f"fit {seconds:.0f} s of CPU time; {history.ending}")


if __name__ == "__main__":
    main()
