"""Marginal maps by mixtures: known distributions, tails, inverses, kernels."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import bijectors as maps
from tfp_flows.math.gaussianization import mixture_fits

RNG = np.random.default_rng(0)


def test_one_component_is_the_fitted_normal_law():
    x = 3.0 + 2.0 * RNG.normal(size=(5000, 2))
    mixture = maps.MarginalMixture.fit(x, 1, dtype=tf.float64)
    z = mixture.inverse(tf.constant(x)).numpy()
    # But for the broad component, of weight 1e-4.
    expected = (x - x.mean(axis=0)) / x.std(axis=0)
    near = np.abs(expected) < 2.0
    np.testing.assert_allclose(z[near], expected[near], atol=2e-3)


def test_density_is_that_of_the_mixture():
    logits, means = np.log([[0.3, 0.7]]), np.array([[-1.0, 2.0]])
    scales = np.array([[0.5, 1.0]])
    ours = maps.MarginalMixture(logits, means, np.log(scales))
    distribution = tfd.MixtureSameFamily(
        tfd.Categorical(logits=logits[0]), tfd.Normal(means[0], scales[0])
    )
    # Further out the broad component shows.
    y = tf.constant(np.linspace(-2, 4.5, 50)[:, np.newaxis])
    base = tfd.Independent(tfd.Normal(np.zeros(1), 1.0), 1)
    found = tfd.TransformedDistribution(base, ours).log_prob(y)
    np.testing.assert_allclose(found, distribution.log_prob(y[:, 0]), atol=0.01)


@pytest.mark.parametrize("kind", ["normal", "logistic"])
def test_fit_finds_the_components(kind):
    noise = RNG.normal(size=20_000) if kind == "normal" else RNG.logistic(size=20_000)
    place = np.where(RNG.random(20_000) < 0.3, -6.0, 3.0)
    x = (place + 0.5 * noise)[:, np.newaxis]
    log_weights, locations, log_scales = mixture_fits.expectation_maximisation(
        x, 2, kind
    )
    np.testing.assert_allclose(np.exp(log_weights), [[0.3, 0.7]], atol=0.02)
    np.testing.assert_allclose(locations, [[-6.0, 3.0]], atol=0.05)
    np.testing.assert_allclose(np.exp(log_scales), [[0.5, 0.5]], atol=0.03)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-9)])
def test_inverse_is_exact_within_and_far_beyond_the_data(dtype, tolerance):
    x = RNG.gamma(2.0, size=(300, 2))
    for mixture in (
        maps.MarginalMixture.fit(x, 5, kind="logistic", dtype=dtype),
        maps.MarginalMixture.from_kernel(x, 20, dtype=dtype),
    ):
        for factor in (1.0, 1e4):
            y = tf.constant(factor * x, dtype)
            z, log_det = mixture.inverse(y), mixture.inverse_log_det_jacobian(y, 1)
            assert np.all(np.isfinite(log_det))
            back = mixture.forward(tf.identity(z))
            np.testing.assert_allclose(back, y, atol=tolerance * factor * 10)


def test_a_gap_between_modes_keeps_a_density():
    x = np.where(RNG.random(1000) < 0.5, -50.0, 50.0) + RNG.normal(size=1000)
    mixture = maps.MarginalMixture.fit(x[:, np.newaxis], 2, dtype=tf.float32)
    y = tf.constant(np.linspace(-100, 100, 81, dtype="float32")[:, np.newaxis])
    z = mixture.inverse(y).numpy()[:, 0]
    assert np.all(np.diff(z) > 0)
    assert np.all(np.isfinite(mixture.inverse_log_det_jacobian(tf.identity(y), 1)))


def test_kernels_smooth_by_their_bandwidth():
    x = RNG.normal(size=(4000, 1))
    fits = {
        width: maps.MarginalMixture.from_kernel(
            x, 200, bandwidth=width, dtype="float64"
        )
        for width in (None, 0.02, 3.0)
    }
    far = tf.constant([[1.0], [-2.0], [0.3]], tf.float64)
    error = {
        width: np.abs(fit.inverse(far).numpy() - far.numpy()).max()
        for width, fit in fits.items()
    }
    assert error[None] < 0.15 < error[3.0]
    assert fits[0.02].locations.shape == (1, 200)


def test_bad_parameters_are_refused():
    with pytest.raises(ValueError, match=r"`locations` must have shape \(2, 3\)"):
        maps.MarginalMixture(np.zeros([2, 3]), np.zeros([2, 4]), np.zeros([2, 3]))
    with pytest.raises(ValueError, match=r"`x` must be a matrix \[N, D\] of finite"):
        maps.MarginalMixture.fit([1.0, 2.0], 2)
    with pytest.raises(ValueError, match="`kind` must be one of 'normal', 'logistic'"):
        maps.MarginalMixture.fit(np.zeros([3, 1]), 2, kind="t")
