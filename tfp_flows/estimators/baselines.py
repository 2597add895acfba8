"""What a flow has to beat on a table: a Gaussian, a mixture, and a kernel density."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import linalg, special
from sklearn import exceptions, mixture

from tfp_flows import _checks, datasets
from tfp_flows.training import baseline

__all__ = ["BASELINES", "Baseline", "fit_baseline"]

# Share of the rows that choose sizes, penalties and bandwidths, as in `fit`.
_VALIDATION = 0.1
# Rows on which choices are made, and of which a kernel density consists.
_CHOICE_ROWS, _CENTRES = 10_000, 10_000
# Components: the penalty is chosen for the first number, then the number.
_COUNTS, _PENALTIES, _STARTS = (10, 3, 30), (1e-3, 3e-3, 1e-2, 3e-2, 1e-1), 5
_QUICK_COUNTS, _QUICK_PENALTIES = (10,), (3e-3, 3e-2)
# Bandwidths that are tried, as parts of Scott's.
_BANDWIDTHS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4)
# Numbers of one block of distances.
_BLOCK = 2**22

Function = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A density that was fitted to the rows of a table.

    Attributes:
        name: What it is, such as `"mixture of 10"`.
        parameters: How many numbers were fitted, `None` if the rows are kept.
    """

    name: str
    parameters: int | None
    _log_prob: Callable[[np.ndarray, np.ndarray | None], np.ndarray]

    def log_prob(
        self, x: np.ndarray, condition: np.ndarray | None = None
    ) -> np.ndarray:
        """Return log-densities in nats, of columns in their own units, `[N]`."""
        return self._log_prob(x, condition)


def fit_baseline(
    name: str,
    x: np.ndarray,
    condition: np.ndarray | None = None,
    *,
    groups: np.ndarray | None = None,
    quick: bool = False,
    seed: int = 0,
) -> Baseline:
    """Fit a baseline to rows.

    `"gaussian"` has a full covariance, and a mean that is affine in the condition.
    `"mixture"` has full covariances; validation rows choose the number of components
    and their regularisation, and the best of five starts is taken. `"kernel"` is a
    Gaussian kernel of the shape of the covariance on at most 10,000 rows, whose
    bandwidth is chosen likewise. Given a condition, the latter two are fitted to events
    and conditions jointly, and divided by their marginal of the condition.

    Args:
        name: One of `BASELINES`.
        x: Events, `[N, D]`.
        condition: Conditions, `[N, C]`.
        groups: Group of each row, `[N]`: validation rows are whole groups.
        quick: Whether to try few sizes and penalties, from one start.
        seed: Int that fixes validation rows and starts.
    """
    _checks.one_of(name, tuple(BASELINES), "name")
    x = np.asarray(x, np.float64)
    if name == "gaussian":
        found = baseline.Gaussian.fit(x, condition)
        d = x.shape[1]
        count = found.slope.size + d + d * (d + 1) // 2
        return Baseline("Gaussian", count, found.log_prob)
    rows = x if condition is None else np.column_stack([x, condition])
    loc, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)  # a condition may be constant
    z = (rows - loc) / scale
    given = np.arange(x.shape[1], rows.shape[1])
    title, parameters, joint, marginal = BASELINES[name](z, given, groups, quick, seed)
    log_det = np.log(scale[: x.shape[1]]).sum()

    def log_prob(x: np.ndarray, condition: np.ndarray | None) -> np.ndarray:
        rows = x if condition is None else np.column_stack([x, condition])
        z = (np.asarray(rows, np.float64) - loc) / scale
        found = joint(z) - log_det
        return found if marginal is None else found - marginal(z[:, given])

    return Baseline(title, parameters, log_prob)


