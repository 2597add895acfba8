"""Marginal and conditional densities that a flow has in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows._types import Seed
from tfp_flows.bijectors import composition
from tfp_flows.bijectors.autoregressive import masked
from tfp_flows.bijectors.coupling import coupling
from tfp_flows.bijectors.linear import permutation
from tfp_flows.bijectors.normalization import base as normalization
from tfp_flows.bijectors.normalization import standardize
from tfp_flows.distributions import shared
from tfp_flows.preprocessing.supports import Supports

__all__ = ["GaussianParts", "GivenPrefix", "Prefix", "closed_set"]

# Bases whose coordinates are independent.
FACTORED = ("normal", "uniform", "diagonal-normal", "student-t")
# Bases whose linear maps are normal.
NORMAL = ("normal", "diagonal-normal")

# Maps of each coordinate by itself.
COLUMNWISE = (normalization.PerChannel, standardize.Standardize, Supports)


class GaussianParts:
    """Mean and covariance of a flow that is a normal distribution.

    Args:
        density: `flow.partial(...)`.
        size: Number of coordinates.
    """

    def __init__(self, density: Any, size: int) -> None:
        base = density.distribution
        loc = tf.cast(base.mean(), tf.float64).numpy()
        deviation = tf.cast(base.stddev(), tf.float64).numpy()
        z = tf.constant(np.concatenate([loc[None], loc + np.eye(size)]), density.dtype)
        x = tf.cast(density.bijector.forward(z), tf.float64).numpy()
        self.loc, slopes = x[0], (x[1:] - x[0]) * deviation[:, None]
        self.covariance = slopes.T @ slopes

    @classmethod
    def of(cls, flow: Any, density: Any) -> GaussianParts | None:
        """Return the parts, or `None` if the flow is no normal distribution."""
        bijector = getattr(density, "bijector", None)
        if bijector is None or not bijector.is_constant_jacobian:
            return None
        if flow.base.kind not in NORMAL:
            return None
        return cls(density, flow.event_size)

    def marginal(self, columns: Sequence[int], dtype: Any) -> tfd.Distribution:
        """Return the distribution of some coordinates."""
        places = np.array(columns)
        covariance = self.covariance[np.ix_(places, places)]
        return _normal(self.loc[places], covariance, dtype)

    def conditional(
        self, known: Sequence[int], values: np.ndarray, free: Sequence[int], dtype: Any
    ) -> tfd.Distribution:
        """Return the distribution of some coordinates given all the others."""
        a, b = np.array(known), np.array(free)
        cross = self.covariance[np.ix_(b, a)]
        slopes = np.linalg.solve(self.covariance[np.ix_(a, a)], cross.T).T
        loc = self.loc[b] + slopes @ (values - self.loc[a])
        return _normal(loc, self.covariance[np.ix_(b, b)] - slopes @ cross.T, dtype)


def _normal(loc: np.ndarray, covariance: np.ndarray, dtype: Any) -> tfd.Distribution:
    root = np.linalg.cholesky(covariance)
    return tfd.MultivariateNormalTriL(tf.constant(loc, dtype), tf.constant(root, dtype))


def _depends(bijector: Any, size: int) -> np.ndarray:
    """Return which inputs, the columns, each output may depend on, `[D, D]`."""
    full = np.ones([size, size], bool)
    if isinstance(bijector, composition.Invert):
        return _closure(_depends(bijector.bijector, size))
    if isinstance(bijector, COLUMNWISE) or bijector.forward_min_event_ndims == 0:
        return np.eye(size, dtype=bool)
    if isinstance(bijector, masked.MaskedAutoregressive):
        ranks = np.asarray(bijector.order)
        return ranks[:, None] >= ranks[None]
    if isinstance(bijector, coupling.Coupling):
        kept = np.asarray(bijector.mask, bool)
        return np.eye(size, dtype=bool) | (~kept[:, None] & kept[None])
    if isinstance(bijector, permutation.Permutation):
        z = bijector.inverse(tf.range(size, dtype=bijector.dtype or tf.float32))
        return np.eye(size, dtype=bool)[np.asarray(z, int)]
    return full


def _closure(depends: np.ndarray) -> np.ndarray:
    """Return what inverses depend on: all that can be reached."""
    found = depends
    for _ in range(len(depends)):
        found = (found.astype(int) @ found.astype(int)) > 0
    return found


def closed_set(
    flow: Any, maps: Sequence[Any], columns: Sequence[int]
) -> np.ndarray | None:
    """Return which numbers of the base are functions of some columns alone.

    Args:
        flow: The flow.
        maps: Its maps, from the base to the data.
        columns: The columns.

    Returns:
        Their positions, as many as columns; `None` if there are fewer, so that the
        density of these columns is no product.
    """
    size = flow.event_size
    if flow.base.kind not in FACTORED:
        return None
    depends = np.eye(size, dtype=int)
    for bijector in maps:
        depends = depends @ _depends(bijector, size).astype(int)
    others = np.setdiff1d(np.arange(size), np.asarray(columns))
    own = np.flatnonzero(~(depends[:, others] > 0).any(axis=1))
    return own if len(own) == len(columns) else None


class Prefix(shared.Columns):
    """The density of columns that come first in the order of a flow, which is exact.

    `p(x_A) = p(z_A) * |det dz_A / dx_A|`, as no other column changes `z_A`.

    Args:
        density: `flow.partial(...)`, over all columns.
        columns: Positions of the columns.
        inner: Positions of the numbers of the base that they make.
        validate_args: Whether to run value checks.
        name: Name.
    """

    _parameter_properties = shared.Columns.parameter_properties

    def __init__(
        self,
        density: Any,
        columns: Sequence[int],
        inner: Sequence[int],
        *,
        validate_args: bool = False,
        name: str = "marginal",
    ) -> None:
        parameters = dict(locals())
        self._density = density
        self._places, self._inner = np.array(columns), np.array(inner)
        self._size = int(density.event_shape[0])
        super().__init__(
            dtype=density.dtype,
            reparameterization_type=density.reparameterization_type,
            validate_args=validate_args,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    def _sample_n(self, n: tf.Tensor, seed: Seed = None) -> tf.Tensor:
        x = self._density.sample(n, seed=seed)
        return tf.gather(x, self._places, axis=-1)

    def own_numbers(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return numbers of the base of columns, `[N, A]`, and their Jacobian."""
        rest = np.setdiff1d(np.arange(self._size), self._places)
        back = np.argsort(np.concatenate([self._places, rest]))
        # What the other columns are does not matter: they are in the data.
        origin = tf.zeros([self._size], self.dtype)
        other = self._density.bijector.forward(origin)
        filled = tf.gather(other, rest) + tf.zeros_like(x[:, :1])

        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            full = tf.gather(tf.concat([x, filled], axis=-1), back, axis=-1)
            z = tf.gather(self._density.bijector.inverse(full), self._inner, axis=-1)
        return z, tape.batch_jacobian(z, x, experimental_use_pfor=False)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        rows = tf.reshape(tf.cast(x, self.dtype), [-1, len(self._places)])
        z, jacobian = self.own_numbers(rows)
        scalars = self._density.distribution.distribution
        zeros = tf.zeros([tf.shape(z)[0], self._size], self.dtype)
        places = tf.one_hot(self._inner, self._size, dtype=self.dtype)
        each = scalars.log_prob(zeros + z @ places)
        log_base = tf.reduce_sum(tf.gather(each, self._inner, axis=-1), axis=-1)
        log_det = tf.linalg.slogdet(jacobian)[1]
        return tf.reshape(log_base + log_det, tf.shape(x)[:-1])

    def draws_given(
        self, values: tf.Tensor, n: tf.Tensor, seed: Seed = None
    ) -> tf.Tensor:
        """Return draws of all columns, given these, `[n, D]`.

        Args:
            values: Of the columns, `[A]`.
            n: Number of draws.
            seed: Seed.
        """
        own, _ = self.own_numbers(values[tf.newaxis])
        z = self._density.distribution.sample(n, seed=seed)
        places = tf.one_hot(self._inner, self._size, dtype=self.dtype)
        fixed = tf.reduce_sum(places, axis=0)
        return self._density.bijector.forward(z * (1.0 - fixed) + own @ places)


