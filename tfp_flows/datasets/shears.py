"""Toys that are one-line maps of independent noise, and the checkerboard."""

from __future__ import annotations

import numpy as np

from tfp_flows.datasets.toy import LOG_2PI, Toy

__all__ = ["Banana", "Checkerboard", "Parabola", "SinWave"]

# The checkerboard's offsets live on this grid, so that float32 rounding never moves
# a point over the edge of its cell.
_LATTICE = 2**20


def _normal_log_prob(
    x: np.ndarray, loc: np.ndarray | float, scale: float
) -> np.ndarray:
    return -0.5 * ((x - loc) / scale) ** 2 - np.log(scale) - 0.5 * LOG_2PI


class Banana(Toy):
    """A correlated Gaussian bent by a parabola.

    `x = (u, v - u^2 - 1)`, where `u` and `v` are standard normal with correlation
    0.95. The map keeps volumes, so the entropy is the Gaussian's.

    References:
        L. C. Tiao, 2018, "Building probability distributions with the TensorFlow
        Probability bijector API",
        https://tiao.io/post/building-probability-distributions-with-tensorflow-probability-bijector-api/
    """

    correlation = 0.95
    entropy = float(1.0 + LOG_2PI + 0.5 * np.log(1.0 - correlation**2))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `[n, 2]` points."""
        z = rng.standard_normal((n, 2))
        u = z[:, 0]
        v = self.correlation * u + np.sqrt(1.0 - self.correlation**2) * z[:, 1]
        return np.stack([u, v - u**2 - 1.0], axis=1)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `[n, 2]` points."""
        u = x[:, 0]
        v = x[:, 1] + u**2 + 1.0
        scale = float(np.sqrt(1.0 - self.correlation**2))
        return _normal_log_prob(u, 0.0, 1.0) + _normal_log_prob(
            v, self.correlation * u, scale
        )


class Parabola(Toy):
    """Noise around a parabola that opens to the right.

    `x[1] ~ N(0, scale)` and `x[0] = x[1]^2 / 4 + N(0, 1)`; `scale` is a standard
    deviation.

    Args:
        scale: Deviation of the second coordinate. 4 is the reading of the code of
            Jang's tutorial, 2 that of the figure in the MAF paper (variance 4).

    References:
        Papamakarios et al., 2017, "Masked autoregressive flow for density
        estimation", figure 1, https://arxiv.org/abs/1705.07057
    """

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self.entropy = float(1.0 + LOG_2PI + np.log(scale))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `[n, 2]` points."""
        second = self._scale * rng.standard_normal(n)
        first = 0.25 * second**2 + rng.standard_normal(n)
        return np.stack([first, second], axis=1)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `[n, 2]` points."""
        first, second = x[:, 0], x[:, 1]
        return _normal_log_prob(second, 0.0, self._scale) + _normal_log_prob(
            first, 0.25 * second**2, 1.0
        )


class SinWave(Toy):
    """Noise around a sine over a half-normal axis.

    `x[0] = |N(0, 2)|` and `x[1] = sin(x[0]) + N(0, 0.25)`, deviations in brackets.

    References:
        Laparra, Camps-Valls and Malo, 2011, "Iterative Gaussianization: from ICA to
        random rotations", IEEE Transactions on Neural Networks 22(4).
    """

    x_scale = 2.0
    noise = 0.25
    # A half-normal has ln 2 less entropy than the normal of the same scale.
    entropy = float(1.0 + LOG_2PI + np.log(x_scale * noise) - np.log(2.0))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `[n, 2]` points."""
        first = np.abs(self.x_scale * rng.standard_normal(n))
        second = np.sin(first) + self.noise * rng.standard_normal(n)
        return np.stack([first, second], axis=1)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `[n, 2]` points."""
        first, second = x[:, 0], x[:, 1]
        density = (
            np.log(2.0)
            + _normal_log_prob(first, 0.0, self.x_scale)
            + _normal_log_prob(second, np.sin(first), self.noise)
        )
        return np.where(first >= 0.0, density, -np.inf)


class Checkerboard(Toy):
    """The uniform density on the dark cells of a 4 by 4 board on `[-4, 4]^2`.

    A cell has side 2; cell `(i, j) = floor(x / 2)` is dark where `i + j` is even.
    The dark area is 32, so the entropy is `ln 32`.

    References:
        Grathwohl et al., 2019, "FFJORD", https://arxiv.org/abs/1810.01367
    """

    entropy = float(np.log(32.0))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `[n, 2]` points."""
        i = rng.integers(-2, 2, size=n)
        j = 2 * rng.integers(-1, 1, size=n) + i % 2
        offset = rng.integers(_LATTICE, size=(n, 2)) / _LATTICE
        return 2.0 * (np.stack([i, j], axis=1) + offset)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `[n, 2]` points."""
        cell = np.floor(x / 2.0)
        inside = np.all((cell >= -2) & (cell < 2), axis=1)
        dark = np.sum(cell, axis=1) % 2 == 0
        return np.where(inside & dark, -np.log(32.0), -np.inf)