def _choice(
    z: np.ndarray, groups: np.ndarray | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to fit and validation rows, of some if there are many."""
    if len(z) > _CHOICE_ROWS:
        kept = np.random.default_rng(seed).permutation(len(z))[:_CHOICE_ROWS]
        z, groups = z[kept], None if groups is None else groups[kept]
    count = max(1, round(_VALIDATION * len(z)))
    rest, held_out = datasets.split_rows(count, seed, z, groups=groups)
    return z[rest], z[held_out]


def _mixture(
    z: np.ndarray,
    given: np.ndarray,
    groups: np.ndarray | None,
    quick: bool,  # noqa: FBT001
    seed: int,
) -> tuple[str, int, Function, Function | None]:
    penalties = _QUICK_PENALTIES if quick else _PENALTIES
    rest, held_out = _choice(z, groups, seed)
    counts = [n for n in (_QUICK_COUNTS if quick else _COUNTS) if n <= len(rest)] or [1]

    def fitted(rows: np.ndarray, count: int, penalty: float, starts: int) -> Any:
        return mixture.GaussianMixture(
            count, reg_covar=penalty, n_init=starts, max_iter=300, random_state=seed
        ).fit(rows)

    with warnings.catch_warnings():
        # A start that has not converged is not taken; ties make fewer clusters.
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)

        def score(choice: tuple[int, float]) -> float:
            return float(fitted(rest, *choice, 1).score(held_out))

        scores = {(counts[0], p): score((counts[0], p)) for p in penalties}
        _, penalty = max(scores, key=scores.__getitem__)
        for count in counts[1:]:
            scores[count, penalty] = score((count, penalty))
        count, penalty = max(scores, key=scores.__getitem__)
        best = fitted(z, count, penalty, 1 if quick else _STARTS)
    means, covariances, d = best.means_, best.covariances_, z.shape[1]
    joint = _of_components(best.weights_, means, covariances)
    marginal = None
    if len(given):
        inner = covariances[:, given[:, None], given]
        marginal = _of_components(best.weights_, means[:, given], inner)
    numbers = count * (1 + d + d * (d + 1) // 2) - 1
    return f"mixture of {count}", numbers, joint, marginal


def _of_components(
    weights: np.ndarray, means: np.ndarray, covariances: np.ndarray
) -> Function:
    """Return the log-density of a mixture of Gaussians."""
    parts = [
        baseline.Gaussian(
            mean, np.empty((0, len(mean))), np.linalg.cholesky(covariance)
        )
        for mean, covariance in zip(means, covariances, strict=True)
    ]

    def log_prob(z: np.ndarray) -> np.ndarray:
        each = np.stack([part.log_prob(z) for part in parts])
        return special.logsumexp(each + np.log(weights)[:, None], axis=0)

    return log_prob


def _kernel(
    z: np.ndarray,
    given: np.ndarray,
    groups: np.ndarray | None,
    quick: bool,  # noqa: FBT001
    seed: int,
) -> tuple[str, None, Function, Function | None]:
    del quick
    rest, held_out = _choice(z, groups, seed)
    scott = len(rest) ** (-1.0 / (z.shape[1] + 4))
    widths = scott * np.array(_BANDWIDTHS)

    def conditional(rows: np.ndarray, at: np.ndarray, widths: np.ndarray) -> np.ndarray:
        found = _kernel_log_prob(rows, at, widths)
        if len(given):
            found = found - _kernel_log_prob(rows[:, given], at[:, given], widths)
        return found

    scores = conditional(rest, held_out, widths).mean(axis=1)
    width = widths[np.argmax(scores) : np.argmax(scores) + 1]
    kept = np.random.default_rng(seed).permutation(len(z))[:_CENTRES]
    centres = z[np.sort(kept)]

    def joint(z: np.ndarray) -> np.ndarray:
        return _kernel_log_prob(centres, z, width)[0]

    def marginal(z: np.ndarray) -> np.ndarray:
        return _kernel_log_prob(centres[:, given], z, width)[0]

    return "kernel density", None, joint, marginal if len(given) else None


def _kernel_log_prob(
    centres: np.ndarray, z: np.ndarray, widths: np.ndarray
) -> np.ndarray:
    """Return log-densities for each bandwidth, `[W, N]`."""
    d = centres.shape[1]
    covariance = np.atleast_2d(np.cov(centres.T)) + 1e-9 * np.eye(d)
    scale = np.linalg.cholesky(covariance)
    a = linalg.solve_triangular(scale, centres.T, lower=True).T
    b = linalg.solve_triangular(scale, z.T, lower=True).T
    constant = np.log(np.diag(scale)).sum() + 0.5 * d * np.log(2 * np.pi)
    constant += np.log(len(a))
    out = np.empty((len(widths), len(b)))
    step = max(1, _BLOCK // len(a))
    for start in range(0, len(b), step):
        some = b[start : start + step]
        squares = (some**2).sum(axis=1)[:, None] + (a**2).sum(axis=1) - 2 * some @ a.T
        for i, width in enumerate(widths):
            found = special.logsumexp(-0.5 * np.maximum(squares, 0) / width**2, axis=1)
            out[i, start : start + step] = found - d * np.log(width)
    return out - constant


BASELINES: dict[str, Any] = {"gaussian": None, "mixture": _mixture, "kernel": _kernel}
