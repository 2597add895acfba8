"""Integrals of sums of squared polynomials."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfp_flows import _checks
from tfp_flows.bijectors.transformers import searched
from tfp_flows.math import roots, sum_of_squares

__all__ = ["SumOfSquares"]

# Equal to nothing, a second square would get no gradient.
START = 0.1


@dataclasses.dataclass(frozen=True)
class SumOfSquares(searched.WithLines):
    """Increasing polynomial on `[range_min, range_max]`, lines outside.

    Its slope is a sum of squared polynomials, so that it has degree `2 * degree + 1`.
    It is the map from the data to the base, which a density needs: `inverse` is a
    closed form, and `forward` searches for a root of it in some ten evaluations.

    Args:
        degree: Degree of the polynomials that are squared, from 0 to 20.
        num_squares: How many there are; two reach every positive polynomial.
        range_min: Where the polynomial begins; the lines have the slopes of its ends.
        range_max: Where it ends.

    References:
        Jaini et al. (2019). Sum-of-Squares Polynomial Flow.
        https://arxiv.org/abs/1905.02325
    """

    degree: int = 4
    num_squares: int = 2
    range_min: float = -5.0
    range_max: float = 5.0

    def __post_init__(self) -> None:
        _checks.between(self.degree, 0, sum_of_squares.MAX_DEGREE, "degree")
        _checks.at_least(self.num_squares, 1, "num_squares")
        _checks.interval(self.range_min, self.range_max)

    @property
    def params_size(self) -> int:
        """A shift and the coefficients of each polynomial."""
        return 1 + self.num_squares * (self.degree + 1)

    def initial(self) -> np.ndarray:
        """Set the further squares a little off zero, near the identity."""
        further = np.full([(self.num_squares - 1) * (self.degree + 1)], START)
        return np.concatenate([np.zeros([self.degree + 2]), further])

    def _function(self) -> roots.Function:
        return sum_of_squares.polynomial(self.degree, self.range_min, self.range_max)
