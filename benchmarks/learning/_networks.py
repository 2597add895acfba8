"""Rivals of a conditional density: networks with dropout, and ensembles of networks.

One hidden layer of 50 units for both, trained for 400 epochs by Adam. `dropout` has one
noise for all rows, keeps dropping units when asked, and takes of the rates of Gal &
Ghahramani (2016) the one with the best likelihood of a fifth of the rows, before it is
trained on all. `ensemble` is five networks with a noise for each row
(Lakshminarayanan et al., 2017), without adversarial rows.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import special, stats

__all__ = ["Mixture", "dropout", "ensemble"]

HIDDEN, EPOCHS, BATCH, RATE = 50, 400, 128, 1e-2
RATES = (0.005, 0.01, 0.05, 0.1)
DRAWS, MEMBERS = 200, 5
# Log of the smallest and the largest deviation, of a target of deviation 1.
LOG_SCALES = (-5.0, 3.0)


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Equal parts of normal distributions of each row, means and scales `[S, N]`."""

    means: np.ndarray
    scales: np.ndarray

    def log_prob(self, y: np.ndarray, step: float = 0.0) -> np.ndarray:
        """Return log-densities `[N]`; with a step, log-masses of `y` of that width."""
        normal = stats.norm(self.means, self.scales)
        if not step:
            each = normal.logpdf(y)
        else:
            # By the smaller tail: differences of the larger one round to 0.
            away = np.abs(y - self.means)
            ends = (away - 0.5 * step, away + 0.5 * step)
            tails = [stats.norm.sf(end / self.scales) for end in ends]
            each = np.log(np.maximum(tails[0] - tails[1], 1e-300))
        return special.logsumexp(each, axis=0) - np.log(len(self.means))

    def draws(self, count: int, seed: int) -> np.ndarray:
        """Return sorted draws of each row, `[N, count]`."""
        rng = np.random.default_rng(seed)
        chosen = np.arange(count) % len(self.means)
        noise = rng.normal(size=(count, self.means.shape[1]))
        return np.sort((self.means[chosen] + self.scales[chosen] * noise).T, axis=1)


class Network:
    """One hidden layer with a mean and a log-scale, and dropout of what goes in."""

    def __init__(
        self, inputs: int, rate: float, *, own_scales: bool, seed: int
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.rate = rate
        first = self.rng.normal(size=(inputs, HIDDEN)) * np.sqrt(2.0 / inputs)
        second = self.rng.normal(size=(HIDDEN, 2)) / np.sqrt(HIDDEN)
        self.free = np.ones_like(second)
        second[:, 1] = 0.0
        self.free[:, 1] = float(own_scales)
        self.weights = [first, np.zeros(HIDDEN), second, np.zeros(2)]

    def keep(self, values: np.ndarray) -> np.ndarray:
        """Return factors that drop some of the values."""
        if not self.rate:
            return np.ones_like(values)
        kept = self.rng.uniform(size=values.shape) >= self.rate
        return kept / (1.0 - self.rate)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return inputs and hidden units after dropout, its factors, and outputs."""
        first, bias, second, out_bias = self.weights
        dropped = x * self.keep(x)
        raw = dropped @ first + bias
        factors = self.keep(raw) * (raw > 0.0)
        hidden = raw * factors
        return dropped, hidden, factors, hidden @ second + out_bias

    def predict(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and scales of rows."""
        out = self.forward(x)[-1]
        return out[:, 0], np.exp(np.clip(out[:, 1], *LOG_SCALES))

    def gradients(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        """Return those of the mean negative log-likelihood."""
        dropped, hidden, factors, out = self.forward(x)
        log_scale = np.clip(out[:, 1], *LOG_SCALES)
        precision = np.exp(-2.0 * log_scale)
        away = out[:, 0] - y
        slopes = np.stack([away * precision, 1.0 - away**2 * precision], axis=1)
        slopes[:, 1] *= log_scale == out[:, 1]
        slopes /= len(x)
        back = slopes @ self.weights[2].T * factors
        return [
            dropped.T @ back,
            back.sum(axis=0),
            self.free * (hidden.T @ slopes),
            slopes.sum(axis=0),
        ]

    def fit(self, x: np.ndarray, y: np.ndarray) -> Network:
        """Train by Adam with a falling rate."""
        moments = [[np.zeros_like(w) for w in self.weights] for _ in range(2)]
        batches = -(-len(x) // BATCH)
        total = EPOCHS * batches
        for step in range(total):
            if step % batches == 0:
                order = self.rng.permutation(len(x))
            start = BATCH * (step % batches)
            rows = order[start : start + BATCH]
            rate = 0.5 * RATE * (1.0 + np.cos(np.pi * step / total))
            rate *= np.sqrt(1.0 - 0.999 ** (step + 1)) / (1.0 - 0.9 ** (step + 1))
            found = self.gradients(x[rows], y[rows])
            for w, g, m, s in zip(self.weights, found, *moments, strict=True):
                m += 0.1 * (g - m)
                s += 0.001 * (g * g - s)
                w -= rate * m / (np.sqrt(s) + 1e-8)
        return self


def _draws(net: Network, x: np.ndarray) -> Mixture:
    found = [net.predict(x) for _ in range(DRAWS)]
    return Mixture(*(np.stack(part) for part in zip(*found, strict=True)))


def _scaled(
    x: np.ndarray, y: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
    """Return standardised rows, targets and test rows, and the target's moments."""
    middle, width = x.mean(axis=0), x.std(axis=0)
    width = np.where(width > 0.0, width, 1.0)
    mean, scale = float(y.mean()), float(y.std())
    return (
        (x - middle) / width,
        (y - mean) / scale,
        (test - middle) / width,
        mean,
        scale,
    )


def dropout(x: np.ndarray, y: np.ndarray, test: np.ndarray, seed: int) -> Mixture:
    """Fit a network with dropout; return what it says of test rows."""
    rows, targets, new, mean, scale = _scaled(x, y, test)
    order = np.random.default_rng(seed).permutation(len(rows))
    held, own = order[: len(rows) // 5], order[len(rows) // 5 :]
    scores = []
    for rate in RATES:
        net = Network(x.shape[1], rate, own_scales=False, seed=seed)
        net.fit(rows[own], targets[own])
        scores.append(_draws(net, rows[held]).log_prob(targets[held]).mean())
    best = RATES[int(np.argmax(scores))]
    net = Network(x.shape[1], best, own_scales=False, seed=seed).fit(rows, targets)
    found = _draws(net, new)
    return Mixture(mean + scale * found.means, scale * found.scales)


def ensemble(x: np.ndarray, y: np.ndarray, test: np.ndarray, seed: int) -> Mixture:
    """Fit five networks; return what they say of test rows."""
    rows, targets, new, mean, scale = _scaled(x, y, test)
    found = []
    for member in range(MEMBERS):
        net = Network(x.shape[1], 0.0, own_scales=True, seed=MEMBERS * seed + member)
        found.append(net.fit(rows, targets).predict(new))
    means, scales = (np.stack(part) for part in zip(*found, strict=True))
    return Mixture(mean + scale * means, scale * scales)
