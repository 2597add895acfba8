"""Reverse KL: values, path gradients, annealing, errors."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows.training import ReverseKL


def normal(x):
    return tf.reduce_sum(tfd.Normal(0.0, 1.0).log_prob(x), axis=-1)


def gradients(flow, objective, seed=0):
    variables = flow.trainable_variables
    with tf.GradientTape() as tape:
        loss = objective(flow, seed=seed)
    found = tape.gradient(loss, [v.value for v in variables])
    return float(loss), np.concatenate([np.ravel(g) for g in found])


def test_path_gradients_vanish_where_the_flow_meets_the_target():
    flow = small.build("planar", inverted=True, base="normal")
    plain = gradients(flow, ReverseKL(normal, 50))
    path = gradients(flow, ReverseKL(normal, 50, path_gradients=True))
    assert path[0] == pytest.approx(plain[0], abs=1e-6)
    assert np.abs(plain[1]).max() > 0.01
    np.testing.assert_allclose(path[1], 0.0, atol=1e-6)


def test_path_gradients_have_the_mean_of_plain_ones():
    flow = small.perturbed(small.build("linear", base="normal"), 0.4)
    few = {"num_samples": 20_000}
    plain = gradients(flow, ReverseKL(normal, **few))[1]
    path = gradients(flow, ReverseKL(normal, path_gradients=True, **few))[1]
    np.testing.assert_allclose(path, plain, atol=0.05)


def test_target_gets_its_weight_step_by_step():
    flow = small.perturbed(small.build("linear", base="normal"), 0.4)
    objective = ReverseKL(normal, 64, anneal_steps=100)
    losses = [float(objective(flow, seed=1, step=step)) for step in (0, 49, 99, 500)]
    whole = float(ReverseKL(normal, 64)(flow, seed=1))
    assert losses[2] == losses[3] == whole
    # The loss is linear in the weight, which was 0.01, and is 0.5.
    assert losses[1] == pytest.approx(losses[0] + (whole - losses[0]) * 0.49 / 0.99)


@pytest.mark.slow
def test_a_planar_flow_learns_a_density_from_its_own_samples():
    def bent(x):
        return normal(tf.stack([x[:, 0], 2.0 * (x[:, 1] - tf.tanh(2 * x[:, 0]))], -1))

    flow = small.build("planar", inverted=True, num_layers=4, base="normal")
    kl = ReverseKL(bent, 128, path_gradients=True)
    options = {"steps": 300, "learning_rate": 0.02, "seed": 0, "verbose": 0}
    flow, _ = tfpf.fit(flow, None, objective=kl, **options)
    found = float(ReverseKL(bent, 5000)(flow, seed=9))
    # The integral of the target is 1 / 2.
    assert 0.0 <= found - np.log(2.0) < 0.1


def test_what_cannot_be_compared_is_named():
    flow = small.build("planar", 2, 1)
    with pytest.raises(ValueError, match="`flow` must have no condition"):
        ReverseKL(normal)(flow, seed=0)
    with pytest.raises(ValueError, match="one number for each event"):
        ReverseKL(lambda x: x)(small.build("linear"), seed=0)
    with pytest.raises(ValueError, match="`num_samples` must be at least 1"):
        ReverseKL(normal, 0)
