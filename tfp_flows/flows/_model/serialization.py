"""Maps, networks and distributions as plain numbers and strings, and back.

An object is kept by its class and its arguments. Classes are those of `tfb` and `tfd`,
those that this package exports, and those that are registered at Keras: nothing else is
looked up, and nothing is imported or run.
"""

from __future__ import annotations

import inspect
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows import bijectors, networks

__all__ = ["from_plain", "to_plain"]

ROOMS = {
    "tfb": tfb,
    "tfd": tfd,
    "tfp_flows.bijectors": bijectors,
    "tfp_flows.networks": networks,
}
OBJECT, VARIABLE, TENSOR, KERAS = "object", "variable", "tensor", "keras"
DTYPE, DEFERRED = "dtype", "deferred"


def to_plain(value: Any, argument: str) -> Any:
    """Return what a configuration keeps of a map, a network, or a distribution.

    Args:
        value: The object, or one of its arguments.
        argument: What to call it in errors.

    Raises:
        TypeError: If an object is of a class that is not known by name.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [to_plain(part, argument) for part in value]
    if isinstance(value, dict):
        return {str(key): to_plain(part, argument) for key, part in value.items()}
    if isinstance(value, tf.DType):
        return {DTYPE: value.name}
    if isinstance(value, tf.Variable):
        return {VARIABLE: _numbers(value), "trainable": value.trainable}
    if isinstance(value, (np.ndarray, np.generic, tf.Tensor)):
        return {TENSOR: _numbers(value)}
    if isinstance(value, tfp.util.DeferredTensor):
        function = getattr(value, "bijector", value.transform_fn)
        parts = [value.pretransformed_input, function]
        return {DEFERRED: to_plain(parts, argument)}
    if isinstance(value, (keras.Layer, bijectors.Transformer)):
        return {KERAS: keras.saving.serialize_keras_object(value)}
    name = _name(type(value))
    if name is None:
        msg = (
            f"`{argument}` must be made of classes of TFP, of tfp_flows, or registered "
            f"ones to be saved, got a `{type(value).__name__}`. Decorate it by "
            "keras.saving.register_keras_serializable()."
        )
        raise TypeError(msg)
    given = {k: to_plain(v, argument) for k, v in _arguments(value).items()}
    return {OBJECT: name, "arguments": given}


def from_plain(value: Any) -> Any:
    """Return the object that `to_plain` took apart, with variables of its own.

    Raises:
        ValueError: If a class is unknown.
    """
    if isinstance(value, list):
        return [from_plain(part) for part in value]
    if not isinstance(value, dict):
        return value
    if DTYPE in value:
        return tf.as_dtype(value[DTYPE])
    if VARIABLE in value:
        start = _array(value[VARIABLE])
        return tf.Variable(start, trainable=value["trainable"], dtype=start.dtype)
    if TENSOR in value:
        return tf.constant(_array(value[TENSOR]))
    if DEFERRED in value:
        return tfp.util.DeferredTensor(*from_plain(value[DEFERRED]))
    if KERAS in value:
        return keras.saving.deserialize_keras_object(value[KERAS])
    if OBJECT not in value:
        return {key: from_plain(part) for key, part in value.items()}
    kind = _class(value[OBJECT])
    return kind(**{k: from_plain(v) for k, v in value["arguments"].items()})


def _numbers(value: Any) -> dict[str, Any]:
    array = np.asarray(value)
    return {"values": array.tolist(), "dtype": array.dtype.name}


def _array(plain: dict[str, Any]) -> np.ndarray:
    return np.asarray(plain["values"], plain["dtype"])


def _name(kind: type) -> str | None:
    """Return the name under which a class is found again, `None` if it is not."""
    for room, module in ROOMS.items():
        if getattr(module, kind.__name__, None) is kind:
            return f"{room}>{kind.__name__}"
    name = keras.saving.get_registered_name(kind)
    return name if keras.saving.get_registered_object(name) is kind else None


def _class(name: str) -> type:
    room, _, member = name.rpartition(">")
    found = keras.saving.get_registered_object(name)
    if room in ROOMS and not member.startswith("_"):
        found = getattr(ROOMS[room], member, None)
    if not isinstance(found, type):
        msg = (
            f"`{name}` must be a class of TFP, of tfp_flows, or a registered one. "
            "Import what registers it first."
        )
        raise ValueError(msg)  # noqa: TRY004 - the name is the wrong value
    return found


def _arguments(value: Any) -> dict[str, Any]:
    """Return the arguments of an object's constructor that are not their defaults."""
    known = inspect.signature(type(value).__init__).parameters
    if isinstance(value, (tfb.Bijector, tfd.Distribution)):
        given = dict(value.parameters)
    else:
        given = {
            key: getattr(value, key, getattr(value, f"_{key}", None))
            for key, parameter in known.items()
            if key != "self" and parameter.kind is not parameter.VAR_KEYWORD
        }
    if isinstance(value, networks.Conditioner):
        given.pop("weights", None)  # the file of the flow has them
    return {
        key: item
        for key, item in given.items()
        if key not in known or item is not known[key].default
    }
