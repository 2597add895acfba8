"""The density of a flow on whole lines, where proposals for its columns live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.bijectors.composition import Chain
from tfp_flows.distributions.shared import Columns
from tfp_flows.math import proposals
from tfp_flows.math.gaussianization import components
from tfp_flows.preprocessing.supports import Supports

__all__ = ["Lines", "Query", "joined"]


class Lines:
    """The density of a flow on the whole lines of its columns, where proposals live.

    Args:
        flow: The flow.
        condition: Of the flow, if it needs one.
    """

    def __init__(self, flow: Any, condition: Any = None) -> None:
        cells = flow.cells
        self.cells, self.size = cells, flow.event_size
        self.supports = None if cells is None else cells.supports
        self.num_maps = flow.num_maps - (self.supports is not None)
        self.density = flow.partial(self.num_maps, condition)
        self.dtype = self.density.dtype
        self.log_prob = self.density.log_prob

    def mixture(self, seed: int) -> components.Components:
        """Return a mixture near the density."""
        draws = self.density.sample(proposals.NUM_ROWS, seed=(seed, 0))
        return proposals.joint(draws.numpy(), seed)

    def to_columns(self, u: tf.Tensor) -> tf.Tensor:
        """Return the values of columns that positions on the lines stand for."""
        if self.supports is not None:
            u = self.supports.forward(u)
        return u if self.cells is None else self.cells.fold(u)

    def part(self, columns: Sequence[int]) -> Any:
        """Return the map onto the supports of some columns."""
        places = np.array(columns, int)
        if self.supports is None or not len(places):
            return Chain([])
        kinds = [self.supports.kinds[i] for i in columns]
        ends = (self.supports.low, self.supports.high, self.supports.scale)
        low, high, scale = (tf.gather(tf.convert_to_tensor(e), places) for e in ends)
        return Supports(low, high, scale, kinds=kinds)

    def of_columns(
        self, x: tf.Tensor, columns: Sequence[int], shares: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return positions on the lines of values of some columns, and log-dets.

        Args:
            x: Values, `[N, A]`.
            columns: Their positions.
            shares: Where in their cells discrete values are, `[S, A]`.

        Returns:
            Positions `[N, S, A]`, in the middle of cells `[N, A]`, and what turns
            log-densities of positions into those of values, `[N, S]`.
        """
        x = tf.cast(x, self.dtype)
        log_masses = tf.zeros_like(x[:, :1])
        spread = x[:, tf.newaxis] + tf.zeros_like(shares)
        if self.cells is not None:
            safe = np.array(self.cells.inner_values())
            rest = np.setdiff1d(np.arange(self.size), np.array(columns, int))
            filled = tf.gather(tf.constant(safe, self.dtype), rest)
            filled += tf.zeros_like(x[:, :1])
            back = np.argsort(np.concatenate([np.array(columns, int), rest]))
            full = tf.gather(tf.concat([x, filled], -1), back, axis=-1)
            cell = self.cells.of(full)
            start, width, is_atom, outside = (
                tf.gather(t, np.array(columns, int), axis=-1)
                for t in (cell.start, cell.width, cell.is_atom, cell.outside)
            )
            length = tf.where(is_atom, width, tf.ones_like(width))
            log_masses = tf.reduce_sum(tf.math.log(length), -1, keepdims=True)
            inside = tf.reduce_all(~outside, axis=-1, keepdims=True)
            log_masses += tf.math.log(tf.cast(inside, self.dtype))
            spread = start[:, tf.newaxis] + shares * width[:, tf.newaxis]
            x = start + 0.5 * width
        onto = self.part(columns)
        log_det = onto.inverse_log_det_jacobian(spread, 1)
        return onto.inverse(spread), onto.inverse(x), log_masses + log_det


def joined(parts: Sequence[tf.Tensor], columns: Sequence[Sequence[int]]) -> tf.Tensor:
    """Return coordinates of several groups of columns in the order of all columns."""
    back = np.argsort(np.concatenate([np.array(c, int) for c in columns]))
    return tf.gather(tf.concat(parts, axis=-1), back, axis=-1)


class Query(Columns):
    """What marginal and conditional densities share: columns of a flow.

    Attributes:
        columns: Names of the columns, or their positions.
    """

    columns: tuple[Any, ...]
    _places: tuple[int, ...]

    def _set_columns(self, flow: Any, places: Sequence[int]) -> None:
        names = flow.columns or range(flow.event_size)
        self._places = tuple(int(i) for i in places)
        self.columns = tuple(names[i] for i in self._places)
