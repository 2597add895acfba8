"""Checks of derivatives beyond the plain gradient: second ones, forward mode, XLA."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.flows import Ensemble
from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase, ContractError
from tfp_flows.testing.flow_case import FlowCase

__all__ = [
    "check_flow_forward_mode",
    "check_flow_second_derivatives",
    "check_flow_xla_gradients",
    "check_forward_mode",
    "check_second_derivatives",
    "check_xla_gradients",
]

# Of differences in float64: the error of the difference, and that of rounding, which
# goes as the inverse, are both far below the tolerance. A step may cross a knot of a
# spline, where the second derivative jumps; the smaller one then does not.
_STEPS = (1e-5, 1e-6)
_TOLERANCE = 1e-5
_ZERO = tf.UnconnectedGradients.ZERO


class _Scalar:
    """A number, as a function of all that it can be differentiated by.

    Args:
        name: What it is, for messages.
        function: Function of the tensors.
        tensors: Where to evaluate it, by name.
        variables: Variables that the function may read.
        seed: Seed of the direction of derivatives.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., tf.Tensor],
        tensors: dict[str, tf.Tensor],
        variables: Sequence[tf.Variable],
        seed: int,
    ) -> None:
        self.name = name
        self.labels = [*tensors, *(v.name for v in variables)]
        self.tensors, self.variables = [*tensors.values()], [*variables]
        self._function = function
        sources = enumerate([*self.tensors, *self.variables])
        self.direction = [_normal(t.shape, t.dtype, seed, i) for i, t in sources]

    def value(self, *tensors: tf.Tensor) -> tf.Tensor:
        """Return the number; fresh tensors, since TFP's caches know the old ones."""
        return self._function(*map(tf.identity, tensors))

    def gradients(self, *tensors: tf.Tensor) -> list[tf.Tensor]:
        """Return the gradients by tensors and variables."""
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            number = self.value(*tensors)
        return _dense(tape.gradient(number, [*tensors, *self.variables], None, _ZERO))

    def along(self, gradients: Sequence[tf.Tensor]) -> tf.Tensor:
        """Return the derivative along the direction."""
        parts = zip(gradients, self.direction, strict=True)
        return tf.add_n([tf.reduce_sum(g * v) for g, v in parts])

    def second(self) -> list[tf.Tensor]:
        """Return the gradients of the derivative along the direction."""
        with tf.GradientTape() as tape:
            tape.watch(self.tensors)
            slope = self.along(self.gradients(*self.tensors))
        sources = [*self.tensors, *self.variables]
        return _dense(tape.gradient(slope, sources, None, _ZERO))

    def differences(self, size: float) -> list[tf.Tensor]:
        """Return what `second` should, by differences of gradients."""
        before = [tf.identity(v) for v in self.variables]
        split, ends = len(self.tensors), []
        try:
            for step in (size, -size):
                moved = [
                    source + step * v
                    for source, v in zip(
                        [*self.tensors, *before], self.direction, strict=True
                    )
                ]
                for variable, value in zip(self.variables, moved[split:], strict=True):
                    variable.assign(value)
                ends.append(self.gradients(*moved[:split]))
        finally:
            for variable, value in zip(self.variables, before, strict=True):
                variable.assign(value)
        return [(a - b) / (2 * size) for a, b in zip(*ends, strict=True)]

    def forward_mode(self) -> tf.Tensor:
        """Return the derivative along the direction, by an accumulator."""
        sources = [*self.tensors, *self.variables]
        with tf.autodiff.ForwardAccumulator(sources, self.direction) as accumulator:
            number = self.value(*self.tensors)
        return accumulator.jvp(number, _ZERO)


def _normal(shape: Any, dtype: tf.DType, *seed: int) -> tf.Tensor:
    # Not by TensorFlow, whose numbers for a seed are others under XLA.
    noise = np.random.default_rng(seed).normal(size=tuple(shape))
    return tf.constant(noise, dtype)


def _dense(gradients: Sequence[Any]) -> list[tf.Tensor]:
    return [tf.convert_to_tensor(gradient) for gradient in gradients]


def _weighted(*outputs: tf.Tensor) -> tf.Tensor:
    """Return a sum of all numbers, weighted so that errors do not cancel."""
    parts = enumerate(outputs)
    return tf.add_n(
        [tf.reduce_sum(t * _normal(t.shape, t.dtype, 11, i)) for i, t in parts]
    )


def _directions(case: BijectorCase, dtype: str) -> Iterator[_Scalar]:
    """Yield values and log-dets of both directions of a map."""
    bijector = case.bijector(dtype)
    x, given = case.points((2,), dtype, salt=3), case.condition((2,), dtype)
    ends = registry.directions(case, bijector, x, given)
    for name, (method, log_det, point) in ends.items():

        def function(
            point: tf.Tensor,
            *condition: tf.Tensor,
            method: Callable[..., tf.Tensor] = method,
            log_det: Callable[..., tf.Tensor] = log_det,
        ) -> tf.Tensor:
            given_now = dict(zip(given, condition, strict=True))
            number = log_det(case, bijector, point, **given_now)
            return _weighted(method(point, **given_now), number)

        tensors = {"the input": point, **given}
        yield _Scalar(name, function, tensors, bijector.trainable_variables, case.seed)


