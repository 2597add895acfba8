"""Samples at a temperature: the same flow over a scaled base density."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows._types import Condition
from tfp_flows.bijectors import composition
from tfp_flows.flows._model import compiled

__all__ = ["Temperatures"]


class _Tempered:
    """A flow whose base density is scaled, as far as sampling asks for one."""

    def __init__(self, flow: Any, temperature: tf.Variable) -> None:
        self.variable_dtype = flow.variable_dtype
        self.event_shape = flow.event_shape
        self.condition_shape = flow.condition_shape
        self._flow = flow
        self._temperature = temperature

    @property
    def base(self) -> Any:
        """The base density, unscaled: the map scales."""
        return self._flow.base

    def distribution(self, condition: Condition = None) -> tfd.Distribution:
        target = self._flow.distribution(condition)
        scale = tfb.Scale(self._temperature)
        return tfd.TransformedDistribution(
            target.distribution, composition.Chain([target.bijector, scale])
        )

    def pushed(self, z: tf.Tensor, condition: Condition = None) -> tf.Tensor:
        """Return the events that numbers of the base density become."""
        return self.distribution(condition).bijector.forward(z)


class Temperatures:
    """The compiled functions that sample at the temperature of a variable.

    A variable, so that a sheet of many temperatures is traced once.
    """

    def __init__(self, flow: Any) -> None:
        self._flow = flow
        self._made: tuple[tf.Variable, compiled.CompiledFlow] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Temperatures:
        """Return functions for the copy of the flow, traced when first used."""
        return Temperatures(memo.get(id(self._flow), self._flow))

    def functions(self, temperature: float) -> compiled.CompiledFlow:
        """Return the functions that sample at a temperature."""
        if self._made is None:
            with tf.init_scope():
                variable = tf.Variable(
                    1.0, trainable=False, dtype=self._flow.variable_dtype
                )
            functions = compiled.CompiledFlow(_Tempered(self._flow, variable))
            self._made = variable, functions
        self._made[0].assign(temperature)
        return self._made[1]
