"""What a condition passes through on its way into a flow."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Shape, TensorLike
from tfp_flows.networks import base, encoding, foreign

__all__ = ["ConditionEmbedding"]


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name",), module_name="tfp_flows.networks"
)
class ConditionEmbedding(
    base.Weighted, tfp.experimental.AutoCompositeTensor, tf.Module
):
    """Standardise a condition, and pass it through a network if there is one.

    Conditions become vectors, unless they may stay feature maps `[height, width, C]`.

    Args:
        condition_shape: Shape of one condition.
        network: Keras network or callable from `[N, *condition_shape]` to `[N, C]`;
            without one the standardised condition is flattened.
        dtype: `"float32"` or `"float64"`.
        loc: What to subtract, zeros if `None`; `adapt` sets it.
        scale: What to divide by, ones if `None`; `adapt` sets it.
        weights: The variables of the network; found by a first call if `None`.
        output_shape: What comes out, `(C,)` or a map's; found by a call if `None`.
        maps: Whether a condition of rank 3, or what the network makes of one, may stay
            a feature map.
        encodings: What each component of a vector is, see `encoding`: labels become
            zeros and a one, angles cosine and sine, before all else; `None` for
            numbers.
        name: Name.

    Raises:
        ValueError: If the network does not return vectors, or maps where they may be.
    """

    _condition_shape: tuple[int, ...]

    def __init__(
        self,
        condition_shape: Shape,
        network: Callable[..., Any] | None = None,
        *,
        dtype: Any = "float32",
        loc: TensorLike | None = None,
        scale: TensorLike | None = None,
        weights: Sequence[tf.Variable] | None = None,
        output_shape: Shape | None = None,
        maps: bool = False,
        encodings: Sequence[encoding.Encoding] | None = None,
        name: str = "condition_embedding",
    ) -> None:
        tf.Module.__init__(self, name=name)
        self._condition_shape = _checks.static_shape(condition_shape, "condition_shape")
        self._encodings = None
        if encodings is not None:
            self._encodings = tuple(part and tuple(part) for part in encodings)
        self._encoded_shape = self._condition_shape
        if self._encodings is not None:
            self._encoded_shape = (encoding.encoded_size(self._encodings),)
        self._network = network
        self._dtype = tf.as_dtype(dtype).name
        zeros = np.zeros(self._encoded_shape)
        loc = self._statistic(zeros, "loc") if loc is None else loc
        scale = self._statistic(zeros + 1.0, "scale") if scale is None else scale
        self._loc, self._scale = foreign.raw(loc), foreign.raw(scale)
        self._maps = maps
        self._output_shape = self._encoded_shape
        if not (maps and len(self._encoded_shape) == 3):
            self._output_shape = (math.prod(self._encoded_shape),)
        self._weights = list(weights or ())
        if network is not None and (weights is None or output_shape is None):
            self._output_shape, self._weights = self._first_call(network)
        elif output_shape is not None:
            self._output_shape = _checks.static_shape(output_shape, "output_shape")

    def _statistic(self, value: np.ndarray, name: str) -> tf.Variable:
        return tf.Variable(value, trainable=False, dtype=self._dtype, name=name)

    def _first_call(
        self, network: Callable
    ) -> tuple[tuple[int, ...], list[tf.Variable]]:
        zeros = tf.zeros([1, *self._encoded_shape], self._dtype)
        out, weights = foreign.build(network, network, zeros)
        if len(out.shape) not in ((2, 4) if self._maps else (2,)):
            msg = (
                "`embedding` must return one vector per condition, got shape "
                f"{tuple(out.shape)} for one. End it with a dense layer."
            )
            raise ValueError(msg)
        return tuple(int(size) for size in out.shape[1:]), weights

    @property
    def network(self) -> Callable[..., Any] | None:
        """The network behind the standardisation."""
        return self._network

    def __deepcopy__(self, memo: dict[int, Any]) -> ConditionEmbedding:
        """Return an embedding whose variables are those of the network's copy."""
        network, weights = foreign.deepcopy(self._network, self._weights, memo)
        return type(self)(
            self._condition_shape,
            network,
            dtype=self._dtype,
            loc=copy.deepcopy(self._loc, memo),
            scale=copy.deepcopy(self._scale, memo),
            weights=weights,
            output_shape=self._output_shape,
            maps=self._maps,
            encodings=self._encodings,
            name=self.name,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the list of weights: the network brings its own."""
        make = functools.partial(
            type(self),
            self._condition_shape,
            self._network,
            dtype=self._dtype,
            loc=self._loc,
            scale=self._scale,
            maps=self._maps,
            encodings=self._encodings,
            name=self.name,
        )
        return make, ()

    @property
    def encodings(self) -> tuple[encoding.Encoding, ...] | None:
        """What each component is, `None` where all are numbers."""
        return self._encodings

    def encoded(self, condition: TensorLike) -> tf.Tensor:
        """Return conditions as numbers of which none stands for a label.

        Args:
            condition: `[..., *condition_shape]`.
        """
        condition = tf.convert_to_tensor(condition)
        if self._encodings is None:
            return condition
        return encoding.encode(condition, self._encodings)

    def adapt(self, condition: TensorLike) -> None:
        """Set location and scale from conditions `[..., *condition_shape]`.

        A component that does not vary keeps scale 1. A network may say by
        `shared_axes` over how many leading axes of a condition its components are
        equal, as the draws of a set are: these get one location and scale.
        """
        values = self.encoded(np.asarray(condition, np.float64)).numpy()
        values = values.reshape([-1, *self._encoded_shape])
        axes = tuple(range(1 + getattr(self._network, "shared_axes", 0)))
        scale = values.std(axis=axes)
        negligible = 1e-6 * np.maximum(np.abs(values).max(axis=axes), 1e-30)
        scale = np.where(scale > negligible, scale, 1.0)
        loc = values.mean(axis=axes)
        if self._encodings is not None:
            is_number = encoding.is_scaled(self._encodings)
            loc, scale = np.where(is_number, loc, 0.0), np.where(is_number, scale, 1.0)
        self._loc.assign(np.broadcast_to(loc, self._loc.shape))
        self._scale.assign(np.broadcast_to(scale, self._scale.shape))

    def __call__(self, condition: TensorLike) -> tf.Tensor:
        """Return `[..., *output_shape]` for conditions `[..., *condition_shape]`."""
        value = self.encoded(tf.convert_to_tensor(condition, dtype_hint=self._dtype))
        scale = tf.cast(self._scale, value.dtype)
        value = (value - tf.cast(self._loc, value.dtype)) / scale
        rank = value.shape.rank - len(self._encoded_shape)
        batch = tf.shape(value)[:rank]
        if self.network is not None:
            flat = tf.reshape(value, [-1, *self._encoded_shape])
            value = tf.cast(tf.convert_to_tensor(self.network(flat)), value.dtype)
        static = value.shape[:rank] if self.network is None else None
        out = tf.reshape(value, tf.concat([batch, self.output_shape], axis=0))
        if static is not None:
            out.set_shape(static.concatenate(self.output_shape))
        return out