def _outputs(case: FlowCase, dtype: str, **options: Any) -> Iterator[_Scalar]:
    """Yield the density of a flow, and what it makes of noise."""
    flow = case.flow(dtype)
    x, *condition = (tf.constant(value) for value in case.data(flow, 2))
    variables = [v.value for v in flow.trainable_variables]
    given = dict(zip(["condition"], condition, strict=False))

    def density(x: tf.Tensor, *condition: tf.Tensor) -> tf.Tensor:
        return _weighted(flow.log_prob(x, *condition, **options))

    def pushed(z: tf.Tensor, *condition: tf.Tensor) -> tf.Tensor:
        return _weighted(flow.bijector(*condition).forward(z))

    def samples(*condition: tf.Tensor) -> tf.Tensor:
        given = dict(zip(["condition"], condition, strict=False))
        return _weighted(flow.sample(2, seed=[3, 4], **given, **options))

    if flow.is_discrete:  # log_prob is no function between the values, nor are draws
        fixed = functools.partial(density, x)
        yield _Scalar("log_prob", fixed, given, variables, case.seed)
        return
    scalars: list[tuple[str, Callable[..., tf.Tensor], dict[str, tf.Tensor]]]
    scalars = [("log_prob", density, {"x": x, **given})]
    if options:
        scalars.append(("samples", samples, given))
    elif not isinstance(flow, Ensemble):  # each member has a map of its own
        z = _normal(x.shape, x.dtype, case.seed, 5)
        scalars.append(("samples", pushed, {"z": z, **given}))
    for name, function, tensors in scalars:
        yield _Scalar(name, function, tensors, variables, case.seed)


def _second(case: Any, check: str, scalars: Iterator[_Scalar]) -> None:
    for scalar in scalars:
        found = scalar.second()
        for step in _STEPS:
            expected = scalar.differences(step)
            try:
                _same(case, check, scalar, found, expected)
            except ContractError:
                if step == _STEPS[-1]:
                    raise
            else:
                break


def _same(
    case: Any,
    check: str,
    scalar: _Scalar,
    found: Sequence[tf.Tensor],
    expected: Sequence[tf.Tensor],
) -> None:
    for label, new, wanted in zip(scalar.labels, found, expected, strict=True):
        what = f"second derivative of {scalar.name} for {label}"
        registry.compare(case, check, what, new, wanted, _TOLERANCE, _size(wanted))


def _forward_mode(case: Any, check: str, scalars: Iterator[_Scalar]) -> None:
    for scalar in scalars:
        expected = scalar.along(scalar.gradients(*scalar.tensors))
        what = f"forward mode of {scalar.name}"
        found = scalar.forward_mode()
        registry.compare(case, check, what, found, expected, _TOLERANCE)


def _same_gradients(
    case: Any, check: str, scalars: Iterator[tuple[_Scalar, Callable]]
) -> None:
    """Compare gradients with those of a function that XLA compiles."""
    tolerance = 10 * case.tolerances.log_det32
    for scalar, compiled in scalars:
        found, expected = compiled(), scalar.gradients(*scalar.tensors)
        for label, new, wanted in zip(scalar.labels, found, expected, strict=True):
            what = f"gradient of {scalar.name} for {label} under XLA"
            registry.compare(case, check, what, new, wanted, tolerance, _size(wanted))


def _size(tensor: tf.Tensor) -> Any:
    return tf.reduce_max(tf.abs(tensor)) if tf.size(tensor) else 1.0


@registry.bijector_check
def check_second_derivatives(case: BijectorCase) -> None:
    """Second derivatives of values and log-dets equal differences of gradients.

    In float64, in both directions, by the input, the condition and all variables at
    once: a gradient that cannot be differentiated again is a defect. A map that can be
    had in float32 only is not checked.
    """
    if "float64" in case.dtypes:
        _second(case, "second_derivatives", _directions(case, "float64"))


@registry.bijector_check
def check_forward_mode(case: BijectorCase) -> None:
    """`tf.autodiff.ForwardAccumulator` agrees with tapes."""
    if "float64" in case.dtypes:
        _forward_mode(case, "forward_mode", _directions(case, "float64"))


@registry.bijector_check
def check_xla_gradients(case: BijectorCase) -> None:
    """Gradients of both directions under XLA are those without."""

    def compiled(scalar: _Scalar) -> Callable[[], list[tf.Tensor]]:
        function = tf.function(scalar.gradients, jit_compile=True, autograph=False)
        return lambda: function(*scalar.tensors)

    scalars = _directions(case, case.dtype)
    _same_gradients(case, "xla_gradients", ((s, compiled(s)) for s in scalars))


@registry.flow_check
def check_flow_second_derivatives(case: FlowCase) -> None:
    """Second derivatives of densities and samples equal differences of gradients."""
    _second(case, "second_derivatives", _outputs(case, "float64"))


@registry.flow_check
def check_flow_forward_mode(case: FlowCase) -> None:
    """`tf.autodiff.ForwardAccumulator` agrees with tapes."""
    _forward_mode(case, "forward_mode", _outputs(case, "float64"))


@registry.flow_check
def check_flow_xla_gradients(case: FlowCase) -> None:
    """Gradients of densities and samples that XLA compiles are those without it."""
    plain = _outputs(case, "float32", jit_compile=False)
    compiled = _outputs(case, "float32", jit_compile=True)
    _same_gradients(
        case,
        "xla_gradients",
        (
            (scalar, lambda other=other: other.gradients(*other.tensors))
            for scalar, other in zip(plain, compiled, strict=True)
        ),
    )
