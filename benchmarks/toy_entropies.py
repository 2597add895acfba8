"""Compute the entropy of every toy again, by quadrature and by Monte Carlo.

Prints one line per toy: the stored entropy, the integrals of `p` and of `-p log p` over
a fine grid, and the mean of `-log p` over samples with its standard error.

The grid is right to four decimals or more, and to three for `sinusoidal`, whose density
narrows to a spike.

Run `python benchmarks/toy_entropies.py` (about a minute).
"""

from __future__ import annotations

from collections.abc import Sequence

import _report
import numpy as np

from tfp_flows import datasets

NUM_SAMPLES = 200_000
NUM_CELLS = 500
NUM_CONDITIONS = 500


def midpoints(low: float, high: float, number: int) -> np.ndarray:
    """Return the midpoints of equal cells of an interval."""
    return low + (high - low) * (np.arange(number) + 0.5) / number


def padded_range(x: np.ndarray) -> tuple[float, float]:
    """Return an interval that holds the samples and all mass that matters."""
    pad = 0.5 * (x.max() - x.min())
    return float(x.min() - pad), float(x.max() + pad)


def integrals(log_p: np.ndarray, cell: float) -> tuple[float, float]:
    """Return the integrals of `p` and of `-p log p`."""
    p = np.exp(log_p)
    finite = np.where(p > 0, log_p, 0.0)
    return float(p.sum() * cell), float(-(p * finite).sum() * cell)


def unconditional(name: str) -> tuple[float, float]:
    """Integrate a toy over a grid in one or two dimensions."""
    draws = datasets.toy(name, 2000)
    grids = [midpoints(*padded_range(column), NUM_CELLS) for column in draws.T]
    if name == "checkerboard":  # cells must not straddle the edges of the board
        grids = [midpoints(-4.0, 4.0, 64)] * 2
    if name == "sin_wave":  # nor the edge of the support
        grids[0] = midpoints(0.0, 20.0, NUM_CELLS)
    x = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1)
    cell = np.prod([grid[1] - grid[0] for grid in grids])
    return integrals(datasets.toy_log_prob(name, x), float(cell))


def conditional(name: str) -> tuple[float, float]:
    """Integrate a conditional toy over `x` and average over the condition."""
    draws, conditions = datasets.conditional_toy(name, 20_000)
    bound = np.pi if name == "asymmetric_bimodal" else 3.0
    assert np.abs(conditions).max() <= bound
    x = midpoints(*padded_range(draws), 20_000)[:, None]
    cell = float(x[1, 0] - x[0, 0])
    # Conditions dense about zero, where the entropy of one toy is a logarithm.
    root = midpoints(0.0, 1.0, NUM_CONDITIONS)
    weight = np.tile(root / root.sum() / 2, 2)
    grid = np.concatenate([-bound * root**2, bound * root**2])
    results = [
        integrals(datasets.conditional_toy_log_prob(name, x, np.full_like(x, c)), cell)
        for c in grid
    ]
    mass, entropy = weight @ np.array(results)
    return float(mass), float(entropy)


def report(
    name: str, stored: float | None, grid: tuple[float, float], log_p: np.ndarray
) -> None:
    """Print one line of the table."""
    error = log_p.std() / np.sqrt(log_p.size)
    text = "       -" if stored is None else f"{stored:8.5f}"
    print(
        f"{name:20s} stored {text}   grid {grid[1]:8.5f} (mass {grid[0]:.6f})   "
        f"samples {-log_p.mean():8.4f} +- {error:.4f}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    args = _report.parser(__doc__).parse_args(arguments)
    _report.header("entropies of the toys, in nats")
    names, conditional_names = datasets.toy_names(), datasets.conditional_toy_names()
    if args.smoke:
        names, conditional_names = names[:2], ()
    for name in names:
        log_p = datasets.toy_log_prob(name, datasets.toy(name, NUM_SAMPLES))
        report(name, datasets.toy_entropy(name), unconditional(name), log_p)
    for name in conditional_names:
        x, c = datasets.conditional_toy(name, NUM_SAMPLES)
        log_p = datasets.conditional_toy_log_prob(name, x, c)
        stored = datasets.conditional_toy_entropy(name)
        report(name, stored, conditional(name), log_p)


if __name__ == "__main__":
    main()
