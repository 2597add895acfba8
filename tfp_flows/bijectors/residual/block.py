"""Residual blocks: an input plus a contraction of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows._types import Given, Pair
from tfp_flows.bijectors._core import checkpoint, monotone, stochastic
from tfp_flows.bijectors._core.parameters import Option, Part, at_least
from tfp_flows.math import contractions, implicit, roots

__all__ = ["ResidualBlock"]

# Far more than a contraction with a bound of 0.99 needs in float64.
MAX_STEPS = 3_000
# Further out the network sees no difference: its input is softly bounded.
FAR = 1e9


class ResidualBlock(stochastic.Stochastic):
    """Add a contraction: `y = x + g(x)`, where `g` has slopes below 1.

    Forward is one pass of the network. Its log-det takes one direction for each
    coordinate if exact, and some ten for each probe if not. Inverse repeats
    `x = y - g(x)` until half of the digits stand, some ten to a hundred passes; a step
    of Newton gives the others, and exact derivatives.

    Raises:
        ValueError: If `network` states no bound of its slope.
        tf.errors.InvalidArgumentError: By `inverse`, if its steps do not end.

    Example:
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.LipschitzMLP(2, (8,), seed=0)
        >>> block = tfpf.bijectors.ResidualBlock(net)
        >>> block.forward([[1., 2.]]).numpy().tolist()
        [[1.0, 2.0]]

    References:
        Behrmann et al. (2018). Invertible Residual Networks.
        https://arxiv.org/abs/1811.00995
        Chen et al. (2019). Residual Flows for Invertible Generative Modeling.
        https://arxiv.org/abs/1906.02735
    """

    network: Any = Part("The contraction `g`, a `networks.LipschitzMLP`.")
    _: KW_ONLY
    num_terms: int = Option(
        "Terms of the series that an estimate has at least.",
        default=4,
        check=at_least(1),
    )

    _is_increasing = monotone.increasing_of_one

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        network = self.network
        if not hasattr(network, "linearized") or not hasattr(network, "read"):
            msg = (
                "`network` must state a bound of its slope, as networks.LipschitzMLP "
                f"does, got a `{type(network).__name__}`. Use that one."
            )
            raise ValueError(msg)
        sizes["D"] = network.input_size
        return {}

    def _log_det(self, x: tf.Tensor, condition: Given) -> Pair:
        """Return `x + g(x)` of columns, and the log-det."""
        if self.is_exact():
            value, push = self.network.linearized(x, condition)
            matrix = contractions.jacobian(push, x)
            return x + value, contractions.log_det_and_solution(matrix, x)[0]
        seed = self._noise_seed(x, self.network.columns(x, condition))
        conditions = [] if condition is None else [condition]
        split = len(conditions)

        def estimated(x: tf.Tensor, *given: tf.Tensor) -> Pair:
            condition = given[0] if split else None
            value, push = self.network.linearized(x, condition, given[split:])
            return x + value, contractions.estimated_log_det(
                push,
                x,
                seed,
                num_probes=self.num_probes,
                num_terms=self.num_terms,
                lipschitz=self.network.lipschitz,
            )

        given = [*conditions, *self.network.read()]
        found: Any = checkpoint.across_xla(estimated, x, given)
        return found

    def _forward_and_log_det(self, x: tf.Tensor, condition: Given = None) -> Pair:
        columns, condition, batch = self._columns(x, condition)
        y, log_det = self._log_det(columns, condition)
        return batch.events(y), batch.scalars(log_det)

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Given = None) -> Pair:
        columns, condition, batch = self._columns(y, condition)
        given, columns = columns, tf.clip_by_value(columns, -FAR, FAR)
        x = self._attached(self._fixed_point(columns, condition), columns, condition)
        log_det = self._log_det(x, condition)[1]
        return batch.events(x + (given - columns)), batch.scalars(-log_det)

    def _attached(self, x: tf.Tensor, y: tf.Tensor, condition: Given) -> tf.Tensor:
        """Return the `x` with `x + g(x) = y` as a function of what it depends on."""
        conditions = [] if condition is None else [condition]
        split = len(conditions)

        def linearized(x: tf.Tensor, given: Sequence[tf.Tensor]) -> Any:
            condition = given[0] if split else None
            return self.network.linearized(x, condition, given[split:])

        def missing(x: tf.Tensor, y: tf.Tensor, *given: tf.Tensor) -> tf.Tensor:
            return y - x - linearized(x, given)[0]

        def over_jacobian(
            x: tf.Tensor,
            right: tf.Tensor,
            _: tf.Tensor,
            *given: tf.Tensor,
            adjoint: bool = False,
        ) -> tf.Tensor:
            matrix = contractions.jacobian(linearized(x, given)[1], x)
            if adjoint:
                matrix = tf.transpose(matrix, [1, 0, 2])
            return contractions.log_det_and_solution(matrix, right)[1]

        inputs = [y, *conditions, *self.network.read()]
        return implicit.solution(x, inputs, missing, over_jacobian)

    def _fixed_point(self, y: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        """Return the `x` with `x + g(x) = y`, to half of the digits of its dtype."""
        bound = self.network.lipschitz
        # Behind a step of length s at most s * bound / (1 - bound) is left.
        eps = float(np.finfo(y.dtype.as_numpy_dtype).eps)
        least = eps**0.5 * (1.0 - bound) / bound
        y = tf.stop_gradient(y)
        static = y.shape

        def moving(x: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
            enough = tf.maximum(least * (1.0 + tf.abs(new)), 4.0 * eps * tf.abs(new))
            return tf.math.is_finite(new) & (tf.abs(new - x) > enough)

        def step(_: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            new = y - self.network.columns(x, condition)[0]
            new.set_shape(static)
            return x, tf.stop_gradient(new)

        old, x = tf.while_loop(
            lambda old, x: tf.reduce_any(moving(old, x)),
            step,
            step(y, y),
            maximum_iterations=MAX_STEPS,
        )
        return roots.require_found(x, moving(old, x))
