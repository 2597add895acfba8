"""What Keras' methods are handed is checked before Keras traces a step of it.

Within a step Keras tells of batches and of tensors of a graph, not of arguments.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _arrays, _checks

__all__ = [
    "array_of",
    "callbacks_of",
    "optimizer",
    "require_compiled",
    "require_events",
    "require_known",
    "require_options",
    "weights",
]

# Words of a rate, which is the optimizer's.
RATES = ("lr", "learning_rate", "weight_decay", "clipnorm")


def array_of(x: Any, argument: str) -> Any:
    """Return lists of numbers and series as an array, anything else as it is.

    Raises:
        ValueError: If it is a list or tuple of several arrays, which Keras takes for
            several inputs.
        TypeError: If it is text.
    """
    if isinstance(x, str):
        msg = (
            f"`{argument}` must be an array of events, got {x!r}. `tfp_flows.fit` "
            "reads files."
        )
        raise TypeError(msg)
    if hasattr(x, "to_numpy") and not hasattr(x, "columns"):  # one column of a frame
        return x.to_numpy()
    if not isinstance(x, (list, tuple)):
        return x
    if any(hasattr(part, "shape") or hasattr(part, "columns") for part in x):
        msg = (
            f"`{argument}` must be one array of events, got a {type(x).__name__} of "
            f"{len(x)}. Pass {{'x': x, 'condition': condition}} for a condition."
        )
        raise ValueError(msg)
    return np.asarray(x)


def require_events(x: Any, event_shape: tuple[int, ...], argument: str) -> None:
    """Raise unless `x` is at least one event, where it is an array.

    Args:
        x: What a method of Keras is handed, in order.
        event_shape: Of the flow.
        argument: What it is called.

    Raises:
        ValueError: If it has no rows, or rows of another shape; if it is nothing.
    """
    if isinstance(x, dict) and not x:
        msg = (
            f"`{argument}` must be data, or a dict with 'x' and 'condition', got {{}}."
        )
        raise ValueError(msg)
    held = x.get("x") if isinstance(x, dict) else x
    if not isinstance(held, (np.ndarray, tf.Tensor)):
        return
    shape = tf.TensorShape(held.shape)
    if shape.rank is None:
        return
    if shape.rank <= len(event_shape):
        remedy = "Reshape it."
        if shape == event_shape:
            remedy = f"Pass {argument}[None] for one event."
        msg = (
            f"`{argument}` must be rows of events of shape {event_shape}, got shape "
            f"{tuple(shape)}. {remedy}"
        )
        raise ValueError(msg)
    _checks.require_trailing(shape, event_shape, argument, "this flow")
    if shape[0] == 0:
        msg = f"`{argument}` must hold at least one row, got shape {tuple(shape)}."
        raise ValueError(msg)


def weights(values: Any) -> Any:
    """Return weights of events as `[N]`, tensors unchanged.

    Raises:
        ValueError: If they are no weights, see `_arrays.event_weights`.
    """
    if values is None or tf.is_tensor(values):
        return values
    values = _arrays.unmasked(values, "sample_weight")
    try:
        found = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    found = _arrays.event_weights(found, "sample_weight")
    is_wide = getattr(values, "dtype", None) == np.float64
    return found if is_wide else found.astype(np.float32)


def optimizer(given: Any) -> Any:
    """Return what `compile` is given to update weights, if it can be meant.

    Raises:
        ValueError: If there is no optimizer of the name.
        TypeError: If it is a class, or nothing of the kind.
    """
    if isinstance(given, type) and issubclass(given, keras.optimizers.Optimizer):
        name = given.__name__
        msg = (
            f"`optimizer` must be an optimizer, got the class `{name}`. Make one of "
            f"it: keras.optimizers.{name}(1e-3)."
        )
        raise TypeError(msg)
    if isinstance(given, str):
        try:
            given = keras.optimizers.get(given)
        except ValueError:
            known = [
                name.lower()
                for name, kind in vars(keras.optimizers).items()
                if isinstance(kind, type) and name != "Optimizer"
            ]
            hint = _checks.did_you_mean(given, known)
            msg = f"`optimizer` must be one of Keras, got {given!r}{hint or '.'}"
            raise ValueError(msg) from None
    if given is None or isinstance(given, (int, float)):
        msg = (
            "`optimizer` must be an optimizer or its name, got "
            f"{given!r}. Pass 'adam', or keras.optimizers.Adam(1e-3)."
        )
        raise TypeError(msg)
    _warn_of_underflow(given)
    return given


def _warn_of_underflow(optimizer: Any) -> None:
    """Say that Adafactor divides 0 by 0 where the weights of a network are masked.

    It multiplies what it keeps of a row and of a column: for those whose gradients are
    0, its `epsilon_1` times itself, which is 0 in float32.
    """
    if not isinstance(optimizer, keras.optimizers.Adafactor):
        return
    if np.square(np.float32(optimizer.epsilon_1)) == 0.0:
        msg = (
            f"Adafactor with epsilon_1={optimizer.epsilon_1:g} makes weights NaN where "
            "a row and a column of a gradient are 0, as in masked networks and "
            "triangular matrices. Pass "
            "keras.optimizers.Adafactor(epsilon_1=1e-15)."
        )
        warnings.warn(msg, RuntimeWarning, stacklevel=4)


def require_known(method: str, options: dict[str, Any], *own: str) -> None:
    """Raise for a word that a method of Keras does not know.

    Args:
        method: Name of the method of `keras.Model`.
        options: What it is given by name.
        *own: What the method of a flow knows beside.

    Raises:
        TypeError: Naming the word and what to write in its place.
    """
    parameters = inspect.signature(getattr(keras.Model, method)).parameters
    known = [*own, *(name for name in parameters if name != "self")]
    for word, value in options.items():
        if word in known or word.startswith("_"):  # Keras has some of its own
            continue
        hint = _checks.did_you_mean(word, known)
        if word in RATES:
            hint = ": the optimizer has it, compile(keras.optimizers.Adam(1e-3))."
        elif word in ("condition", "context") and method != "compile":
            hint = ": pass {'x': x, 'condition': condition} for `x`."
        elif method == "fit" and word in _words_of_fit():
            hint = f": tfp_flows.fit(flow, x, {word}=...) has it."
        msg = f"`{word}` is no argument of `{method}`, got {value!r}{hint or '.'}"
        raise TypeError(msg)


def _words_of_fit() -> Iterable[str]:
    """Return the arguments of `tfp_flows.fit`, which lies above flows."""
    return inspect.signature(importlib.import_module("tfp_flows").fit).parameters


def require_compiled(model: Any, method: str, remedy: str = "") -> None:
    """Raise unless a model has an optimizer.

    Args:
        model: The Keras model.
        method: What was called.
        remedy: What else can be done.

    Raises:
        ValueError: If it was not compiled.
    """
    if not model.compiled:
        msg = (
            f"`{method}` needs a compiled model, and this {type(model).__name__} is "
            f"not: call compile(optimizer='adam') first{remedy}."
        )
        raise ValueError(msg)


def require_options(options: dict[str, Any]) -> None:
    """Raise unless numbers of `fit`, `evaluate` and `predict` can be meant.

    Raises:
        ValueError: If one is out of its range.
        TypeError: If a count is no whole number.
    """
    for name in ("epochs", "initial_epoch"):
        if options.get(name) is not None:
            _checks.count(options[name], 0, name)
    for name in ("batch_size", "validation_batch_size"):
        if options.get(name) is not None:
            _checks.count(options[name], 1, name)
    if options.get("validation_split") is not None:
        _checks.fraction(options["validation_split"], "validation_split")
    if "callbacks" in options:
        given = options["callbacks"]
        if not hasattr(given, "on_epoch_end") or isinstance(given, type):
            callbacks_of(given)


def callbacks_of(given: Any) -> tuple[Any, ...]:
    """Return callbacks of Keras, of which there may be one, several or none.

    Raises:
        TypeError: If one is a class, or no callback.
    """
    if given is None:
        return ()
    is_many = isinstance(given, (list, tuple, set)) or (
        hasattr(given, "__iter__") and not isinstance(given, (str, type, dict))
    )
    found = tuple(given) if is_many else (given,)
    for callback in found:
        if isinstance(callback, type):
            msg = (
                f"`callbacks` must be callbacks, got the class `{callback.__name__}`. "
                f"Make one of it: callbacks=[{callback.__name__}()]."
            )
            raise TypeError(msg)
        if not hasattr(callback, "set_model"):
            msg = (
                f"`callbacks` must be callbacks of Keras, got {callback!r}. Pass for "
                "example callbacks=[keras.callbacks.TerminateOnNaN()]."
            )
            raise TypeError(msg)
    return found
