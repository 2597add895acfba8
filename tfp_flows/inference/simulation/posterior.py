"""The posterior that a flow over unbounded vectors makes: nothing outside the prior."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows.distributions.naming import Named
from tfp_flows.distributions.pickling import Parts
from tfp_flows.distributions.transformed import FlowDistribution
from tfp_flows.inference.simulation.parameters import Parameters, log_prior

__all__ = ["Posterior"]


class Posterior(Named, tfd.TransformedDistribution):
    """A density of parameters that is 0 where the prior is 0.

    Draws have the structure of the prior's, and cannot leave its support.

    Args:
        distribution: Density of vectors without bounds.
        bijector: Map from them onto the support of the prior.
        prior: The prior.
        validate_args: Whether to run value checks.
        name: Name.
    """

    _parameter_properties = FlowDistribution.parameter_properties

    def __init__(
        self,
        distribution: tfd.Distribution,
        bijector: tfb.Bijector,
        prior: tfd.Distribution,
        *,
        validate_args: bool = False,
        name: str = "posterior",
    ) -> None:
        parameters = dict(locals())
        super().__init__(
            distribution,
            bijector,
            validate_args=validate_args,
            parameters=parameters,
            name=name,
        )
        self._prior = prior

    def __reduce__(self) -> tuple[Any, ...]:
        # The map of a prior is made anew: some of TFP's hold functions without a name.
        inner = Parts.of(self.distribution)
        options = {"validate_args": self.validate_args, "name": self.name}
        return _rebuilt, (inner, Parameters(self._prior), options)

    @property
    def prior(self) -> tfd.Distribution:
        """The prior, whose support the posterior has."""
        return self._prior

    def log_prob(self, value: Any, name: str = "log_prob", **kwargs: Any) -> Any:
        """Return the log-density, minus infinity outside of the prior's support.

        It is NaN for parameters that are NaN.

        Args:
            value: Parameters, in the structure of the prior's draws.
            name: Name of the operation.
            **kwargs: As in TFP.
        """
        value = self._converted(value)
        with tf.name_scope(name):
            prior = log_prior(self._prior, value)
            inside = tf.math.is_finite(prior)
            zeros = tf.zeros([self._size()], self._prior_dtype())
            middle = self.bijector.forward(zeros)
            safe = tf.nest.map_structure(
                lambda v, m: tf.where(_expanded(inside, v), v, tf.cast(m, v.dtype)),
                value,
                middle,
            )
            found = super().log_prob(safe, **kwargs)
            nowhere = tf.stop_gradient(tf.cast(prior, found.dtype))  # constants
            return tf.where(inside, found, nowhere)

    def prob(self, value: Any, name: str = "prob", **kwargs: Any) -> Any:
        """Return the density, see `log_prob`."""
        return tf.exp(self.log_prob(value, name, **kwargs))

    def _size(self) -> int:
        return int(self.distribution.event_shape[-1])

    def _prior_dtype(self) -> Any:
        return tf.nest.flatten(self._prior.dtype)[0]

    def _converted(self, value: Any) -> Any:
        """Return tensors in the structure of the prior's draws."""
        if not tf.nest.is_nested(self._prior.dtype):
            return tf.cast(tf.convert_to_tensor(value), self._prior_dtype())
        leaves = tf.nest.flatten(value)
        dtypes = tf.nest.flatten(self._prior.dtype)
        cast = [tf.cast(v, d) for v, d in zip(leaves, dtypes, strict=True)]
        return tf.nest.pack_sequence_as(self._prior.dtype, cast)


def _rebuilt(
    inner: Parts, parameters: Parameters, options: dict[str, Any]
) -> Posterior:
    """Return a posterior that was pickled."""
    prior, bijector = parameters.prior, parameters.bijector
    return Posterior(inner.build(), bijector, prior, **options)


def _expanded(inside: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Return a mask `[...]` with the ranks of events behind."""
    ones = [1] * (value.shape.rank - inside.shape.rank)
    return tf.reshape(inside, tf.concat([tf.shape(inside), ones], axis=0))
