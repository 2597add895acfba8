"""Why rows are anomalies, how sure that is, and rows with missing cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from tfp_flows.estimators import base, checks
from tfp_flows.flows._model import query_cells, query_lines, query_marginal

__all__ = ["Reasons", "log_marginals"]

# Draws of a missing column, and rows of the flow that tell what is usual.
NUM_DRAWS, NUM_USUAL = 256, 256
# Cells that tell what is usual, in 64 rows at least, which are right to a tenth of a
# nat; and draws that say where the mass of a column is.
NUM_CELLS, NUM_ROWS, NUM_GUIDES = 2_048, (64, 256), 512
# Fewer rows cannot tell one anomaly in twenty.
FEWEST = 20


def log_marginals(flow: Any, x: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the log-density of the known cells of each row, `[N]`.

    Args:
        flow: A flow of vectors.
        x: Rows, `[N, D]`.
        known: Which cells are known, `[N, D]`; one at least in each row.
    """
    found = np.empty(len(x))
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    mixture = None
    for i, pattern in enumerate(patterns):
        rows = np.flatnonzero(which.reshape(-1) == i)
        if pattern.all():
            found[rows] = base.in_blocks(flow.log_prob, x[rows])
            continue
        if mixture is None:
            mixture = query_lines.Lines(flow).mixture(0)
        density = query_marginal.Marginal(
            flow, np.flatnonzero(pattern).tolist(), num_draws=NUM_DRAWS, mixture=mixture
        )
        found[rows] = base.in_blocks(density.log_prob, x[rows][:, pattern])
    return found


def _log_given_others(flow: Any, x: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return log-densities of cells given the others of their rows, `[N, D]`."""
    if x.shape[1] == 1:  # there are no others: its cell is as odd as its row
        return base.in_blocks(flow.log_prob, x)[:, np.newaxis]
    return query_cells.log_given_others(flow, x, draws, range(x.shape[1]))


class Reasons:
    """What a detector says of rows beside their score."""

    flow_: Any
    n_features_in_: int
    score_samples: Callable[..., np.ndarray]
    # Draws of the fitted flow, and how likely their cells are; made when asked for.
    _cells: tuple[np.ndarray, np.ndarray] | None

    def attributions(self, X: Any) -> np.ndarray:
        """Return how odd each cell is, given the other cells of its row.

        By how many nats the density of the cell given the others is below that of
        usual rows: near or below 0 for usual cells. A row that is odd for the relation
        of two columns has both odd, as each contradicts the other. A cell outside of
        the bounds of its column is infinitely odd, and of the others of its row
        nothing can be said, which is NaN.

        Args:
            X: Rows, `[n, d]`, whole ones.

        Returns:
            `[n, d]`, in nats. Each cell costs some 50 densities of a row, for an
            integral over its column; at first so do those of some draws.

        Example:
            >>> import numpy as np
            >>> import tfp_flows as tfpf
            >>> x = np.random.default_rng(0).normal(size=(300, 3))
            >>> detector = tfpf.estimators.FlowAnomalyDetector("linear", random_state=0)
            >>> detector.fit(x).attributions([[0.1, 8.0, 0.2]]).argmax(axis=1)
            array([1])
        """
        check_is_fitted(self, "flow_")
        x = checks.validated(self, X, reset=False, dtype=checks.FLOATS)
        if self._cells is None:
            draws = np.asarray(self.flow_.sample(NUM_GUIDES, seed=(0, 3)), np.float64)
            count = int(np.clip(NUM_CELLS // x.shape[1], *NUM_ROWS))
            known = _log_given_others(self.flow_, draws[:count], draws)
            self._cells = draws, known.mean(axis=0)
        draws, usual = self._cells
        return usual - _log_given_others(self.flow_, x.astype(np.float64), draws)

    def p_values(self, X: Any, usual: Any) -> np.ndarray:
        """Return the probability of a usual row to be as odd as each row.

        By split conformal: if a row is exchangeable with `usual`, its p-value is at
        most `a` with a probability of at most `a`, whatever the flow.

        Args:
            X: Rows, `[n, d]`.
            usual: Rows that are usual and that the fit had no part in, `[m, d]`; none
                is below `1 / (m + 1)`.

        Returns:
            `[n]`.

        Raises:
            ValueError: If there are fewer than 20 usual rows.

        References:
            Bates, Candes, Lei, Romano, Sesia (2023). Testing for outliers with
            conformal p-values. https://doi.org/10.1214/22-AOS2244
        """
        known = np.sort(self.score_samples(usual))
        if len(known) < FEWEST:
            msg = (
                f"`usual` must hold at least {FEWEST} rows, got {len(known)}: the "
                f"p-values of fewer are above {1 / FEWEST:g}. Hold out more."
            )
            raise ValueError(msg)
        lower = np.searchsorted(known, self.score_samples(X), side="right")
        return (1.0 + lower) / (1.0 + len(known))

    def _with_missing(self, x: np.ndarray) -> np.ndarray:
        """Return log-densities of rows, missing cells taken for usual ones, `[n]`."""
        known = ~np.isnan(x)
        if known.all():
            return base.in_blocks(self.flow_.log_prob, x)
        usual = np.asarray(self.flow_.sample(NUM_USUAL, seed=(0, 3)), x.dtype)
        found = np.empty(len(x))
        whole = base.in_blocks(self.flow_.log_prob, usual).mean()
        patterns, which = np.unique(known, axis=0, return_inverse=True)
        for i, pattern in enumerate(patterns):
            rows = which.reshape(-1) == i
            if not pattern.any():
                found[rows] = whole  # nothing is known of them
                continue
            both = np.concatenate([x[rows], usual])
            cells = np.repeat(pattern[np.newaxis], len(both), axis=0)
            log_prob = log_marginals(self.flow_, both, cells)
            count = int(rows.sum())
            found[rows] = log_prob[:count] + whole - log_prob[count:].mean()
        return found
