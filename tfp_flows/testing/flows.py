"""Runs the contract checks over one flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import keras

from tfp_flows.flows import Flow
from tfp_flows.testing import registry
from tfp_flows.testing.case import Tolerances
from tfp_flows.testing.flow_case import FlowCase

__all__ = ["check_flow"]


def check_flow(
    flow: Flow | Callable[[str], Flow],
    *,
    noise: float = 0.1,
    quadrature: bool = True,
    tolerances: Tolerances | None = None,
    skip: Mapping[str, str] | Iterable[str] = (),
    seed: int = 0,
    name: str | None = None,
) -> None:
    """Check that a flow keeps the contract of this library's flows.

    The checks run on flows built anew, adapted to data of their own, with noise on
    the weights: the flow that is given stays as it is.

    Args:
        flow: A flow, whose configuration is then checked, or a function that builds
            one for the dtype `"float32"` or `"float64"`.
        noise: Standard deviation of the noise on the trainable weights.
        quadrature: Whether to integrate the density (up to two dimensions).
        tolerances: Largest errors, `None` for the defaults.
        skip: Names of checks to leave out; see `checks("flow")`.
        seed: Seed of data, conditions and noise.
        name: Name in messages, by default that of the flow.

    Raises:
        ContractError: At the first check that fails.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("linear", 2)
        >>> tfpf.testing.check_flow(flow, skip=("modes", "mass"))
    """
    build = flow
    if isinstance(flow, keras.Model):
        config, kind = flow.get_config(), type(flow)

        def build(dtype: str) -> Flow:
            return kind.from_config({**config, "dtype": dtype})

    case = FlowCase(
        build,
        noise=noise,
        quadrature=quadrature,
        tolerances=tolerances or Tolerances(float32=1e-4),
        skip=skip,
        seed=seed,
        name=name or str(getattr(flow, "name", "flow")),
    )
    registry.run_all(registry.FLOW_CHECKS, case)
