"""What a flow check is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.flows import Flow
from tfp_flows.testing.case import Case, Tolerances, perturb

__all__ = ["FlowCase", "one_condition"]


@dataclass(frozen=True)
class FlowCase(Case):
    """A flow and what its contract needs to know.

    Args:
        build: Function of the dtype's name that builds the flow anew.
        noise: Standard deviation of noise on the trainable weights, so that no flow is
            checked as the identity that it is when new.
        quadrature: Whether to integrate the density (up to two dimensions).
        tolerances: Largest errors.
        skip: Names of checks that do not apply; a mapping tells the reason for each.
        name: Name of the case in messages.
        seed: Seed of data, conditions and noise.
        only: The one dtype in which modes are compared, `None` for both.
        project: Function of rows `[N, D]` that returns events which the flow may have,
            for flows on surfaces.
    """

    build: Callable[[str], Flow]
    noise: float = 0.1
    quadrature: bool = True
    tolerances: Tolerances = field(default_factory=lambda: Tolerances(float32=1e-4))
    skip: Mapping[str, str] | Iterable[str] = ()
    name: str = "flow"
    seed: int = 0
    only: str | None = None
    project: Callable[[np.ndarray], np.ndarray] | None = None
    _built: dict[str, Flow] = field(default_factory=dict, repr=False)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes in which modes are compared."""
        return (self.only,) if self.only else ("float32", "float64")

    def fresh(self, dtype: str = "float32") -> Flow:
        """Return a flow of its own: adapted to the data, its weights off the start."""
        flow = self.build(dtype)
        flow.adapt(*self.data(flow, 200))
        perturb(flow, self.noise, self.seed)
        return flow

    def flow(self, dtype: str = "float32") -> Flow:
        """Return a flow that checks share, and leave as it is."""
        if dtype not in self._built:
            self._built[dtype] = self.fresh(dtype)
        return self._built[dtype]

    def data(self, flow: Flow, rows: int = 8) -> tuple[np.ndarray, ...]:
        """Return `(x,)` or `(x, condition)`: correlated, off zero, of unlike scales.

        Where columns are more than numbers, values that they may have.
        """
        rng = np.random.default_rng(self.seed)
        size = flow.event_size
        x = rng.normal(size=(rows, size))
        x[:, 1:] += 0.5 * x[:, :1]
        x = x * np.linspace(0.5, 2.0, size) + np.linspace(-1.0, 1.0, size)
        if flow.cells is not None:
            x = flow.cells.on_columns(x)
        if self.project is not None:
            x = self.project(x)
        x = x.reshape(rows, *flow.event_shape).astype(flow.variable_dtype)
        if flow.condition_shape is None:
            return (x,)
        condition = rng.normal(size=(rows, *flow.condition_shape))
        return x, condition.astype(flow.variable_dtype)

    def inputs(self, flow: Flow, rows: int = 8) -> Any:
        """Return data in the form that `fit` and `call` take."""
        x, *condition = self.data(flow, rows)
        return {"x": x, "condition": condition[0]} if condition else x

    def condition(self, flow: Flow, *leading: int) -> tuple[tf.Tensor, ...]:
        """Return `()` or one condition per leading index."""
        if flow.condition_shape is None:
            return ()
        rows = self.data(flow, math.prod(leading))[1]
        return (tf.reshape(tf.constant(rows), [*leading, *flow.condition_shape]),)


def one_condition(condition: tuple[Any, ...]) -> Any:
    """Return the condition of what `FlowCase.condition` gives, `None` without one."""
    return condition[0] if condition else None
