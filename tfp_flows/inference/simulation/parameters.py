"""Parameters as their prior has them, and as unbounded vectors, which flows learn."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _arrays
from tfp_flows._types import Seed, TensorLike
from tfp_flows.diagnostics import structures
from tfp_flows.distributions.pickling import Parts
from tfp_flows.inference import targets

__all__ = ["Parameters"]


class Parameters:
    """Events of a prior, and the maps between them and vectors without bounds.

    Args:
        prior: Distribution of the parameters, joint ones too.

    Raises:
        TypeError: If it is no distribution, or one of discrete events.
        ValueError: If it is a batch of distributions.
    """

    def __init__(self, prior: tfd.Distribution) -> None:
        if not isinstance(prior, tfd.Distribution):
            msg = (
                "`prior` must be a distribution of TensorFlow Probability, got "
                f"{type(prior).__name__}. Write for example "
                "tfd.Independent(tfd.Uniform([-1., -1.], 1.), 1)."
            )
            raise TypeError(msg)
        self.prior = prior
        self.is_joint = not isinstance(prior.event_shape, tf.TensorShape)
        self._require_one(prior)
        self.structure = prior.event_shape
        self.shapes = [tuple(s) for s in self._leaves(prior.event_shape)]
        self.dtype = tf.nest.flatten(prior.dtype)[0]
        if _is_discrete(prior):
            msg = (
                f"`prior` must be of continuous parameters, got {prior.name}, whose "
                "events are discrete. Sum them out, or make them data."
            )
            raise TypeError(msg)
        self.target = self._target(prior)
        self.size, self.bijector = self.target.size, self.target.bijector

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_parts, (Parts.of(self.prior),)

    def _target(self, prior: Any) -> targets.Target:
        """Return the density of the prior over vectors without bounds.

        Raises:
            ValueError: If it does not say where its events lie.
        """
        try:
            return targets.read(prior)
        except (TypeError, ValueError) as error:
            msg = (
                "`prior` must say where its events lie, by its event shape and its "
                f"experimental_default_event_space_bijector, got {prior.name}: "
                f"{error} Write it as a tfd.TransformedDistribution of a distribution "
                "without bounds, or by other distributions of TFP."
            )
            raise ValueError(msg) from error

    def _require_one(self, prior: Any) -> None:
        if self.is_joint:
            return
        if not prior.event_shape.is_fully_defined():
            msg = (
                f"`prior` must know the shape of its events, got {prior.name} of "
                f"event_shape {prior.event_shape}. Write a joint distribution of its "
                "parts."
            )
            raise ValueError(msg)
        if prior.batch_shape.rank:
            msg = (
                f"`prior` must be one distribution, got batch_shape "
                f"{tuple(prior.batch_shape)}. Wrap it: tfd.Independent(prior, "
                f"{prior.batch_shape.rank})."
            )
            raise ValueError(msg)

    def _leaves(self, shapes: Any) -> list[Any]:
        return tf.nest.flatten(shapes) if self.is_joint else [shapes]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the numbers of a flattened event, in order."""
        if not self.is_joint:
            return tuple(f"theta{i}" for i in range(math.prod(self.shapes[0])))
        words = structures.words_of(self.structure, len(self.shapes))
        return tuple(structures.column_names(words, self.shapes))

    def read(self, theta: TensorLike) -> tuple[list[np.ndarray], np.ndarray]:
        """Return events as arrays, one for each part, and as rows `[N, D]`.

        Args:
            theta: `[N, *event_shape]`; of a joint prior in its structure, or flat
                `[N, D]`.

        Raises:
            ValueError: If shapes do not fit.
        """
        theta = getattr(theta, "x", theta)
        if hasattr(theta, "to_numpy"):
            theta = theta.to_numpy()
        dtype = self.dtype.as_numpy_dtype
        if self.is_joint and not _is_structure(theta):
            flat = _arrays.as_array(theta, dtype, "theta")
            return self.parts_of(flat), flat
        leaves = self._structured(theta) if self.is_joint else [theta]
        arrays = [_arrays.as_array(v, dtype, "theta") for v in leaves]
        for array, shape in zip(arrays, self.shapes, strict=True):
            if array.shape[1:] != shape or array.ndim != len(shape) + 1:
                if not self.is_joint and array.ndim == 1 and shape == (1,):
                    arrays = [array[:, None]]
                    break
                wanted = ", ".join(("N", *map(str, shape)))
                msg = (
                    f"`theta` must have shape [{wanted}], rows of what the prior draws,"
                    f" got {array.shape}. Check the order of `theta` and `x`."
                )
                raise ValueError(msg)
        counts = {len(array) for array in arrays}
        if len(counts) > 1:
            msg = f"`theta` must have equally many rows in all parts, got {counts}."
            raise ValueError(msg)
        rows = [
            array.reshape(len(array), math.prod(array.shape[1:])) for array in arrays
        ]
        return arrays, np.concatenate(rows, axis=1)

    def _structured(self, theta: Any) -> list[Any]:
        try:
            tf.nest.assert_same_structure(
                tf.nest.map_structure(lambda _: 0, self.structure),
                tf.nest.map_structure(lambda _: 0, theta),
                check_types=False,
            )
        except (TypeError, ValueError):
            msg = (
                "`theta` must have the structure of the prior's draws, "
                f"{self.prior.event_shape}, or be rows [N, {len(self.names)}]."
            )
            raise ValueError(msg) from None
        if isinstance(theta, dict) and hasattr(self.structure, "_fields"):
            return [theta[name] for name in self.structure._fields]
        return tf.nest.flatten(theta)

    def parts_of(self, rows: np.ndarray) -> list[np.ndarray]:
        """Return rows `[N, D]` as arrays of the shapes of the event's parts."""
        sizes = [math.prod(shape) for shape in self.shapes]
        if rows.ndim != 2 or rows.shape[1] != sum(sizes):
            msg = f"`theta` must have shape [N, {sum(sizes)}], got {rows.shape}."
            raise ValueError(msg)
        ends = np.cumsum(sizes)[:-1]
        return [
            part.reshape(len(rows), *shape)
            for part, shape in zip(
                np.split(rows, ends, axis=1), self.shapes, strict=True
            )
        ]

    def packed(self, parts: list[Any]) -> Any:
        """Return parts in the structure of the prior's events."""
        if not self.is_joint:
            return parts[0]
        return tf.nest.pack_sequence_as(self.structure, parts)

    def rows_of(self, events: Any) -> np.ndarray:
        """Return events `[..., *event_shape]` as rows `[..., D]`."""
        leaves = tf.nest.flatten(events) if self.is_joint else [events]
        found = []
        for leaf, shape in zip(leaves, self.shapes, strict=True):
            array = np.asarray(leaf)
            batch = array.shape[: array.ndim - len(shape)]
            found.append(array.reshape(*batch, math.prod(shape)))
        return np.concatenate(found, axis=-1)

    def flat(self, events: Any) -> tf.Tensor:
        """Return events `[N, *event_shape]` as rows `[N, D]`, in a graph."""
        leaves = tf.nest.flatten(events) if self.is_joint else [events]
        sizes = [math.prod(shape) for shape in self.shapes]
        pairs = zip(leaves, sizes, strict=True)
        return tf.concat([tf.reshape(leaf, [-1, size]) for leaf, size in pairs], axis=1)

    def log_prob(self, parts: list[np.ndarray]) -> np.ndarray:
        """Return the prior's log-density, minus infinity outside of its support."""
        events = [tf.constant(part, self.dtype) for part in parts]
        return np.asarray(_density(self.prior, self.packed(events)))

    def unbounded(self, parts: list[np.ndarray]) -> np.ndarray:
        """Return events as vectors without bounds, `[N, size]`.

        Those on a bound, where rounding may have put them, are as far as the furthest
        of the others.
        """
        events = [tf.constant(part, self.dtype) for part in parts]
        found = np.array(self.bijector.inverse(self.packed(events)))
        finite = np.where(np.isfinite(found), found, np.nan)
        low, high = np.nanmin(finite, axis=0), np.nanmax(finite, axis=0)
        found = np.where(np.isnan(found), high, found)
        return np.clip(found, low, high)

    def bounded(self, vectors: TensorLike) -> Any:
        """Return vectors `[..., size]` as events of the prior."""
        return self.bijector.forward(tf.cast(vectors, self.dtype))

    def sample(self, count: int, seed: Seed) -> list[np.ndarray]:
        """Return draws of the prior as arrays, one for each part."""
        with warnings.catch_warnings():
            # Of a seed that always gives the same draws, joint distributions warn.
            warnings.filterwarnings("ignore", message="Saw Tensor seed")
            draws = self.prior.sample(count, seed=seed)
        leaves = tf.nest.flatten(draws) if self.is_joint else [draws]
        return [np.asarray(leaf) for leaf in leaves]


