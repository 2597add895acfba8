"""What `fit` chooses by the family of a flow, and in which dtype a flow computes."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import keras

from tfp_flows import _context

__all__ = ["FitPolicy", "dtype_policy"]


@dataclasses.dataclass(frozen=True)
class FitPolicy:
    """What `fit` chooses by the family of a flow, unless it is told otherwise.

    Args:
        method: `"gradients"`, or layer by layer without a loss: `"greedy"` from data,
            `"generative"` from noise.
        base: Base density of flows that `fit` builds, `None` for that of their class.
        dropout: Dropout of flows that `fit` builds for small tables.
        mixing: Linear map between the layers of such flows, `None` for that of their
            class.
        average: Decay of the average of the weights of such flows, `None` for none.
        largest_batch: Most events per update.
        xla: Where long training is faster under XLA: `"everywhere"`, `"gpu"`, or
            `"conditional"`, where only conditions make networks.
        rows_per_number: From so many rows for each trainable number on, a fit cannot
            follow noise and needs no validation rows; `None` for never.
        has_rivals: Whether a Gaussian has a density of the same kind, to be set beside
            the flow's; none has one by area.
    """

    method: Literal["gradients", "greedy", "generative"] = "gradients"
    base: str | None = None
    dropout: float = 0.0
    mixing: str | None = None
    average: float | None = None
    largest_batch: int = 512
    xla: Literal["everywhere", "gpu", "conditional"] = "everywhere"
    rows_per_number: float | None = None
    has_rivals: bool = True

    def prefers_xla(self, flow: Any) -> bool:
        """Return whether long training of a flow is faster under XLA."""
        if self.xla == "gpu":
            return _context.on_gpu()
        return self.xla == "everywhere" or flow.condition_shape is not None

    def needs_validation(self, flow: Any, rows: int) -> bool:
        """Return whether a fit to so many rows can follow noise, and must be stopped.

        Args:
            flow: The flow.
            rows: Number of events.
        """
        if self.rows_per_number is None:
            return True
        numbers = sum(math.prod(v.shape) for v in flow.trainable_variables)
        return rows < self.rows_per_number * numbers


def dtype_policy(dtype: Any) -> keras.DTypePolicy:
    """Return the policy of Keras in which a flow computes.

    Args:
        dtype: A policy or its name, `None` for the one that is set.

    Raises:
        ValueError: If it is no policy, or one of too few digits.
    """
    wanted = keras.config.dtype_policy() if dtype is None else dtype
    try:
        policy = keras.dtype_policies.get(wanted)
    except (TypeError, ValueError):
        policy = None
    if policy is None or policy.variable_dtype not in ("float32", "float64"):
        found = dtype if policy is None else policy.name
        msg = (
            "`dtype` must be 'float32', 'float64', 'mixed_float16' or "
            f"'mixed_bfloat16', got {found!r}: densities need their digits."
        )
        raise ValueError(msg)
    return policy
