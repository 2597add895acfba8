"""Bernstein polynomials."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.bijectors.transformers import base
from tfp_flows.math import bernstein

__all__ = ["Bernstein"]


@dataclasses.dataclass(frozen=True)
class Bernstein(base.OnInterval):
    """Increasing Bernstein polynomial on `[range_min, range_max]`, lines outside.

    The polynomial is the map from the data to the base, which a density needs:
    `inverse` is a closed form, and `forward` searches for a root of it in some ten
    evaluations.

    Args:
        degree: Degree of the polynomial, from 1 to 100.
        range_min: Where the polynomial begins; the lines have the slopes of its ends.
        range_max: Where it ends.

    References:
        Ramasinghe et al. (2021). Robust normalizing flows using Bernstein-type
        polynomials. https://arxiv.org/abs/2102.03509
    """

    degree: int = 12
    range_min: float = -5.0
    range_max: float = 5.0

    def __post_init__(self) -> None:
        _checks.between(self.degree, 1, bernstein.MAX_DEGREE, "degree")
        _checks.interval(self.range_min, self.range_max)

    @property
    def params_size(self) -> int:
        """One logit for each step from coefficient to coefficient."""
        return self.degree

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Solve for the argument of the polynomial."""
        return bernstein.inverse(x, params, self.range_min, self.range_max)

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluate the polynomial."""
        return bernstein.forward(y, params, self.range_min, self.range_max)
