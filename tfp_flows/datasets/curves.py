"""Noise around curves: rings, moons and spirals.

Their densities are integrals along the curve. Rings have a closed form (a Bessel
function); moons and spirals use Gauss-Legendre nodes, dense enough that the error is
far below float32 resolution.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfp_flows.datasets.toy import LOG_2PI, Toy, logsumexp

__all__ = ["ConcentricCircles", "Moons", "Rings", "Spirals", "log_i0e"]

# Nodes along each moon and each spiral arm. The largest gap between neighbours stays
# below one deviation of the noise, where the quadrature is exact to about 1e-8.
_MOON_NODES = 128
_SPIRAL_NODES = 256
# Rows per block of the [rows, nodes] arrays: about 1 MB each, the size of a cache.
_BLOCK = 512
# Above this argument the asymptotic series of I0 is exact to 1e-14.
_ASYMPTOTIC_FROM = 30.0


def log_i0e(x: np.ndarray) -> np.ndarray:
    """Evaluate `log(exp(-x) * I0(x))` for non-negative `x`, without overflow.

    Args:
        x: Non-negative array; `I0` is the modified Bessel function of order 0.

    Returns:
        float64 array of the same shape.

    References:
        NIST Digital Library of Mathematical Functions, equation 10.40.1.
    """
    x = np.asarray(x, np.float64)
    small = np.minimum(x, _ASYMPTOTIC_FROM)
    large = np.maximum(x, _ASYMPTOTIC_FROM)
    term = np.ones_like(large)
    series = np.ones_like(large)
    for k in range(1, 16):
        term = term * (2 * k - 1) ** 2 / (8 * k * large)
        series = series + term
    tail = np.log(series) - 0.5 * np.log(2 * np.pi * large)
    return np.where(x < _ASYMPTOTIC_FROM, np.log(np.i0(small)) - small, tail)


def _nodes(start: float, stop: float, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss-Legendre nodes on an interval and weights that sum to 1."""
    unit, weight = np.polynomial.legendre.leggauss(number)
    return start + (stop - start) * (unit + 1.0) / 2.0, weight / 2.0


class Rings(Toy):
    """Circles about the origin, each point moved by isotropic Gaussian noise.

    The ring is drawn uniformly and the angle uniformly; makers that space the angles
    evenly have the same density.

    Args:
        radii: Radius of each ring, `[K]`.
        noise: Standard deviation of the noise.
        entropy: Differential entropy in nats.

    References:
        De Cao, Titov and Aziz, 2019, "Block neural autoregressive flow",
        https://arxiv.org/abs/1904.04676 (radii 0.75, 1.5, 2.25 and 3, noise 0.08).
    """

    def __init__(self, radii: Sequence[float], noise: float, entropy: float) -> None:
        self._radii = np.array(radii, np.float64)
        self._noise = noise
        self.entropy = entropy

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `[n, 2]` points."""
        radius = rng.choice(self._radii, size=n)
        angle = rng.uniform(0.0, 2 * np.pi, size=n)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return radius[:, None] * circle + self._noise * rng.standard_normal((n, 2))

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `[n, 2]` points."""
        variance = self._noise**2
        radius = np.linalg.norm(x, axis=1)[:, None]
        # The Rice density over the circle: a Gaussian averaged over the angle.
        log_ring = -((radius - self._radii) ** 2) / (2 * variance) + log_i0e(
            radius * self._radii / variance
        )
        log_norm = LOG_2PI + np.log(variance) + np.log(len(self._radii))
        return logsumexp(log_ring) - log_norm


class ConcentricCircles(Toy):
    """Circles of radius 1 to 4 with radial Gaussian noise of deviation 0.1.

    A ring is drawn in proportion to its circumference, so that all are equally dense.

    References:
        Inouye and Ravikumar, 2018, "Deep density destructors", ICML,
        https://proceedings.mlr.press/v80/inouye18a.html
    """

    noise = 0.1
    entropy = 3.25576

    def __init__(self) -> None:
        self._radii = np.arange(1.0, 5.0)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `[n, 2]` points."""
        radius = rng.choice(self._radii, size=n, p=self._radii / self._radii.sum())
        radius = radius + self.noise * rng.standard_normal(n)
        angle = rng.uniform(0.0, 2 * np.pi, size=n)
        return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `[n, 2]` points; it is infinite at the origin."""
        radius = np.linalg.norm(x, axis=1)[:, None]
        # A negative radius lands opposite, hence both signs.
        signed = np.concatenate([radius - self._radii, radius + self._radii], axis=1)
        log_weight = np.tile(np.log(self._radii / self._radii.sum()), 2)
        log_radial = logsumexp(log_weight - 0.5 * (signed / self.noise) ** 2)
        with np.errstate(divide="ignore"):
            log_area = LOG_2PI + np.log(radius[:, 0])
        return log_radial - np.log(self.noise) - 0.5 * LOG_2PI - log_area


