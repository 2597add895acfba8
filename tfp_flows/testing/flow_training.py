"""Checks of how a flow trains: what is tracked, reached, and moved."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows.testing import registry
from tfp_flows.testing.flow_case import FlowCase

__all__ = [
    "check_flow_gradients",
    "check_flow_tracked_variables",
    "check_flow_training_step",
]


def _raw(variables: list[keras.Variable]) -> set[int]:
    return {id(v.value) for v in variables}


@registry.flow_check
def check_flow_tracked_variables(case: FlowCase) -> None:
    """Keras and `tf.Module` know every variable that a density or a sample reads."""
    check, flow = "tracked_variables", case.flow()
    x, *condition = case.data(flow)
    target = flow.distribution(*condition)

    def read(x: tf.Tensor, *condition: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        target = flow.distribution(*condition)
        return target.log_prob(x), target.sample(seed=[0, 0])

    function = tf.function(read, autograph=False)
    found = function.get_concrete_function(
        tf.constant(x), *map(tf.constant, condition)
    ).variables
    module = {id(v) for v in target.variables}
    for group, known, needed in (
        ("flow.variables", _raw(flow.variables), found),
        (
            "flow.trainable_variables",
            _raw(flow.trainable_variables),
            [v for v in found if v.trainable],
        ),
        ("distribution().variables", module, found),
    ):
        missing = [v.name for v in needed if id(v) not in known]
        if missing:
            what = f"`{group}` lacks {', '.join(missing)}"
            case.fail(check, what, len(missing), 0)
    names = [v.path for v in flow.variables]
    if len(set(names)) != len(names):
        case.fail(check, "two variables have one path", len(set(names)), len(names))


@registry.flow_check
def check_flow_gradients(case: FlowCase) -> None:
    """A finite gradient of the log-density reaches every trainable variable."""
    check, flow = "gradients", case.flow()
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(flow(case.inputs(flow, 32), training=True))
    variables = flow.trainable_variables
    if not variables:
        case.fail(check, "no trainable variable", 0, "some")
    for variable, gradient in zip(
        variables, tape.gradient(loss, [v.value for v in variables]), strict=True
    ):
        if gradient is None:
            case.fail(check, f"no gradient reaches {variable.path}")
        gradient = tf.convert_to_tensor(gradient)
        what = f"gradient for {variable.path}"
        registry.require_finite(case, check, what, gradient)


@registry.flow_check
def check_flow_training_step(case: FlowCase) -> None:
    """A step of `fit` lowers a finite loss and moves every trainable variable.

    Where the loss itself is random, many steps lower its mean.
    """
    check, flow = "training_step", case.fresh()
    before = [v.numpy() for v in flow.trainable_variables]
    flow.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=False)
    # One batch only: the loss of the second epoch is that after one step.
    x = case.inputs(flow, 64)
    history = flow.fit(x, batch_size=64, epochs=2, verbose=0, shuffle=False)
    losses = history.history["loss"]
    registry.require_finite(case, check, "the loss", losses)
    if not (losses[1] < losses[0] or _falls_on_average(flow, x)):
        case.fail(check, "the loss after one step", losses[1], f"below {losses[0]}")
    for variable, old in zip(flow.trainable_variables, before, strict=True):
        registry.require_finite(case, check, variable.path, variable.numpy())
        if np.array_equal(variable.numpy(), old):
            case.fail(check, f"{variable.path} has not moved")
    found = flow.log_prob(*case.data(flow))
    wanted = flow.distribution(*case.data(flow)[1:]).log_prob(case.data(flow)[0])
    what = "compiled log_prob after training"
    registry.compare(case, check, what, found, wanted, case.tolerances.float32)


def _falls_on_average(flow: Any, x: Any) -> bool:
    """Return whether a loss is random, and falls over many steps."""

    def losses(rate: float, epochs: int) -> np.ndarray:
        flow.optimizer.learning_rate = rate
        history = flow.fit(x, batch_size=64, epochs=epochs, verbose=0, shuffle=False)
        return np.array(history.history["loss"])

    before = losses(0.0, 10)
    if np.ptp(before) <= 1e-5 * np.abs(before).max():
        return False
    losses(1e-2, 40)
    return bool(losses(0.0, 10).mean() < before.mean())
