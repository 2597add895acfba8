"""The density of data that a surjection makes of a base density."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks
from tfp_flows._types import Condition, Seed
from tfp_flows.bijectors.surjections.base import Surjection
from tfp_flows.distributions import shared

__all__ = ["SurjectedDistribution"]


class SurjectedDistribution(shared.Wrapper):
    """What a surjection makes of a density, as `tfd.TransformedDistribution` of a map.

    `log_prob` is exact, unless `is_bound`: then it is an estimate by draws whose
    exponential is right in the mean, and in the mean a lower bound of the log-density.
    Its draws are fixed, so that it is a smooth function of `x`;
    `log_prob(x, seed=..., num_draws=...)` takes others, or more of them, which make the
    bound closer. Samples are exact in either case.

    Args:
        distribution: The density of `z`, over vectors.
        surjection: The map from `z` to `x`.
        condition: `[..., *condition_shape]`, where the surjection takes one: its
            leading dimensions are the last ones of `batch_shape`.
        validate_args: Whether to run value checks.
        name: Name.

    Attributes:
        condition: The condition of the map, `None` without one.

    Raises:
        TypeError: If `surjection` is none.
        ValueError: If events are no vectors of a size that the surjection maps, or if
            the condition is missing.

    Example:
        >>> from tensorflow_probability import distributions as tfd
        >>> import tfp_flows as tfpf
        >>> base = tfd.MultivariateNormalDiag([2.0, 0.0], [0.5, 1.0])
        >>> fold = tfpf.bijectors.AbsoluteValue((0,))
        >>> both = tfpf.distributions.SurjectedDistribution(base, fold)
        >>> [round(float(v), 3) for v in both.log_prob([[2.0, 0.0], [-2.0, 0.0]])]
        [-1.838, -1.838]

    References:
        Nielsen et al. (2020). SurVAE Flows. https://arxiv.org/abs/2007.02731
    """

    own_words = ("seed", "num_draws")
    _parameter_properties = shared.Wrapper.parameter_properties

    def __init__(
        self,
        distribution: tfd.Distribution,
        surjection: Surjection,
        condition: Condition = None,
        *,
        validate_args: bool = False,
        name: str = "surjected",
    ) -> None:
        parameters = dict(locals())
        if not isinstance(surjection, Surjection):
            msg = (
                "`surjection` must be a `bijectors.Surjection`, got "
                f"{type(surjection).__name__}. Of a bijector, use "
                "`tfd.TransformedDistribution`."
            )
            raise TypeError(msg)
        if distribution.event_shape.rank != 1 or distribution.event_shape[0] is None:
            msg = (
                "`distribution` must be over vectors of a known size, got event_shape "
                f"{distribution.event_shape}. Use tfd.Independent, or tfd.Sample."
            )
            raise ValueError(msg)
        owner = f"`{type(surjection).__name__}`"
        _checks.require_condition(condition, surjection.condition_shape, owner)
        self._size = surjection.forward_size(int(distribution.event_shape[0]))
        self._distribution, self._surjection = distribution, surjection
        self.condition = condition
        own, given = distribution.batch_shape, self._condition_batch()
        if own.rank != 0 and given.rank != 0 and not own.is_compatible_with(given):
            msg = (
                f"`condition` must have the batch of `distribution`, {own}, or none, "
                f"got {given}. Broadcast it by tf.broadcast_to."
            )
            raise ValueError(msg)
        pathwise = surjection.is_reparameterized
        super().__init__(
            dtype=distribution.dtype,
            reparameterization_type=(
                distribution.reparameterization_type
                if pathwise
                else tfd.NOT_REPARAMETERIZED
            ),
            validate_args=validate_args,
            allow_nan_stats=distribution.allow_nan_stats,
            parameters=parameters,
            name=name,
        )

    @property
    def surjection(self) -> Surjection:
        """The map from the base to the data."""
        return self._surjection

    @property
    def is_bound(self) -> bool:
        """Whether `log_prob` is a lower bound, in the mean, of the log-density."""
        return self._surjection.is_bound or getattr(
            self._distribution, "is_bound", False
        )

    def __getitem__(self, slices: Any) -> SurjectedDistribution:
        """Return a part of a batch of densities.

        Raises:
            IndexError: If an index is out of the batch's range, or one too many.
        """
        places = slices if isinstance(slices, tuple) else (slices,)
        _checks.batch_index(places, self.batch_shape, f"`{self.name}`")
        part = self._distribution
        if part.batch_shape.rank != 0:
            part = part[places]
        condition = self.condition
        if self._condition_batch().rank != 0:
            if not any(place is Ellipsis for place in places):
                places = (*places, Ellipsis)
            rest = (slice(None),) * len(self._surjection.condition_shape or ())
            condition = tf.convert_to_tensor(condition)[(*places, *rest)]
        return self.copy(distribution=part, condition=condition)

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([self._size])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([self._size])

    def _batch_shape(self) -> tf.TensorShape:
        return tf.broadcast_static_shape(
            self._distribution.batch_shape, self._condition_batch()
        )

    def _batch_shape_tensor(self, **_: Any) -> tf.Tensor:
        batch = self._distribution.batch_shape_tensor()
        if self.condition is None:
            return batch
        shape = tf.shape(tf.convert_to_tensor(self.condition))
        shape = shape[: tf.size(shape) - len(self._surjection.condition_shape or ())]
        return tf.broadcast_dynamic_shape(batch, shape)

    def _condition_batch(self) -> tf.TensorShape:
        if self.condition is None:
            return tf.TensorShape([])
        shape = tf.convert_to_tensor(self.condition).shape
        return shape[: shape.rank - len(self._surjection.condition_shape or ())]

    def _default_event_space_bijector(self) -> Any:
        return tfp.bijectors.Identity()

    def _log_prob(
        self, x: tf.Tensor, seed: Seed = None, num_draws: int | None = None
    ) -> tf.Tensor:
        found = self._surjection.preimages(
            x, self.condition, seed=seed, num_draws=num_draws
        )
        log_prob = self._distribution.log_prob(found.z) + found.log_weight
        return tf.reduce_logsumexp(log_prob, axis=0)

    def _sample_n(self, n: tf.Tensor, seed: Seed = None) -> tf.Tensor:
        base_seed, own_seed = tfp.random.split_seed(seed, 2)
        shape = tf.reshape(n, [1])
        if self._distribution.batch_shape.rank == 0:  # each condition has its own draws
            shape = tf.concat([shape, self.batch_shape_tensor()], axis=0)
        z = self._distribution.sample(shape, seed=base_seed)
        return self._surjection.forward(z, self.condition, seed=own_seed)
