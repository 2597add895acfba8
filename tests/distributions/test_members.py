"""Quantiles of mixtures whose members are distributions of one kind."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize, stats
from tensorflow_probability import distributions as tfd

from tfp_flows.distributions.members import MixtureOfMembers

LOGITS = np.log([0.3, 0.7])
LEVELS = np.array([1e-6, 0.1, 0.29, 0.3, 0.31, 0.9, 1.0 - 1e-6])


@pytest.mark.parametrize("apart", [0.0, 0.5, 50.0, 1e4])
def test_quantiles_have_all_digits_however_far_members_are_apart(apart):
    members = [
        tfd.Normal(np.float64(place), s) for place, s in ((-apart, 1), (apart, 2))
    ]
    mixture = MixtureOfMembers(LOGITS, members)
    found = mixture.quantile(LEVELS)
    np.testing.assert_allclose(mixture.cdf(found), LEVELS, rtol=1e-9)
    traced = tf.function(mixture.quantile, jit_compile=True)
    np.testing.assert_allclose(mixture.cdf(traced(LEVELS)), LEVELS, rtol=1e-9)
    parts = stats.norm([-apart, apart], [1.0, 2.0])
    wanted = optimize.brentq(
        lambda x: parts.cdf(x) @ [0.3, 0.7] - 0.29, -apart - 50.0, apart, xtol=1e-13
    )
    np.testing.assert_allclose(found[2], wanted, rtol=1e-11, atol=1e-11)


def test_quantiles_of_0_and_1_are_the_ends_of_the_support():
    low, high = np.array([0.0, 5.0]), np.array([1.0, 7.0])
    members = [tfd.Uniform(a, b) for a, b in zip(low, high, strict=True)]
    mixture = MixtureOfMembers(LOGITS, members)
    np.testing.assert_array_equal(mixture.quantile(np.array([0.0, 1.0])), [0.0, 7.0])
    found = mixture.quantile(np.array([0.15, 0.65]))
    np.testing.assert_allclose(found, [0.5, 6.0], atol=1e-12)


def test_quantiles_of_a_batch_are_those_of_each():
    places = np.array([0.0, 10.0, -3.0])
    members = [tfd.Normal(places, 1.0), tfd.Normal(-places, 2.0)]
    found = MixtureOfMembers(LOGITS, members).quantile(LEVELS[:, None])
    for i in range(3):
        one = MixtureOfMembers(LOGITS, [member[i] for member in members])
        np.testing.assert_allclose(found[:, i], one.quantile(LEVELS), rtol=1e-9)
