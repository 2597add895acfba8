"""Mixtures by expectation maximisation: of features apart, and of whole events."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from scipy import special, stats
from tensorflow_probability import distributions as tfd

from tfp_flows.math.gaussianization import components, mixture_fits, rosenblatt


def test_blocks_of_rows_and_components_change_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 4)) * np.where(rng.random([500, 1]) < 0.5, 1.0, 4.0)
    fits = {}
    for block in (7, 2**20):
        monkeypatch.setattr(components, "BLOCK", block)
        monkeypatch.setattr(mixture_fits, "BLOCK", block)
        found = components.fit(x, 3, np.random.default_rng(2))
        apart = mixture_fits.expectation_maximisation(x, 3, "normal", max_steps=20)
        fits[block] = (found.log_weights, found.means, found.factors, *apart)
    for one, other in zip(*fits.values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


def test_densities_are_those_of_tfp_far_from_the_origin():
    rng = np.random.default_rng(2)
    factors = np.tril(rng.normal(size=(3, 4, 4)), -1) + 2.0 * np.eye(4)
    means = 1e6 + rng.normal(size=(3, 4))
    found = components.Components(np.log([0.2, 0.3, 0.5]), means, factors)
    x = 1e6 + rng.normal(size=(50, 4))
    distribution = tfd.MultivariateNormalTriL(
        tf.constant(means), np.linalg.cholesky(np.linalg.inv(factors.mT @ factors))
    )
    want = distribution.log_prob(x[:, np.newaxis]) + found.log_weights
    np.testing.assert_allclose(found.log_joint(x), want, rtol=1e-8, atol=1e-8)


def test_directions_in_which_all_components_are_narrow_are_found_from_few_rows():
    rng = np.random.default_rng(3)
    scales = np.array([1.0, 1.0, 1.0, 0.01, 0.01])
    means = np.array([[-4.0, 0.0, 0.0, 0.0, 0.0], [4.0, 0.0, 0.0, 1.0, 1.0]])

    def draw(count):
        return means[rng.integers(2, size=count)] + scales * rng.normal(size=(count, 5))

    test = draw(5000)
    entropy = 2.5 * np.log(2 * np.pi * np.e) + np.log(scales).sum() + np.log(2.0)
    found = components.fit(draw(100), 2, rng)
    loss = -components.sums(test, found)[-1] / len(test)
    # Twenty numbers for each component cost about a fifth of a nat with fifty rows.
    assert loss - entropy < 0.5


def test_background_keeps_the_map_of_a_mixture_from_going_flat_far_out():
    rng = np.random.default_rng(3)
    factors = np.tril(rng.normal(size=(3, 3, 3)), -1) + 3.0 * np.eye(3)
    narrow = components.Components(np.zeros(3), 2.0 * np.eye(3), factors)
    x = tf.constant(20.0 * rng.normal(size=(200, 3)), tf.float32)

    def flattest(found):
        diagonals = np.log(np.diagonal(found.factors, axis1=1, axis2=2))
        parameters = (found.log_weights, found.means, diagonals, found.factors)
        parameters = (tf.cast(p, tf.float32) for p in parameters)
        return np.min(rosenblatt.gaussianize(x, *parameters)[1])

    # The inverse multiplies what float32 rounds, about 1e-7, by exp(-log-slope): the
    # round trip needs 1e-4, of which this leaves a tenth.
    assert flattest(narrow) < np.log(1e-4)
    wide = components.with_background(narrow)
    assert flattest(wide) > np.log(1e-2)
    np.testing.assert_allclose(np.exp(wide.log_weights).sum(), 1.0)
    np.testing.assert_allclose(wide.means[-1], narrow.means.mean(axis=0))


def test_densities_are_those_of_scipy_and_sums_those_of_responsibilities():
    rng = np.random.default_rng(6)
    factors = np.tril(rng.normal(size=(2, 3, 3)), -1) + np.eye(3) * [1.0, 0.5, 2.0]
    weights = np.array([0.3, 0.7])
    mixture = components.Components(np.log(weights), rng.normal(size=(2, 3)), factors)
    x = rng.normal(size=(20, 3))
    joint = np.stack(
        [
            np.log(weight) + stats.multivariate_normal(mean, covariance).logpdf(x)
            for weight, mean, covariance in zip(
                weights,
                mixture.means,
                np.linalg.inv(np.transpose(factors, [0, 2, 1]) @ factors),
                strict=True,
            )
        ],
        axis=1,
    )
    np.testing.assert_allclose(mixture.log_joint(x), joint, atol=1e-10)
    counts, first, second, log_likelihood = components.sums(x, mixture)
    part = special.softmax(joint, axis=1)
    np.testing.assert_allclose(counts, part.sum(axis=0))
    np.testing.assert_allclose(first, part.T @ x)
    np.testing.assert_allclose(second, np.einsum("nk,ni,nj->kij", part, x, x))
    np.testing.assert_allclose(log_likelihood, special.logsumexp(joint, 1).sum())


def test_steps_raise_the_likelihood_and_find_the_means():
    rng = np.random.default_rng(7)
    means = np.array([[-4.0, 0.0], [4.0, 1.0]])
    x = means[rng.integers(2, size=2000)] + rng.normal(size=(2000, 2))
    found, values = components.start(x, 2, rng), []
    for _ in range(4):
        *moments, log_likelihood = components.sums(x, found)
        values.append(log_likelihood)
        found = components.update(*moments)
    assert np.all(np.diff(values) > -1e-6 * len(x))
    order = np.argsort(found.means[:, 0])
    np.testing.assert_allclose(found.means[order], means, atol=0.15)
    np.testing.assert_allclose(np.exp(found.log_weights), 0.5, atol=0.05)


def test_an_empty_component_goes_to_the_middle():
    x = np.random.default_rng(8).normal(2.0, 1.0, size=(100, 2))
    counts = np.array([100.0, 0.0])
    first = np.stack([x.sum(axis=0), np.zeros(2)])
    second = np.stack([x.T @ x, np.zeros([2, 2])])
    found = components.update(counts, first, second)
    np.testing.assert_allclose(found.means, np.tile(x.mean(axis=0), (2, 1)))
    assert np.all(np.isfinite(found.factors))
