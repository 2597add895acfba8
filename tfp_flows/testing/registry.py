"""The list of checks, and the comparisons that they share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows.testing.case import BijectorCase, Case, ContractError

__all__ = [
    "BIJECTOR_CHECKS",
    "FLOW_CHECKS",
    "SURJECTION_CHECKS",
    "all_outputs",
    "bijector_check",
    "compare",
    "compare_gradients",
    "compare_variables",
    "directions",
    "flow_check",
    "forward_log_det",
    "inverse_log_det",
    "jacobian",
    "require_finite",
    "run_all",
    "surjection_check",
    "worst",
]

Check = Callable[[Any], None]

# Filled by the modules that define checks, in the order in which they run.
BIJECTOR_CHECKS: dict[str, Check] = {}
FLOW_CHECKS: dict[str, Check] = {}
SURJECTION_CHECKS: dict[str, Check] = {}


def _named(name: str, function: Check) -> Check:
    """Turn whatever a map raises in a check into a failure of that check."""

    @functools.wraps(function)
    def run(case: Any) -> None:
        try:
            function(case)
        except ContractError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise ContractError(name, case.name, what) from error

    return run


def directions(
    case: BijectorCase, bijector: Any, x: tf.Tensor, given: dict[str, tf.Tensor]
) -> dict[str, tuple[Callable[..., Any], Callable[..., Any], tf.Tensor]]:
    """Return what computes values, what log-dets, and points, by direction.

    Args:
        case: The case of the map.
        bijector: The map.
        x: Points of its domain.
        given: Its condition by name.
    """
    y = case.images(x, **given)
    return {
        "forward": (bijector.forward, forward_log_det, x),
        "inverse": (bijector.inverse, inverse_log_det, y),
    }


def bijector_check(function: Check) -> Check:
    """Register `check_NAME` as the bijector check NAME."""
    return _registered(function, "check_", BIJECTOR_CHECKS)


def flow_check(function: Check) -> Check:
    """Register `check_flow_NAME` as the flow check NAME."""
    return _registered(function, "check_flow_", FLOW_CHECKS)


def surjection_check(function: Check) -> Check:
    """Register `check_surjection_NAME` as the surjection check NAME."""
    return _registered(function, "check_surjection_", SURJECTION_CHECKS)


def _registered(function: Check, prefix: str, checks: dict[str, Check]) -> Check:
    name = function.__name__.removeprefix(prefix)
    checks[name] = _named(name, function)
    return checks[name]


def run_all(checks: dict[str, Check], case: Case) -> None:
    """Run the checks that a case does not skip, in order.

    Raises:
        ContractError: At the first check that fails.
        ValueError: If the case skips a check that does not exist.
    """
    unknown = [check for check in case.skip if check not in checks]
    if unknown:
        names = ", ".join(checks)
        msg = f"`skip` must name checks, got {unknown}. The checks are: {names}."
        raise ValueError(msg)
    for check, function in checks.items():
        if case.reason_to_skip(check) is None:
            function(case)


def forward_log_det(
    case: BijectorCase,
    bijector: tfb.Bijector,
    x: tf.Tensor,
    **condition: tf.Tensor,
) -> tf.Tensor:
    """Return the forward log-det of whole events."""
    return bijector.forward_log_det_jacobian(
        x, event_ndims=case.event_ndims, **condition
    )


def inverse_log_det(
    case: BijectorCase,
    bijector: tfb.Bijector,
    y: tf.Tensor,
    **condition: tf.Tensor,
) -> tf.Tensor:
    """Return the inverse log-det of whole events."""
    return bijector.inverse_log_det_jacobian(
        y, event_ndims=case.event_ndims, **condition
    )


def all_outputs(
    case: BijectorCase, bijector: tfb.Bijector, x: tf.Tensor, y: tf.Tensor, given: dict
) -> list[tf.Tensor]:
    """Return both values and both log-dets."""
    return [
        bijector.forward(x, **given),
        forward_log_det(case, bijector, x, **given),
        bijector.inverse(y, **given),
        inverse_log_det(case, bijector, y, **given),
    ]


def jacobian(
    function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, size: int
) -> np.ndarray:
    """Return dy/dx per event, `[N, D, D]`, by one backward pass for each output."""
    flat = tf.reshape(x, [-1, size])
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(flat)
        y = tf.reshape(function(tf.reshape(flat, x.shape)), [-1, size])
        columns = tf.unstack(y, axis=-1)
    zero = tf.UnconnectedGradients.ZERO
    rows = [tape.gradient(c, flat, unconnected_gradients=zero) for c in columns]
    return np.stack([np.asarray(row, np.float64) for row in rows], axis=-2)


def worst(found: Any, expected: Any, scale: Any = 1.0) -> float:
    """Return the largest error relative to `max(1, |expected|, |scale|)`.

    It is infinite where one of the two is not finite and the other one differs.
    """
    found = np.asarray(found, np.float64)
    expected = np.asarray(expected, np.float64)
    if found.size == 0:
        return 0.0
    with np.errstate(invalid="ignore"):
        size = np.maximum(np.maximum(1.0, np.abs(expected)), np.abs(scale))
        error = np.where(found == expected, 0.0, np.abs(found - expected) / size)
    return float(np.max(np.where(np.isnan(error), np.inf, error)))


def compare(
    case: Any,
    check: str,
    what: str,
    found: Any,
    expected: Any,
    tolerance: float,
    scale: Any = 1.0,
) -> None:
    """Fail unless shapes agree and the numbers do within `tolerance`."""
    shape, wanted = np.shape(found), np.shape(expected)
    if shape != wanted:
        case.fail(check, f"{what}: wrong shape", shape, wanted)
    error = worst(found, expected, scale)
    if not error <= tolerance:
        case.fail(check, f"{what}: relative error", f"{error:.3g}", tolerance)


def compare_variables(case: Any, check: str, what: str, one: Any, twin: Any) -> None:
    """Fail unless a copy has as many variables as the original, and shares none."""
    shared = {id(v) for v in one.variables} & {id(v) for v in twin.variables}
    if shared:
        case.fail(check, f"{what} shares variables with the original", len(shared), 0)
    found, wanted = len(twin.variables), len(one.variables)
    if found != wanted:
        case.fail(check, f"{what} has another number of variables", found, wanted)


def compare_gradients(
    case: Any, check: str, what: str, one: Any, twin: Any, value: Callable[[Any], Any]
) -> None:
    """Fail unless a value depends on the variables of a copy as on the original's."""
    reached = []
    for owner in (one, twin):
        with tf.GradientTape() as tape:
            out = value(owner)
        found = tape.gradient(out, owner.trainable_variables)
        reached.append(sum(gradient is not None for gradient in found))
    if reached[0] != reached[1]:
        text = f"{what} does not depend on all of its variables"
        case.fail(check, text, reached[1], reached[0])


def require_finite(case: Any, check: str, what: str, value: Any) -> None:
    """Fail if any number is not finite."""
    bad = int(np.sum(~np.isfinite(np.asarray(value, np.float64))))
    if bad:
        case.fail(check, f"{what} is not finite", f"{bad} numbers", 0)
