"""Checks of gradients and variables: finite, tracked, and never out of date."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows.bijectors._core import cache
from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase

__all__ = [
    "check_finite_gradients",
    "check_fresh_after_update",
    "check_tracked_variables",
    "perturbed",
]


def _edges(case: BijectorCase, interval: tuple[float, float], dtype: str) -> tf.Tensor:
    """Return events made of an edge, or of a neighbour of one."""
    kind, rows = np.dtype(dtype).type, []
    for edge in (0.0, *case.edges):
        for end in (-np.inf, kind(edge), np.inf):
            number = np.nextafter(kind(edge), kind(end))
            if interval[0] < number < interval[1]:
                rows.append(np.full(case.event_shape, number, dtype))
    return tf.constant(np.reshape(rows, [-1, *case.event_shape]), dtype)


def _directions(
    case: BijectorCase, bijector: tfb.Bijector
) -> tuple[tuple[str, Callable, Callable, tuple[float, float]], ...]:
    return (
        ("forward", bijector.forward, registry.forward_log_det, case.domain),
        ("inverse", bijector.inverse, registry.inverse_log_det, case.codomain),
    )


@registry.bijector_check
def check_finite_gradients(case: BijectorCase) -> None:
    """Gradients of values and log-dets are finite, and reach every variable."""
    check = "finite_gradients"
    for dtype in case.dtypes:
        bijector = case.bijector(dtype)
        variables, reached = bijector.trainable_variables, set()
        x = case.points((16,), dtype)
        images = case.images(x, **case.condition((16,), dtype))
        for (name, method, log_det, interval), inside in zip(
            _directions(case, bijector), (x, images), strict=True
        ):
            points = tf.concat([inside, _edges(case, interval, dtype)], 0)
            condition = case.condition((points.shape[0],), dtype)
            with tf.GradientTape() as tape:
                sources = [points, *condition.values()]
                tape.watch(sources)
                value = method(points, **condition)
                number = log_det(case, bijector, points, **condition)
                total = tf.reduce_sum(value) + tf.reduce_sum(number)
            for what, tensor in (("value", value), ("log-det", number)):
                registry.require_finite(case, check, f"{name} {what}", tensor)
            gradients = tape.gradient(total, [*sources, *variables])
            names = ["the input", *condition, *[v.name for v in variables]]
            for index, (source, gradient) in enumerate(
                zip(names, gradients, strict=True)
            ):
                if gradient is None:
                    continue
                reached.add(index - len(sources))
                what = f"gradient of {name} for {source} in {dtype}"
                gradient = tf.convert_to_tensor(gradient)
                registry.require_finite(case, check, what, gradient)
        for index, variable in enumerate(variables):
            if index not in reached:
                what = f"no gradient reaches `{variable.name}`"
                case.fail(check, what, None, "a gradient")


@registry.bijector_check
def check_tracked_variables(case: BijectorCase) -> None:
    """Every variable that the map reads is in `.variables`."""
    check, bijector = "tracked_variables", case.bijector()
    x, condition = case.points((3,)), case.condition((3,))
    y = case.images(x, **condition)

    def outputs(x: tf.Tensor, y: tf.Tensor, given: dict) -> list[tf.Tensor]:
        with cache.caching(enabled=False):
            return registry.all_outputs(case, bijector, x, y, given)

    with tf.GradientTape() as tape:
        outputs(x, y, condition)
    traced = tf.function(outputs, autograph=False)
    read = traced.get_concrete_function(x, y, condition).variables
    for group, found, listed in (
        ("trainable_variables", tape.watched_variables(), bijector.trainable_variables),
        ("variables", read, bijector.variables),
    ):
        known = {id(v) for v in listed}
        missing = [v.name for v in found if id(v) not in known]
        if missing:
            what = f"`{group}` lacks {', '.join(missing)}, which the map reads"
            case.fail(check, what, len(missing), 0)


@contextlib.contextmanager
def perturbed(module: tf.Module, seed: int = 0) -> Iterator[None]:
    """Change every floating variable of a module a little, inside a `with` block."""
    variables = [v for v in module.variables if v.dtype.is_floating]
    before = [v.numpy() for v in variables]
    rng = np.random.default_rng(seed)
    try:
        for variable, old in zip(variables, before, strict=True):
            # A positive number stays positive: it may be a variance.
            factor = 1 + 0.2 * rng.uniform(0.5, 1, old.shape)
            shift = 0.1 * rng.uniform(0.5, 1, old.shape) if variable.trainable else 0
            variable.assign((old * factor + shift).astype(old.dtype))
        yield
    finally:
        for variable, old in zip(variables, before, strict=True):
            variable.assign(old)


@registry.bijector_check
def check_fresh_after_update(case: BijectorCase) -> None:
    """After an update of the variables, a reused batch gives no old number.

    Values, log-dets and gradients of a batch that the map has seen before the update
    must equal those of a copy of the batch with the memory off.
    """
    check, bijector = "fresh_after_update", case.bijector()
    x, condition = case.points((8,)), case.condition((8,))
    y = case.images(x, **condition)
    names = ("forward", "forward log-det", "inverse", "inverse log-det")
    # Kept alive, as a training loop may keep its last outputs.
    kept = registry.all_outputs(case, bijector, x, y, condition)
    with perturbed(bijector, case.seed):
        found = registry.all_outputs(case, bijector, x, y, condition)
        # What came out before the update, and goes in after it.
        kept.append(bijector.inverse(kept[0], **condition))
        kept.append(registry.inverse_log_det(case, bijector, kept[0], **condition))
        sources = [*bijector.trainable_variables]
        gradients = _gradients(case, bijector, x, y, condition, sources)
        with cache.caching(enabled=False):
            # Copies, since TFP's own maps have a cache that knows the originals.
            x, y = tf.identity(x), tf.identity(y)
            expected = registry.all_outputs(case, bijector, x, y, condition)
            x, y = tf.identity(x), tf.identity(y)
            wanted = _gradients(case, bijector, x, y, condition, sources)
            copy = tf.identity(kept[0])
            again = bijector.inverse(copy, **condition)
            copy = tf.identity(kept[0])
            number = registry.inverse_log_det(case, bijector, copy, **condition)
    tolerance = 10 * case.tolerances.value(case.dtype)
    for name, new, old in zip(names, found, expected, strict=True):
        what = f"{name} of a reused batch after an update"
        registry.compare(case, check, what, new, old, tolerance)
    what = "inverse of an output from before the update"
    registry.compare(case, check, what, kept[-2], again, tolerance)
    what = "inverse log-det at an output from before the update"
    registry.compare(case, check, what, kept[-1], number, tolerance)
    labels = ["x", "y", *[v.name for v in sources]]
    for name, new, old in zip(labels, gradients, wanted, strict=True):
        what = f"gradient for {name} of a reused batch after an update"
        registry.compare(case, check, what, new, old, tolerance)


def _gradients(
    case: BijectorCase,
    bijector: tfb.Bijector,
    x: tf.Tensor,
    y: tf.Tensor,
    given: dict,
    variables: list[tf.Variable],
) -> list[tf.Tensor]:
    """Return gradients of what training minimises, in both directions, on one tape."""
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        forward, fldj, inverse, ildj = registry.all_outputs(case, bijector, x, y, given)
        total = tf.reduce_mean(forward**2) + tf.reduce_mean(inverse**2)
        total += tf.reduce_mean(fldj) + 2 * tf.reduce_mean(ildj)
    zero = tf.UnconnectedGradients.ZERO
    gradients = tape.gradient(total, [x, y, *variables], unconnected_gradients=zero)
    return [tf.convert_to_tensor(gradient) for gradient in gradients]
