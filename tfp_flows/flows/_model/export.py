"""Flows as folders that are served without this package: SavedModels, ONNX."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfp_flows import _files, _process
from tfp_flows.flows._model import compiled, onnx_graphs

__all__ = ["ONNX", "PARTS", "SAVED_MODEL", "column_inputs", "export"]

SAVED_MODEL, ONNX = "tf_saved_model", "onnx"
_LITERT = ("litert", "tflite")
# What a folder with a SavedModel holds.
PARTS = (
    "assets",
    "assets.extra",
    "fingerprint.pb",
    "keras_metadata.pb",
    "saved_model.pb",
    "variables",
)


def export(
    flow: Any,
    filepath: Any,
    format: str = SAVED_MODEL,
    *,
    batch_size: int | None = None,
    verbose: bool | None = None,
) -> None:
    """See `Flow.export`.

    The signature `sample` takes `count` (int32) and `seed` (int32, `[2]`), and
    `condition` if the flow is conditional; `log_prob` takes `x` and `condition`.
    """
    _process.require_own()
    if format == ONNX:
        onnx_graphs.export(flow, filepath, batch_size=batch_size)
        return
    if format != SAVED_MODEL:
        why = ""
        if format in _LITERT:
            why = " LiteRT lacks operations of flows, such as triangular systems."
        msg = (
            f"`format` must be {SAVED_MODEL!r} or {ONNX!r}, got {format!r}.{why} "
            "Choose one of those."
        )
        raise ValueError(msg)
    if batch_size is not None:
        msg = (
            f"`batch_size` must be left out for a SavedModel, got {batch_size}: it "
            "takes batches of any size."
        )
        raise ValueError(msg)
    archive = keras.export.ExportArchive()
    archive.track(flow)
    for name, (function, signature) in _endpoints(flow).items():
        archive.add_endpoint(name, function, input_signature=signature)
    arguments = {} if verbose is None else {"verbose": verbose}
    if "://" in str(filepath):
        archive.write_out(str(filepath), **arguments)
        return
    with _files.replacing_folder(os.fspath(filepath), PARTS) as temporary:
        try:
            archive.write_out(os.fspath(temporary), **arguments)
        except tf.errors.OpError as error:
            reason = str(error.message).splitlines()[0]
            msg = f"{filepath} cannot be written, and is as it was: {reason}"
            raise OSError(msg) from error


def _endpoints(flow: Any) -> dict[str, tuple[Callable[..., tf.Tensor], list[Any]]]:
    """Return the functions of a SavedModel and their signatures, by name."""
    found = {name: compiled.MAKERS[name](flow) for name in ("log_prob", "sample")}
    names = column_inputs(flow)
    if names is None:
        return found
    log_prob, size = found["log_prob"][0], flow.event_size

    def of_columns(*columns: tf.Tensor) -> tf.Tensor:
        x = tf.stack(columns[:size], axis=-1)
        if len(columns) == size:
            return log_prob(x)
        return log_prob(x, tf.stack(columns[size:], axis=-1))

    dtype = flow.variable_dtype
    specs = [tf.TensorSpec([None], dtype, name=name) for name in names]
    return {**found, "log_prob_of_columns": (of_columns, specs)}


def column_inputs(flow: Any) -> list[str] | None:
    """Return what the inputs of single columns are called, if columns have names.

    What TensorFlow does not take in a name becomes `_`; of names that are then equal,
    later ones get a number.

    Args:
        flow: The flow.
    """
    known = [flow.columns]
    if flow.condition_shape is not None:
        known.append(flow.condition_columns)
    if any(names is None for names in known):
        return None
    found: list[str] = []
    for name in (name for names in known for name in names):
        plain = re.sub(r"[^A-Za-z0-9_]", "_", str(name))
        plain = plain if plain[:1].isalpha() else f"column_{plain}"
        free, number = plain, 1
        while free in found:
            number += 1
            free = f"{plain}_{number}"
        found.append(free)
    return found
