"""Densities and samples of a flow by compiled functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _arrays, _checks, _findings, _stopped, _tapes
from tfp_flows._types import Condition, Seed, Shape, TensorLike
from tfp_flows.flows._model import compiled, export
from tfp_flows.flows._model.columns import NamedColumns

__all__ = ["Evaluated"]


def _is_long(x: Any, event_shape: tuple[int, ...], count: int) -> bool:
    """Return whether data are one batch of more rows, and no gradient is asked for."""
    if not tf.executing_eagerly() or _tapes.is_recording():
        return False
    shape = np.shape(x)
    return len(shape) == 1 + len(event_shape) and shape[0] > count


class Evaluated(NamedColumns):
    """A flow that answers by functions compiled once, for data with names or without.

    A subclass sets `_compiled`.
    """

    _compiled: compiled.CompiledFlow
    answers_any: bool
    variable_dtype: str

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
            `[...]`; minus infinity for infinite numbers, and NaN, with a `DataNotice`,
            for missing ones.

        Raises:
            ValueError: If a shape does not fit.
        """
        x, condition = self.in_order(x, condition)
        self._notice_values(x)
        x = _arrays.as_tensor(x, self.variable_dtype)
        if not self.answers_any:
            _findings.notice_missing(x, len(self.event_shape))
        count = self._rows_at_once()
        if count is None or not _is_long(x, self.event_shape, count):
            with _stopped.explained():
                return self._compiled.log_prob(x, condition, jit_compile=jit_compile)
        parts = []
        for start in range(0, x.shape[0], count):
            rows = slice(start, start + count)
            given = condition
            if condition is not None and len(np.shape(condition)) == len(np.shape(x)):
                given = condition if len(condition) == 1 else condition[rows]
            parts.append(
                self._compiled.log_prob(x[rows], given, jit_compile=jit_compile)
            )
        return tf.concat(parts, axis=0)

    def _notice_values(self, x: Any) -> None:
        """Say that values at hand are of another kind than those of the fit."""

    def _rows_at_once(self) -> int | None:
        """Return how many rows are evaluated at once, `None` for all of them."""
        return None

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
            RuntimeError: If TFP's own sampler stops under
                `tf.debugging.enable_check_numerics`.
        """
        _checks.sample_shape(sample_shape)
        condition = self.in_order(None, condition)[1]
        with _stopped.explained():
            x = self._compiled.sample(
                sample_shape, condition, seed, jit_compile=jit_compile
            )
        return self.as_frame(x) if as_frame else x

    def quantiles_of_numbers(
        self, levels: TensorLike, condition: Condition = None
    ) -> tf.Tensor:
        """Return exact quantiles of a flow of one number, as of its distribution.

        Those of an ensemble are found by functions that are traced once.

        Args:
            levels: Probabilities, `[K]`.
            condition: `[N, *condition_shape]`; `None` gives one row.

        Returns:
            `[K, N]`.

        Raises:
            NotImplementedError: If there is no closed form.
        """
        levels = _arrays.as_tensor(levels, self.variable_dtype, "levels")
        return self._compiled.quantile(levels[:, tf.newaxis], condition)

    def evaluated(self, kind: str, *arguments: tf.Tensor) -> tf.Tensor:
        """Return what a function of `compiled.MAKERS` gives for whole batches."""
        return self._compiled.evaluated(kind, *arguments)

    def export(
        self,
        filepath: Any,
        format: str = export.SAVED_MODEL,
        *,
        batch_size: int | None = None,
        verbose: bool | None = None,
    ) -> None:
        """Write a folder that gives log-densities and samples without this package.

        A SavedModel has the signatures `log_prob`, `sample` and, of a flow of named
        columns, `log_prob_of_columns`, with an input for each column. ONNX has a file
        for each function, see `docs/how_to/serving.md`. What is there is replaced at
        the end, whole or not at all.

        Args:
            filepath: Folder to write.
            format: `"tf_saved_model"` or `"onnx"`, which needs the extra `export`.
            batch_size: Number of rows of each call of an ONNX graph; by default any.
            verbose: Whether to print what was written, as in Keras.

        Raises:
            MissingExtraError: If tf2onnx is not installed.
            ValueError: If the format is another one, or if the flow needs an operation
                that ONNX does not have.
            FileExistsError: If there is a folder that holds something else.
            OSError: If it cannot be written.
        """
        export.export(self, filepath, format, batch_size=batch_size, verbose=verbose)
