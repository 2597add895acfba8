"""Mixtures of flows whose components are trained together."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _arrays, _serialize
from tfp_flows._types import Condition, TensorLike
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.distributions.members import MixtureOfMembers, lifted, log_mixture
from tfp_flows.flows import nested
from tfp_flows.flows._model import options
from tfp_flows.flows._model.options import option
from tfp_flows.math import clusters
from tfp_flows.networks import MLP, encoding

__all__ = ["MixtureFlow"]

# Clusters of fewer rows set no scales of a component.
FEWEST_ROWS = 5
# Width of the network that turns a condition into weights.
GATE_UNITS = 32


@_serialize.register()
class MixtureFlow(nested.NestedFlow):
    """A mixture of flows of one kind, trained together, with an exact density.

    Data that fall apart into groups have a density with gaps, which a single map
    bridges by thin threads. Here each group can have a map of its own. `fit` starts
    the components at clusters of the data; weights are trained, and depend on the
    condition if there is one. Unlike in an `Ensemble`, all components see all rows, and
    it is their mixture that is made likely.

    The density costs one of each component, and so does each sample.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build(
        ...     "mixture", 2, component="realnvp", num_components=2,
        ...     num_layers=2, hidden_units=(8,))
        >>> flow.log_prob([[1., 2.]]).shape.as_list()
        [1]

    References:
        Papamakarios et al. (2019). Normalizing Flows for Probabilistic Modeling and
        Inference. https://arxiv.org/abs/1912.02762, section 5
    """

    num_components: int = option(
        default=3, doc="Number of components.", read=options.at_least(1)
    )

    def _make_auxiliary_modules(
        self, condition_shape: tuple[int, ...] | None
    ) -> list[tf.Module]:
        del condition_shape
        parts = self._make_components(self.num_components, self.event_shape)
        self._base = _Components(
            parts, self.condition_shape, self._next_seed(), self._embedding
        )
        return []

    def component_weights(self, condition: Condition = None) -> tf.Tensor:
        """Return the weight of each component.

        Args:
            condition: `[..., *condition_shape]`.

        Returns:
            `[K, ...]`.
        """
        condition = self._one_condition(condition)
        return tf.nn.softmax(self._base.logits(condition), axis=0)

    def responsibilities(self, x: TensorLike, condition: Condition = None) -> tf.Tensor:
        """Return the probability of each component given events.

        Args:
            x: Data, `[..., *event_shape]`.
            condition: `[..., *condition_shape]`.

        Returns:
            `[K, ...]`.
        """
        x, condition = self.in_order(x, self._one_condition(condition))
        x = _arrays.as_tensor(x, self.variable_dtype)
        z = self.bijector().inverse(self.spread(x))
        found = self._base.log_probs(z, condition)
        logits = self._base.logits(condition)
        return tf.nn.softmax(found + lifted(logits, found.shape.rank), axis=0)

    def continuous_log_prob(self, x: tf.Tensor, condition: Condition) -> tf.Tensor:
        """Return the log-density, `[...]`, see `Flow.continuous_log_prob`."""
        rank = len(self.event_shape)
        z, log_det = bijector_base.inverse_and_log_det(
            self._stack, x, None, event_ndims=rank
        )
        found = self._base.log_probs(z, condition)
        return log_mixture(found, self._base.logits(condition)) + log_det

    def adapt(self, x: TensorLike, condition: Condition = None) -> None:
        """Set the scales from data, and start each component at a cluster of them.

        Args:
            x: Data, `[..., *event_shape]`.
            condition: Conditions, `[..., *condition_shape]`.
        """
        super().adapt(x, condition)
        x, condition = self.in_order(x, condition)
        x = _arrays.as_tensor(x, self.variable_dtype)
        z = self.bijector().inverse(self.spread(x)).numpy()
        z = z.reshape(-1, *self.event_shape)
        if condition is not None:
            condition = np.asarray(condition).reshape(len(z), *self.condition_shape)
        flat = z.reshape(len(z), -1)
        nearest = clusters.nearest(flat, self.num_components, self._spread_seed)
        shares = np.bincount(nearest, minlength=self.num_components) + 1.0
        self._base.log_weights.assign(np.log(shares / shares.sum()))
        for i, flow in enumerate(self._base.flows):
            rows = np.flatnonzero(nearest == i)
            spread = flat[rows].std(axis=0) if len(rows) >= FEWEST_ROWS else 0.0
            rows = rows if np.all(spread > 0.0) else np.arange(len(z))
            flow.adapt(z[rows], None if condition is None else condition[rows])


class _Components(nested.FlowBase):
    """The components of a mixture: the density before the standardisation."""

    def __init__(
        self,
        flows: list[Any],
        condition_shape: tuple[int, ...] | None,
        seed: int,
        embedding: Any = None,
    ) -> None:
        super().__init__(flows, flows[0].event_shape, "mixture of flows")
        self._encodings = None if embedding is None else embedding.encodings
        if self._encodings is not None:
            condition_shape = (encoding.encoded_size(self._encodings),)
        dtype = flows[0].variable_dtype
        self.log_weights = tf.Variable(
            tf.zeros([len(flows)], dtype), name="log_weights"
        )
        self._gate = None
        if condition_shape is not None:
            self._gate = MLP(
                *(0, (1, len(flows)), (GATE_UNITS,)),
                condition_shape=condition_shape,
                dtype=dtype,
                seed=seed,
            )

    def logits(self, condition: Condition) -> tf.Tensor:
        """Return logarithms of the weights up to a constant, `[K, ...]`.

        Args:
            condition: `[..., *condition_shape]`, or `None`.
        """
        logits = tf.convert_to_tensor(self.log_weights)
        if self._gate is None or condition is None:
            return logits
        condition = tf.convert_to_tensor(condition, logits.dtype)
        if self._encodings is not None:
            condition = encoding.encode(condition, self._encodings)
        rank = condition.shape.rank - len(self._gate.condition_shape or ())
        none = tf.zeros([*tf.unstack(tf.shape(condition)[:rank]), 0], logits.dtype)
        more = self._gate(none, condition)[..., 0, :] + logits
        return tf.transpose(more, [rank, *range(rank)])

    def log_probs(self, z: tf.Tensor, condition: Condition) -> tf.Tensor:
        """Return the log-density by each component, `[K, ...]`."""
        return tf.stack([f.continuous_log_prob(z, condition) for f in self.flows])

    def distribution(self, condition: Condition = None) -> tfd.Distribution:
        """Return the mixture.

        Args:
            condition: `[..., *condition_shape]`, or `None`.
        """
        parts = [flow.partial(flow.num_maps, condition) for flow in self.flows]
        if condition is None:
            return MixtureOfMembers(self.log_weights, parts)
        sources = [self.log_weights, self._gate]
        return MixtureOfMembers(self.logits(condition), parts, weights_from=sources)