class Moons(Toy):
    """Two interleaved half circles with isotropic Gaussian noise.

    The upper arc is `(cos t, sin t)`, the lower `(1 - cos t, 1/2 - sin t)`, with `t`
    uniform on `[0, pi]` and the arcs equally likely: the density behind
    `sklearn.datasets.make_moons`.

    Args:
        noise: Standard deviation of the noise.
        entropy: Differential entropy in nats.
    """

    def __init__(self, noise: float, entropy: float) -> None:
        self._noise = noise
        self.entropy = entropy

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `[n, 2]` points."""
        t = rng.uniform(0.0, np.pi, size=n)
        lower = rng.integers(2, size=n) == 1
        first = np.where(lower, 1.0 - np.cos(t), np.cos(t))
        second = np.where(lower, 0.5 - np.sin(t), np.sin(t))
        arc = np.stack([first, second], axis=1)
        return arc + self._noise * rng.standard_normal((n, 2))

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `[n, 2]` points."""
        t, weight = _nodes(0.0, np.pi, _MOON_NODES)
        upper = np.stack([np.cos(t), np.sin(t)], axis=1)
        curve = np.concatenate([upper, np.array([1.0, 0.5]) - upper]) / self._noise
        # |x - c|^2 is expanded, so that its only product is one matrix product.
        log_weight = np.log(np.tile(weight, 2) / 2.0) - 0.5 * np.sum(curve**2, axis=1)
        log_norm = LOG_2PI + 2 * np.log(self._noise)
        result = np.empty(len(x))
        for start in range(0, len(x), _BLOCK):
            z = x[start : start + _BLOCK] / self._noise
            log_sum = logsumexp(z @ curve.T + log_weight)
            result[start : start + _BLOCK] = log_sum - 0.5 * np.sum(z * z, axis=1)
        return result - log_norm


class Spirals(Toy):
    """Two spiral arms with uniform and Gaussian noise.

    `x = s * ((-t cos t, t sin t) + u / 2) / 3 + 0.1 z`, with `t = 3 pi sqrt(v)`; `v`
    and the two entries of `u` are uniform on `[0, 1]`, `z` is standard normal and `s`
    is a random sign.

    References:
        Grathwohl et al., 2019, "FFJORD", https://arxiv.org/abs/1810.01367
    """

    noise = 0.1
    entropy = 2.64545
    _jitter = 0.5 / 3.0

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `[n, 2]` points."""
        t = 3 * np.pi * np.sqrt(rng.uniform(size=n))
        arm = np.stack([-t * np.cos(t), t * np.sin(t)], axis=1) / 3.0
        arm = arm + self._jitter * rng.uniform(size=(n, 2))
        sign = 2.0 * rng.integers(2, size=(n, 1)) - 1.0
        return sign * arm + self.noise * rng.standard_normal((n, 2))

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `[n, 2]` points."""
        result = np.empty(len(x))
        for start in range(0, len(x), _BLOCK):
            block = x[start : start + _BLOCK]
            both = np.stack([self._log_arm(block), self._log_arm(-block)], axis=-1)
            result[start : start + _BLOCK] = logsumexp(both) - np.log(2.0)
        return result

    def _log_arm(self, x: np.ndarray) -> np.ndarray:
        """Return the log-density of the arm with `s = 1`."""
        t, weight = _nodes(0.0, 3 * np.pi, _SPIRAL_NODES)
        # The density of t = 3 pi sqrt(v) relative to the uniform is 2 t / (3 pi).
        weight = weight * 2.0 * t / (3 * np.pi)
        log_first, first = self._smear(x[:, :1] + t * np.cos(t) / 3.0)
        log_second, second = self._smear(x[:, 1:] - t * np.sin(t) / 3.0)
        log_peak = log_first + log_second
        top = np.max(log_peak, axis=1, keepdims=True)
        total = np.sum(np.exp(log_peak - top) * first * second * weight, axis=1)
        return np.log(total) + top[:, 0] - LOG_2PI - 2 * np.log(self.noise)

    def _smear(self, away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return `a, b` with `exp(a) * b` the kernel of uniform plus normal noise.

        The integral over the uniform part takes five nodes (it is less than two
        deviations wide). `exp(a)` is the term of the node nearest to `away` and `b`
        sums the terms relative to it, so that nothing overflows far from the arm.
        """
        node, weight = _nodes(-0.5, 0.5, 5)
        node = node * self._jitter / self.noise
        z = np.abs(away - 0.5 * self._jitter) / self.noise
        nearest = node[-1]
        relative = np.full_like(z, weight[-1])
        for value, w in zip(node[:-1], weight[:-1], strict=True):
            scale = w * np.exp(0.5 * (nearest**2 - value**2))
            relative += scale * np.exp((value - nearest) * z)
        return -0.5 * (z - nearest) ** 2, relative
