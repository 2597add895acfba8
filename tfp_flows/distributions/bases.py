"""Base densities: one small class for each name, and for distributions of TFP."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, _context
from tfp_flows._types import Shape
from tfp_flows.distributions import mixtures, supports, within

__all__ = ["BASES", "Base", "base"]

# Where the log-scales of a scale mixture start: between so much below and above 0.
INITIAL_SPREAD = 0.5
# Where the degrees of freedom of a Student-t base start: close to a normal, with
# tails that training can make heavier.
INITIAL_DF = 10.0
# Below this a Student-t has no mean and samples overflow float32.
MIN_DF = 1.0


class Base(tf.Module, abc.ABC):
    """A base density with its variables: the class of all.

    A subclass says its name, `class Cauchy(Base, kind="cauchy")`, or `kind = "cauchy"`
    in its body, makes its variables in `_create`, and implements `distribution`. Flows
    then take the name as `base`.

    Args:
        event_shape: Shape of one event.
        num_components: Number of components, of a mixture.
        seed: Int that fixes what is random of the initial variables.
        dtype: `"float32"` or `"float64"`.
        name: Name.
    """

    kind = ""
    kinds: ClassVar[dict[str, type[Base]]] = {}
    # Where each coordinate lies, `None` for the whole line.
    bounds: tuple[float, float] | None = None
    # Where flows find the coordinates among those of the density, if elsewhere.
    placement: tuple[int, ...] | None = None

    def __init_subclass__(cls, kind: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = kind or vars(cls).get("kind", "")  # or in the body of the class
        if cls.kind:
            Base.kinds[cls.kind] = cls

    def __init__(
        self,
        event_shape: Shape,
        *,
        num_components: int = 5,
        seed: int | None = None,
        dtype: Any = "float32",
        name: str = "base",
    ) -> None:
        super().__init__(name=name)
        _checks.at_least(num_components, 1, "num_components")
        self.event_shape = _checks.static_shape(event_shape, "event_shape")
        self._dtype = tf.as_dtype(dtype)
        self._num_components = num_components
        self._create(seed)

    def _create(self, seed: int | None) -> None:
        """Make the variables."""

    @abc.abstractmethod
    def distribution(self) -> tfd.Distribution:
        """Return the density over events, which reads the variables when it is used."""

    def _variable(self, value: np.ndarray, name: str) -> tf.Variable:
        return tf.Variable(value, dtype=self._dtype, name=name)

    def _zeros(self) -> tf.Tensor:
        return tf.zeros(self.event_shape, self._dtype)

    def _events(self, scalars: tfd.Distribution) -> tfd.Distribution:
        """Return scalars as one event; a single one keeps its CDF and its quantiles."""
        rank = len(self.event_shape)
        return tfd.Independent(scalars, rank) if rank else scalars


class Normal(Base, kind="normal"):
    """Standard normal numbers."""

    def distribution(self) -> tfd.Distribution:
        """Return the density."""
        zeros = self._zeros()
        return self._events(tfd.Normal(zeros, tf.ones_like(zeros)))


class Uniform(Base, kind="uniform"):
    """The cube `[-1, 1]`, to which a flow maps the range of the data."""

    bounds = (-1.0, 1.0)

    def distribution(self) -> tfd.Distribution:
        """Return the density."""
        zeros = self._zeros()
        return self._events(tfd.Uniform(zeros - 1.0, zeros + 1.0))


class DiagonalNormal(Base, kind="diagonal-normal"):
    """Normal numbers of trainable mean and scale."""

    def _create(self, seed: int | None) -> None:
        del seed
        zeros = np.zeros(self.event_shape)
        self._loc = self._variable(zeros, "loc")
        self._log_scale = self._variable(zeros, "log_scale")

    def distribution(self) -> tfd.Distribution:
        """Return the density."""
        scale = tfp.util.DeferredTensor(self._log_scale, tf.exp)
        return self._events(tfd.Normal(self._loc, scale))


class StudentT(Base, kind="student-t"):
    """Student-t numbers of trainable degrees of freedom and scale."""

    def _create(self, seed: int | None) -> None:
        del seed
        zeros = np.zeros(self.event_shape)
        self._log_scale = self._variable(zeros, "log_scale")
        raw = math.log(math.expm1(INITIAL_DF - MIN_DF))
        self._raw_df = self._variable(zeros + raw, "raw_df")

    def distribution(self) -> tfd.Distribution:
        """Return the density."""
        df = tfp.util.DeferredTensor(self._raw_df, _degrees_of_freedom)
        scale = tfp.util.DeferredTensor(self._log_scale, tf.exp)
        return self._events(tfd.StudentT(df, self._zeros(), scale))


class GaussianMixture(Base, kind="gaussian-mixture"):
    """A mixture of normal components of trainable weights, means, and scales."""

    def _create(self, seed: int | None) -> None:
        count, size = self._num_components, math.prod(self.event_shape)
        rng = _context.generator(seed)
        self._logits = self._variable(np.zeros(count), "logits")
        means = rng.normal(size=(count, *self.event_shape))
        self._loc = self._variable(means / math.sqrt(size), "loc")
        self._log_scale = self._variable(np.zeros_like(means), "log_scale")

    def distribution(self) -> tfd.Distribution:
        """Return the density."""
        scale = tfp.util.DeferredTensor(self._log_scale, tf.exp)
        return mixtures.Mixture(
            tfd.Categorical(logits=self._logits),
            self._events(tfd.Normal(self._loc, scale)),
        )


class ScaleMixture(Base, kind="scale-mixture"):
    """Normal components around zero, each of one trainable scale for all coordinates.

    An elliptical distribution of any tails.
    """

    def _create(self, seed: int | None) -> None:
        del seed
        count = self._num_components
        self._logits = self._variable(np.zeros(count), "logits")
        spread = np.linspace(-INITIAL_SPREAD, INITIAL_SPREAD, count)
        spread = spread if count > 1 else np.zeros(1)
        self._log_scale = self._variable(spread, "log_scale")

    def distribution(self) -> tfd.Distribution:
        """Return the density."""
        rank = len(self.event_shape)
        shape = [self._log_scale.shape[0], *[1] * rank]
        scale = tfp.util.DeferredTensor(
            self._log_scale, _SharedScale(rank), shape=shape
        )
        return mixtures.Mixture(
            tfd.Categorical(logits=self._logits),
            self._events(tfd.Normal(self._zeros(), scale)),
        )


BASES = tuple(Base.kinds)


class Given(Base):
    """A distribution of TFP as base density; its variables are trained.

    Args:
        distribution: A density of events, of their coordinates, or of one number that
            all coordinates share.
        event_shape: Shape of one event.
        dtype: `"float32"` or `"float64"`.
        name: Name.

    Raises:
        ValueError: If shape or dtype do not fit, or if it is no density.
    """

    def __init__(
        self,
        distribution: tfd.Distribution,
        event_shape: Shape,
        *,
        dtype: Any = "float32",
        name: str = "base",
    ) -> None:
        super().__init__(event_shape, dtype=dtype, name=name)
        self.given = distribution
        self.kind = type(distribution).__name__
        shape, rank = self.event_shape, len(self.event_shape)
        own = (*distribution.batch_shape, *distribution.event_shape)
        if own == shape and distribution.event_shape.rank == rank:
            self._whole = distribution
        elif own == shape:
            batch = distribution.batch_shape.rank
            self._whole = tfd.Independent(distribution, batch)
        elif own == ():
            self._whole = tfd.Sample(distribution, shape)
        else:
            msg = (
                f"`base` must be a density of events of shape {shape}, of each of "
                f"their coordinates, or of one, got the {self.kind} of batch_shape "
                f"{tuple(distribution.batch_shape)} and event_shape "
                f"{tuple(distribution.event_shape)}."
            )
            raise ValueError(msg)
        if distribution.dtype != self._dtype:
            msg = (
                f"`base` must have the dtype of the flow, {self._dtype.name}, got the "
                f"{self.kind} of {tf.as_dtype(distribution.dtype).name}. Change one."
            )
            raise ValueError(msg)
        self.bounds = supports.bounds(self._whole)
        # One that validates its arguments raises outside.
        if self.bounds is not None and not distribution.validate_args:
            self._whole = within.Within(self._whole, *self.bounds)

    def distribution(self) -> tfd.Distribution:
        """Return the density."""
        return self._whole


class WithAngles(Base):
    """A base density of some coordinates, and uniform angles in `[-1, 1]` behind.

    Args:
        inner: The density of the coordinates that are no angles, `None` if all are.
        angles: Which coordinates are angles.
        event_shape: Shape of one event.
        kind: Name of the density.
        dtype: `"float32"` or `"float64"`.
    """

    def __init__(
        self,
        inner: Base | None,
        angles: Sequence[bool],
        event_shape: Shape,
        *,
        kind: str,
        dtype: Any,
    ) -> None:
        super().__init__(event_shape, dtype=dtype)
        self.inner, self.kind = inner, kind if inner is None else inner.kind
        if inner is not None:
            self.bounds = inner.bounds
            order = [*np.flatnonzero(~np.array(angles)), *np.flatnonzero(angles)]
            self.placement = tuple(np.argsort(order).tolist())
        self._count = sum(angles)

    @property
    def given(self) -> tfd.Distribution | None:
        """The distribution of TFP, if it is one."""
        return getattr(self.inner, "given", None)

    def distribution(self) -> tfd.Distribution:
        """Return the density, angles behind."""
        if self.inner is None:
            zeros = self._zeros()
            return self._events(tfd.Uniform(zeros - 1.0, zeros + 1.0))
        zeros = tf.zeros([self._count], self._dtype)
        angles = self._events(tfd.Uniform(zeros - 1.0, zeros + 1.0))
        return tfd.Blockwise([self.inner.distribution(), angles])


def base(
    kind: str | tfd.Distribution,
    event_shape: Shape,
    *,
    angles: Sequence[bool] = (),
    num_components: int = 5,
    seed: int | None = None,
    dtype: Any = "float32",
    name: str = "base",
) -> Base:
    """Return a base density.

    Args:
        kind: `"normal"` (standard), `"diagonal-normal"` (trainable mean and scale),
            `"student-t"` (trainable degrees of freedom and scale per coordinate),
            `"gaussian-mixture"` (trainable weights, means, scales), `"scale-mixture"`
            (normal components around zero, each of one trainable scale for all
            coordinates: elliptical, of any tails) or `"uniform"` (on the cube
            `[-1, 1]`, to which a flow then maps the range of the data); or a
            distribution of TFP, over events or over each coordinate, which outside of
            its bounds is 0.
        event_shape: Shape of one event.
        angles: Which coordinates are angles in `[-1, 1]`, uniform whatever the kind;
            the density has them behind, see `Base.placement`.
        num_components: Number of components of a mixture.
        seed: Int that fixes the initial means of the mixture.
        dtype: `"float32"` or `"float64"`.
        name: Name.

    Raises:
        ValueError: If the name is unknown, or the distribution does not fit.

    Example:
        >>> from tensorflow_probability import distributions as tfd
        >>> import tfp_flows as tfpf
        >>> tails = tfpf.distributions.base(tfd.StudentT(3., 0., 1.), 2)
        >>> tails.distribution().event_shape.as_list()
        [2]
    """
    if any(angles):
        shape = (len(angles) - sum(angles),)
        more: Any = {"num_components": num_components, "seed": seed, "dtype": dtype}
        inner = None if all(angles) else base(kind, shape, **more)
        if inner is None and isinstance(kind, tfd.Distribution):
            msg = (
                f"`base` must be a name where all columns are periodic, got a "
                f"{type(kind).__name__}: angles are uniform. Leave it out."
            )
            raise ValueError(msg)
        return WithAngles(inner, angles, event_shape, kind=str(kind), dtype=dtype)
    if isinstance(kind, tfd.Distribution):
        return Given(kind, event_shape, dtype=dtype, name=name)
    _checks.one_of(kind, tuple(Base.kinds), "base")
    return Base.kinds[kind](
        event_shape, num_components=num_components, seed=seed, dtype=dtype, name=name
    )


def _degrees_of_freedom(raw: tf.Tensor) -> tf.Tensor:
    return MIN_DF + tf.nn.softplus(raw)


@dataclasses.dataclass(frozen=True)
class _SharedScale:
    """One scale for all coordinates of each component: `[K]` to `[K, 1, ...]`.

    A function with a name that can be pickled.
    """

    rank: int
    __name__ = "shared_scale"

    def __call__(self, log_scale: tf.Tensor) -> tf.Tensor:
        ones = [1] * self.rank
        return tf.reshape(tf.exp(log_scale), [log_scale.shape[0], *ones])
