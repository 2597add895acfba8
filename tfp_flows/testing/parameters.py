"""Checks of parameters: variables are read and trained, and properties are true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase

__all__ = ["check_parameter_properties", "check_trained_parameters"]

Values = dict[str, tf.Tensor]
# A step of parameters that no rounding hides, and none that leaves float32.
STEP = 0.1


def properties_of(bijector: tfb.Bijector) -> dict[str, Any]:
    """Return the properties that a map states of its parameters, if it does."""
    try:
        return type(bijector).parameter_properties(bijector.dtype or tf.float32)
    except NotImplementedError:
        return {}


def values_of(bijector: tfb.Bijector) -> Values:
    """Return the parameters of a map that are tensors of floats, by name."""
    values = {}
    for name, stated in properties_of(bijector).items():
        value = getattr(bijector, name, bijector.parameters.get(name))
        if value is None or not stated.is_tensor:
            continue
        dtype = None if hasattr(value, "dtype") else bijector.dtype
        value = tf.convert_to_tensor(value, dtype)
        if value.dtype.is_floating:
            values[name] = tf.stop_gradient(value)
    return values


def moved(bijector: tfb.Bijector, values: Values) -> Values:
    """Return other values that are valid, where the properties tell how."""
    stated, out = properties_of(bijector), {}
    for index, (name, value) in enumerate(values.items()):
        constrain = _constraining(stated[name])
        if constrain is not None:
            free = constrain.inverse(value) + STEP * _noise(value, index)
            new = constrain.forward(free)
            value = tf.where(tf.math.is_finite(new), new, value)
        out[name] = value
    return out


def _noise(value: tf.Tensor, salt: int) -> tf.Tensor:
    noise = tf.random.stateless_normal(value.shape, [salt, 11], dtype=tf.float64)
    return tf.cast(noise, value.dtype)


def _constraining(stated: Any) -> tfb.Bijector | None:
    try:
        return stated.default_constraining_bijector_fn()
    except NotImplementedError:
        return None


def _double(value: tf.Tensor) -> tf.Tensor:
    return 2.0 * value


def _kinds() -> dict[str, Callable[[tf.Tensor], tuple[Any, tf.Variable]]]:
    """Return what a parameter may be, with the variable behind it."""

    def variable(value: tf.Tensor) -> tuple[Any, tf.Variable]:
        made = tf.Variable(value)
        return made, made

    def transformed(value: tf.Tensor) -> tuple[Any, tf.Variable]:
        made = tfp.util.TransformedVariable(value, tfb.Shift(tf.ones([], value.dtype)))
        return made, made.pretransformed_input

    def deferred(value: tf.Tensor) -> tuple[Any, tf.Variable]:
        made = tf.Variable(value / 2.0)
        return tfp.util.DeferredTensor(made, _double), made

    def of_keras(value: tf.Tensor) -> tuple[Any, tf.Variable]:
        made = keras.Variable(value, dtype=value.dtype.name)
        return made, made.value

    return {
        "tf.Variable": variable,
        "TransformedVariable": transformed,
        "DeferredTensor": deferred,
        "keras.Variable": of_keras,
    }


@registry.bijector_check
def check_trained_parameters(case: BijectorCase) -> None:
    """Parameters that are variables are found, read at each use, and trained.

    So are TFP's `TransformedVariable` and `DeferredTensor`, and variables of Keras.
    """
    check, bijector = "trained_parameters", case.bijector()
    values = values_of(bijector)
    if not values:
        return
    x, given = case.points((3,)), case.condition((3,))
    y = case.images(x, **given)
    new = moved(bijector, values)
    results = []
    with tf.GradientTape() as tape:
        tape.watch(list(values.values()))
        results.append(registry.all_outputs(case, bijector.copy(**values), x, y, given))
    wanted = tape.gradient(results[0], values)
    results.append(registry.all_outputs(case, bijector.copy(**new), x, y, given))
    tolerance = 10 * case.tolerances.log_det(case.dtype)
    for kind, make in _kinds().items():
        made = {name: make(value) for name, value in values.items()}
        twin = bijector.copy(**{name: pair[0] for name, pair in made.items()})
        variables = {name: pair[1] for name, pair in made.items()}
        found = {id(v) for v in twin.trainable_variables}
        lost = [name for name, v in variables.items() if id(v) not in found]
        if lost:
            what = f"`trainable_variables` lacks a {kind} given for"
            case.fail(check, what, ", ".join(lost), "none")
        with tf.GradientTape() as tape:
            first = registry.all_outputs(case, twin, x, y, given)
        gradients = tape.gradient(first, variables)
        for name, gradient in gradients.items():
            if gradient is None and wanted[name] is not None:
                case.fail(check, f"a {kind} given for `{name}` gets no gradient")
        _assign(made, new)
        second = registry.all_outputs(case, twin, x, y, given)
        for when, out, expected in zip(
            ("", " after an update"), (first, second), results, strict=True
        ):
            for one, other in zip(out, expected, strict=True):
                what = f"a {kind} against a tensor{when}"
                registry.compare(case, check, what, one, other, tolerance)


def _assign(made: dict[str, tuple[Any, tf.Variable]], values: Values) -> None:
    for name, (parameter, variable) in made.items():
        if isinstance(parameter, tfp.util.TransformedVariable):
            parameter.assign(values[name])
        elif isinstance(parameter, tfp.util.DeferredTensor):
            variable.assign(values[name] / 2.0)
        else:
            variable.assign(values[name])


@registry.bijector_check
def check_parameter_properties(case: BijectorCase) -> None:
    """Any numbers, through the bijectors that the properties name, make a valid map.

    Where there is no such bijector, the property says so by `NotImplementedError`.
    """
    check, dtype = "parameter_properties", case.dtypes[-1]
    bijector = case.bijector(dtype)
    stated, values = properties_of(bijector), values_of(bijector)
    if not values:
        return
    new = dict(values)
    for index, (name, value) in enumerate(values.items()):
        constrain = _constraining(stated[name])
        if constrain is not None:
            new[name] = constrain.forward(_noise(value, 100 + index))
    if "validate_args" in bijector.parameters:
        new["validate_args"] = True
    twin = bijector.copy(**new)
    x, given = case.points((5,), dtype), case.condition((5,), dtype)
    y = tf.stop_gradient(twin.forward(x, **given))
    names = ", ".join(name for name in values)
    registry.require_finite(case, check, f"forward with any {names}", y)
    log_det = registry.forward_log_det(case, twin, x, **given)
    registry.require_finite(case, check, f"log-det with any {names}", log_det)
    back = twin.inverse(tf.identity(y), **given)
    # As many digits as parameters of any size leave.
    tolerance = np.sqrt(case.tolerances.value(dtype))
    what = f"round trip with any {names}"
    registry.compare(case, check, what, back, x, tolerance, scale=y)
