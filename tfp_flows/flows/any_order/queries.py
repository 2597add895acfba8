"""What a flow for any split of columns is asked for: densities and missing cells."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tensorflow_probability import distributions as tfd

from tfp_flows import _arrays, _checks
from tfp_flows._types import Condition, TensorLike
from tfp_flows.flows._model.queries import Queries
from tfp_flows.flows.any_order import chain, imputing, lines
from tfp_flows.flows.any_order.density import AnyConditional

__all__ = ["AnyQueries"]

# Of a single condition a tail below this share counts as outside the data; of many
# conditions so much smaller a one.
FAR_TAIL = 1e-4


class AnyQueries(Queries):
    """Answers of a flow whose network takes any columns as given."""

    def marginal(
        self,
        columns: Sequence[str | int] | str | int,
        condition: Condition = None,
        *,
        num_draws: int = 1024,
        seed: int = 0,
    ) -> tfd.Distribution:
        """Return the density of some columns, whatever the others are: exact.

        Args:
            columns: Names or positions.
            condition: `[*condition_shape]`, of a conditional flow.
            num_draws: Not used: nothing is integrated by draws.
            seed: Not used.

        Returns:
            A `tfd.Distribution` over `[len(columns)]`, in the order of `columns`.

        Raises:
            ValueError: If a column is unknown or there twice.

        Example:
            >>> import tfp_flows as tfpf
            >>> flow = tfpf.flows.build("any-order", 3, columns=["x", "y", "z"], seed=0)
            >>> flow.marginal(["x", "z"]).sample(5, seed=1).shape.as_list()
            [5, 2]
        """
        del num_draws, seed
        places = self._places(columns, "columns")
        one = self._one(condition)
        return AnyConditional(self, places, condition=one, name="marginal")

    def conditional(
        self,
        given: Mapping[str | int, Any],
        condition: Condition = None,
        *,
        num_draws: int = 8192,
        seed: int = 0,
    ) -> tfd.Distribution:
        """Return the density of all other columns, given the values of some: exact.

        Args:
            given: Values by names or positions of columns, such as `{"y": 1.0}`, or
                arrays of them, whose shape is that of the batch; labels of categories
                are fine.
            condition: `[*condition_shape]`, of a conditional flow.
            num_draws: Not used: nothing is weighed by draws.
            seed: Not used.

        Returns:
            A `tfd.Distribution` over the other columns, in their order.

        Raises:
            ValueError: If a column is unknown, none is left, or a value is none that
                the column can have.

        Example:
            >>> import tfp_flows as tfpf
            >>> flow = tfpf.flows.build("any-order", 3, columns=["x", "y", "z"], seed=0)
            >>> flow.conditional({"y": [0.0, 1.0]}).batch_shape.as_list()
            [2]
        """
        del num_draws, seed
        known, values, free = self._split(given)
        one = self._one(condition)
        self._warn_of_tails(known, values, one)
        return AnyConditional(self, free, known, values, condition=one)

    def _warn_of_tails(
        self, known: Sequence[int], values: np.ndarray, condition: Any
    ) -> None:
        """Warn if a value is far in a tail, given those before it."""
        flow: Any = self
        names = flow.columns or [f"column {i}" for i in range(flow.event_size)]
        rows = values.reshape(-1, len(known))
        order = np.argsort(known)
        for k, j in enumerate(order):
            before = [int(order[i]) for i in range(k)]
            density = AnyConditional(
                flow,
                [known[j]],
                [known[i] for i in before],
                rows[:, before],
                condition=condition,
            )
            below, above = (tail.numpy() for tail in density.tails(rows[:, [j]]))
            tail = np.minimum(below, above)
            row = int(np.argmin(tail))
            if tail[row] * len(rows) >= FAR_TAIL:
                continue
            given = ", given the values before it" if before else ""
            msg = (
                f"`given` is far outside the data: {names[known[j]]!r} is "
                f"{rows[row, j]:g}, the percentile {100.0 * below[row]:.4g} of the "
                f"flow{given}. The answer is an extrapolation."
            )
            warnings.warn(msg, UserWarning, stacklevel=3)
            return

    def impute(
        self,
        x: Any,
        condition: Condition = None,
        *,
        draws: int | None = None,
        seed: int = 0,
        as_frame: bool = False,
    ) -> Any:
        """Return rows whose missing cells are drawn given those that are there.

        Args:
            x: Rows, `[N, D]`, or a data frame: missing cells are NaN or masked.
            condition: `[N, *condition_shape]`, of a conditional flow.
            draws: Number of completed tables; `None` for one, without an axis for it.
            seed: Int that fixes the draws.
            as_frame: Whether to return a pandas data frame with the rows' index; of
                several draws their number is its first level.

        Returns:
            `[N, D]`, or `[draws, N, D]`. What was there is unchanged.

        Raises:
            ValueError: If a shape does not fit, or a value is none of its column.

        Example:
            >>> import numpy as np
            >>> import tfp_flows as tfpf
            >>> flow = tfpf.flows.build("any-order", 2, seed=0)
            >>> filled = flow.impute([[1.0, np.nan], [2.0, 3.0]], draws=5)
            >>> filled.shape, bool(np.isnan(filled).any())
            ((5, 2, 2), False)
        """
        flow: Any = self
        if draws is not None:
            _checks.count(draws, 1, "draws")
        rows = imputing.read(flow, x)
        filled = imputing.impute(flow, rows, condition, draws or 1, seed)
        if as_frame:
            return imputing.framed(flow, x, filled, several=draws is not None)
        return filled if draws is not None else filled[0]

    def order_spread(
        self,
        x: TensorLike,
        condition: Condition = None,
        *,
        num_orders: int = 8,
        seed: int = 0,
    ) -> np.ndarray:
        """Return how far the log-densities by several orders are apart.

        The chain rule holds in each order, but a network that is not right gives each
        another density. Their deviation says how much: 0 for the truth.

        Args:
            x: Rows, `[N, D]`; missing cells are left out.
            condition: `[N, *condition_shape]`, of a conditional flow.
            num_orders: Number of random orders.
            seed: Int that fixes them.

        Returns:
            The standard deviation of the log-density over orders, `[N]`.
        """
        _checks.count(num_orders, 2, "num_orders")
        flow: Any = self
        x, condition = flow.in_order(x, condition)
        rows = lines.positions(flow, _arrays.as_tensor(x, flow.variable_dtype))
        given = flow.embedded(condition, rows.u.shape[1])
        rng, found = np.random.default_rng(seed), []
        for _ in range(num_orders):
            total = 0.0
            order = rng.permutation(flow.event_size)
            for k, place in enumerate(order):
                seen = np.zeros([flow.event_size, 1], bool)
                seen[order[:k]] = True
                total += chain.log_prob(flow, rows, seen, [int(place)], given).numpy()
            found.append(total)
        return np.std(found, axis=0)
