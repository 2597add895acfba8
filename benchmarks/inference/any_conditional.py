"""Every conditional density of a mixture in six dimensions, from one flow.

    python benchmarks/inference/any_conditional.py [--rows 50000] [--seed 0]

A default flow is fitted to draws of a Gaussian mixture whose conditional densities are
known, and answers all 62 splits of the columns by importance sampling. Printed is the
mean over new rows of `log p(x_A | x_B)` less that of the flow: a divergence in nats.
"""

from __future__ import annotations

import argparse
import itertools
import time

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


def main() -> None:
    """Print the divergence for each size of what is given, and the mean of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--new", type=int, default=400)
    parser.add_argument("--draws", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    given = parser.parse_args()
    mixture, start = Mixture(given.seed), time.process_time()
    x, new = mixture.sample(given.rows), mixture.sample(given.new)
    flow, _ = tfpf.fit("nsf-ar", x, epochs=given.epochs, seed=given.seed, verbose=0)
    fitted = time.process_time() - start
    joint = mixture.log_prob(new, list(range(SIZE))) - flow.log_prob(new).numpy()
    print(f"joint divergence {joint.mean():.4f}, fit {fitted:.0f} s", flush=True)
    marginals, sizes = {}, []
    for count in range(1, SIZE):
        for columns in itertools.combinations(range(SIZE), count):
            density = flow.marginal(list(columns), num_draws=given.draws)
            found = density.log_prob(new[:, columns]).numpy()
            marginals[columns] = mixture.log_prob(new, list(columns)) - found
    for count in range(1, SIZE):
        # The density of the others given these is the joint one less theirs.
        found = [
            (joint - gap).mean() for c, gap in marginals.items() if len(c) == count
        ]
        sizes += found
        print(f"given {count} columns: {np.mean(found):.4f}, worst {max(found):.4f}")
    seconds = time.process_time() - start
    print(f"mean of {len(sizes)} splits {np.mean(sizes):.4f} nats, {seconds:.0f} s")


if __name__ == "__main__":
    main()
