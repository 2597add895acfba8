"""Posterior predictive checks: whether data like those observed are simulated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from tfp_flows._types import TensorLike
from tfp_flows.diagnostics import reading
from tfp_flows.diagnostics.uniformity import LEVEL

__all__ = ["Predictive", "predictive_check"]


@dataclasses.dataclass(frozen=True)
class Predictive:
    """Statistics of what was observed beside those of simulations.

    Attributes:
        observed: Each statistic of the observation, `[S]`.
        simulated: Of each simulation, `[N, S]`.
        names: Names of the statistics.
    """

    observed: np.ndarray
    simulated: np.ndarray
    names: tuple[str, ...]

    @property
    def p_values(self) -> np.ndarray:
        """Two-sided p-value of each statistic, `[S]`; at least `1 / (N + 1)`."""
        count = len(self.simulated)
        below = (1 + (self.simulated <= self.observed).sum(axis=0)) / (count + 1)
        above = (1 + (self.simulated >= self.observed).sum(axis=0)) / (count + 1)
        p: np.ndarray = np.minimum(1.0, 2.0 * np.minimum(below, above))
        return p

    @property
    def p_value(self) -> float:
        """The smallest of them times their number."""
        return float(min(1.0, self.p_values.min() * len(self.names)))

    @property
    def is_plausible(self) -> bool:
        """Whether simulations are like the observation in all statistics."""
        return self.p_value >= LEVEL

    def __str__(self) -> str:
        """Return a sentence."""
        count = len(self.simulated)
        head = f"{len(self.names)} statistics of {count} simulations"
        if self.is_plausible:
            return f"{head}: the observation is like them, p {self.p_value:.3f}"
        worst = int(np.argmin(self.p_values))
        theirs = self.simulated[:, worst]
        return (
            f"{head}: the observation is not like them, its {self.names[worst]} is "
            f"{self.observed[worst]:.4g}, theirs are "
            f"{theirs.mean():.4g} +- {theirs.std():.4g}. The model misses something."
        )


def predictive_check(
    x_o: TensorLike,
    simulated: TensorLike,
    *,
    statistics: Mapping[str, Callable[[np.ndarray], np.ndarray]] | None = None,
) -> Predictive:
    """Compare an observation with simulations at draws of its posterior.

    Args:
        x_o: The observation.
        simulated: Simulations at draws of the posterior, `[N, ...]`, each of the shape
            of the observation.
        statistics: Functions by name, from one observation to a number; by default the
            numbers of the observation themselves.

    Raises:
        ValueError: If shapes do not fit or values are not finite.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import diagnostics
        >>> simulated = np.random.default_rng(0).normal(size=(999, 2))
        >>> diagnostics.predictive_check([0.5, -0.5], simulated).is_plausible
        True
        >>> print(diagnostics.predictive_check([9.0, 0.0], simulated))
        2 statistics of 999 simulations: the observation is not like them, its x0 is \
9, theirs are -0.02906 +- 1.019. The model misses something.

    References:
        Gelman, Meng, Stern (1996). Posterior Predictive Assessment of Model Fitness via
        Realized Discrepancies. Statistica Sinica 6.
    """
    observed = reading.finite(x_o, "x_o")
    drawn = reading.finite(simulated, "simulated")
    if drawn.shape[1:] != observed.shape:
        msg = (
            f"`simulated` must be [N, {', '.join(map(str, observed.shape))}], rows of "
            f"the shape of `x_o`, got {drawn.shape}."
        )
        raise ValueError(msg)
    if statistics is None:
        names = tuple(f"x{i}" for i in range(observed.size))
        return Predictive(observed.ravel(), drawn.reshape(len(drawn), -1), names)
    found = [[float(f(row)) for f in statistics.values()] for row in (observed, *drawn)]
    values = np.asarray(found, np.float64)
    return Predictive(values[0], values[1:], tuple(statistics))
