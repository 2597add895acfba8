"""Files of weights alone: they say what flow they are of, and are replaced whole."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tfp_flows import _files, _serialize
from tfp_flows.flows._model import seal, workers

__all__ = ["WeightFiles", "fault", "require_finite"]

# Weights of fitted flows are numbers near 1. Statistics are in the data's units and may
# be larger: such a file is trusted if its checksum says that they are what was saved.
LARGEST_WEIGHT = 1e30
# Under what name a file of weights has its description.
KEY = "tfp_flows"
# What of a configuration may differ: names, and what no density depends on.
FREE = (
    "name",
    "seed",
    "dtype",
    "checkpoint",
    "columns",
    "condition_columns",
    "units",
    "column_types",
    "dropout",
    "format_version",
    seal.CHECKSUM,
)
KINDS = "preprocessing"


def fault(name: str, values: Any, *, sealed: bool = False) -> str | None:
    """Return what is wrong with the numbers of a weight, `None` for nothing.

    Args:
        name: What to call it.
        values: The numbers.
        sealed: Whether a checksum holds that they are those that were saved.
    """
    values = np.asarray(values)
    if values.dtype.kind != "f":
        return None
    if not np.all(np.isfinite(values)):
        return f"Its weight `{name}` is not finite."
    if not sealed and values.size and np.abs(values).max() > LARGEST_WEIGHT:
        return f"Its weight `{name}` exceeds {LARGEST_WEIGHT:g}."
    return None


def require_finite(flow: keras.Model, path: Any) -> None:
    """Raise where a flow is to be saved that no file gives back.

    Args:
        flow: The flow.
        path: Where it was to be saved; what is there stays.

    Raises:
        ValueError: If a weight is not finite.
    """
    for weight in flow.weights:
        if fault(weight.name, weight, sealed=True) is not None:
            msg = (
                f"The flow must have finite weights to be saved, got NaN or infinite "
                f"numbers in `{weight.name}`; {str(path)!r} is not written. Fit the "
                "flow again, or set its weights."
            )
            raise ValueError(msg)


class WeightFiles(keras.Model):
    """A flow whose `save_weights` and `load_weights` know what flow a file is of."""

    def set_weights(self, weights: Any) -> None:
        """Take weights, as `keras.Model.set_weights` does.

        Args:
            weights: Arrays in the order of `get_weights`.

        Raises:
            ValueError: If one is not finite; the flow is then as it was before.
        """
        weights = list(weights)
        for place, (held, values) in enumerate(
            zip(self.weights, weights, strict=False)
        ):
            values = np.asarray(values)
            if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
                msg = (
                    "`weights` must be finite, got NaN or infinite numbers in array "
                    f"{place}, for `{held.path}`. Fit the flow, or read it from a file."
                )
                raise ValueError(msg)
        super().set_weights(weights)

    def save_weights(
        self,
        filepath: Any,
        overwrite: bool = True,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> None:
        """Write the weights, as `keras.Model.save_weights` does, and what they are of.

        A file that is there is replaced at the end, whole or not at all.

        Raises:
            ValueError: If a weight is not finite, which no file gives back.
        """
        require_finite(self, filepath)
        path = str(filepath)
        plain = "://" in path or not path.endswith(".weights.h5") or not overwrite
        if plain or workers.are_several(self.distribute_strategy):
            super().save_weights(filepath, overwrite=overwrite, **kwargs)
            return
        import h5py  # of Keras

        with _files.replacing(path) as temporary:
            super().save_weights(temporary, **kwargs)
            with h5py.File(temporary, "r+") as file:
                file.attrs[KEY] = json.dumps(_described(type(self), self.get_config()))

    def load_weights(
        self,
        filepath: Any,
        skip_mismatch: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> None:
        """Take the weights of a file, as `keras.Model.load_weights` does.

        Args:
            filepath: What `save_weights` or `save` wrote.
            skip_mismatch: Whether to take what fits from a flow of another kind.
            **kwargs: As in Keras.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is of a flow of another class, shape or options, is
                no file of weights, or holds numbers that are not finite or not those
                that were saved. Only where a file does not say what it is of, as
                those of before, may the flow have changed by then.
        """
        path = str(filepath)
        if "://" in path or not path.endswith((".weights.h5", ".keras")):
            super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)
            return
        if not os.path.isfile(path):
            msg = f"`filepath` must be an existing file, got {path!r}. Check the path."
            raise FileNotFoundError(msg)
        refusal = f"`filepath` must hold weights of a flow like this one, got {path!r}."
        try:
            held, problem = _read(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            held, problem = None, "It is no file of weights, or a damaged one."
        if problem is None and held is not None and not skip_mismatch:
            problem = _difference(held, _described(type(self), self.get_config()))
        if problem is not None:
            raise ValueError(f"{refusal} {problem}")
        try:
            super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)
        except (ValueError, KeyError) as error:
            raise ValueError(f"{refusal} {_reason(error)}") from error


def _described(kind: type, config: dict[str, Any]) -> dict[str, Any]:
    """Return what a file says of its flow: class, version, options, kinds of columns.

    Options that are no plain values, such as maps, are left out.
    """
    config = keras.saving.serialize_keras_object(config)
    return {
        "class": kind.__name__,
        "format_version": _serialize.FORMAT_VERSION,
        "options": {
            key: value
            for key, value in config.items()
            if key not in (*FREE, KINDS) and _is_plain(value)
        },
        "kinds": _digest(config.get(KINDS)),
    }


def _digest(kinds: Any) -> str | None:
    """Return a checksum of the kinds of columns, `None` where all are numbers."""
    if kinds is None:
        return None
    return hashlib.sha256(json.dumps(kinds, sort_keys=True).encode()).hexdigest()


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _read(path: str) -> tuple[dict[str, Any] | None, str | None]:
    """Return what a file says of its flow, and what is wrong with its numbers."""
    import h5py  # of Keras

    held = None
    source: Any = path
    if path.endswith(".keras"):
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            source = io.BytesIO(archive.read("model.weights.h5"))
        held = {
            "class": config["class_name"],
            "format_version": config["config"].get("format_version", 1),
            "options": config["config"],
            "kinds": _digest(config["config"].get(KINDS)),
        }
    with h5py.File(source, "r") as file:
        if held is None and KEY in file.attrs:
            held = json.loads(file.attrs[KEY])
        found: list[str] = []
        sealed = f"vars/{seal.CHECKSUM}" in file  # Keras has it compared

        def look(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and not name.startswith("optimizer"):
                wrong = fault(name, item, sealed=sealed)
                found.extend([] if wrong is None else [wrong])

        file.visititems(look)
    return held, found[0] if found else None


def _difference(held: dict[str, Any], own: dict[str, Any]) -> str | None:
    """Return what keeps the weights of one flow from being those of another."""
    if held["format_version"] > own["format_version"]:
        return "It was written by a later version of tfp_flows. Upgrade tfp_flows."
    if held["class"] != own["class"]:
        return (
            f"It is of the class `{held['class']}`, and this one of `{own['class']}`."
        )
    for key, value in _differing(held["options"], own["options"]):
        given = own["options"][key]
        return (
            f"It was built with {key}={_shown(value)}, and this one with "
            f"{key}={_shown(given)}. Build this one likewise, or read the whole flow "
            "from a .keras file."
        )
    if held["kinds"] != own["kinds"]:
        return (
            "Its columns are of other kinds (numbers, integers, amounts, ...) than "
            "those of this flow. Read the whole flow from a .keras file."
        )
    return None


def _differing(held: dict[str, Any], own: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in held.items():
        known = key in own and _is_plain(value)
        if known and json.dumps(value) != json.dumps(own[key]):
            yield key, value


def _shown(value: Any) -> str:
    return repr(tuple(value) if isinstance(value, list) else value)


def _reason(error: Exception) -> str:
    """Return the core of an error of Keras as one sentence."""
    text = str(error)
    if seal.CHANGED_WEIGHTS in text:
        return seal.CHANGED_WEIGHTS
    return "The number of its weights, or their shapes, are others."
