"""Flows of series: each time given the times before, by causal convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _arrays, _checks, _context, _serialize
from tfp_flows._types import Condition, Seed, Shape, TensorLike
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.transformers import (
    RationalQuadratic,
    Transformer,
    transformer,
)
from tfp_flows.flows._model import options, query_exact
from tfp_flows.flows._model.options import option
from tfp_flows.flows.vectors import autoregressive, layers, tokens
from tfp_flows.networks import CausalConvolution

__all__ = ["SeriesFlow"]

# Of hidden layers of a forecast, for each block of a network: some 500 MB in all.
NUMBERS_AT_ONCE = 2**23


@_serialize.register()
class SeriesFlow(tokens.TokenLayers, autoregressive.AutoregressiveLayers):
    """Series whose values at a time depend on those before, by causal convolutions.

    Events are series `[T]`, or `[T, C]` of `C` channels, the earliest time first. All
    layers go from the past to the future, so that the density of the future given the
    past is exact, and so are draws of it: `forecast`. The density is fast, one pass;
    sampling goes through the times one after the other, in steps that cost about one
    pass in total. Channels of one time depend on each other through the times before
    only.

    Raises:
        ValueError: If the event is no series.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("series", 8, width=4, seed=0)
        >>> flow.forecast([1., 2., 3.], num_samples=10, seed=0).shape.as_list()
        [10, 5]

    References:
        van den Oord et al. (2016). WaveNet. https://arxiv.org/abs/1609.03499;
        Rasul et al. (2020). Multivariate Probabilistic Time Series Forecasting via
        Conditioned Normalizing Flows. https://arxiv.org/abs/2002.06103
    """

    num_layers: int = option(default=1)
    transformer: Transformer = option(
        default=RationalQuadratic(8, -5.0, 5.0),
        doc="The scalar map of every layer, or its name.",
        read=transformer,
    )
    width: int = option(
        default=32, doc="Channels of the hidden layers.", read=options.at_least(1)
    )
    dilations: Sequence[int] | None = option(
        default=None,
        doc="Distances of the times that each block of a network reads; `None` for 1, "
        "2, 4 and so on until a time sees all before it, 6 blocks at most.",
        read=lambda value, name: None if value is None else options.sizes(value, name),
    )
    kernel_size: int = option(
        default=2, doc="Times that each block reads.", read=options.at_least(2)
    )
    activation: str = option(default="silu")

    hidden_units = ()
    residual = True
    adjacency = None
    mixing = "none"
    order = "left-to-right"

    def __init__(
        self, event_shape: Shape, condition_shape: Shape | None = None, **given: Any
    ) -> None:
        shape = _checks.event_shape(event_shape)
        if len(shape) not in (1, 2):
            msg = (
                "`event_shape` must be (T,) or (T, C) for a flow of series, got "
                f"{shape}. Put the times first, and the channels of one time last."
            )
            raise ValueError(msg)
        super().__init__(shape, condition_shape, **given)

    @property
    def num_channels(self) -> int:
        """Number of values at one time."""
        return self.event_shape[1] if len(self.event_shape) == 2 else 1

    def _layer(
        self,
        size: int,
        order: str | tuple[int, ...],
        condition_shape: tuple[int, ...] | None,
    ) -> bijector_base.Bijector:
        scalar_map = self._scalar_map()
        return self._token_layer(
            *(CausalConvolution, scalar_map, size, condition_shape),
            dilations=self.dilations,
            kernel_size=self.kernel_size,
            token_size=self.num_channels,
            order=order,
            **layers.seen_angles(scalar_map, self._angles, range(size)),
        )

    def forecast(
        self,
        past: TensorLike,
        num_samples: int = 1000,
        condition: Condition = None,
        *,
        quantiles: Sequence[float] | None = None,
        seed: Seed = None,
    ) -> tf.Tensor:
        """Return draws of the times that follow on a past, or quantiles of them.

        Args:
            past: The first `L` times of series, `[..., L]`, or `[..., L, C]`.
            num_samples: Number of draws for each.
            condition: `[..., *condition_shape]`, of a conditional flow.
            quantiles: Levels between 0 and 1, to return quantiles of the draws at each
                time in place of the draws.
            seed: Int or stateless seed `[2]`.

        Returns:
            The times from `L` on, `[num_samples, ..., T - L]` or with channels;
            `[len(quantiles), ..., T - L]` of quantiles.

        Raises:
            ValueError: If `past` is no start of an event, if levels are out of range,
                or if the base density ties the times together.
        """
        known = self._past(past)
        _checks.count(num_samples, 1, "num_samples")
        for level in quantiles or ():
            _checks.between(level, 0.0, 1.0, "quantiles")
        axes = len(self.event_shape)
        length = int(known.shape[-axes])
        # What stands for the future has no part in the numbers of the past.
        last = tf.gather(known, [length - 1], axis=-axes)
        ends = tf.repeat(last, self.event_shape[0] - length, axis=-axes)
        bijector = self.bijector(condition)
        z = bijector.inverse(tf.concat([known, ends], axis=-axes))
        shape = tf.concat([[num_samples], tf.shape(z)[:-axes]], axis=0)
        draws = self.base.distribution().sample(
            shape, seed=_context.stateless_seed(seed)
        )
        is_known = np.arange(self.event_shape[0]) < length
        is_known = is_known.reshape([-1] + [1] * (axes - 1))
        # All draws at once would keep the hidden layers of each.
        step = self.width * int(tf.size(z))
        step = max(1, NUMBERS_AT_ONCE // max(step, 1))
        parts = []
        for start in range(0, num_samples, step):
            part = tf.where(is_known, z, draws[start : start + step])
            parts.append(bijector.forward(part))
        x = tf.concat(parts, axis=0)
        future = x[..., length:] if axes == 1 else x[..., length:, :]
        if quantiles is None:
            return future
        found = np.quantile(future.numpy(), quantiles, axis=0)
        return tf.constant(found, future.dtype)

    def _past(self, past: TensorLike) -> tf.Tensor:
        """Return a past as a tensor.

        Raises:
            ValueError: If there is no forecast from it.
        """
        if self.is_discrete:
            msg = (
                "`forecast` needs continuous values: this flow has discrete columns. "
                "Fit it with columns=None."
            )
            raise ValueError(msg)
        if self.base.kind not in query_exact.FACTORED:
            known = ", ".join(query_exact.FACTORED)
            msg = (
                f"`base` {self.base.kind!r} ties the times together, so that the past "
                f"does not fix its part. For `forecast` build with one of {known}."
            )
            raise ValueError(msg)
        x = _arrays.as_tensor(past, self.variable_dtype, "past")
        times, *rest = self.event_shape
        own = x.shape[-len(self.event_shape) :].as_list()
        if len(own) < 1 + len(rest) or own[1:] != rest or not 1 <= own[0] < times:
            shape = ", ".join(["L", *map(str, rest)])
            msg = (
                f"`past` must be the first L times of series, [..., {shape}], with L "
                f"from 1 to {times - 1}, got shape {tuple(x.shape)}. Give the last "
                "times that you know, and build a flow of longer series for more."
            )
            raise ValueError(msg)
        if not np.all(np.isfinite(x)):
            msg = (
                "`past` must be finite, got NaN or infinity. Fill the gaps, or start "
                "behind the last one."
            )
            raise ValueError(msg)
        return x
