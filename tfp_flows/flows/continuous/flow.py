"""Continuous flows: one map that follows a velocity, trained in two ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from tfp_flows import _arrays, _checks, _serialize
from tfp_flows._types import Condition, TensorLike
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.continuous import ode
from tfp_flows.flows._model import batch as batches
from tfp_flows.flows._model import options, policy
from tfp_flows.flows._model.objective import Objective
from tfp_flows.flows._model.options import option
from tfp_flows.flows._model.recipe import Recipe
from tfp_flows.flows._model.tabular import SPREAD
from tfp_flows.flows.continuous.matching import FlowMatching
from tfp_flows.flows.continuous.regularized import RegularizedLikelihood
from tfp_flows.networks import VectorField

__all__ = ["ContinuousFlow", "FlowMatchingFlow"]


class InField(NamedTuple):
    """Data where the velocity acts.

    Attributes:
        x: Standardised events, `[N, D]`.
        condition: Embedded conditions, or `None`.
        log_det: Of the way there from the data, `[N]`.
    """

    x: tf.Tensor
    condition: tf.Tensor | None
    log_det: tf.Tensor


# What `solve_by` may change.
SOLVER = ("num_steps", "method", "tolerance", "exact", "num_probes")


# Frequency of the sines where there are so few coordinates.
FREQUENCY, FEW = 7.0, 3


def _frequency(value: Any, name: str) -> float | None:
    return None if value is None else options.at_least(0.0)(value, name)


def _steps(value: Any, name: str) -> int | None:
    return None if value is None else options.at_least(1)(value, name)


@_serialize.register()
class ContinuousFlow(Recipe):
    """Events move along the velocity of a network from the base to the data.

    Density and sampling cost the same, `num_steps` times the evaluations of the method;
    the density also takes a direction of the derivative for each coordinate if exact,
    for each probe if not. Training by likelihood, the default, goes through all of
    that: some hundred times the step of a layer.

    References:
        Grathwohl et al. (2018). FFJORD: Free-form Continuous Dynamics for Scalable
        Reversible Generative Models. https://arxiv.org/abs/1810.01367
    """

    num_layers: int = option(
        default=1,
        doc="Number of velocities, one after the other; flow matching takes one.",
        read=options.at_least(1),
    )
    hidden_units: Sequence[int] = option(
        default=(64, 64), doc="Widths of the network's layers.", read=options.sizes
    )
    activation: str = option(
        default="silu",
        doc='`"silu"`, `"tanh"`, `"softplus"` or `"sin"`.',
        read=options.one_of("silu", "tanh", "softplus", "sin"),
    )
    frequency: float | None = option(
        default=None,
        doc="Of sines in the network's first layer, in radians per standard deviation "
        "of the data: sharp edges are learned soon; 0: none, and a smooth velocity. "
        "`None`: 7 up to 3 coordinates, and 0 above, where they remember events.",
        read=_frequency,
    )
    num_frequencies: int = option(
        default=2,
        doc="Cosines, and sines, of the time that the network sees.",
        read=options.at_least(0),
    )
    num_steps: int | None = option(
        default=6,
        doc="Equal steps from base to data; `None`: as many as `tolerance` needs.",
        read=_steps,
    )
    method: str = option(
        default="rk4",
        doc="Of equal steps, see `bijectors.NeuralODE`.",
        read=options.one_of("rk4", "dopri5", "midpoint", "euler"),
    )
    tolerance: float = option(
        default=1e-5, doc="Error of a step where `num_steps` is `None`."
    )
    exact: bool | None = option(
        default=None,
        doc="Whether log-dets are exact, else unbiased estimates; `None`: up to 32 "
        "coordinates.",
    )
    num_probes: int = option(
        default=1, doc="Random directions of an estimate.", read=options.at_least(1)
    )
    adjoint: bool = option(
        default=False,
        doc="Whether gradients solve a second equation, in memory that does not grow "
        "with the number of steps.",
    )

    fit_policy = policy.FitPolicy(base="student-t", largest_batch=256)
    objective_kind: ClassVar[type[Objective]] = RegularizedLikelihood

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        solver = {name: getattr(self, name) for name in (*SOLVER, "adjoint")}
        frequency = self.frequency
        if frequency is None:
            frequency = FREQUENCY if size <= FEW else 0.0
        found: list[bijector_base.Bijector] = []
        for _ in range(self.num_layers):
            network = VectorField(
                size,
                self.hidden_units,
                activation=self.activation,
                frequency=frequency,
                num_frequencies=self.num_frequencies,
                condition_shape=condition_shape,
                dtype=self.variable_dtype,
                seed=self._next_seed(),
            )
            found.append(ode.NeuralODE(network, **solver))
        return found

    @property
    def odes(self) -> list[ode.NeuralODE]:
        """The maps that follow velocities, from the base to the data: mostly one."""
        return list(self._maps[: self.num_layers])

    def solve_by(self, **solver: Any) -> None:
        """Change how the equation is solved; the weights stay.

        Args:
            **solver: Of `num_steps`, `method`, `tolerance`, `exact` and `num_probes`,
                those that change.

        Example:
            >>> import tfp_flows as tfpf
            >>> flow = tfpf.flows.build("cnf", 2, hidden_units=(8,), seed=0)
            >>> flow.solve_by(num_steps=None, exact=True)
            >>> flow.num_steps is None
            True
        """
        for name in solver:
            _checks.one_of(name, SOLVER, "solver")
        found = {k: self.declared[k].value(v) for k, v in solver.items()}
        maps = [one.copy(**found) for one in self.odes]
        maps += self._maps[self.num_layers :]
        self._options.update(found)
        self._maps = maps
        self._stack = self._assemble(maps)
        self.forget_compiled()
        self.train_function = self.test_function = None

    def path(
        self, x: TensorLike, condition: Condition = None, *, inverse: bool = True
    ) -> ode.Path:
        """Return the way of data to the base, or of base events to data.

        Args:
            x: Data, `[N, *event_shape]`; with `inverse=False` events of the base.
            condition: Conditions, `[N, *condition_shape]`.
            inverse: Whether to go from the data to the base.

        Returns:
            Where events end, in the units of the field, with the log-det, the costs,
            and the number of evaluations of the network.
        """
        x, condition = self.in_order(x, condition)
        if inverse:
            return self.path_in_field(self.in_field(batches.Batch(x, condition)))
        x = _arrays.as_tensor(x, self.variable_dtype)
        x = tf.reshape(x, [-1, self.event_size])
        given = InField(x, self._embedded(condition), tf.zeros_like(x[:, 0]))
        return self.path_in_field(given, inverse=False)

    def path_in_field(self, given: InField, *, inverse: bool = True) -> ode.Path:
        """Return the way of events where the velocity acts, see `path`."""
        x, sums = given.x, []
        for one in self.odes[::-1] if inverse else self.odes:
            x, *parts = one.path(x, given.condition, inverse=inverse)
            sums.append(parts)
        return ode.Path(x, *(tf.add_n(part) for part in zip(*sums, strict=True)))

    def in_field(self, batch: batches.Batch) -> InField:
        """Return data and conditions in the units in which the velocity acts.

        Args:
            batch: Events; discrete values are those spread over their cells.
        """
        x = batch.extra.get(SPREAD, batch.x)
        x = tf.reshape(_arrays.as_tensor(x, self.variable_dtype), [-1, self.event_size])
        log_det = tf.zeros_like(x[:, 0])
        if self.cells is not None and self.is_discrete:
            given = tf.reshape(tf.cast(batch.x, x.dtype), tf.shape(x))
            log_det += self.cells.of(given).log_masses()
        for part in self._maps[: self.num_layers - 1 : -1]:
            x, more = bijector_base.inverse_and_log_det(part, x, event_ndims=1)
            log_det += more
        return InField(x, self._embedded(batch.condition), log_det)

    def _embedded(self, condition: Condition) -> tf.Tensor | None:
        if condition is None or self._embedding is None:
            return None
        return self._embedding(
            _arrays.as_tensor(condition, self.variable_dtype, "condition")
        )


@_serialize.register()
class FlowMatchingFlow(ContinuousFlow):
    """A continuous flow whose velocity is fitted to straight lines, by `FlowMatching`.

    A step of training evaluates the network once, and no equation is solved: it costs
    as much as that of one layer. The likelihood is known afterwards, by the solver.

    References:
        Lipman et al. (2022). Flow Matching for Generative Modeling.
        https://arxiv.org/abs/2210.02747
    """

    hidden_units: Sequence[int] = option(default=(128, 64, 64))
    num_steps: int | None = option(default=10)

    fit_policy = policy.FitPolicy()
    objective_kind = FlowMatching
