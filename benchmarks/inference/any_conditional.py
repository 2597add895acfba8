"""Every conditional density of a mixture in six dimensions, from one flow.

    python benchmarks/inference/any_conditional.py [--flow nsf-ar] [--quick]

A flow is fitted to draws of a Gaussian mixture whose conditional densities are known,
and answers all 62 splits of the columns: the flow that is trained for it by the chain
rule, any other by importance sampling. Printed is the mean over new rows of
`log p(x_A | x_B)` less that of the flow: a divergence in nats.
"""

from __future__ import annotations

import argparse
import itertools
import time
from typing import Any

import numpy as np

import tfp_flows as tfpf

SIZE, COMPONENTS = 6, 4


class Mixture:
    """A Gaussian mixture, the density of any of its columns, and draws."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.means = rng.normal(scale=1.5, size=[COMPONENTS, SIZE])
        roots = rng.normal(size=[COMPONENTS, SIZE, SIZE]) / np.sqrt(SIZE)
        self.covariances = roots @ roots.transpose(0, 2, 1) + 0.3 * np.eye(SIZE)
        self.rng = rng

    def sample(self, count: int) -> np.ndarray:
        """Return draws, `[count, 6]`."""
        which = self.rng.integers(COMPONENTS, size=count)
        noise = self.rng.normal(size=[count, SIZE])
        roots = np.linalg.cholesky(self.covariances)[which]
        return self.means[which] + np.einsum("nij,nj->ni", roots, noise)

    def log_prob(self, x: np.ndarray, columns: list[int]) -> np.ndarray:
        """Return the log-density of some columns, `[N]`."""
        parts = []
        for mean, covariance in zip(self.means, self.covariances, strict=True):
            root = np.linalg.cholesky(covariance[np.ix_(columns, columns)])
            white = np.linalg.solve(root, (x[:, columns] - mean[columns]).T)
            constant = np.log(np.diag(root)).sum()
            constant += 0.5 * len(columns) * np.log(2 * np.pi)
            parts.append(-0.5 * np.square(white).sum(axis=0) - constant)
        return np.logaddexp.reduce(parts, axis=0) - np.log(COMPONENTS)


def by_chain(flow: Any, mixture: Mixture, new: np.ndarray) -> dict[tuple, np.ndarray]:
    """Return the gaps of all splits, by the columns that are given: exact densities."""
    every, found = list(range(SIZE)), {}
    for columns in splits():
        rest = [i for i in every if i not in columns]
        given = {i: new[:, i] for i in columns}
        density = flow.conditional(given).log_prob(new[:, rest]).numpy()
        true = mixture.log_prob(new, every) - mixture.log_prob(new, list(columns))
        found[columns] = true - density
    return found


def by_weights(
    flow: Any, mixture: Mixture, new: np.ndarray, draws: int
) -> dict[tuple, np.ndarray]:
    """Return the same of any flow: of the joint density less that of what is given."""
    joint, found = gap_of_all(flow, mixture, new), {}
    for columns in splits():
        density = flow.marginal(list(columns), num_draws=draws)
        given = density.log_prob(new[:, columns]).numpy()
        found[columns] = joint - (mixture.log_prob(new, list(columns)) - given)
    return found


def splits() -> list[tuple[int, ...]]:
    """Return the columns that are given, for each split of all columns in two."""
    sizes = range(1, SIZE)
    return [c for n in sizes for c in itertools.combinations(range(SIZE), n)]


def gap_of_all(flow: Any, mixture: Mixture, new: np.ndarray) -> np.ndarray:
    """Return the true log-density of all columns less that of the flow, `[N]`."""
    return mixture.log_prob(new, list(range(SIZE))) - flow.log_prob(new).numpy()


def main(argv: list[str] | None = None) -> None:
    """Print the divergence for each size of what is given, and the mean of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flow", default="any-order", help="such as nsf-ar")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--new", type=int, default=2_000)
    parser.add_argument("--draws", type=int, default=256, help="of flows by weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--quick", action="store_true", help="a smoke test")
    given = parser.parse_args(argv)
    options: dict[str, Any] = {}
    if given.quick:
        given.rows, given.new, given.epochs = 500, 50, 1
        options = {"hidden_units": (8, 8)}
    mixture, start = Mixture(given.seed), time.process_time()
    x, new = mixture.sample(given.rows), mixture.sample(given.new)
    flow, history = tfpf.fit(
        given.flow, x, epochs=given.epochs, seed=given.seed, verbose=0, **options
    )
    fitted = time.process_time() - start
    joint = gap_of_all(flow, mixture, new).mean()
    print(f"{given.flow}: joint divergence {joint:.4f}, fit {fitted:.0f} s of CPU time")
    print(f"{history.ending}", flush=True)
    if hasattr(flow, "order_spread"):
        gaps = by_chain(flow, mixture, new)
        spread = flow.order_spread(new, num_orders=6).mean()
        print(f"log-densities of a row by six orders deviate by {spread:.4f}")
    else:
        gaps = by_weights(flow, mixture, new, given.draws)
    for count in range(1, SIZE):
        found = [gap.mean() for c, gap in gaps.items() if len(c) == count]
        print(f"given {count} columns: {np.mean(found):.4f}, worst {max(found):.4f}")
    means, seconds = [gap.mean() for gap in gaps.values()], time.process_time() - start
    error = np.mean(list(gaps.values()), axis=0).std() / np.sqrt(given.new)
    print(
        f"mean of {len(means)} splits {np.mean(means):.4f} +- {error:.4f} nats, "
        f"{seconds:.0f} s of CPU time"
    )


if __name__ == "__main__":
    main()
