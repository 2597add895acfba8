"""Checks of slices, pickles and copies of the distributions of flows."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfp_flows.flows import Ensemble
from tfp_flows.testing import batches, registry
from tfp_flows.testing.flow_case import FlowCase

__all__ = ["check_flow_pickle", "check_flow_slicing"]


@registry.flow_check
def check_flow_slicing(case: FlowCase) -> None:
    """`flow.distribution(conditions)[i]` is the density of one condition."""
    check, flow = "slicing", case.flow()
    condition = case.condition(flow, 3)
    batch = flow.distribution(*condition)
    _require_index_error(case, check, batch, 3)
    if not condition:
        return
    x = tf.constant(case.data(flow, 3)[0])
    batches.compare_slices(case, check, "a batch of conditions", batch, x)
    _require_index_error(case, check, batch, (0, 0))
    lost = len(batch.trainable_variables) - len(batch[1].trainable_variables)
    if lost:
        case.fail(check, "a slice loses trainable variables", lost, 0)


def _require_index_error(case: FlowCase, check: str, batch: Any, places: Any) -> None:
    try:
        batch[places]
    except IndexError:
        return
    what = f"no IndexError for [{places}] of batch_shape {tuple(batch.batch_shape)}"
    case.fail(check, what)


def _pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@registry.flow_check
def check_flow_pickle(case: FlowCase) -> None:
    """Used distributions and maps pickle and copy, with variables of their own."""
    check, flow = "pickle", case.flow()
    x, *condition = case.data(flow, 3)
    density = flow.distribution(*condition)
    used: dict[str, Any] = {"distribution": density}
    if not isinstance(flow, Ensemble):  # each member has a map of its own
        used["map"] = flow.bijector()
    wanted = density.log_prob(x)
    flow.distribution(*condition).sample(seed=[0, 1])
    ways: tuple[tuple[str, Callable[[Any], Any]], ...] = (
        ("a pickled", _pickled),
        ("a deep copy of a", copy.deepcopy),
    )
    for name, way in ways:
        twin = way(density)
        registry.compare_gradients(
            case, check, f"{name} distribution", density, twin, lambda d: d.log_prob(x)
        )
        what = f"log_prob of {name} distribution"
        tolerance = case.tolerances.value("float32")
        registry.compare(case, check, what, twin.log_prob(x), wanted, tolerance)
        for kind, one in used.items():
            other = twin if one is density else way(one)
            registry.compare_variables(case, check, f"{name} {kind}", one, other)
