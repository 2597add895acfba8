"""Densities and samples of a flow by compiled functions."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Condition, Seed, Shape, TensorLike
from tfp_flows.flows._model import compiled
from tfp_flows.flows._model.columns import NamedColumns

__all__ = ["Evaluated"]


class Evaluated(NamedColumns):
    """A flow that answers by functions compiled once, for data with names or without.

    A subclass sets `_compiled`.
    """

    _compiled: compiled.CompiledFlow

    def log_prob(
        self,
        x: TensorLike,
        condition: Condition = None,
        *,
        jit_compile: bool = False,
    ) -> tf.Tensor:
        """Return the log-density of data, in nats, by a compiled function.

        Args:
            x: Data, `[..., *event_shape]`; of a data frame, the columns of the flow.
            condition: `[..., *condition_shape]`, broadcasts against the data.
            jit_compile: Whether to compile by XLA: seconds once for each power of two
                of the batch size, then faster, most of all for splines.

        Returns:
            `[...]`.

        Raises:
            ValueError: If a shape does not fit.
        """
        x, condition = self.in_order(x, condition)
        return self._compiled.log_prob(x, condition, jit_compile=jit_compile)

    def sample(
        self,
        sample_shape: Shape | tuple[()] = (),
        condition: Condition = None,
        seed: Seed = None,
        *,
        jit_compile: bool = False,
        as_frame: bool = False,
    ) -> Any:
        """Return samples by a compiled function.

        Args:
            sample_shape: Shape of independent samples; an int or a tuple.
            condition: `[..., *condition_shape]`; one sample of `sample_shape` for each.
            seed: Int or stateless seed `[2]`.
            jit_compile: Whether to compile by XLA, as in `log_prob`; worth it for
                autoregressive flows and splines.
            as_frame: Whether to return a pandas data frame of rows, with the names of
                the columns.

        Returns:
            `[*sample_shape, ..., *event_shape]`.

        Raises:
            ValueError: If a size is negative, or a shape does not fit.
        """
        _checks.sample_shape(sample_shape)
        condition = self.in_order(None, condition)[1]
        x = self._compiled.sample(
            sample_shape, condition, seed, jit_compile=jit_compile
        )
        return self.as_frame(x) if as_frame else x

    def export(self, filepath: str, **kwargs: Any) -> None:
        """Write a SavedModel with the signatures `log_prob` and `sample`.

        Args:
            filepath: Folder to write.
            **kwargs: `verbose` as in Keras.
        """
        compiled.export(self, filepath, **kwargs)
