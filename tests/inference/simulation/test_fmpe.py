"""Flow matching posterior estimation against a closed form, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from tensorflow_probability import distributions as tfd

from tfp_flows import inference, training

BOX = tfd.Independent(tfd.Uniform([-1.0, 0.0], [1.0, 2.0]), 1)
NORMAL = tfd.MultivariateNormalDiag(np.zeros(2, np.float32), np.ones(2, np.float32))


@pytest.mark.slow
def test_posterior_is_the_conjugate_one():
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(4000, 2)).astype(np.float32)
    x = theta + rng.normal(size=theta.shape).astype(np.float32)
    fmpe = inference.FMPE(NORMAL, hidden_units=(64, 64), seed=0)
    fmpe.fit(theta, x, epochs=80, verbose=0)
    posterior = fmpe.posterior([1.0, -2.0])
    draws = posterior.sample(2000, seed=(0, 1)).numpy()
    np.testing.assert_allclose(draws.mean(0), [0.5, -1.0], atol=0.25)
    np.testing.assert_allclose(np.cov(draws.T), 0.5 * np.eye(2), atol=0.25)
    exact = tfd.MultivariateNormalDiag([0.5, -1.0], [0.5**0.5] * 2)
    error = posterior.log_prob(draws) - exact.log_prob(draws)
    assert -0.05 < np.mean(error) < 0.4


def test_draws_stay_inside_of_the_prior_and_objectives_are_taken():
    rng = np.random.default_rng(0)
    theta = rng.uniform([-1.0, 0.0], [1.0, 2.0], size=(100, 2))
    objective = training.FlowMatching("independent", times="logit-normal")
    fmpe = inference.FMPE(BOX, objective=objective, hidden_units=(8,), seed=0)
    fmpe.fit(theta, theta + 0.3 * rng.normal(size=theta.shape), epochs=2, verbose=0)
    assert isinstance(fmpe.flow.objective, training.FlowMatching)
    assert fmpe.flow.objective.times == "logit-normal"
    draws = fmpe.draws([[0.9, 1.9], [0.0, 0.0]], 50, seed=0)
    assert draws.shape == (2, 50, 2)
    assert np.isfinite(BOX.log_prob(draws.astype(np.float32))).all()


def test_flows_without_a_velocity_are_refused():
    with pytest.raises(
        ValueError, match="`flow` must be one of 'flow-matching', 'cnf'"
    ):
        inference.FMPE(BOX, "nsf")
