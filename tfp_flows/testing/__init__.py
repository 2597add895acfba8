"""The contracts of maps and flows as functions, for this library's tests and yours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfp_flows.testing import registry
from tfp_flows.testing.batches import check_slicing
from tfp_flows.testing.bijectors import check_bijector
from tfp_flows.testing.case import BijectorCase, ContractError, Tolerances, perturb
from tfp_flows.testing.derivatives import (
    check_flow_forward_mode,
    check_flow_second_derivatives,
    check_flow_xla_gradients,
    check_forward_mode,
    check_second_derivatives,
    check_xla_gradients,
)
from tfp_flows.testing.fits import check_identity, check_uniformity
from tfp_flows.testing.flow_calls import (
    check_flow_condition_rank,
    check_flow_global_seed,
    check_flow_unknown_batch,
)
from tfp_flows.testing.flow_case import FlowCase
from tfp_flows.testing.flow_copies import check_flow_pickle, check_flow_slicing
from tfp_flows.testing.flow_empty import check_flow_empty
from tfp_flows.testing.flow_files import (
    check_flow_checkpoint,
    check_flow_export,
    check_flow_save_load,
    check_save_load_in_fresh_process,
)
from tfp_flows.testing.flow_training import (
    check_flow_gradients,
    check_flow_tracked_variables,
    check_flow_training_step,
)
from tfp_flows.testing.flow_values import (
    check_flow_adapt,
    check_flow_errors,
    check_flow_mass,
    check_flow_modes,
    check_flow_partial,
    check_flow_sample,
    check_flow_seed,
    check_flow_tfp,
)
from tfp_flows.testing.flows import check_flow
from tfp_flows.testing.gradients import (
    check_finite_gradients,
    check_fresh_after_update,
    check_tracked_variables,
    perturbed,
)
from tfp_flows.testing.high_orders import check_high_derivatives
from tfp_flows.testing.log_dets import (
    check_log_det,
    check_mass,
    check_opposite_log_dets,
    check_unbiased,
    density_mass,
)
from tfp_flows.testing.loop import check_loop
from tfp_flows.testing.memory import check_threads, check_training_mode
from tfp_flows.testing.modes import (
    check_composite_tensor,
    check_copy,
    check_pickle,
    check_tf_function,
    check_vectorized_map,
    check_xla,
)
from tfp_flows.testing.numerics import check_flow_numerics, check_numerics
from tfp_flows.testing.one_dimension import (
    check_flow_one_dimension,
    check_is_increasing,
)
from tfp_flows.testing.parameters import (
    check_parameter_properties,
    check_trained_parameters,
)
from tfp_flows.testing.passes import check_one_pass, counted
from tfp_flows.testing.shapes import (
    check_empty_batch,
    check_unknown_batch_xla,
    check_unknown_shapes,
)
from tfp_flows.testing.support import check_support
from tfp_flows.testing.surjections import SurjectionCase, check_surjection
from tfp_flows.testing.values import (
    check_condition,
    check_dtype,
    check_event_shape,
    check_far_round_trip,
    check_huge_inputs,
    check_infinite_inputs,
    check_kinds_of_numbers,
    check_leading_shapes,
    check_round_trip,
)

__all__ = [
    "BijectorCase",
    "ContractError",
    "FlowCase",
    "SurjectionCase",
    "Tolerances",
    "check_bijector",
    "check_composite_tensor",
    "check_condition",
    "check_copy",
    "check_dtype",
    "check_empty_batch",
    "check_event_shape",
    "check_far_round_trip",
    "check_finite_gradients",
    "check_flow",
    "check_flow_adapt",
    "check_flow_checkpoint",
    "check_flow_condition_rank",
    "check_flow_empty",
    "check_flow_errors",
    "check_flow_export",
    "check_flow_forward_mode",
    "check_flow_global_seed",
    "check_flow_gradients",
    "check_flow_mass",
    "check_flow_modes",
    "check_flow_numerics",
    "check_flow_one_dimension",
    "check_flow_partial",
    "check_flow_pickle",
    "check_flow_sample",
    "check_flow_save_load",
    "check_flow_second_derivatives",
    "check_flow_seed",
    "check_flow_slicing",
    "check_flow_tfp",
    "check_flow_tracked_variables",
    "check_flow_training_step",
    "check_flow_unknown_batch",
    "check_flow_xla_gradients",
    "check_forward_mode",
    "check_fresh_after_update",
    "check_high_derivatives",
    "check_huge_inputs",
    "check_identity",
    "check_infinite_inputs",
    "check_is_increasing",
    "check_kinds_of_numbers",
    "check_leading_shapes",
    "check_log_det",
    "check_loop",
    "check_mass",
    "check_numerics",
    "check_one_pass",
    "check_opposite_log_dets",
    "check_parameter_properties",
    "check_pickle",
    "check_round_trip",
    "check_save_load_in_fresh_process",
    "check_second_derivatives",
    "check_slicing",
    "check_support",
    "check_surjection",
    "check_tf_function",
    "check_threads",
    "check_tracked_variables",
    "check_trained_parameters",
    "check_training_mode",
    "check_unbiased",
    "check_uniformity",
    "check_unknown_batch_xla",
    "check_unknown_shapes",
    "check_vectorized_map",
    "check_xla",
    "check_xla_gradients",
    "checks",
    "counted",
    "density_mass",
    "perturb",
    "perturbed",
]


def checks(kind: str = "bijector") -> dict[str, Callable[[Any], None]]:
    """Return the checks by name, in the order in which they run.

    Args:
        kind: `"bijector"` for maps, `"flow"` for flows, `"surjection"` for those.

    Returns:
        Functions of one argument, a `BijectorCase`, a `FlowCase` or a
        `SurjectionCase`, that raise a `ContractError` if the contract is broken.

    Example:
        >>> import tfp_flows as tfpf
        >>> case = tfpf.testing.BijectorCase(tfpf.bijectors.Chain([]), (2,))
        >>> tfpf.testing.checks()["round_trip"](case)
    """
    tables = {
        "bijector": registry.BIJECTOR_CHECKS,
        "flow": registry.FLOW_CHECKS,
        "surjection": registry.SURJECTION_CHECKS,
    }
    if kind not in tables:
        msg = f"`kind` must be one of {', '.join(tables)}, got {kind!r}."
        raise ValueError(msg)
    return dict(tables[kind])
