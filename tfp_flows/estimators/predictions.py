"""What a regressor with whole distributions can say of them, row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length

from tfp_flows import _checks, diagnostics
from tfp_flows.estimators import base, checks

__all__ = ["NUM_LEVELS", "Predictions"]

# Levels of a moment or a score, and of a tail.
NUM_LEVELS, NUM_TAIL = 512, 64


class Predictions:
    """Moments, risks and scores of predicted distributions, from their quantiles.

    A class has `_quantiles` and the shape of its targets; one with densities, a flow.
    """

    flow_: Any
    _target_shape: tuple[int, ...]
    _condition: Callable[[Any], np.ndarray]
    _quantiles: Callable[..., np.ndarray]

    def predict(
        self, X: Any, quantiles: Any = None, *, return_std: bool = False
    ) -> Any:
        """Return the means of targets, or quantiles.

        Args:
            X: Features, `[n, d]`.
            quantiles: Probabilities, a number or a list of `k`; `None` for the mean.
            return_std: Whether to return the standard deviations, too, as
                scikit-learn's `GaussianProcessRegressor` does.

        Returns:
            `[n]`, or `[n, k]` for a list; `[n, e]` and `[n, e, k]` for targets that
            were `[n, e]`. With `return_std` the pair `(mean, deviation)` of such.

        Raises:
            ValueError: If a probability is none, or if quantiles are asked for with
                `return_std`.
        """
        if return_std:
            self._require_moments(quantiles)
            both = self._of_quantiles(X, _moments)
            return both[..., 0], both[..., 1]
        condition = self._condition(X)
        if quantiles is None:
            middles = _middles(NUM_LEVELS)
            return self._quantiles(condition, middles, lambda found: found.mean(-1))
        levels = np.asarray(quantiles, np.float64)
        if levels.ndim > 1 or not np.all((levels >= 0.0) & (levels <= 1.0)):
            msg = (
                f"`quantiles` must be a number or a list between 0 and 1, got "
                f"{quantiles!r}. Pass probabilities such as [0.05, 0.95]."
            )
            raise ValueError(msg)
        if levels.ndim:
            return self._quantiles(condition, levels, lambda found: found)
        return self._quantiles(condition, levels[None], lambda found: found[..., 0])

    @staticmethod
    def _require_moments(quantiles: Any) -> None:
        """Raise if quantiles are asked for beside moments."""
        if quantiles is not None:
            msg = (
                "`quantiles` must be left out with return_std=True, which returns the "
                f"mean and the deviation, got {quantiles!r}. Call `predict` twice."
            )
            raise ValueError(msg)

    def predict_interval(self, X: Any, coverage: float = 0.9) -> np.ndarray:
        """Return central intervals that hold a target with a probability.

        Args:
            X: Features, `[n, d]`.
            coverage: The probability, between 0 and 1.

        Returns:
            Lower and upper ends, `[n, 2]`, or `[n, e, 2]`.
        """
        tail = 0.5 * (1.0 - _inside(coverage, "coverage"))
        return self.predict(X, quantiles=[tail, 1.0 - tail])

    def predict_std(self, X: Any) -> np.ndarray:
        """Return the standard deviation of each target, `[n]` or `[n, e]`."""
        return self._of_quantiles(X, lambda found: found.std(axis=-1))

    def predict_skewness(self, X: Any) -> np.ndarray:
        """Return the skewness of each target, `[n]` or `[n, e]`.

        That of the distribution without its outermost thousandth, as far tails would
        rule it otherwise.
        """

        def skewness(found: np.ndarray) -> np.ndarray:
            centred = found - found.mean(axis=-1, keepdims=True)
            variance = np.square(centred).mean(axis=-1)
            return (centred**3).mean(axis=-1) / variance**1.5

        return self._of_quantiles(X, skewness)

    def predict_mode(self, X: Any) -> np.ndarray:
        """Return where the density of a target is highest, `[n]`.

        The best of 512 quantiles; of several targets, that of draws, `[n, e]`, each
        target by itself, and where there is no density, at the middle of the shortest
        interval of a tenth.
        """

        def densest(found: np.ndarray) -> np.ndarray:
            step = max(2, found.shape[-1] // 20)
            width = found[..., step:] - found[..., :-step]
            place = width.argmin(axis=-1)[..., np.newaxis]
            low = np.take_along_axis(found, place, axis=-1)
            high = np.take_along_axis(found, place + step, axis=-1)
            return 0.5 * (low + high)[..., 0]

        flow = getattr(self, "flow_", None)
        if flow is None or flow.event_shape != ():
            return self._of_quantiles(X, densest)
        condition = self._condition(X)
        grid = self._quantiles(condition, _middles(NUM_LEVELS), lambda found: found)
        grid = grid.reshape(len(condition), NUM_LEVELS)

        def of_rows(grid: np.ndarray, rows: np.ndarray) -> np.ndarray:
            log_density = self.flow_.distribution(rows).log_prob(grid.T)
            best = np.argmax(log_density, axis=0)
            return grid[np.arange(len(grid)), best]

        found = base.in_blocks(of_rows, grid, condition, size=base.BLOCK // 128)
        return found.reshape(len(condition), *self._target_shape)

    def value_at_risk(self, X: Any, level: float = 0.95) -> np.ndarray:
        """Return what a target, taken for a loss, stays below with a probability.

        Args:
            X: Features, `[n, d]`.
            level: The probability, between 0 and 1.

        Returns:
            `[n]`, or `[n, e]`.
        """
        return self.predict(X, quantiles=_inside(level, "level"))

    def expected_shortfall(
        self, X: Any, level: float = 0.95, tail: Literal["upper", "lower"] = "upper"
    ) -> np.ndarray:
        """Return the mean of a target in a tail: what a loss is when it is bad.

        Args:
            X: Features, `[n, d]`.
            level: Probability of the rest of the distribution, between 0 and 1.
            tail: `"upper"` where large targets are bad, `"lower"` where small ones are.

        Returns:
            `[n]`, or `[n, e]`.
        """
        if tail not in ("upper", "lower"):
            msg = f"`tail` must be 'upper' or 'lower', got {tail!r}."
            raise ValueError(msg)
        level = _inside(level, "level")
        levels = level + (1.0 - level) * _middles(NUM_TAIL)
        levels = levels if tail == "upper" else 1.0 - levels
        condition = self._condition(X)
        return self._quantiles(condition, levels, lambda found: found.mean(axis=-1))

    def cdf(self, X: Any, y: Any) -> np.ndarray:
        """Return the probability of each target to be lower, its PIT.

        Uniform between 0 and 1 over rows if predictions are calibrated:
        `tfp_flows.diagnostics.pit` tests it.

        Args:
            X: Features, `[n, d]`.
            y: Targets.

        Returns:
            `[n]`, or `[n, e]` of several targets, from draws.
        """
        condition, y = self._condition(X), self._targets(X, y)
        if self.flow_.event_shape == ():
            found = base.in_blocks(
                lambda y, rows: self.flow_.distribution(rows).cdf(y),
                y.reshape(-1),
                condition,
            )
            return found.reshape(y.shape)
        return self._compared(condition, y, lambda q, y: (q <= y).mean(axis=-1))

    def crps(self, X: Any, y: Any) -> np.ndarray:
        """Return the continuous ranked probability score of each target.

        In units of the target; the lower, the better; of a prediction without any
        doubt, the absolute error. By sorted quantiles, `mean |q - y|` less half of the
        mean distance of two.

        Args:
            X: Features, `[n, d]`.
            y: Targets.

        Returns:
            `[n]`, or `[n, e]`.

        References:
            Gneiting, Raftery (2007). Strictly Proper Scoring Rules, Prediction, and
            Estimation. https://doi.org/10.1198/016214506000001437
        """

        def score(found: np.ndarray, y: np.ndarray) -> np.ndarray:
            count = found.shape[-1]
            weights = (2.0 * np.arange(count) + 1.0 - count) / count**2
            return np.abs(found - y).mean(axis=-1) - found @ weights

        return self._compared(self._condition(X), self._targets(X, y), score)

    def sharpness(self, X: Any, coverage: float = 0.9) -> np.ndarray:
        """Return how wide central intervals are, `[n]` or `[n, e]`.

        The narrower the better, among predictions that are calibrated.

        Args:
            X: Features, `[n, d]`.
            coverage: Probability of the intervals, between 0 and 1.
        """
        ends = self.predict_interval(X, coverage)
        return ends[..., 1] - ends[..., 0]

    def calibrate(self, X: Any, y: Any) -> diagnostics.Calibrated:
        """Return calibrated predictions, from rows that the fit had no part in.

        Args:
            X: Features of at least 50 rows, `[n, d]`.
            y: Targets, `[n]`.

        Returns:
            Densities after a monotone map of their levels, and conformal intervals and
            sets, see `tfp_flows.calibrate`. Features are its conditions.
        """
        condition, y = self._condition(X), self._targets(X, y)
        shape = self.flow_.event_shape
        return diagnostics.calibrate(self.flow_, y.reshape(-1, *shape), condition)

    def _targets(self, X: Any, y: Any) -> np.ndarray:
        y = check_array(y, ensure_2d=False, dtype=checks.FLOATS, input_name="y")
        check_consistent_length(X, y)
        return y.reshape(len(y), *self._target_shape)

    def _of_quantiles(
        self, X: Any, function: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        return self._quantiles(self._condition(X), _middles(NUM_LEVELS), function)

    def _compared(
        self,
        condition: np.ndarray,
        y: np.ndarray,
        function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Return a function of the quantiles of each row and its target."""

        def of_rows(y: np.ndarray, rows: np.ndarray) -> np.ndarray:
            found = self._quantiles(rows, _middles(NUM_LEVELS), lambda found: found)
            return function(found, y[..., np.newaxis])

        return base.in_blocks(of_rows, y, condition, size=1024)


def _moments(found: np.ndarray) -> np.ndarray:
    """Return mean and standard deviation of quantiles, in a last axis."""
    return np.stack([found.mean(axis=-1), found.std(axis=-1)], axis=-1)


def _middles(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count


def _inside(value: float, name: str) -> float:
    _checks.plain_number(value, name)
    if not 0.0 < value < 1.0:
        msg = f"`{name}` must be between 0 and 1, got {value!r}. Pass 0.95."
        raise ValueError(msg)
    return float(value)
