"""What a contract check is given, and what it raises."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks

__all__ = ["BijectorCase", "Case", "ContractError", "Tolerances", "perturb"]


class ContractError(AssertionError):
    """A broken contract, with the check, the case, the number found and its bound.

    Attributes:
        check: Name of the check.
        case: Name of the case.
        found: What was found.
        bound: What it may be at most, or what it should have been.
    """

    def __init__(
        self, check: str, case: str, what: str, found: Any = None, bound: Any = None
    ) -> None:
        self.check, self.case, self.found, self.bound = check, case, found, bound
        numbers = "" if found is None else f" (found {found}, bound {bound})"
        super().__init__(f"{check}[{case}]: {what}{numbers}")


@dataclass(frozen=True)
class Tolerances:
    """Largest errors, relative to the size of the numbers that are compared.

    Args:
        float32: Of values in float32.
        float64: Of values in float64.
        log_det32: Of log-dets in float32.
        log_det64: Of log-dets in float64.
        far: Of a round trip far outside the training range, in float32.
        mass: Of the integral over a density.
    """

    float32: float = 1e-5
    float64: float = 1e-9
    log_det32: float = 1e-4
    log_det64: float = 1e-7
    far: float = 1e-4
    mass: float = 2e-3

    def value(self, dtype: str) -> float:
        """Return the tolerance of values in `dtype`."""
        return self.float64 if dtype == "float64" else self.float32

    def log_det(self, dtype: str) -> float:
        """Return the tolerance of log-dets in `dtype`."""
        return self.log_det64 if dtype == "float64" else self.log_det32


def _static(tensor: Any) -> tf.Tensor:
    return tf.stop_gradient(tf.convert_to_tensor(tensor))


class Case:
    """What cases of maps and of flows share: a name, and checks to skip."""

    name: str
    skip: Mapping[str, str] | Iterable[str]

    def reason_to_skip(self, check: str) -> str | None:
        """Return why `check` does not apply, `None` if it does."""
        if check not in self.skip:
            return None
        if isinstance(self.skip, Mapping):
            return self.skip[check]
        return "left out by the caller"

    def fail(
        self,
        check: str,
        what: str,
        found: Any = None,
        bound: Any = None,
    ) -> None:
        """Raise the `ContractError` of this case."""
        raise ContractError(check, self.name, what, found, bound)


@dataclass(frozen=True)
class BijectorCase(Case):
    """A map and what its contract needs to know.

    Args:
        build: The map, or a function of the dtype's name that builds it anew. Only
            the second form is checked in float32 and in float64.
        event_shape: Trailing shape of inputs.
        condition_shape: Trailing shape of the condition, `None` for a map without.
        domain: Interval from which each input of `forward` may come.
        codomain: The same for `inverse`.
        support: Interval outside of which densities are 0, `None` for the codomain.
        edges: Scalars at which the map changes form, tried with their neighbours in
            floating point, in both directions.
        spread: Standard deviation of random inputs.
        quadrature: Whether to integrate the density (up to two dimensions).
        composite: Whether the map can be an argument of a `tf.function`.
        passes: Returns how many network passes there were so far; without it, the
            calls of the primitives of every part are counted.
        tolerances: Largest errors.
        skip: Names of checks that do not apply; a mapping tells the reason for each.
        name: Name of the case in messages.
        seed: Seed of the random inputs.
        only: The one dtype to check, `None` for all that the map can be had in.
    """

    build: Callable[[str], tfb.Bijector] | tfb.Bijector
    event_shape: Any = ()
    condition_shape: Any = None
    domain: tuple[float, float] = (-math.inf, math.inf)
    codomain: tuple[float, float] = (-math.inf, math.inf)
    support: tuple[float, float] | None = None
    edges: tuple[float, ...] = ()
    spread: float = 1.5
    quadrature: bool = True
    composite: bool = True
    passes: Callable[[], int] | None = None
    tolerances: Tolerances = field(default_factory=Tolerances)
    skip: Mapping[str, str] | Iterable[str] = ()
    name: str = "bijector"
    seed: int = 0
    only: str | None = None
    _built: dict[str, tfb.Bijector] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        shape = self.event_shape
        shape = () if shape in ((), []) else _checks.static_shape(shape, "event_shape")
        object.__setattr__(self, "event_shape", shape)
        condition = _checks.optional_shape(self.condition_shape, "condition_shape")
        object.__setattr__(self, "condition_shape", condition)

    @property
    def event_ndims(self) -> int:
        """Rank of the event."""
        return len(self.event_shape)

    @property
    def size(self) -> int:
        """Number of scalars in the event."""
        return math.prod(self.event_shape)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes in which the map can be had, or the one asked for."""
        if isinstance(self.build, tfb.Bijector):
            dtype = self.build.dtype
            return (tf.as_dtype(dtype).name if dtype else "float32",)
        return (self.only,) if self.only else ("float32", "float64")

    @property
    def dtype(self) -> str:
        """The dtype of the checks that need only one."""
        return self.dtypes[0]

    def bijector(self, dtype: str | None = None) -> tfb.Bijector:
        """Return the map in `dtype`, built once."""
        if isinstance(self.build, tfb.Bijector):
            return self.build
        dtype = dtype or self.dtype
        if dtype not in self._built:
            self._built[dtype] = self.build(dtype)
        return self._built[dtype]

    def fresh(self, dtype: str | None = None) -> tfb.Bijector:
        """Return a map that no other check has seen, if it can be built."""
        if isinstance(self.build, tfb.Bijector):
            return self.build
        return self.build(dtype or self.dtype)

    def points(
        self,
        leading: tuple[int, ...] = (16,),
        dtype: str | None = None,
        salt: int = 0,
    ) -> tf.Tensor:
        """Return random inputs of `forward`, `[*leading, *event_shape]`."""
        shape = (*leading, *self.event_shape)
        z = tf.random.stateless_normal(shape, [self.seed, 100 + salt], dtype=tf.float64)
        x = _into(self.domain, self.spread * z)
        return tf.cast(x, dtype or self.dtype)

    def images(self, x: tf.Tensor, **condition: tf.Tensor) -> tf.Tensor:
        """Return inputs of `inverse`: what `forward` makes of `x`."""
        dtype = x.dtype.name
        bijector = self.bijector(dtype)
        return _static(bijector.forward(tf.identity(x), **condition))

    def condition(
        self, leading: tuple[int, ...] = (16,), dtype: str | None = None
    ) -> dict[str, tf.Tensor]:
        """Return the keyword arguments of a call: a random condition, or nothing."""
        if self.condition_shape is None:
            return {}
        shape = (*leading, *self.condition_shape)
        c = tf.random.stateless_normal(shape, [self.seed, 7], dtype=tf.float64)
        return {"condition": tf.cast(c, dtype or self.dtype)}

    def base(self, dtype: str, batch: tuple[int, ...] = ()) -> tfd.Distribution:
        """Return a density on the domain with independent components, or a batch."""
        low, high = self.domain
        zeros = tf.zeros((*batch, *self.event_shape), dtype)
        if math.isfinite(low) and math.isfinite(high):
            scalar: tfd.Distribution = tfd.Uniform(low + zeros, high + zeros)
        elif math.isfinite(low):
            shift = tfb.Shift(tf.cast(low, dtype))
            scalar = tfd.TransformedDistribution(tfd.LogNormal(zeros, 1.0), shift)
        else:
            scalar = tfd.Normal(zeros, tf.ones([], dtype))
        return tfd.Independent(scalar, self.event_ndims)


def _into(interval: tuple[float, float], z: tf.Tensor) -> tf.Tensor:
    """Map real numbers into an interval."""
    low, high = interval
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) * tf.sigmoid(z)
    if math.isfinite(low):
        return low + tf.math.softplus(z)
    if math.isfinite(high):
        return high - tf.math.softplus(z)
    return z


def perturb(module: tf.Module, scale: float = 0.3, seed: int = 0) -> None:
    """Add noise to every trainable variable, so that no map is its initial one.

    Args:
        module: A bijector or any other `tf.Module`.
        scale: Standard deviation of the noise.
        seed: Seed of the noise.
    """
    for index, variable in enumerate(module.trainable_variables):
        # Drawn in float64, so that twins of two dtypes stay twins.
        noise = tf.random.stateless_normal(
            variable.shape, [seed, index], dtype=tf.float64
        )
        variable.assign_add(tf.cast(scale * noise, variable.dtype))
