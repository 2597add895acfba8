"""One protocol for every toy density.

A `Toy` draws samples and knows its own density and entropy, so that the gap of a
fitted flow (held-out negative log-likelihood minus entropy) can be stated exactly.
"""

from __future__ import annotations

import abc

import numpy as np

__all__ = ["LOG_2PI", "Toy", "logsumexp"]

LOG_2PI = float(np.log(2 * np.pi))


def logsumexp(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Sum `exp(values)` along an axis and return the logarithm, without overflow.

    Args:
        values: Logarithms of non-negative numbers; -inf stands for zero.
        axis: Axis that is summed over.

    Returns:
        Array without that axis; -inf where every term is -inf.
    """
    top = np.max(values, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        total = np.log(np.sum(np.exp(values - top), axis=axis))
    return total + np.squeeze(top, axis=axis)


class Toy(abc.ABC):
    """A small density with a sampler, a log-density and an entropy.

    Attributes:
        num_dims: Event size `D`.
        entropy: Differential entropy in nats, or None if it is not known.
    """

    num_dims: int = 2
    entropy: float | None = None

    @abc.abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw independent points.

        Args:
            n: Number of points.
            rng: Source of randomness.

        Returns:
            float64 array `[n, D]`.
        """

    @abc.abstractmethod
    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Evaluate the log-density in nats.

        Args:
            x: float64 array `[n, D]`.

        Returns:
            float64 array `[n]`; -inf outside the support.
        """
