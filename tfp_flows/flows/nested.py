"""Flows whose base density is made of other flows, on standardised data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks
from tfp_flows import distributions as bases
from tfp_flows._types import Condition, Seed, Shape
from tfp_flows.bijectors import composition
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.distributions.naming import given_name
from tfp_flows.flows import base
from tfp_flows.flows._model import options, policy
from tfp_flows.flows._model.options import option
from tfp_flows.flows._model.recipe import Recipe

__all__ = ["FlowBase", "NestedFlow"]

# Options that are handed on to the components.
SHARED = ("num_layers", "hidden_units", "activation", "dropout")


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


class FlowBase(bases.Base):
    """A base density that is made of flows, and may depend on a condition.

    Args:
        flows: The flows, whose variables are those of the density.
        event_shape: Shape of one event.
        kind: What it is, in a word or two.
    """

    def __init__(
        self, flows: list[Any], event_shape: tuple[int, ...], kind: str
    ) -> None:
        tf.Module.__init__(self, name="components")
        self.kind = kind
        self.event_shape = event_shape
        # Keras would list the variables of its models once more.
        self._flows = _Untracked(flows)
        self._held = [v.value for flow in flows for v in flow.adopted]

    @property
    def flows(self) -> list[Any]:
        """The flows."""
        return self._flows.value

    def distribution(self, condition: Condition = None) -> tfd.Distribution:
        """Return the density.

        Args:
            condition: `[..., *condition_shape]`, or `None`.
        """
        raise NotImplementedError


class NestedFlow(Recipe):
    """A flow whose base density is made of flows of one kind.

    Subclasses set `_base` to a `FlowBase` in `_make_auxiliary_modules`.
    """

    fit_policy = policy.FitPolicy(base="student-t", dropout=0.2)
    component: str = option(
        default="nsf", doc="Name of the components' flow, see `flows.names`."
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

    _base: Any

    def __init__(
        self, event_shape: Shape, condition_shape: Shape | None = None, **given: Any
    ) -> None:
        if given.get("embedding") is not None:
            msg = (
                "`embedding` must be left out of a flow of flows, which each have a "
                "condition of their own. Embed the condition before."
            )
            raise ValueError(msg)
        self._component_base = given.pop("base", "normal")
        super().__init__(event_shape, condition_shape, **given)

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        del size, condition_shape
        return []

    def _make_components(self, count: int, event_shape: Shape) -> list[base.Flow]:
        """Return new flows.

        Raises:
            TypeError: If they have no such option.
            ValueError: If they cannot be components, or an option is given twice.
        """
        kind = _component_class(self.component)
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
        given["dtype"] = self.dtype_policy.name
        parts = [
            kind(event_shape, self.condition_shape, seed=self._next_seed(), **given)
            for _ in range(count)
        ]
        if parts[0].base.bounds is not None:
            msg = (
                "`base` must have tails in a flow of flows, as data leave any box, got "
                f"{parts[0].base.kind!r}. Use 'normal'."
            )
            raise ValueError(msg)
        return parts

    @property
    def components(self) -> tuple[base.Flow, ...]:
        """The flows, on standardised data; they share their variables with this one."""
        return tuple(self._base.flows)

    def bijector(self, condition: Condition = None) -> bijector_base.Bijector:
        """Return the map from the density of the components to the data.

        Args:
            condition: Without influence: it moves the components.
        """
        del condition
        return self._stack

    def partial(self, k: int, condition: Condition = None) -> tfd.Distribution:
        """Return the density after the first `k` maps, see `Flow.partial`.

        Args:
            k: From 0 (the density of the components) to `num_maps` (the flow).
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
        inner = self._base.distribution(condition)
        return bases.FlowDistribution(inner, bijector, name=given_name(self))

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
        batch = np.shape(condition)[: -len(self.condition_shape or (0,))]
        if condition is not None and 0 in batch:
            # TFP would divide by the number of densities.
            sizes = (*np.atleast_1d(sample_shape).astype(int), *batch)
            x = tf.zeros([*sizes, *self.event_shape], self.variable_dtype)
            return self.as_frame(x) if as_frame else x
        return super().sample(
            sample_shape,
            condition,
            seed,
            jit_compile=jit_compile and self.condition_shape is None,
            as_frame=as_frame,
        )

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same flow with new weights."""
        base_density = self._base.flows[0].get_config()["base"]
        return {**super().get_config(), "base": base_density}


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
    if kind.fit_policy.method != "gradients" or issubclass(kind, NestedFlow):
        msg = (
            "`component` must be trained by gradients, and be no flow of flows itself, "
            f"got {name!r}. Take for example 'nsf'."
        )
        raise ValueError(msg)
    return kind
