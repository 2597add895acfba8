"""Maps that follow a field as named cases of the contract suite."""

from __future__ import annotations

import tensorflow as tf

from tests.bijectors.cases.registry import Cases, perturbed
from tfp_flows import bijectors as maps
from tfp_flows import networks

CASES = Cases()


def _neural_ode(dtype, **solver):
    # Slow and smooth, so that three steps are right to the digits of float64.
    net = networks.VectorField(
        2,
        (3,),
        activation="tanh",
        num_frequencies=0,
        condition_shape=2,
        dtype=dtype,
        seed=0,
    )
    net.weights[2].assign(0.2 * net.weights[2])  # of the time
    return maps.NeuralODE(perturbed(net, 0.04), **solver)


@CASES.add("neural_ode", (2,), condition_shape=(2,))
def _neural_ode_by_equal_steps(dtype):
    return _neural_ode(dtype, num_steps=3, method="dopri5")


@CASES.add("neural_ode_by_tolerance", (2,), condition_shape=(2,))
def _neural_ode_by_tolerance(dtype):
    # Within a part of the unit of time: half the steps, and an interval of its own.
    solver = {"tolerance": 1e-6 if dtype == tf.float32 else 1e-11, "adjoint": True}
    return _neural_ode(dtype, num_steps=None, start=0.5, stop=0.75, **solver)
