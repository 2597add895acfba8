"""Checks of values: round trips, far inputs, leading shapes, dtypes, bad shapes."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.bijectors._core import cache, inputs
from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase

__all__ = [
    "check_condition",
    "check_dtype",
    "check_event_shape",
    "check_far_round_trip",
    "check_huge_inputs",
    "check_infinite_inputs",
    "check_kinds_of_numbers",
    "check_leading_shapes",
    "check_round_trip",
]


def _norm(case: BijectorCase, *tensors: tf.Tensor) -> np.ndarray:
    """Return the largest absolute number of each event, kept in place."""
    axes = tuple(range(-case.event_ndims, 0))
    sizes = [np.max(np.abs(t), axis=axes, keepdims=True) for t in tensors]
    return np.maximum.reduce(sizes)


def _round_trip(case: BijectorCase, check: str, x: tf.Tensor, tolerance: float) -> None:
    bijector, where = case.bijector(x.dtype.name), x.dtype.name
    condition = case.condition(tuple(x.shape[: x.shape.rank - case.event_ndims]), where)
    y = tf.identity(bijector.forward(x, **condition))
    registry.require_finite(case, check, f"forward(x) in {where}", y)
    back = bijector.inverse(y, **condition)
    what = f"inverse(forward(x)) in {where}"
    registry.compare(case, check, what, back, x, tolerance, _norm(case, x, y))
    again = bijector.forward(tf.identity(back), **condition)
    what = f"forward(inverse(y)) in {where}"
    registry.compare(case, check, what, again, y, tolerance, _norm(case, x, y))


@registry.bijector_check
def check_round_trip(case: BijectorCase) -> None:
    """Each direction undoes the other one, with the memory on and off."""
    for dtype in case.dtypes:
        x = case.points(dtype=dtype)
        for enabled in (True, False):
            with cache.caching(enabled=enabled):
                _round_trip(case, "round_trip", x, case.tolerances.value(dtype))


def _far_points(
    case: BijectorCase, size: float, interval: tuple[float, float]
) -> tf.Tensor | None:
    """Return events with one far coordinate, and with all far, in both signs.

    Infinite numbers come one by one: a sum of several has no value of its own.
    """
    ends = [
        s for s, end in ((-1.0, interval[0]), (1.0, interval[1])) if math.isinf(end)
    ]
    if not ends:
        return None
    together = ends if math.isfinite(size) else []
    rows = [np.full(case.event_shape, sign * size) for sign in together]
    inside = case.points((2 * case.size,), salt=3).numpy().reshape(-1, case.size)
    for place, row in enumerate(inside):
        row[place // 2] = ends[place % len(ends)] * size
    rows.extend(inside.reshape(-1, *case.event_shape))
    return tf.constant(np.stack(rows), case.dtype)


@registry.bijector_check
def check_far_round_trip(case: BijectorCase) -> None:
    """The round trip holds up to 1e6 in float32, to what the map lets one expect.

    Errors are relative to the size of the event, and to the condition of the map: a
    steep direction of one way back makes of one rounding many.
    """
    check, bijector, tolerance = "far_round_trip", case.bijector(), case.tolerances.far
    for size in (1e2, 1e4, 1e6):
        x = _far_points(case, size, case.domain)
        if x is None:
            continue
        condition = case.condition((x.shape[0],))
        y = tf.identity(bijector.forward(x, **condition))
        registry.require_finite(case, check, f"forward(x) at {size:.0e}", y)
        back = bijector.inverse(y, **condition)
        again = bijector.forward(tf.identity(back), **condition)
        slopes = registry.jacobian(
            functools.partial(bijector.forward, **condition),
            tf.identity(x),
            case.size,
        )
        norm = _norm(case, x, y)
        for what, found, expected, matrix in (
            ("inverse(forward(x))", back, x, np.linalg.inv(slopes)),
            ("forward(inverse(y))", again, y, slopes),
        ):
            steepness = np.maximum(1.0, np.abs(matrix).sum((-1, -2)))
            scale = norm * steepness.reshape(-1, *([1] * case.event_ndims))
            what = f"{what} at {size:.0e}"
            registry.compare(case, check, what, found, expected, tolerance, scale)


def _both_ways(
    case: BijectorCase, size: float
) -> list[tuple[str, tf.Tensor, list[tf.Tensor]]]:
    """Return values, log-dets and input gradients at far inputs of each direction."""
    bijector, results = case.bijector(), []
    for name, method, log_det, interval in (
        ("forward", bijector.forward, registry.forward_log_det, case.domain),
        ("inverse", bijector.inverse, registry.inverse_log_det, case.codomain),
    ):
        x = _far_points(case, size, interval)
        if x is None:
            continue
        condition = case.condition((x.shape[0],))
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = method(x, **condition)
            number = log_det(case, bijector, x, **condition)
            # One number, small enough to add up without an overflow of its own.
            total = tf.reduce_mean(value * 1e-6) + tf.reduce_mean(number)
        sources = [x, *bijector.trainable_variables]
        gradients = tape.gradient(total, sources)
        found = [value, number, *[g for g in gradients if g is not None]]
        results.append((name, x, [tf.convert_to_tensor(t) for t in found]))
    return results


@registry.bijector_check
def check_huge_inputs(case: BijectorCase) -> None:
    """Values, log-dets and gradients are finite at inputs of +-1e30."""
    for name, _, found in _both_ways(case, 1e30):
        for kind, value in zip(["value", "log-det"], found, strict=False):
            registry.require_finite(case, "huge_inputs", f"{name} {kind}", value)
        for gradient in found[2:]:
            registry.require_finite(case, "huge_inputs", f"{name} gradient", gradient)


@registry.bijector_check
def check_infinite_inputs(case: BijectorCase) -> None:
    """Values and log-dets at infinite inputs are not NaN."""
    for name, _, (value, log_det, *_) in _both_ways(case, math.inf):
        for kind, tensor in (("value", value), ("log-det", log_det)):
            bad = int(np.sum(np.isnan(tensor)))
            if bad:
                case.fail("infinite_inputs", f"{name} {kind} is NaN", bad, 0)


def _evaluate(
    case: BijectorCase,
    bijector: Any,
    x: tf.Tensor,
    y: tf.Tensor,
    **condition: tf.Tensor,
) -> list[tf.Tensor]:
    """Return all four outputs of a map."""
    return [
        bijector.forward(x, **condition),
        registry.forward_log_det(case, bijector, x, **condition),
        bijector.inverse(y, **condition),
        registry.inverse_log_det(case, bijector, y, **condition),
    ]


@registry.bijector_check
def check_leading_shapes(case: BijectorCase) -> None:
    """No, one, three and unknown leading dimensions give the same numbers."""
    check, bijector = "leading_shapes", case.bijector()
    tolerance = case.tolerances.value(case.dtype)
    x, condition = case.points((6,)), case.condition((6,))
    y = case.images(x, **condition)
    expected = _evaluate(case, bijector, x, y, **condition)
    # A constant log-det may come as one number for all events.
    expected = [
        old if index % 2 == 0 else tf.broadcast_to(old, [6])
        for index, old in enumerate(expected)
    ]
    names = ["forward", "forward log-det", "inverse", "inverse log-det"]
    event = case.event_shape

    def reshaped(tensor: tf.Tensor, leading: list[int], trailing: Any) -> tf.Tensor:
        return tf.reshape(tensor, [*leading, *trailing])

    for leading in ([], [1], [3, 1, 2]):
        count = math.prod(leading)
        given = {
            k: reshaped(v[:count], leading, case.condition_shape or ())
            for k, v in condition.items()
        }
        found = _evaluate(
            case,
            bijector,
            reshaped(x[:count], leading, event),
            reshaped(y[:count], leading, event),
            **given,
        )
        for index, (name, new, old) in enumerate(
            zip(names, found, expected, strict=True)
        ):
            wanted = reshaped(old[:count], leading, [] if index % 2 else event)
            new = tf.broadcast_to(new, wanted.shape) if index % 2 else new
            what = f"{name} with leading shape {tuple(leading)}"
            registry.compare(case, check, what, new, wanted, tolerance * 10)

    specs = [tf.TensorSpec([None, *event], case.dtype)] * 2
    if case.condition_shape is not None:
        specs.append(tf.TensorSpec([None, *case.condition_shape], case.dtype))

    @tf.function(input_signature=specs, autograph=False)
    def unknown(x: tf.Tensor, y: tf.Tensor, *given: tf.Tensor) -> list[tf.Tensor]:
        named = {"condition": given[0]} if given else {}
        return _evaluate(case, bijector, x, y, **named)

    found = unknown(x, y, *condition.values())
    for index, (name, new, old) in enumerate(zip(names, found, expected, strict=True)):
        what = f"{name} with an unknown batch size"
        new = tf.broadcast_to(new, old.shape) if index % 2 else new
        registry.compare(case, check, what, new, old, tolerance * 10)


@registry.bijector_check
def check_dtype(case: BijectorCase) -> None:
    """The outputs have the dtype of the input."""
    for dtype in case.dtypes:
        x, condition = case.points((3,), dtype), case.condition((3,), dtype)
        bijector = case.bijector(dtype)
        outputs = _evaluate(case, bijector, x, tf.identity(x), **condition)
        if case.codomain != case.domain:
            y = case.images(x, **condition)
            outputs = _evaluate(case, bijector, x, y, **condition)
        for output in outputs:
            if output.dtype.name != dtype:
                what = "wrong dtype of an output"
                case.fail("dtype", what, output.dtype.name, dtype)


@registry.bijector_check
def check_kinds_of_numbers(case: BijectorCase) -> None:
    """Integers have the image of their floats; what is no real number is refused.

    Of TFP's own maps nothing is asked: they take the real part of complex arrays.
    """
    check, bijector = "kinds_of_numbers", case.bijector()
    if not isinstance(bijector, inputs.Explaining):
        return
    x, condition = case.points((2,)), case.condition((2,))
    low, high = case.domain
    if low <= 0.0 <= high and not bijector.moves_only:
        whole = np.zeros(x.shape, np.int32) + (low < 1.0 <= high)
        kinds = {"an array": whole}
        if bijector.dtype is None:
            kinds["a tensor"] = tf.constant(whole)
        wanted = bijector.forward(tf.cast(whole, x.dtype), **condition)
        for what, given in kinds.items():
            found = bijector.forward(given, **condition)
            tolerance = 10 * case.tolerances.value(case.dtype)
            registry.compare(
                case, check, f"{what} of integers", found, wanted, tolerance
            )
    for name in ("forward", "inverse"):
        for wrong in (x.numpy() + 1j, x.numpy().astype(str), None):
            try:
                getattr(bijector, name)(wrong, **condition)
            except (TypeError, ValueError, NotImplementedError):
                continue
            kind = getattr(wrong, "dtype", None)
            case.fail(check, f"{name} of {kind}", "a value", "TypeError")


@registry.bijector_check
def check_event_shape(case: BijectorCase) -> None:
    """A wrong event size is a `ValueError`, never a silent broadcast."""
    check, bijector = "event_shape", case.bijector()
    if not case.event_shape:
        return
    wrong = {2 if case.size == 1 else 1, case.event_shape[-1] + 1}
    for size in sorted(wrong - {case.event_shape[-1]}):
        low = tf.zeros((), case.dtype)
        full = case.points((4,))
        rows = tf.concat([full] * (size // case.event_shape[-1] + 1), -1)
        x = rows[..., :size] + low
        condition = case.condition((4,))
        for name in ("forward", "inverse"):
            try:
                y = getattr(bijector, name)(x, **condition)
            except ValueError:
                continue
            except Exception as error:
                kind = type(error).__name__
                case.fail(check, f"{name} of shape {x.shape}", kind, "ValueError")
            # A scalar map may take events of any size, if it keeps that size.
            scalar = bijector.forward_min_event_ndims == 0
            if scalar and y.shape == x.shape:
                continue
            what = f"{name} of shape {x.shape} broadcasts silently"
            case.fail(check, what, f"shape {y.shape}", "ValueError")


@registry.bijector_check
def check_condition(case: BijectorCase) -> None:
    """A condition has an effect; a missing or superfluous one is a `ValueError`."""
    check, bijector = "condition", case.bijector()
    x, condition = case.points((4,)), case.condition((4,))
    if not condition:
        try:
            bijector.forward(x, condition=tf.zeros([4, 1], case.dtype))
        except (ValueError, TypeError):  # TFP's own maps raise the second
            return
        case.fail(check, "a superfluous condition", "no error", "ValueError")
    bad = {"condition": tf.zeros([4, case.condition_shape[-1] + 1], case.dtype)}
    for what, given in (("missing", {}), ("wrongly shaped", bad)):
        try:
            bijector.forward(x, **given)
        except ValueError:
            continue
        case.fail(check, f"a {what} condition", "no error", "ValueError")
    y = bijector.forward(x, **condition)
    other = bijector.forward(x, condition=condition["condition"] + 1.0)
    if registry.worst(y, other) == 0.0:
        case.fail(check, "the condition has no effect", 0, "a difference")
    one = bijector.forward(x, condition=condition["condition"][0])
    tolerance = case.tolerances.value(case.dtype)
    what = "one condition for a batch"
    registry.compare(case, check, what, one[0], y[0], 10 * tolerance)
