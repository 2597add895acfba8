"""Flows with a surjection between a flow and the data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _arrays, _checks, _context, _serialize
from tfp_flows._types import Condition, Seed, TensorLike
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.normalization import standardize
from tfp_flows.bijectors.surjections.base import Preimages, Surjection
from tfp_flows.bijectors.surjections.fold import AbsoluteValue
from tfp_flows.bijectors.surjections.slice import Augment
from tfp_flows.distributions.surjected import SurjectedDistribution
from tfp_flows.flows import nested
from tfp_flows.flows._model import options
from tfp_flows.flows._model.batch import Batch
from tfp_flows.flows._model.options import option
from tfp_flows.flows._model.tabular import SPREAD

__all__ = ["AugmentedFlow", "SymmetricFlow"]

# So many events of the inner flow are evaluated at once, several for each row.
EVENTS_AT_ONCE = 65_536
# Under this name `call` gets the normal numbers of which noise is made, in training.
NOISE = "augmenting_noise"


class _Surjected(nested.FlowBase):
    """What a surjection makes of a flow: the density before the standardisation."""

    def __init__(
        self, flow: Any, surjection: Surjection, event_shape: tuple[int, ...]
    ) -> None:
        super().__init__([flow], event_shape, type(surjection).__name__)
        self.surjection = surjection

    def distribution(self, condition: Condition = None) -> tfd.Distribution:
        """Return the density.

        Args:
            condition: `[..., *condition_shape]`, or `None`.
        """
        (flow,) = self.flows
        inner = flow.partial(flow.num_maps, condition)
        return SurjectedDistribution(inner, self.surjection)

    def log_prob(self, points: Preimages, condition: Condition) -> tf.Tensor:
        """Return the log-density of data with such preimages, `[...]`."""
        (flow,) = self.flows
        found = flow.continuous_log_prob(points.z, condition)
        return tf.reduce_logsumexp(found + points.log_weight, axis=0)


class _SurjectiveFlow(nested.NestedFlow):
    """A flow of vectors whose base is a surjection of a flow.

    Subclasses make it in `_make_auxiliary_modules`.
    """

    def _surjected(self, surjection: Surjection) -> list[tf.Module]:
        """Set the base to what a surjection makes of a flow."""
        if len(self.event_shape) != 1:
            msg = (
                f"`event_shape` must be the size of vectors for a "
                f"`{type(self).__name__}`, got {self.event_shape}. Reshape events to "
                "vectors."
            )
            raise ValueError(msg)
        size = surjection.inverse_size(self.event_size)
        (flow,) = self._make_components(1, size)
        self._base = _Surjected(flow, surjection, self.event_shape)
        return []

    @property
    def surjection(self) -> Surjection:
        """The map from events of the component to standardised data."""
        return self._base.surjection

    @property
    def is_bound(self) -> bool:
        """Whether `log_prob` is a lower bound, in the mean, of the log-density."""
        return self.surjection.is_bound

    def continuous_log_prob(
        self, x: tf.Tensor, condition: Condition, noise: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Return the log-density, `[...]`, see `Flow.continuous_log_prob`.

        Args:
            x: Values, `[..., D]`.
            condition: Conditions, `[..., *condition_shape]`, or `None`.
            noise: Normal numbers of an `Augment`, `[K, ..., size]`.
        """
        z, log_det = bijector_base.inverse_and_log_det(
            self._stack, x, None, event_ndims=1
        )
        if noise is None:
            points = self.surjection.preimages(z)
        else:
            augment: Any = self.surjection
            points = augment.with_noise(z, noise)
        return self._base.log_prob(points, condition) + log_det

    def adapt(self, x: TensorLike, condition: Condition = None) -> None:
        """Set what is computed from data, of the flow inside as well.

        Args:
            x: Data, `[..., D]`.
            condition: Conditions, `[..., *condition_shape]`.
        """
        super().adapt(x, condition)
        x, condition = self.in_order(x, condition)
        self._adapt_center(np.asarray(x, np.float64).reshape(-1, self.event_size))
        x = _arrays.as_tensor(x, self.variable_dtype)
        z = tf.reshape(self.bijector().inverse(self.spread(x)), [-1, self.event_size])
        if condition is not None:
            condition = np.asarray(condition).reshape(len(z), *self.condition_shape)
        points = self.surjection.preimages(z, seed=[0, 1], num_draws=1)
        self.components[0].adapt(points.z[0], condition)

    def _adapt_center(self, x: np.ndarray) -> None:
        """Set what else of the standardisation depends on data, `[N, D]`."""

    def _rows_at_once(self) -> int:
        of_cells = super()._rows_at_once()
        rows = EVENTS_AT_ONCE if of_cells is None else of_cells
        return max(1, rows // self.surjection.num_preimages)


@_serialize.register()
class AugmentedFlow(_SurjectiveFlow):
    """A flow of the data and of columns of noise beside them.

    Flows keep dimensions: a layer that is a bijection cannot tear clouds apart, nor
    fold them. Noise columns give it room. The price is that the density is an integral
    over the noise: `log_prob` is a lower bound of it, in the mean, by `num_draws` fixed
    draws, and training maximises that by new draws for each event. Samples are exact,
    and as fast as those of the component.

    `importance_log_prob` takes as many draws as one likes: the bound closes with them.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("augmented", 2, component="realnvp", num_layers=2)
        >>> flow.is_bound, flow.components[0].event_shape
        (True, (4,))

    References:
        Huang, Dinh, Courville (2020). Augmented Normalizing Flows: Bridging the Gap
        Between Generative Flows and Latent Variable Models.
        https://arxiv.org/abs/2002.07101
    """

    num_noise: int | None = option(
        default=None,
        doc="Number of noise columns; `None` for as many as the data have.",
        read=lambda value, name: (
            None if value is None else options.at_least(1)(value, name)
        ),
    )
    num_draws: int = option(
        default=32,
        doc="Draws of the noise of which `log_prob` is made; each costs a density of "
        "the component.",
        read=options.at_least(1),
    )
    training_draws: int = option(
        default=1,
        doc="Draws for each event of a training step.",
        read=options.at_least(1),
    )

    def _make_auxiliary_modules(
        self, condition_shape: tuple[int, ...] | None
    ) -> list[tf.Module]:
        del condition_shape
        self._noise_seed = self._next_seed()
        self._bound_function: Any = None
        size = self.num_noise or self.event_size
        return self._surjected(Augment(size, num_draws=self.num_draws))

    def call(
        self,
        inputs: TensorLike | dict[str, TensorLike],
        training: bool | None = None,  # noqa: FBT001
    ) -> tf.Tensor:
        """Return `log_prob` as `Flow.call`; with `NOISE`, by that noise."""
        if not (isinstance(inputs, dict) and NOISE in inputs):
            return super().call(inputs, training)
        x, condition = self.in_order(inputs["x"], inputs.get("condition"))
        x = _arrays.as_tensor(x, self.variable_dtype)
        noise = tf.cast(inputs[NOISE], x.dtype)
        noise = tf.transpose(noise, [1, 0, 2])
        spread = tf.cast(inputs.get(SPREAD, x), x.dtype)
        with _context.training_scope(bool(training)):
            found = self.continuous_log_prob(spread, condition, noise)
        if self.cells is not None and self.is_discrete:
            found += self.cells.of(x).log_masses()
        return found

    def _prepared(self, batch: Batch | None, step: tf.Tensor) -> Batch | None:
        """Add noise that depends on the seed and the step: one in validation."""
        batch = super()._prepared(batch, step)
        if batch is None or batch.x is None:
            return batch
        noise = self._draws(batch.size, self.training_draws, [self._noise_seed, step])
        return dataclasses.replace(batch, extra={**batch.extra, NOISE: noise})

    def _draws(self, rows: Any, count: int, seed: Any) -> tf.Tensor:
        """Return normal numbers for rows, `[N, count, num_noise]`."""
        augment: Any = self.surjection
        shape = [rows, count, augment.size]
        return tf.random.stateless_normal(
            tf.stack(shape), tf.stack(seed), dtype=self.variable_dtype
        )

    def importance_log_prob(
        self,
        x: TensorLike,
        condition: Condition = None,
        *,
        num_draws: int = 512,
        seed: Seed = 0,
    ) -> np.ndarray:
        """Return the log of the importance-sampled density: a bound that draws close.

        `log(mean_k(p(x, e_k) / q(e_k)))`, with new noise for each event. Its
        exponential has no bias; itself it is too small in the mean, by about half the
        variance of the mean's relative error.

        Args:
            x: Data, `[N, D]`.
            condition: Conditions, `[N, *condition_shape]`.
            num_draws: Draws for each event; 1 gives the evidence lower bound.
            seed: Int or stateless seed `[2]` of the noise.

        Returns:
            `[N]`, in nats.

        Raises:
            ValueError: If a shape does not fit, or where columns are discrete.
        """
        _checks.count(num_draws, 1, "num_draws")
        if self.is_discrete:
            msg = (
                "`importance_log_prob` is for columns that are numbers, got "
                f"{self.preprocessing}. Use `log_prob` with more `num_draws`."
            )
            raise ValueError(msg)
        owner = f"this flow (`{type(self).__name__}`)"
        x, condition = self.in_order(x, condition)
        _checks.require_condition(condition, self.condition_shape, owner)
        x = np.asarray(_arrays.as_tensor(x, self.variable_dtype))
        _checks.require_trailing(tf.TensorShape(x.shape), self.event_shape, "x", owner)
        x = x.reshape(-1, self.event_size)
        if condition is not None:
            condition = np.asarray(condition, x.dtype)
            condition = condition.reshape(len(x), *self.condition_shape)
        if self._bound_function is None:
            self._bound_function = tf.function(
                self.call, autograph=False, reduce_retracing=True
            )
        size = min(num_draws, 64)
        rows = max(1, EVENTS_AT_ONCE // size)
        words = _context.stateless_seed(seed)
        parts = [np.zeros([0])]
        for start in range(0, len(x), rows):
            given = {"x": tf.constant(x[start : start + rows])}
            if condition is not None:
                given["condition"] = tf.constant(condition[start : start + rows])
            parts.append(self._averaged(given, num_draws, size, words, start))
        return np.concatenate(parts)

    def _averaged(
        self, given: dict[str, Any], num_draws: int, size: int, seed: Any, start: int
    ) -> np.ndarray:
        """Return the log of the mean density of some rows over all draws."""
        found = []
        for done in range(0, num_draws, size):
            count = min(size, num_draws - done)
            own = tf.random.experimental.stateless_fold_in(seed, start * 1009 + done)
            noise = self._draws(len(given["x"]), count, tf.unstack(own))
            value = self._bound_function({**given, NOISE: noise})
            found.append(value.numpy().astype(np.float64) + math.log(count))
        return np.logaddexp.reduce(found, axis=0) - math.log(num_draws)


@_serialize.register()
class SymmetricFlow(_SurjectiveFlow):
    """A flow that is the same on both sides of a centre, in some coordinates.

    The flow inside models distances from the centre, and signs are drawn: data for
    which either sign is alike need half the model, and say twice as much of it. The
    density is exact: the sum over the `2^A` signs that `A` coordinates may have.

    Raises:
        ValueError: If `axes` or `center` do not fit the events.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build(
        ...     "symmetric", 2, axes=(0, 1), center=0.0, num_layers=2, seed=0)
        >>> p = flow.log_prob([[1.0, -2.0], [-1.0, -2.0], [1.0, 2.0]])
        >>> float(max(p) - min(p))
        0.0

    References:
        Nielsen et al. (2020). SurVAE Flows. https://arxiv.org/abs/2007.02731, section 5
    """

    takes_kinds = False

    axes: Sequence[int] = option(
        default=(0,),
        doc="Positions of the coordinates, at most 8.",
        read=lambda value, name: tuple(
            int(axis) for axis in np.atleast_1d(np.asarray(value))
        ),
    )
    center: Any = option(
        default=None,
        doc="Where signs change: one number, or one for each of `axes`; `None` for the "
        "mean of the data.",
        read=lambda value, name: (
            None if value is None else np.asarray(value, np.float64).ravel().tolist()
        ),
    )

    def _make_auxiliary_modules(
        self, condition_shape: tuple[int, ...] | None
    ) -> list[tf.Module]:
        del condition_shape
        if self.cells is not None:
            msg = (
                f"`columns` of a `SymmetricFlow` must be plain numbers, got "
                f"{self.preprocessing}: kinds have ends or steps on one side. Leave "
                "the kinds out."
            )
            raise ValueError(msg)
        return self._surjected(AbsoluteValue(self.axes))

    def _make_preprocessing(self) -> list[Any]:
        found = super()._make_preprocessing()
        if self.center is not None:
            if len(self.center) not in (1, len(self.axes)):
                msg = (
                    f"`center` must be one number, or one for each of {len(self.axes)} "
                    f"`axes`, got {len(self.center)}."
                )
                raise ValueError(msg)
            self._set_center(found[0])
        return found

    def _adapt_center(self, x: np.ndarray) -> None:
        if self.center is not None:
            self._set_center(self._maps[0], x)

    def _set_center(
        self, units: standardize.Standardize, x: np.ndarray | None = None
    ) -> None:
        """Move the point that is standardised to 0, and the scale around it."""
        loc = np.asarray(units.loc, np.float64) + np.asarray(units.loc_remainder)
        scale = np.asarray(units.scale, np.float64)
        places = list(self.axes)
        _checks.at_least(len(loc), max(places) + 1, "the size of events")
        loc[places] = self.center
        if x is not None:
            rms = np.sqrt(np.mean(np.square(x[:, places] - loc[places]), axis=0))
            scale[places] = np.where(rms > 0.0, rms, 1.0)
        units.set_moments(loc, scale)
