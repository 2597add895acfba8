"""The distribution of a table some of whose columns are discrete."""

from __future__ import annotations

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _findings
from tfp_flows._types import Seed
from tfp_flows.distributions import shared
from tfp_flows.preprocessing import values
from tfp_flows.preprocessing.cells import Cells

__all__ = ["Folded"]


class Folded(shared.Wrapper):
    """The distribution of values whose cells a density fills.

    `log_prob` is the logarithm of the mean of the density over the cell of a value, by
    fixed points: see `Preprocessing` for what it is a density against. Samples are the
    values in whose cells those of the density lie.

    Args:
        distribution: The density on the unfolded axes, over vectors or scalars.
        cells: The columns.
        validate_args: Whether to run value checks.
        name: Name.
    """

    _parameter_properties = shared.Wrapper.parameter_properties

    def __init__(
        self,
        distribution: tfd.Distribution,
        cells: Cells,
        *,
        validate_args: bool = False,
        name: str | None = None,
    ) -> None:
        parameters = dict(locals())
        self._distribution, self._cells = distribution, cells
        super().__init__(
            dtype=distribution.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=distribution.allow_nan_stats,
            parameters=parameters,
            name=name or "Folded",
        )

    @property
    def cells(self) -> Cells:
        """The columns."""
        return self._cells

    def _event_shape(self) -> tf.TensorShape:
        return self.distribution.event_shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return self.distribution.event_shape_tensor()

    def _default_event_space_bijector(self) -> None:
        return None  # as of any distribution of TFP that is discrete

    def _notice(self, value: tf.Tensor) -> None:
        super()._notice(value)
        if hasattr(value, "numpy") and self.cells.found.any():
            rows = self._columns(value).numpy()
            size = len(self.cells.spec.columns)
            if rows.shape[-1:] == (size,):
                rows = rows.reshape(-1, size)
                _findings.report(values.rounded(self.cells, rows))

    def _columns(self, x: tf.Tensor) -> tf.Tensor:
        """Return events as vectors: a scalar has one column."""
        x = tf.cast(x, self.dtype)
        return x if self.event_shape.rank else x[..., tf.newaxis]

    def _events(self, columns: tf.Tensor) -> tf.Tensor:
        return columns if self.event_shape.rank else columns[..., 0]

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        return self.cells.log_mean(
            lambda v: self.distribution.log_prob(self._events(v)),
            self.cells.of(self._columns(x)),
        )

    def _sample_n(self, n: tf.Tensor, seed: Seed = None) -> tf.Tensor:
        v = self.distribution.sample(n, seed=seed)
        return self._events(self.cells.fold(self._columns(v)))

    def _cdf(self, x: tf.Tensor) -> tf.Tensor:
        edge = self.cells.edge(self._columns(x))
        return self.distribution.cdf(self._events(edge))

    def _quantile(self, value: tf.Tensor) -> tf.Tensor:
        v = self.distribution.quantile(value)
        return self._events(self.cells.fold(self._columns(v)))
