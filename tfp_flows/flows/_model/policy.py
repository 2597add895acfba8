"""What `fit` chooses by the family of a flow."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

from tfp_flows import _context

__all__ = ["FitPolicy"]


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
