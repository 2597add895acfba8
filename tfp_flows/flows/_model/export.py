"""Flows as SavedModels, which TensorFlow serves without this package."""

from __future__ import annotations

import os
from typing import Any

import keras
import tensorflow as tf

from tfp_flows import _files, _process
from tfp_flows.flows._model import compiled

__all__ = ["PARTS", "export"]

# What a folder with a SavedModel holds.
PARTS = (
    "assets",
    "assets.extra",
    "fingerprint.pb",
    "keras_metadata.pb",
    "saved_model.pb",
    "variables",
)


def export(flow: Any, filepath: Any, *, verbose: bool | None = None) -> None:
    """Write a flow as a SavedModel with the signatures `log_prob` and `sample`.

    `sample` takes `count` (int32) and `seed` (int32, `[2]`), and `condition` if the
    flow is conditional; `log_prob` takes `x` and `condition`. A SavedModel that is
    there is replaced at the end, whole or not at all.

    Args:
        flow: The flow.
        filepath: Folder to write.
        verbose: Whether to print what was written, as in Keras.

    Raises:
        FileExistsError: If there is a folder that holds something else.
        OSError: If it cannot be written.
    """
    _process.require_own()
    archive = keras.export.ExportArchive()
    archive.track(flow)
    for name in ("log_prob", "sample"):
        function, signature = compiled.MAKERS[name](flow)
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
