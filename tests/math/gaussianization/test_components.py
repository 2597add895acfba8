"""Mixtures by expectation maximisation: of features apart, and of whole events."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows.math.gaussianization import components, mixture_fits


@pytest.mark.parametrize("kind", ["normal", "logistic"])
def test_features_are_fitted_as_if_each_were_alone(kind):
    rng = np.random.default_rng(0)
    # The first is done in a few steps, the others creep.
    x = np.stack([rng.normal(size=3000), rng.gamma(1.0, size=3000)], axis=1)
    x = np.concatenate([x, 1e3 + 5.0 * rng.standard_t(3, size=[3000, 1])], axis=1)
    together = mixture_fits.expectation_maximisation(x, 3, kind)
    for feature in range(3):
        alone = mixture_fits.expectation_maximisation(x[:, [feature]], 3, kind)
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one[[feature]], other, rtol=1e-6, atol=1e-6)


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