def _of_parts(prior: Parts) -> Parameters:
    """Return parameters that were pickled."""
    return Parameters(prior.build())


def _is_structure(theta: Any) -> bool:
    """Whether values come in parts, and not as one array of rows."""
    return structures.is_parts(theta) or structures.listed(theta)


def _is_discrete(prior: Any) -> bool:
    if not all(tf.as_dtype(t).is_floating for t in tf.nest.flatten(prior.dtype)):
        return True
    if isinstance(prior, tfd.MixtureSameFamily):
        return _is_discrete(prior.components_distribution)
    if isinstance(prior, (tfd.Independent, tfd.Sample)):
        return _is_discrete(prior.distribution)
    if isinstance(prior, tfd.Mixture):
        return any(map(_is_discrete, prior.components))
    try:
        return prior.experimental_default_event_space_bijector() is None
    except AttributeError:  # of joint ones, some part has no such map
        parts, _ = prior.sample_distributions(seed=[0, 0])
        return any(map(_is_discrete, tf.nest.flatten(parts)))


def log_prior(prior: tfd.Distribution, value: Any) -> tf.Tensor:
    """Return the log-density of a prior, `[...]`, a finite number or minus infinity.

    It is minus infinity outside of the support, and at its ends where the density has
    no bound: a chain would never leave them. It is NaN only for parameters that are.
    """
    found = _density(prior, value)
    nowhere = tf.constant(-np.inf, found.dtype)
    return tf.where(tf.equal(found, -nowhere), nowhere, found)


def _density(prior: tfd.Distribution, value: Any) -> tf.Tensor:
    """Return the log-density of a prior, minus infinity where some of TFP's are NaN."""
    found = prior.log_prob(value)
    nowhere = tf.constant(-np.inf, found.dtype)
    for leaf in map(tf.convert_to_tensor, tf.nest.flatten(value)):
        of_event = list(range(found.shape.rank, leaf.shape.rank))
        lost = tf.reduce_any(tf.math.is_nan(leaf), axis=of_event)
        nowhere = tf.where(lost, tf.constant(np.nan, found.dtype), nowhere)
    return tf.where(tf.math.is_nan(found), nowhere, found)
