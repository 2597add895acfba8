"""Calibration by ranks: simulation-based calibration, and PIT values."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from tensorflow_probability import distributions as tfd

from tfp_flows._types import Seed, TensorLike
from tfp_flows.diagnostics import reading, uniformity

__all__ = ["Ranks", "pit", "sbc"]


@dataclasses.dataclass(frozen=True)
class Ranks(uniformity.Tested):
    """Where true values lie among draws: uniform if the draws are calibrated.

    Attributes:
        values: Ranks in (0, 1), ties and steps made even by chance, `[N, D]`.
        names: Names of the columns.
        what: What was ranked.
    """

    values: np.ndarray
    names: tuple[str, ...]
    what: str = "posterior"

    @property
    def p_values(self) -> dict[str, np.ndarray]:
        """P-values of each column, `[D]`: `"KS"`, `"location"` and `"spread"`."""
        return uniformity.p_values(self.values)

    @property
    def p_value(self) -> float:
        """The smallest of them times their number: below .01 is a fault."""
        found = np.stack(list(self.p_values.values()))
        return float(min(1.0, found.min() * found.size))

    @property
    def spread(self) -> np.ndarray:
        """By which factor draws are too narrow (above 1) or too wide (below), `[D]`."""
        return uniformity.spread_of(self.values)

    @property
    def location(self) -> np.ndarray:
        """By how many of their deviations draws are too low (above 0), `[D]`."""
        return uniformity.normal_scores(self.values).mean(axis=0)

    def histogram(self, bins: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return counts of ranks and the edges of the bins.

        Args:
            bins: Number of bins; by default such that 20 ranks or more fall in each.

        Returns:
            `[bins, D]` and `[bins + 1]`.
        """
        bins = bins or int(np.clip(len(self.values) // 20, 5, 20))
        edges = np.linspace(0.0, 1.0, bins + 1)
        counts = [np.histogram(column, edges)[0] for column in self.values.T]
        return np.stack(counts, axis=-1), edges

    def ecdf(
        self, probability: float = 0.95
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the ECDF of the ranks, with the band of uniform ones.

        Args:
            probability: That the whole ECDF of a calibrated column lies in the band.

        Returns:
            Levels `[K]`, shares `[K, D]`, lower and upper ends `[K]`.
        """
        levels, low, high = uniformity.band(len(self.values), probability)
        return levels, uniformity.ecdf(self.values, levels), low, high

    def _faults(self) -> list[str]:
        found, size = self.p_values, len(uniformity.TESTS) * len(self.names)
        faults = []
        for i, name in enumerate(self.names):
            small = {test: p[i] * size < uniformity.LEVEL for test, p in found.items()}
            if small["spread"]:
                factor = self.spread[i]
                way = "narrow" if factor > 1.0 else "wide"
                factor = factor if factor > 1.0 else 1.0 / factor
                faults.append(f"{name} is too {way} by a factor of {factor:.2f}")
            elif small["location"]:
                way = "low" if self.location[i] > 0 else "high"
                shift = abs(self.location[i])
                faults.append(f"{name} is too {way} by {shift:.2f} deviations")
            elif small["KS"]:
                faults.append(f"{name} has another shape")
        return faults

    def __str__(self) -> str:
        """Return a sentence."""
        ks = ", ".join(
            f"{name} {p:.3f}"
            for name, p in zip(self.names, self.p_values["KS"], strict=True)
        )
        head = f"ranks of {len(self.values)} true values, KS p: {ks}"
        if self.is_calibrated:
            return f"{head}\nno fault of the {self.what} is seen"
        return f"{head}\nthe {self.what} is not calibrated: {'; '.join(self._faults())}"


def sbc(
    theta: TensorLike,
    draws: TensorLike,
    *,
    names: Sequence[str] | None = None,
    seed: Seed = 0,
) -> Ranks:
    """Return the ranks of true parameters among draws of their posteriors.

    For parameters that the prior drew, and posteriors of the data that they made, the
    ranks are uniform: simulation-based calibration.

    Args:
        theta: Parameters from the prior, `[N, D]`; `[N]` for a single one; of a joint
            prior in its structure, as `simulate` gives them.
        draws: Of the posterior of the data of each row, `[N, L, D]`, as `NPE.draws`
            gives them; or in the structure of `theta`, `[N, L, ...]` each; independent
            ones: thin chains.
        names: Names of the parameters; by default those of the structure.
        seed: Int that makes ties and steps even.

    Raises:
        ValueError: If shapes do not fit or values are not finite.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import diagnostics
        >>> rng = np.random.default_rng(0)
        >>> theta = rng.normal(size=500)
        >>> x = theta + rng.normal(size=500)
        >>> draws = rng.normal(x[:, None] / 2, np.sqrt(0.5), size=(500, 100))
        >>> print(diagnostics.sbc(theta, draws))
        ranks of 500 true values, KS p: theta0 0.399
        no fault of the posterior is seen

    References:
        Talts et al. (2018). Validating Bayesian Inference Algorithms with
        Simulation-Based Calibration. https://arxiv.org/abs/1804.06788
    """
    truth, drawn = reading.draws_of(theta, draws, ("theta", "draws"))
    names = reading.names_of(theta, draws) if names is None else names
    return Ranks(_ranks(truth, drawn, seed), _names(names, truth.shape[1], "theta"))


def pit(
    x: TensorLike,
    predicted: tfd.Distribution | TensorLike,
    *,
    names: Sequence[str] | None = None,
    seed: Seed = 0,
) -> Ranks:
    """Return the probability integral transform of outcomes under predictions.

    Args:
        x: Outcomes, `[N]` or `[N, D]`.
        predicted: A distribution of scalars whose batch has the shape of `x`; or draws
            of the prediction for each row, `[N, L]` or `[N, L, D]`.
        names: Names of the columns.
        seed: Int that makes ties of draws even.

    Raises:
        ValueError: If shapes do not fit or values are not finite.

    Example:
        >>> import numpy as np
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import diagnostics
        >>> x = np.random.default_rng(0).normal(size=400)
        >>> print(diagnostics.pit(x, tfd.Normal(np.zeros(400), 1 / 1.3)))
        ranks of 400 true values, KS p: x0 0.006
        the prediction is not calibrated: x0 is too narrow by a factor of 1.29

    References:
        Gneiting, Balabdaoui, Raftery (2007). Probabilistic forecasts, calibration and
        sharpness. https://doi.org/10.1111/j.1467-9868.2007.00587.x
    """
    if not isinstance(predicted, tfd.Distribution):
        truth, drawn = reading.draws_of(x, predicted, ("x", "predicted"))
        names = reading.names_of(x, predicted) if names is None else names
        values = _ranks(truth, drawn, seed)
    else:
        truth = reading.rows(x, "x")
        shape = np.shape(x)
        if tuple(predicted.event_shape) or tuple(predicted.batch_shape) not in (
            shape,
            (),
        ):
            msg = (
                f"`predicted` must have event_shape () and batch_shape {shape}, one "
                f"scalar for each outcome, got {tuple(predicted.event_shape)} and "
                f"{tuple(predicted.batch_shape)}. Pass draws [N, L, D] instead."
            )
            raise ValueError(msg)
        dtype = predicted.dtype.as_numpy_dtype
        values = np.asarray(predicted.cdf(np.asarray(x, dtype)), np.float64)
        tiny = np.finfo(dtype).eps
        values = np.clip(values, tiny, 1.0 - tiny).reshape(truth.shape)
    return Ranks(values, _names(names, truth.shape[1], "x"), "prediction")


def _ranks(truth: np.ndarray, draws: np.ndarray, seed: Seed) -> np.ndarray:
    """Return ranks in (0, 1), at random within a step and among ties."""
    rng = reading.generator(seed)
    below = (draws < truth[:, None]).sum(axis=1)
    ties = (draws == truth[:, None]).sum(axis=1)
    rank = below + rng.uniform(size=truth.shape) * (ties + 1)
    return rank / (draws.shape[1] + 1)


def _names(names: Sequence[str] | None, size: int, word: str) -> tuple[str, ...]:
    if names is None:
        return tuple(f"{word}{i}" for i in range(size))
    if len(names) != size:
        msg = f"`names` must name all {size} columns, got {list(names)}."
        raise ValueError(msg)
    return tuple(names)
