"""Gaussian mixtures with equal weights and one shared covariance."""

from __future__ import annotations

import numpy as np

from tfp_flows.datasets.toy import LOG_2PI, Toy, logsumexp

__all__ = [
    "GaussianMixture",
    "eight_gaussians",
    "ex_1d",
    "ex_2d",
    "ex_2d_mixture",
    "jang_gaussian",
    "twenty_five_gaussians",
]


class GaussianMixture(Toy):
    """Draws `x = means[k] + z @ factor` with `z` standard normal, `k` uniform.

    Args:
        means: Component means, `[K, D]`.
        factor: Invertible matrix `[D, D]`; the covariance is `factor.T @ factor`.
        entropy: Differential entropy in nats.
    """

    def __init__(
        self, means: np.ndarray, factor: np.ndarray, entropy: float | None
    ) -> None:
        self._means = np.asarray(means, np.float64)
        self._factor = np.asarray(factor, np.float64)
        self.num_dims = self._means.shape[1]
        self.entropy = entropy

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `[n, D]` points."""
        component = rng.integers(len(self._means), size=n)
        z = rng.standard_normal((n, self.num_dims))
        return self._means[component] + z @ self._factor

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `[n, D]` points."""
        inverse = np.linalg.inv(self._factor)
        log_det = np.linalg.slogdet(self._factor)[1]
        z = (x[:, None, :] - self._means) @ inverse
        log_kernel = -0.5 * np.sum(z * z, axis=-1)
        log_norm = log_det + 0.5 * self.num_dims * LOG_2PI + np.log(len(self._means))
        return logsumexp(log_kernel) - log_norm


def _standardized(centers: list[tuple[float, ...]], entropy: float) -> GaussianMixture:
    """Build a unit-variance mixture, shifted and scaled to mean 0 and variance 1."""
    means = np.array(centers)
    scale = np.sqrt(1.0 + means.var(axis=0))
    return GaussianMixture(
        (means - means.mean(axis=0)) / scale, np.diag(1.0 / scale), entropy
    )


def eight_gaussians() -> GaussianMixture:
    """Eight Gaussians on a circle.

    Radius `4 / 1.414`, standard deviation `0.5 / 1.414` (1.414, not `sqrt(2)`).

    References:
        Grathwohl et al., 2019, "FFJORD", https://arxiv.org/abs/1810.01367
    """
    angle = np.arange(8) * np.pi / 4
    means = 4.0 / 1.414 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return GaussianMixture(means, np.eye(2) * 0.5 / 1.414, 2.83188)


def twenty_five_gaussians() -> GaussianMixture:
    """A 5 by 5 grid of narrow Gaussians.

    Grid `{-4, -2, 0, 2, 4}^2` and standard deviation 0.05, all divided by 2.828.

    References:
        Gulrajani et al., 2017, "Improved training of Wasserstein GANs", section 4,
        https://arxiv.org/abs/1704.00028
    """
    ticks = np.arange(-4.0, 5.0, 2.0)
    means = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2) / 2.828
    # The modes are 40 standard deviations apart: ln 25 plus one Gaussian's entropy.
    entropy = np.log(25) + 1.0 + LOG_2PI + 2 * np.log(0.05 / 2.828)
    return GaussianMixture(means, np.eye(2) * 0.05 / 2.828, float(entropy))


def ex_1d() -> GaussianMixture:
    """Unit Gaussians at -2 and 2, standardised.

    Mean and variance are those of the density, so the entropy is exact. The example
    divides each draw of 512 points by that draw's own deviation, which moves its
    entropy by about 0.02 from draw to draw.

    References:
        T. Duan, 2019, "Normalizing flows in PyTorch", example `ex_1d`,
        https://github.com/tonyduan/normalizing-flows
    """
    return _standardized([(-2.0,), (2.0,)], 1.24694)


def ex_2d() -> GaussianMixture:
    """Unit Gaussians at (0, 6), (2.5, 3) and (-2.5, 3), standardised (see `ex_1d`).

    One draw of 512 points, scaled by its own deviations, differs by about 0.03.

    References:
        T. Duan, 2019, "Normalizing flows in PyTorch", example `ex_2d`,
        https://github.com/tonyduan/normalizing-flows
    """
    return _standardized([(0.0, 6.0), (2.5, 3.0), (-2.5, 3.0)], 2.46976)


def ex_2d_mixture() -> GaussianMixture:
    """Unit Gaussians at (5, 3) and (-5, 3), standardised (see `ex_1d`).

    References:
        T. Duan, 2019, "Normalizing flows in PyTorch", example `ex_2d --use-mixture`,
        https://github.com/tonyduan/normalizing-flows
    """
    return _standardized([(5.0, 3.0), (-5.0, 3.0)], 1.90198)


def jang_gaussian() -> GaussianMixture:
    """One correlated Gaussian with mean (0.4, 1) and covariance `A.T @ A`.

    `A = [[2, 0.3], [-1, 4]]`, `det A = 8.3`.

    References:
        E. Jang, 2018, "Normalizing flows tutorial, part 1",
        https://blog.evjang.com/2018/01/nf1.html
    """
    factor = np.array([[2.0, 0.3], [-1.0, 4.0]])
    entropy = 1.0 + LOG_2PI + np.log(8.3)
    return GaussianMixture(np.array([[0.4, 1.0]]), factor, float(entropy))
