"""Mixtures of flows whose components are trained together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _arrays, _checks, _serialize
from tfp_flows import distributions as bases
from tfp_flows._types import Condition, Seed, Shape, TensorLike
from tfp_flows.bijectors import composition
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.distributions.members import MixtureOfMembers, lifted, log_mixture
from tfp_flows.flows import base
from tfp_flows.flows._model import options, policy
from tfp_flows.flows._model.options import option
from tfp_flows.flows._model.recipe import Recipe
from tfp_flows.math import clusters
from tfp_flows.networks import MLP, encoding

__all__ = ["MixtureFlow"]

# Clusters of fewer rows set no scales of a component.
FEWEST_ROWS = 5
# Options that are handed on to the components.
SHARED = ("num_layers", "hidden_units", "activation", "dropout")
# Width of the network that turns a condition into weights.
GATE_UNITS = 32


def _component_options(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        msg = (
            f"`{name}` must be a dict of options of the components, got {value!r}. "
            "Write for example dict(num_layers=2)."
        )
        raise TypeError(msg)
    return {str(k): list(v) if isinstance(v, tuple) else v for k, v in value.items()}


def _sizes_or_none(value: Any, name: str) -> tuple[int, ...] | None:
    return None if value is None else options.sizes(value, name)


@_serialize.register()
class MixtureFlow(Recipe):
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

    fit_policy = policy.FitPolicy(base="student-t", dropout=0.2)
    component: str = option(
        default="nsf", doc="Name of the components' flow, see `flows.names`."
    )
    num_components: int = option(
        default=3, doc="Number of components.", read=options.at_least(1)
    )
    num_layers: Any = option(
        default=None, doc="Layers of each component; `None` for those of its kind."
    )
    hidden_units: Any = option(
        default=None,
        doc="Widths of the hidden layers of its networks, likewise.",
        read=_sizes_or_none,
    )
    activation: Any = option(default=None, doc="Name in `tf.nn`, likewise.")
    dropout: Any = option(
        default=None, doc="Share of hidden units dropped while training, likewise."
    )
    component_options: dict = option(
        default={},
        doc="Further options of the components by name.",
        read=_component_options,
    )

    def __init__(
        self, event_shape: Shape, condition_shape: Shape | None = None, **given: Any
    ) -> None:
        if given.get("embedding") is not None:
            msg = (
                "`embedding` must be left out of a mixture, whose components each "
                "have a condition of their own. Embed the condition before."
            )
            raise ValueError(msg)
        self._component_base = given.pop("base", "normal")
        super().__init__(event_shape, condition_shape, **given)

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        del size, condition_shape
        return []

    def _make_auxiliary_modules(
        self, condition_shape: tuple[int, ...] | None
    ) -> list[tf.Module]:
        del condition_shape
        kind = _component_class(self.component)
        shapes = self.event_shape, self.condition_shape
        given = {word: self.options[word] for word in SHARED}
        given = {word: value for word, value in given.items() if value is not None}
        twice = sorted(set(given) & set(self.component_options))
        if twice:
            msg = (
                f"`{twice[0]}` must be given once, got it in `component_options`, too."
            )
            raise ValueError(msg)
        given |= {"base": self._component_base, **self.component_options}
        if self.condition_kinds is not None:
            given["condition_columns"] = self._names_config()["condition_columns"]
        options.require_known(kind, given, f"the flow {self.component!r}")
        parts = [
            kind(*shapes, seed=self._next_seed(), dtype=self.dtype_policy.name, **given)
            for _ in range(self.num_components)
        ]
        if parts[0].base.bounds is not None:
            msg = (
                "`base` must have tails in a mixture, whose components cover each "
                f"other's data, got {parts[0].base.kind!r}. Use 'normal'."
            )
            raise ValueError(msg)
        self._base: Any = _Components(
            parts, self.condition_shape, self._next_seed(), self._embedding
        )
        return []

    @property
    def components(self) -> tuple[base.Flow, ...]:
        """The flows, on standardised data; they share their variables with this one."""
        return tuple(self._base.flows)

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

    def bijector(self, condition: Condition = None) -> bijector_base.Bijector:
        """Return the map from the mixture to the data: a standardisation.

        Args:
            condition: Without influence: it moves the components.
        """
        del condition
        return self._stack

    def partial(self, k: int, condition: Condition = None) -> tfd.Distribution:
        """Return the density after the first `k` maps, see `Flow.partial`.

        Args:
            k: From 0 (the mixture of the components) to `num_maps` (the flow).
            condition: See `distribution`.

        Raises:
            ValueError: If `k` is out of range.
        """
        if not 0 <= k <= self.num_maps:
            msg = f"`k` must be between 0 and num_maps={self.num_maps}, got {k}."
            raise ValueError(msg)
        owner = f"this flow (`{type(self).__name__}`)"
        condition = self._one_condition(condition)
        _checks.require_condition(condition, self.condition_shape, owner)
        bijector = self._assemble(self._maps[:k] or [composition.Chain([])])
        mixture = self._base.distribution(condition)
        return bases.FlowDistribution(mixture, bijector, name=self.name)

    def continuous_log_prob(self, x: tf.Tensor, condition: Condition) -> tf.Tensor:
        """Return the log-density, `[...]`, see `Flow.continuous_log_prob`."""
        rank = len(self.event_shape)
        z, log_det = bijector_base.inverse_and_log_det(
            self._stack, x, None, event_ndims=rank
        )
        found = self._base.log_probs(z, condition)
        return log_mixture(found, self._base.logits(condition)) + log_det

    def sample(
        self,
        sample_shape: Shape | tuple[()] = (),
        condition: Condition = None,
        seed: Seed = None,
        *,
        jit_compile: bool = False,
        as_frame: bool = False,
    ) -> Any:
        """Return samples, see `Flow.sample`; with a condition never by XLA."""
        return super().sample(
            sample_shape,
            condition,
            seed,
            jit_compile=jit_compile and self.condition_shape is None,
            as_frame=as_frame,
        )

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

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same flow with new weights."""
        base_density = self._base.flows[0].get_config()["base"]
        return {**super().get_config(), "base": base_density}


class _Components(bases.Base):
    """The components of a mixture: the density before the standardisation."""

    kind = "mixture of flows"

    def __init__(
        self,
        flows: list[Any],
        condition_shape: tuple[int, ...] | None,
        seed: int,
        embedding: Any = None,
    ) -> None:
        tf.Module.__init__(self, name="components")
        self._encodings = None if embedding is None else embedding.encodings
        if self._encodings is not None:
            condition_shape = (encoding.encoded_size(self._encodings),)
        self.event_shape = flows[0].event_shape
        dtype = flows[0].variable_dtype
        # Keras would list the variables of its models once more.
        self._flows = _Untracked(flows)
        self._held = [v.value for flow in flows for v in flow.adopted]
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

    @property
    def flows(self) -> list[Any]:
        """The flows."""
        return self._flows.value

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


class _Untracked:
    """Holds flows where neither Keras nor TensorFlow looks for variables."""

    def __init__(self, value: list[Any]) -> None:
        self.value = value


def _component_class(name: str) -> type[base.Flow]:
    """Return the class of components.

    Raises:
        ValueError: If flows of the name cannot be components.
    """
    from tfp_flows.flows import registry  # which has this class

    _checks.one_of(name, registry.names(), "component")
    kind = registry.flow_class(name)
    if kind.fit_policy.method != "gradients" or issubclass(kind, MixtureFlow):
        msg = (
            "`component` must be trained by gradients, and be no mixture itself, got "
            f"{name!r}. Take for example 'nsf'."
        )
        raise ValueError(msg)
    return kind
