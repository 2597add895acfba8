"""Checks of what a flow is called with: no seed, any condition, any batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.flows import Ensemble, Flow
from tfp_flows.testing import registry
from tfp_flows.testing.flow_case import FlowCase

__all__ = [
    "check_flow_condition_rank",
    "check_flow_global_seed",
    "check_flow_infinite",
    "check_flow_unknown_batch",
]


@contextlib.contextmanager
def _global_seeds() -> Iterator[None]:
    """Leave TensorFlow without a global seed, as it starts."""
    try:
        yield
    finally:
        tf.random.set_seed(None)


def _rebuilt(flow: Flow, **changes: Any) -> Flow:
    return type(flow).from_config({**flow.get_config(), **changes})


@registry.flow_check
def check_flow_global_seed(case: FlowCase) -> None:
    """Without a seed, initial weights and draws follow TensorFlow's global seed."""
    check, flow = "global_seed", case.flow()
    condition = case.condition(flow, 2)

    def draws() -> list[np.ndarray]:
        tf.random.set_seed(3)
        weights = [w.ravel() for w in _rebuilt(flow, seed=None).get_weights()]
        return [np.concatenate(weights), *_two_draws(flow, *condition)]

    with _global_seeds():
        found, again = draws(), draws()
        traced = tf.function(lambda: flow.sample(3, *condition), autograph=False)
        later = [traced().numpy(), traced().numpy()]
    names = ("initial weights", "the first draw", "the second draw")
    for name, one, other in zip(names, found, again, strict=True):
        if not np.array_equal(one, other):
            case.fail(check, f"{name} after the same global seed", "others", "equal")
    for name, (one, other) in (
        ("two draws without a seed", found[1:]),
        ("two draws of one traced function", later),
    ):
        if np.array_equal(one, other):
            case.fail(check, name, "equal", "different")


def _two_draws(flow: Flow, *condition: tf.Tensor) -> list[np.ndarray]:
    return [flow.sample(3, *condition).numpy() for _ in range(2)]


@registry.flow_check
def check_flow_condition_rank(case: FlowCase) -> None:
    """Conditions of one number may be `[N]`, or a number, in every call of a flow."""
    check, flow = "condition_rank", case.flow()
    if flow.condition_shape is None:
        return
    if flow.condition_shape != (1,):
        flow = _rebuilt(flow, condition_shape=[1])
    rows = np.linspace(-1.0, 1.0, 3).astype(flow.variable_dtype)
    x = case.data(flow, 3)[0]
    flow.adapt(x, rows)
    for what, given, full in (
        ("[N]", rows, rows[:, np.newaxis]),
        ("a list", rows.tolist(), rows[:, np.newaxis]),
        ("a number", 0.5, np.full([1], 0.5, flow.variable_dtype)),
    ):
        pairs = {
            "flow.log_prob": [flow.log_prob(x, c) for c in (given, full)],
            "flow.sample": [flow.sample(2, c, seed=1) for c in (given, full)],
            "distribution().log_prob": [
                flow.distribution(c).log_prob(x) for c in (given, full)
            ],
        }
        if not isinstance(flow, Ensemble):
            maps = [flow.bijector(c) for c in (given, full)]
            pairs["bijector().inverse"] = [each.inverse(x) for each in maps]
        if np.ndim(given):
            pairs["flow(x)"] = [
                flow({"x": x, "condition": np.asarray(c, x.dtype)})
                for c in (given, full)
            ]
        for name, (found, wanted) in pairs.items():
            label = f"{name} with {what} as the condition"
            registry.compare(case, check, label, found, wanted, 1e-5)


@registry.flow_check
def check_flow_unknown_batch(case: FlowCase) -> None:
    """XLA runs in a traced function that does not know the batch, or the rank."""
    check, flow = "unknown_batch", case.flow()
    x, *condition = [tf.constant(part) for part in case.data(flow, 5)]
    wanted = flow.log_prob(x, *condition)
    for what, leading in (("batch", [None]), ("rank", None)):
        shapes = [flow.event_shape]
        shapes += [flow.condition_shape or ()] * len(condition)
        specs = [
            tf.TensorSpec(None if leading is None else [*leading, *shape], x.dtype)
            for shape in shapes
        ]
        traced = tf.function(
            lambda *given: flow.log_prob(*given, jit_compile=True),
            input_signature=specs,
            autograph=False,
        )
        found = traced(x, *condition)
        tolerance = case.tolerances.value("float32")
        label = f"log_prob under XLA, {what} unknown"
        registry.compare(case, check, label, found, wanted, tolerance)


@registry.flow_check
def check_flow_infinite(case: FlowCase) -> None:
    """Infinite numbers have density 0, missing ones none, and other rows theirs."""
    check, flow = "infinite", case.flow()
    x, *condition = case.data(flow, 8)
    wanted = flow.log_prob(x, *condition)
    bad: np.ndarray = x.reshape(8, -1).copy()
    largest = np.finfo(x.dtype).max
    bad[0, 0], bad[1, -1], bad[2], bad[3, 0] = np.inf, -np.inf, np.inf, largest
    bad[4] = np.where(np.arange(bad.shape[1]) % 2, largest, -largest)
    bad[5, -1] = np.nan
    bad = bad.reshape(x.shape)
    for name, found in (
        ("flow.log_prob", flow.log_prob(bad, *condition)),
        ("distribution().log_prob", flow.distribution(*condition).log_prob(bad)),
    ):
        found = np.asarray(found)
        if not np.isneginf(found[:3]).all():
            what = f"{name} of events with infinite numbers"
            case.fail(check, what, found[:3], "-inf")
        if np.isnan(found[3:5]).any() or (found[3:5] > 0).any():
            what = f"{name} of the largest numbers"
            case.fail(check, what, found[3:5], "-inf or a small density")
        if not (flow.answers_any or np.isnan(found[5])):
            case.fail(check, f"{name} of an event with NaN", found[5], "NaN")
        what = f"{name} of rows beside infinite ones"
        tolerance = case.tolerances.float32
        registry.compare(case, check, what, found[6:], wanted[6:], tolerance)
