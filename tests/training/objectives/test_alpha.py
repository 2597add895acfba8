"""Objectives of a target: values and gradients against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows.training import (
    AlphaDivergence,
    ForwardKL,
    ImportanceWeighted,
    LikelihoodAndEnergy,
    ReverseKL,
)

MANY = 40_000


def normal(x):
    return tf.reduce_sum(tfd.Normal(0.0, 1.0).log_prob(x), axis=-1)


def narrow(x):
    """A normal target of deviation 0.7, times 3."""
    return tf.reduce_sum(tfd.Normal(0.0, 0.7).log_prob(x), axis=-1) + np.log(3.0)


def gradients(flow, objective, seed=0):
    variables = flow.trainable_variables
    with tf.GradientTape() as tape:
        loss = objective(flow, seed=seed)
    found = tape.gradient(loss, [v.value for v in variables])
    return float(loss), np.concatenate([np.ravel(g) for g in found])


def renyi(alpha, variance):
    """Return the divergence of N(0, 1) from a normal target, for each coordinate."""
    mixed = alpha * variance + 1.0 - alpha
    return 0.5 * np.log(variance) + 0.5 * np.log(variance / mixed) / (alpha - 1.0)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9])
def test_alpha_divergence_is_that_of_normal_distributions(alpha):
    flow = small.build("linear", base="normal")
    found = float(AlphaDivergence(narrow, MANY, alpha=alpha)(flow, seed=1))
    assert found == pytest.approx(2.0 * renyi(alpha, 0.49) - np.log(3.0), abs=0.02)


def test_order_one_is_the_reverse_divergence():
    flow = small.perturbed(small.build("linear", base="normal"), 0.4)
    one = gradients(flow, AlphaDivergence(normal, 64, alpha=1.0))
    reverse = gradients(flow, ReverseKL(normal, 64, path_gradients=True))
    assert one[0] == pytest.approx(reverse[0], abs=1e-5)
    np.testing.assert_allclose(one[1], reverse[1], atol=1e-5)


@pytest.mark.parametrize(
    ("objective", "options"),
    [(AlphaDivergence, {"alpha": 0.5}), (ImportanceWeighted, {"num_particles": 4})],
)
def test_path_gradients_have_the_mean_of_plain_ones_and_vanish_at_the_target(
    objective, options
):
    flow = small.perturbed(small.build("linear", base="normal"), 0.3)
    plain = gradients(flow, objective(normal, MANY, path_gradients=False, **options))
    path = gradients(flow, objective(normal, MANY, **options))
    assert path[0] == pytest.approx(plain[0], abs=1e-5)
    np.testing.assert_allclose(path[1], plain[1], atol=0.04)
    same = small.build("linear", base="normal")
    there = gradients(same, objective(normal, 64, **options))[1]
    np.testing.assert_allclose(there, 0.0, atol=1e-6)


def test_importance_weighted_bound_rises_with_the_particles_to_the_evidence():
    flow = small.build("linear", base="normal")
    bounds = [
        -float(ImportanceWeighted(narrow, MANY, num_particles=k)(flow, seed=1))
        for k in (1, 4, 64)
    ]
    reverse = 0.5 * (1.0 / 0.49 - 1.0 + np.log(0.49))
    assert bounds[0] == pytest.approx(np.log(3.0) - 2.0 * reverse, abs=0.02)
    assert bounds[0] < bounds[1] < bounds[2]
    assert bounds[2] == pytest.approx(np.log(3.0), abs=0.02)


def test_forward_divergence_and_its_gradient_are_those_of_normal_distributions():
    flow = small.build("linear", base="normal")
    found, slopes = gradients(flow, ForwardKL(narrow, MANY))
    assert found == pytest.approx(0.49 - 1.0 - np.log(0.49), abs=0.02)
    likelihood = tfpf.training.MaximumLikelihood()
    x = 0.7 * tf.random.stateless_normal([MANY, 2], [0, 1])
    with tf.GradientTape() as tape:
        loss = likelihood(flow, x)
    wanted = tape.gradient(loss, [v.value for v in flow.trainable_variables])
    wanted = np.concatenate([np.ravel(g) for g in wanted])
    np.testing.assert_allclose(slopes, wanted, atol=0.03)


def test_samples_and_energy_are_mixed_in_proportion():
    flow = small.perturbed(small.build("linear", base="normal"), 0.3)
    x = np.random.default_rng(0).normal(size=(50, 2)).astype("float32")
    losses = [
        float(LikelihoodAndEnergy(narrow, 64, energy_weight=w)(flow, x, seed=1))
        for w in (0.0, 0.25, 1.0)
    ]
    assert losses[0] == pytest.approx(-float(np.mean(flow.log_prob(x))), abs=1e-5)
    assert losses[1] == pytest.approx(0.75 * losses[0] + 0.25 * losses[2], abs=1e-5)
    assert losses[2] == pytest.approx(float(ReverseKL(narrow, 64)(flow, seed=1)))


def test_what_does_not_fit_is_named():
    flow = small.build("linear")
    with pytest.raises(ValueError, match="must divide num_samples=64, got 5"):
        ImportanceWeighted(normal, 64, num_particles=5)
    with pytest.raises(ValueError, match="`alpha` must be at least 0"):
        AlphaDivergence(normal, alpha=-1.0)
    with pytest.raises(ValueError, match="`x` must be given"):
        LikelihoodAndEnergy(normal)(flow, seed=0)
    with pytest.raises(ValueError, match="one number for each event"):
        ForwardKL(lambda x: x)(flow, seed=0)
    with pytest.raises(ValueError, match="must have no condition for `ForwardKL`"):
        ForwardKL(normal)(small.build("planar", 2, 1), seed=0)