class GivenPrefix(shared.Columns):
    """The density of columns given those that come first in the order of a flow.

    Args:
        density: `flow.partial(...)`, over all columns.
        known: Positions of the columns that are given.
        inner: Positions of the numbers of the base that they make.
        values: Their values.
        validate_args: Whether to run value checks.
        name: Name.
    """

    _parameter_properties = shared.Columns.parameter_properties

    def __init__(
        self,
        density: Any,
        known: Sequence[int],
        inner: Sequence[int],
        values: Sequence[float],
        *,
        validate_args: bool = False,
        name: str = "conditional",
    ) -> None:
        parameters = dict(locals())
        self._density, self._first = density, Prefix(density, known, inner)
        self._known = np.array(known)
        self._places = np.setdiff1d(np.arange(int(density.event_shape[0])), known)
        self._values = values
        super().__init__(
            dtype=density.dtype,
            reparameterization_type=density.reparameterization_type,
            validate_args=validate_args,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    def _given(self) -> tf.Tensor:
        return tf.constant(self._values, self.dtype)

    def _sample_n(self, n: tf.Tensor, seed: Seed = None) -> tf.Tensor:
        x = self._first.draws_given(self._given(), n, seed)
        return tf.gather(x, self._places, axis=-1)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        known = self._given() + tf.zeros_like(x[..., :1])
        back = np.argsort(np.concatenate([self._known, self._places]))
        full = tf.gather(tf.concat([known, x], axis=-1), back, axis=-1)
        return self._density.log_prob(full) - self._first.log_prob(self._given())
