"""Reading the files of flows: nothing of a file is run, and nothing absurd is kept."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import keras

from tfp_flows import _process, _serialize
from tfp_flows.flows import base
from tfp_flows.flows._model import seal, weight_files

__all__ = ["load"]

# What a file may name without being registered: classes and functions of Keras that
# hold no code of their own.
_PACKAGES = ("keras", "builtins")
_FOREIGN = ("TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer", "Lambda")


def load(filepath: str | os.PathLike[str]) -> base.Flow:
    """Load a flow that `flow.save` wrote: architecture, weights and column names.

    No code of the file is run. Classes of your own must be imported, and registered by
    `keras.saving.register_keras_serializable`, before.

    Args:
        filepath: A `.keras` file.

    Returns:
        The flow, whose `log_prob` equals that of the saved one bit for bit.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file holds no flow, an option that is unknown, a class that
            is neither registered nor of Keras, weights that are not finite, or numbers
            that are not those that were saved.
    """
    _process.require_own()
    if not isinstance(filepath, (str, os.PathLike)):
        msg = f"`filepath` must be the path of a file, got {filepath!r}."
        raise TypeError(msg)
    path = os.fspath(filepath)
    if not os.path.isfile(path):
        msg = f"`filepath` must be an existing file, got {path!r}. Check the path."
        raise FileNotFoundError(msg)
    refusal = f"`filepath` must be a .keras file with a flow, got {path!r}."
    try:
        config = _read_config(path)
        _check_format(config, path)
        _check_classes(config)
        sealed = seal.read(path)
        sealed.require_config(config)
        flow = keras.saving.load_model(path, compile=True, safe_mode=True)
        sealed.require_weights(flow)
        _check_weights(flow, sealed=sealed.weights is not None)
        flow.card = sealed.card
    except (_Refused, seal.BrokenSealError) as error:
        raise ValueError(f"{refusal} {error}") from None
    except _Newer:
        raise
    except Exception as error:
        raise ValueError(f"{refusal} {_reason(error)}") from error
    return flow


class _Refused(ValueError):
    """A sentence about what is wrong with a file."""


class _Newer(ValueError):
    """A file that a later version of the library wrote: no fault of the file."""


def _check_format(config: dict[str, Any], path: str) -> None:
    options = config.get("config")
    version = options.get("format_version") if isinstance(options, dict) else None
    if isinstance(version, int):
        try:
            _serialize.require_readable(version)
        except ValueError as error:
            raise _Newer(f"{path!r}: {error}") from None


def _read_config(path: str) -> dict[str, Any]:
    if not zipfile.is_zipfile(path):
        raise _Refused("It is no Keras archive.")
    with zipfile.ZipFile(path) as archive:
        if "config.json" not in archive.namelist():
            raise _Refused("It holds no `config.json`.")
        try:
            config = json.loads(archive.read("config.json"))
        except ValueError:
            raise _Refused("Its `config.json` is damaged.") from None
    if not isinstance(config, dict):
        raise _Refused("Its `config.json` describes no model.")
    return config


def _check_classes(config: dict[str, Any]) -> None:
    """Raise unless a file names a flow, and classes that are safe to make."""
    kind = keras.saving.get_registered_object(config.get("registered_name"))
    if not (isinstance(kind, type) and issubclass(kind, base.Flow)):
        name = config.get("class_name")
        msg = f"It holds a `{name}`, which is no flow, or one whose class is unknown"
        raise _Refused(f"{msg}: import what defines it first.")
    for node in _nodes(config):
        name, module = node.get("class_name"), node.get("module")
        if keras.saving.get_registered_object(node.get("registered_name")) is not None:
            continue
        package = str(module).split(".")[0]
        if name in _FOREIGN or not (module is None or package in _PACKAGES):
            raise _Refused(
                f"It names `{name}` of `{module}`, which is not registered: import "
                "what defines it first, if you trust it."
            )


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Give all objects that a configuration describes."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        for part in value.values():
            yield from _nodes(part)
    elif isinstance(value, list):
        for part in value:
            yield from _nodes(part)


def _check_weights(flow: base.Flow, *, sealed: bool) -> None:
    for weight in flow.weights:
        wrong = weight_files.fault(weight.name, weight, sealed=sealed)
        if wrong is not None:
            raise _Refused(wrong)


def _reason(error: Exception) -> str:
    """Return the core of an error of Keras as one short sentence."""
    if seal.CHANGED_WEIGHTS in str(error):
        return seal.CHANGED_WEIGHTS
    text = str(error).rsplit("Exception encountered:", maxsplit=1)[-1]
    text = " ".join(text.split())
    text = re.sub(r" (object )?at 0x[0-9a-f]+", "", text)
    for unknown in (
        r"unexpected keyword argument '(\w+)'",
        r"among .*, got (\w+)\. Corr",
    ):
        option = re.search(unknown, text)
        if option:
            return f"It has the option `{option[1]}`, which this flow does not know."
    if isinstance(error, ModuleNotFoundError):
        return f"It needs a package that is not installed: {text}"
    text = text if len(text) <= 200 else f"{text[:197]}..."
    if text.startswith("`"):  # a sentence of ours about an option
        return text
    return f"Keras could not read it: {text}" if text else "It is damaged."
