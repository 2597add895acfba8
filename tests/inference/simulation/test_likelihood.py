"""Likelihoods learned from simulations, simulators, and rounds of simulation."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import inference
from tfp_flows.inference.simulation import chains
from tfp_flows.inference.simulation import sequential as rounds
from tfp_flows.inference.simulation.parameters import Parameters

NORMAL = tfd.MultivariateNormalDiag(np.zeros(2, np.float32), np.ones(2, np.float32))
BOX = tfd.Independent(tfd.Uniform([-5.0, -5.0], 5.0), 1)
SHORT = {"num_draws": 2000, "num_chains": 50, "burn_in": 50}


def simulator(theta, seed):
    """Return data with unit noise; other processes find it by its name."""
    return theta + np.random.default_rng(seed).normal(size=theta.shape)


def failing(theta, seed):
    """Return data until the third batch."""
    if float(theta[0, 0]) == failing.stop:
        raise RuntimeError("out of memory")
    return simulator(theta, seed)


@pytest.fixture(scope="module")
def fitted():
    """Return the likelihood of the conjugate Gaussian model."""
    theta, x = inference.simulate(NORMAL, simulator, 8000, seed=0, verbose=0)
    nle = inference.NLE(NORMAL, "linear", num_layers=1, seed=0)
    return nle.fit(theta, x, epochs=40, verbose=0)


@pytest.mark.slow
def test_posterior_of_a_likelihood_is_the_conjugate_one(fitted):
    posterior = fitted.posterior([1.0, -2.0], **SHORT, seed=1)
    assert isinstance(posterior, tfd.Distribution)
    assert (posterior.batch_shape, posterior.event_shape) == ((), (2,))
    draws = posterior.sample(2000, seed=1).numpy()
    np.testing.assert_allclose(draws.mean(0), [0.5, -1.0], atol=0.12)
    np.testing.assert_allclose(np.cov(draws.T), 0.5 * np.eye(2), atol=0.1)
    assert posterior.r_hat.max() < 1.1
    assert posterior.acceptance > 0.5
    points = np.array([[0.5, -1.0], [1.0, 0.0]], np.float32)
    exact = tfd.MultivariateNormalDiag([0.5, -1.0], [0.5**0.5] * 2).log_prob(points)
    found = posterior.unnormalized_log_prob(points)
    np.testing.assert_allclose(found[0] - found[1], exact[0] - exact[1], atol=0.3)
    with pytest.raises(NotImplementedError, match="up to a constant"):
        posterior.log_prob(points)


@pytest.mark.slow
def test_several_observations_count_together(fitted):
    observed = np.tile([[1.0, -2.0]], (3, 1))
    draws = fitted.posterior(observed, **SHORT, seed=1).sample(2000, seed=1).numpy()
    np.testing.assert_allclose(draws.mean(0), [0.75, -1.5], atol=0.15)
    np.testing.assert_allclose(draws.std(0), 0.5, atol=0.08)


@pytest.mark.slow
def test_ratios_give_the_conjugate_posterior():
    theta, x = inference.simulate(NORMAL, simulator, 2000, seed=0, verbose=0)
    nre = inference.NRE(NORMAL, hidden_units=(32, 32), seed=0)
    nre.fit(theta, x, epochs=40, verbose=0)
    posterior = nre.posterior([1.0, -2.0], **SHORT, seed=1)
    draws = posterior.sample(2000, seed=1).numpy()
    np.testing.assert_allclose(draws.mean(0), [0.5, -1.0], atol=0.2)
    np.testing.assert_allclose(draws.std(0), 0.5**0.5, atol=0.15)
    points = np.array([[0.5, -1.0], [1.0, 0.0]], np.float32)
    ratio = nre.log_ratio(points, [1.0, -2.0])
    noise = tfd.MultivariateNormalDiag([1.0, -2.0], [1.0, 1.0]).log_prob(points)
    np.testing.assert_allclose(ratio[0] - ratio[1], noise[0] - noise[1], atol=0.5)
    with pytest.raises(ValueError, match="is not fitted"):
        inference.NRE(NORMAL).posterior([0.0, 0.0])


def test_simulations_go_on_where_they_stopped(tmp_path):
    file = tmp_path / "simulations.npz"
    options = {"batch_size": 10, "seed": 3, "verbose": 0}
    theta, x = inference.simulate(NORMAL, simulator, 50, **options)
    failing.stop = float(theta[20, 0])
    with pytest.raises(RuntimeError, match="out of memory"):
        inference.simulate(NORMAL, failing, 50, file=file, **options)
    with np.load(file) as kept:
        assert len(kept["x"]) == 20
    calls = []

    def counted(theta, seed):
        calls.append(len(theta))
        return simulator(theta, seed)

    again = inference.simulate(NORMAL, counted, 50, file=file, **options)
    assert calls == [10, 10, 10]
    np.testing.assert_array_equal(again[0], theta)
    np.testing.assert_array_equal(again[1], x)
    with pytest.raises(ValueError, match="holds another simulation"):
        inference.simulate(NORMAL, simulator, 40, file=file, **options)
    with pytest.raises(ValueError, match=r"end in \.npz"):
        inference.simulate(NORMAL, simulator, 40, file=tmp_path / "a.csv")


def test_simulators_of_one_row_and_of_tensorflow():
    theta, x = inference.simulate(
        tfd.Normal(0.0, 1.0), lambda t: [t, 2 * t], 7, batch_size=None, verbose=0
    )
    np.testing.assert_allclose(x[:, 1], 2 * theta)
    theta, x = inference.simulate(NORMAL, lambda t: tf.exp(t), 60, seed=0, verbose=0)
    np.testing.assert_allclose(x, np.exp(theta), rtol=1e-5)
    with pytest.raises(ValueError, match="must return 60 rows"):
        inference.simulate(NORMAL, lambda t: t[:3], 60, verbose=0)


@pytest.mark.slow(rare=True)
def test_workers_make_the_same_simulations():
    options = {"batch_size": 10, "seed": 3, "verbose": 0}
    one = inference.simulate(NORMAL, np.sin, 20, **options)
    two = inference.simulate(NORMAL, np.sin, 20, workers=2, **options)
    np.testing.assert_array_equal(one[1], two[1])


@pytest.mark.slow
def test_rounds_look_where_the_posterior_is():
    npe = inference.NPE(BOX, "linear", num_layers=1, seed=0)
    found = inference.sequential(
        BOX,
        lambda t, seed: t + 0.3 * (simulator(t, seed) - t),
        [1.0, 2.0],
        rounds=2,
        simulations=300,
        estimator=npe,
        seed=0,
        verbose=0,
        epochs=30,
    )
    assert found.x.shape == (600, 2)
    assert found.kept[0] < 0.5
    first, second = found.theta[:300], found.theta[300:]
    assert second.std(axis=0).max() < first.std(axis=0).min()
    draws = found.posterior.sample(1000, seed=1).numpy()
    np.testing.assert_allclose(draws.mean(0), [1.0, 2.0], atol=0.25)


def test_narrow_regions_are_reached_by_resampling(monkeypatch):
    monkeypatch.setattr(rounds, "MOST_TRIES", 0)
    normal = tfd.MultivariateNormalDiag([1.0, 2.0], [0.1, 0.1])
    parts, kept = rounds._truncated(
        Parameters(BOX), normal, 200, np.array([1, 2], np.int32)
    )
    assert kept == 0.0
    # Of the flat prior in a disc of 4.29 deviations, not of the normal.
    radius = np.linalg.norm(parts[0] - [1.0, 2.0], axis=1) / 0.1
    assert radius.max() < 4.5
    assert np.median(radius) > 1.5


@pytest.mark.slow
def test_rounds_of_likelihoods_and_joint_priors(monkeypatch):
    monkeypatch.setattr(chains, "MAX_TREE_DEPTH", 2)
    short = {"num_draws": 60, "num_chains": 20, "burn_in": 10, "seed": None}
    monkeypatch.setattr(inference.NLE.posterior, "__kwdefaults__", short)
    prior = tfd.JointDistributionNamed(
        {"shift": tfd.Normal(0.0, 1.0), "scale": tfd.HalfNormal(1.0)}
    )

    def draw(theta, seed):
        noise = np.random.default_rng(seed).normal(size=(len(theta["shift"]), 3))
        return theta["shift"][:, None] + theta["scale"][:, None] * noise

    nle = inference.NLE(prior, "linear", num_layers=1, seed=0)
    found = inference.sequential(
        prior,
        draw,
        np.zeros(3),
        rounds=2,
        simulations=60,
        method="snl",
        estimator=nle,
        seed=0,
        verbose=0,
        epochs=2,
    )
    assert found.theta.shape == (120, 2)
    draws = found.posterior.sample(5, seed=0)
    assert (draws["scale"].numpy() > 0).all()
    assert np.isfinite(found.posterior.unnormalized_log_prob(draws)).all()


def test_methods_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="`method` must be one of"):
        inference.sequential(BOX, simulator, [0.0, 0.0], method="apt")
    with pytest.raises(TypeError, match="must be an `NLE`"):
        inference.sequential(
            BOX, simulator, [0.0, 0.0], method="snl", estimator=inference.NPE(BOX)
        )
