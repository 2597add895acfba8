"""Maps whose parameters a network makes from a condition."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tfp_flows._types import Condition, Given, Pair, TensorLike
from tfp_flows.bijectors._core import base, monotone
from tfp_flows.bijectors._core.parameters import Part

__all__ = ["Amortized"]


class Amortized(base.Bijector):
    """Give any map parameters that a network makes from the condition.

    What the network gives is added to the trainable parameters of `bijector`: an
    untrained one, whose output is zero, changes nothing. This makes a conditional map
    of one that is not, and posteriors whose parameters an encoder makes.

    Both directions cost one pass of the network, and what `bijector` costs.

    Raises:
        TypeError: If the map declares no trainable parameters.
        ValueError: If the conditioner does not fit.

    Shapes:
        Events as of `bijector`; conditions broadcast against `[...]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> planar = tfpf.bijectors.Planar.trainable(2, seed=0)
        >>> size = tfpf.bijectors.Amortized.num_parameters(planar)
        >>> net = tfpf.networks.MLP(0, (1, size), (8,), condition_shape=3, seed=0)
        >>> map_ = tfpf.bijectors.Amortized(planar, net)
        >>> map_.forward([[1., 2.]], condition=[[0., 0., 1.]]).numpy().tolist()
        [[1.0, 2.0]]

    References:
        Rezende, Mohamed (2015). Variational Inference with Normalizing Flows.
        https://arxiv.org/abs/1505.05770, section 4.2
    """

    bijector: Any = Part(
        "A map with declared parameters, such as `Planar`, `Sylvester` or `LU`."
    )
    conditioner: Any = Part(
        "Conditioner of input size 0 with `num_parameters(bijector)` outputs in all, "
        "in the order in which the map declares its parameters."
    )

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        del sizes
        inner, conditioner = self.bijector, self.conditioner
        wanted = self.num_parameters(inner)
        found = conditioner.input_size, math.prod(conditioner.output_shape)
        if found != (0, wanted):
            msg = (
                f"`conditioner` must have input size 0 and {wanted} outputs for "
                f"`{type(inner).__name__}`, got input size {found[0]} and {found[1]}. "
                "Build it with output_shape=(1, Amortized.num_parameters(bijector))."
            )
            raise ValueError(msg)
        return {
            "event_shape": inner.checked_shape,
            "forward_min_event_ndims": inner.forward_min_event_ndims,
        }

    @staticmethod
    def num_parameters(bijector: base.Bijector) -> int:
        """Return how many numbers a network must make for a map.

        Args:
            bijector: The map.

        Raises:
            TypeError: If the map declares no trainable parameters.
        """
        return sum(math.prod(shape) for shape in _shapes(bijector).values())

    def _made(self, condition: tf.Tensor | None) -> base.Bijector:
        """Return the map with the parameters of conditions, `[..., *shape]`."""
        batch, static = tf.zeros([0], tf.int32), tf.TensorShape([])
        if condition is not None:
            cut = condition.shape.rank - len(self.condition_shape or ())
            batch, static = tf.shape(condition)[:cut], condition.shape[:cut]
        nothing = tf.zeros(tf.concat([batch, [0]], axis=0), self.dtype)
        numbers = self.conditioner(nothing, condition)
        flat = tf.reshape(numbers, tf.concat([batch, [-1]], axis=0))
        shapes = _shapes(self.bijector)
        parts = tf.split(flat, [math.prod(s) for s in shapes.values()], axis=-1)
        given: dict[str, TensorLike] = {}
        for (name, shape), part in zip(shapes.items(), parts, strict=True):
            change = tf.reshape(part, tf.concat([batch, shape], axis=0))
            change.set_shape([*static, *shape])
            given[name] = tf.convert_to_tensor(getattr(self.bijector, name)) + change
        return self.bijector.copy(**given)

    def _is_increasing(self, condition: Condition = None) -> tf.Tensor:
        if condition is None:
            return monotone.of(self.bijector)
        condition = tf.convert_to_tensor(condition, dtype_hint=self.dtype)
        return monotone.of(self._made(tf.cast(condition, self.dtype)))

    def _forward_and_log_det(self, x: tf.Tensor, condition: Given = None) -> Pair:
        return self._made(condition).forward_and_log_det(x)

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Given = None) -> Pair:
        return self._made(condition).inverse_and_log_det(y)


def _shapes(bijector: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters that a network makes."""
    found: dict[str, tuple[int, ...]] = {}
    for name, declared in getattr(type(bijector), "_tensors", {}).items():
        value = getattr(bijector, name)
        if declared.trainable and declared.batched and hasattr(value, "shape"):
            found[name] = tuple(value.shape.as_list())
    if not found:
        msg = (
            "`bijector` must be a map with declared parameters, got "
            f"`{type(bijector).__name__}`. Amortize the maps of a chain one by one."
        )
        raise TypeError(msg)
    return found
