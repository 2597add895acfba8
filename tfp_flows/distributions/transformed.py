"""The density of a flow, a `tfd.TransformedDistribution` that slices and pickles."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks
from tfp_flows.bijectors import composition
from tfp_flows.distributions.naming import Named
from tfp_flows.distributions.noticing import Noticing, passed_on
from tfp_flows.distributions.pickling import Picklable
from tfp_flows.math.support import without_mass_at_infinity

__all__ = ["FlowDistribution"]


class FlowDistribution(Named, Picklable, Noticing, tfd.TransformedDistribution):
    """What `flow.distribution()` returns: base density and map as one density.

    A `tfd.TransformedDistribution` that can be pickled and copied deeply, and whose
    slices by conditions, `flow.distribution(conditions)[1]`, keep the variables of base
    density and map. Indices outside the batch are errors.

    Args:
        distribution: The base density.
        bijector: The map from the base to the data.
        validate_args: Whether to run value checks.
        name: Name; by default the class'.
    """

    def __init__(
        self,
        distribution: tfd.Distribution,
        bijector: tfb.Bijector,
        *,
        validate_args: bool = False,
        name: str | None = None,
    ) -> None:
        parameters = dict(locals())
        super().__init__(
            distribution,
            bijector,
            validate_args=validate_args,
            kwargs_split_fn=passed_on,
            parameters=parameters,
            name=name or type(self).__name__,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return tfd.TransformedDistribution.parameter_properties(dtype, num_classes)

    def __getitem__(self, slices: Any) -> FlowDistribution:
        """Return a part of a batch of densities.

        Raises:
            IndexError: If an index is out of the batch's range, or one too many.
        """
        places = slices if isinstance(slices, tuple) else (slices,)
        _checks.batch_index(places, self.batch_shape, f"`{self.name}`")
        fixed = self.bijector
        if not (isinstance(fixed, composition.Conditioned) and self._is_one_map()):
            return super().__getitem__(places)
        if not any(place is Ellipsis for place in places):
            places = (*places, Ellipsis)
        rest = (slice(None),) * len(fixed.bijector.condition_shape or ())
        return self._with_condition(fixed.condition[(*places, *rest)])

    def _with_condition(self, condition: tf.Tensor) -> FlowDistribution:
        """Return the densities of other conditions."""
        return self.copy(bijector=self.bijector.copy(condition=condition))

    def _log_prob(self, y: tf.Tensor, **kwargs: Any) -> tf.Tensor:
        found = super()._log_prob(y, **kwargs)
        rank = self.event_shape.rank
        return found if rank is None else without_mass_at_infinity(found, y, rank)

    def _prob(self, y: tf.Tensor, **kwargs: Any) -> tf.Tensor:
        return tf.exp(self._log_prob(y, **kwargs))

    def _is_one_map(self) -> bool:
        """Whether the batch is that of the conditions alone."""
        ndims = len(self.event_shape)
        inner = self.bijector.bijector.experimental_batch_shape(ndims)
        return self.distribution.batch_shape.rank == 0 and inner.rank == 0


@tfd.RegisterKL(FlowDistribution, FlowDistribution)
def _kl_divergence(
    a: FlowDistribution, b: FlowDistribution, name: str | None = None
) -> tf.Tensor:
    """Return the divergence of two densities of one map: that of their bases.

    Raises:
        NotImplementedError: If the maps differ.
    """
    if a.bijector != b.bijector:
        msg = (
            "The divergence of two flows has a closed form only if they have one map. "
            "Average a.log_prob(x) - b.log_prob(x) over draws x of a."
        )
        raise NotImplementedError(msg)
    with tf.name_scope(name or "kl_flows"):
        found = tfd.kl_divergence(a.distribution, b.distribution)
        shape = tf.broadcast_dynamic_shape(a.batch_shape_tensor(), tf.shape(found))
        return tf.broadcast_to(found, shape)
