"""Continuous maps: events follow the velocity of a network through time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any, NamedTuple

import tensorflow as tf

from tfp_flows import _checks, _context
from tfp_flows.bijectors._core import checkpoint, conditioned, monotone, stochastic
from tfp_flows.bijectors._core.parameters import Option, Part, at_least, one_of
from tfp_flows.math import adjoint, ode, traces

__all__ = ["NeuralODE", "Path"]

# Further out the network sees no difference: its input is softly bounded.
FAR = 1e9
REMEDY = (
    "Take more steps, or a tolerance that is not below the rounding of the dtype; look "
    "for extreme weights."
)


class Path(NamedTuple):
    """What a continuous map tells of its paths, for each event `[...]`.

    Attributes:
        value: Where the events end, `[..., D]`.
        log_det: Log-det of the way.
        kinetic: Integral over time of the squared velocity.
        jacobian: Integral over time of the squared Frobenius norm of the Jacobian of
            the velocity, an estimate where log-dets are.
        num_evaluations: How often the network was evaluated.
    """

    value: tf.Tensor
    log_det: tf.Tensor
    kinetic: tf.Tensor
    jacobian: tf.Tensor
    num_evaluations: tf.Tensor


def _read_steps(value: Any, name: str) -> None:
    if value is not None:
        _checks.count(value, 1, name)


class NeuralODE(conditioned.EitherWay, stochastic.Stochastic):
    """Move events from `start` to `stop` along `dx/dt = network(t, x)`.

    Both directions cost the same: some evaluations of the network, and with the log-det
    one direction of its derivative for each coordinate if exact, for each probe if not.
    The inverse is the way back, equal up to the error of the solver, which
    `num_steps=None` keeps below `tolerance` for each event.

    A trained map is solved otherwise, with the same variables, by
    `map_.copy(num_steps=None, exact=True)`.

    Raises:
        ValueError: If `network` gives no Jacobians, or an option is out of range.
        tf.errors.InvalidArgumentError: Naming the event and the time at which a
            solution is lost. XLA, which has no errors, gives NaN.

    Example:
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.VectorField(2, (8,), seed=0)
        >>> flow = tfpf.bijectors.NeuralODE(net, num_steps=4)
        >>> flow.forward([[1., 2.]]).numpy().tolist()
        [[1.0, 2.0]]
        >>> flow.path([[1., 2.]]).num_evaluations.numpy().tolist()
        [16]

    References:
        Chen, Rubanova, Bettencourt, Duvenaud (2018). Neural Ordinary Differential
        Equations. https://arxiv.org/abs/1806.07366
        Grathwohl et al. (2018). FFJORD: Free-form Continuous Dynamics for Scalable
        Reversible Generative Models. https://arxiv.org/abs/1810.01367
    """

    network: Any = Part("The velocity, a `networks.VectorField`.")
    _: KW_ONLY
    num_steps: int | None = Option(
        "Number of equal steps; `None` chooses the steps of each event by `tolerance`.",
        default=10,
        check=_read_steps,
    )
    method: str = Option(
        'Of equal steps: `"rk4"`, `"dopri5"`, `"midpoint"` or `"euler"`, with 4, 6, 2 '
        "and 1 evaluations of the network a step. Steps by tolerance are of Dormand "
        "and Prince.",
        default="rk4",
        check=one_of(*ode.METHODS),
    )
    tolerance: float = Option(
        "Largest error of a step where `num_steps` is `None`.",
        default=1e-5,
        check=at_least(1e-14),
    )
    max_steps: int = Option(
        "Most steps of an event where `num_steps` is `None`.",
        default=1_000,
        check=at_least(1),
    )
    adjoint: bool = Option(
        "Whether gradients are found by an equation that is solved backwards: memory "
        "does not grow with the number of steps, and gradients have the error of the "
        "solver. Without it, XLA keeps memory for `max_steps` steps by tolerance.",
        default=False,
    )
    start: float = Option("Time at which events of the domain are.", default=0.0)
    stop: float = Option("Time at which events of the codomain are.", default=1.0)

    _is_increasing = monotone.increasing_of_one

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        network = self.network
        if not hasattr(network, "linearized") or not hasattr(network, "read"):
            msg = (
                "`network` must give velocities and their Jacobians, as "
                f"networks.VectorField does, got a `{type(network).__name__}`. Use "
                "that one."
            )
            raise ValueError(msg)
        sizes["D"] = network.output_shape[0]
        return {}

    def velocity(
        self, time: Any, x: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Return the velocity of events.

        Args:
            time: One time, or one for each event.
            x: Events, `[..., D]`.
            condition: Conditions, `[..., *condition_shape]`.

        Returns:
            `[..., D]`.
        """
        x = tf.convert_to_tensor(x, dtype_hint=self.dtype)
        columns, condition, batch = self._columns(x, condition)
        time = tf.cast(time, x.dtype)
        time = time if time.shape.rank == 0 else tf.reshape(time, [-1])
        return batch.events(self.network.linearized(columns, time, condition)[0])

    def path(
        self,
        x: tf.Tensor,
        condition: tf.Tensor | None = None,
        *,
        inverse: bool = False,
    ) -> Path:
        """Return where events go, and what the way costs.

        Args:
            x: Events, `[..., D]`.
            condition: Conditions, `[..., *condition_shape]`.
            inverse: Whether to go from `stop` to `start`.
        """
        x = tf.convert_to_tensor(x, dtype_hint=self.dtype)
        columns, condition, batch = self._columns(x, condition)
        y, parts, count = self._solve(columns, condition, 3, inverse=inverse)
        log_det, kinetic, jacobian = map(batch.scalars, parts)
        return Path(batch.events(y), log_det, kinetic, jacobian, batch.scalars(count))

    def _solve(
        self,
        x: tf.Tensor,
        condition: tf.Tensor | None,
        integrals: int,
        *,
        inverse: bool,
    ) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor]:
        """Return columns at the end, the integrals, and the number of evaluations.

        Args:
            x: Columns, `[D, N]`.
            condition: Their conditions.
            integrals: 1 for the log-det, 3 for it and the costs, 0 for none.
            inverse: Whether to go from `stop` to `start`.
        """
        start, stop = float(self.start), float(self.stop)
        start, stop = (stop, start) if inverse else (start, stop)
        # NaN in, NaN out, and other rows are solved: `x` itself says it.
        origin = tf.where(tf.math.is_nan(x), tf.zeros_like(x), x)
        origin = tf.clip_by_value(origin, -FAR, FAR)
        weights = self.network.read()
        given = [] if condition is None else [condition]
        directions: Any = None
        if integrals and self.is_exact():
            directions = traces.all_directions(tf.stop_gradient(origin))
        elif integrals:
            first = self.network.linearized(origin, start, condition, weights)[0]
            seed = self._noise_seed(origin, first)
            directions = traces.random_directions(origin, seed, self.num_probes)

        def field(time: tf.Tensor, state: Any, *tensors: tf.Tensor) -> Any:
            # Only the way gone is summed up, so that far events lose no digits.
            origin, *rest = tensors
            given, weights = rest[: len(rest) - count], rest[len(rest) - count :]
            value, push = self.network.linearized(
                origin + state[0], time, given[0] if given else None, weights
            )
            if not integrals:
                return (value,)
            trace, square = traces.trace_and_square(push, directions)
            if integrals == 1:
                return value, trace
            # Backwards, too, costs are positive.
            sign = 1.0 if stop >= start else -1.0
            speed = tf.reduce_sum(tf.square(value), axis=0)
            return value, trace, sign * speed, sign * square

        count = len(weights)
        zero = tf.zeros_like(origin[0])
        state = (tf.zeros_like(origin), *([zero] * integrals))
        found = self._solved(field, state, [origin, *given, *weights], start, stop)
        way, *parts = ode.require_solved(found, REMEDY)
        return x + way, parts, found.num_evaluations

    def _solved(
        self,
        field: Callable[..., Any],
        state: Any,
        tensors: list[tf.Tensor],
        start: float,
        stop: float,
    ) -> ode.Solution:
        steps, loose = self.num_steps, (self.tolerance, self.max_steps)
        if self.adjoint and steps is not None:
            return adjoint.fixed(field, state, tensors, start, stop, steps, self.method)
        if self.adjoint:
            return adjoint.adaptive(field, state, tensors, start, stop, *loose)

        def solve(*tensors: tf.Tensor) -> ode.Solution:
            def bound(time: tf.Tensor, state: Any) -> Any:
                return field(time, state, *tensors)

            if steps is not None:
                return ode.fixed(bound, state, start, stop, steps, self.method)
            return ode.adaptive(bound, state, start, stop, *loose)

        origin, *rest = tensors

        def flat(*tensors: tf.Tensor) -> tuple[tf.Tensor, ...]:
            found = solve(*tensors)
            others = found.failed, found.reached, found.num_evaluations
            return (*found.state, *(tf.cast(value, origin.dtype) for value in others))

        *end, failed, reached, count = checkpoint.across_xla(flat, origin, rest)
        failed, count = tf.cast(failed, tf.bool), tf.cast(count, tf.int32)
        return ode.Solution(tuple(end), failed, reached, count)

    def _either(
        self, value: tf.Tensor, condition: tf.Tensor | None, *, inverse: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        columns, condition, batch = self._columns(value, condition)
        integrals = 0 if _context.wants_points() else 1
        end, log_dets, _ = self._solve(columns, condition, integrals, inverse=inverse)
        log_det = sum(log_dets, start=tf.zeros_like(end[0]))
        return batch.events(end), batch.scalars(log_det)
