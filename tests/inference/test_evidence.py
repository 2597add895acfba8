"""Evidence from draws, against a conjugate model."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from tensorflow_probability import distributions as tfd

from tfp_flows import inference

DATA = tf.constant([1.0, 2.0, 4.0])
QUICK = {"epochs": 5, "learning_rate": 0.05, "seed": 0}


@tfd.JointDistributionCoroutineAutoBatched
def model():
    """A conjugate model: the posterior of the precision is a gamma distribution."""
    precision = yield tfd.Gamma(3.0, 2.0, name="precision")
    yield tfd.Sample(tfd.Normal(0.0, tf.math.rsqrt(precision)), 3, name="y")


SHAPE, RATE = 4.5, 2.0 + 0.5 * float(tf.reduce_sum(DATA**2))


def exact():
    gamma = tf.math.lgamma
    log_z = gamma(SHAPE) - gamma(3.0) + 3.0 * np.log(2.0) - SHAPE * np.log(RATE)
    return float(log_z) - 1.5 * np.log(2.0 * np.pi)


@pytest.mark.slow
def test_both_estimates_are_those_of_a_conjugate_model():
    target = model.experimental_pin(y=DATA)
    draws = tfd.Gamma(SHAPE, RATE).sample([4, 500], seed=(0, 1))
    draws = type(target.event_shape)(draws)
    found = inference.evidence(target, draws, "linear", **QUICK)
    for value, stderr in (found.bridge, found.importance):
        assert abs(value - exact()) < 4.0 * stderr
        assert stderr < 0.05
    # The other half of the draws, and as many of the flow.
    assert found.evaluations == 2 * 1_000
    # Whether the weights' tail is light is the estimate of a few hundred draws, which
    # differs between machines; the sentence on agreement is not.
    assert found.agree
    assert "trust both" in repr(found) or "The estimates agree" in repr(found)


@pytest.mark.slow
def test_correlated_draws_have_larger_standard_errors():
    rng = np.random.default_rng(0)
    chain = np.zeros(4_000)
    for i in range(1, 4_000):
        chain[i] = 0.9 * chain[i - 1] + np.sqrt(1.0 - 0.81) * rng.normal()
    heavy = stats.t.ppf(stats.norm.cdf(chain), 5)[:, None]
    target = tfd.Sample(tfd.StudentT(np.float64(5.0), 0.0, 1.0), 1)
    slow, fast = (
        inference.evidence(target, x, "linear", base="normal", **QUICK)
        for x in (heavy, rng.permutation(heavy))
    )
    assert slow.bridge.stderr > 1.3 * fast.bridge.stderr
    for found in (slow, fast):
        assert abs(float(found)) < 4.0 * found.bridge.stderr


@pytest.mark.slow
def test_draws_that_miss_a_mode_are_told_by_the_two_estimates():
    both = tfd.MixtureSameFamily(
        tfd.Categorical(probs=[0.5, 0.5]), tfd.MultivariateNormalDiag([[-1.5], [1.5]])
    )
    x = both.sample(4000, seed=(0, 1)).numpy()
    target = both.log_prob
    good = inference.evidence(target, x, "linear", **QUICK)
    assert good.agree
    bad = inference.evidence(target, x[x[:, 0] > 0.5], "linear", **QUICK)
    assert not bad.agree
    assert "do not trust either" in bad.judgement


def test_bad_draws_are_named():
    normal = tfd.MultivariateNormalDiag([0.0, 0.0])
    with pytest.raises(ValueError, match="at least 100, got 20"):
        inference.evidence(normal, np.zeros((20, 2)))
    with pytest.raises(ValueError, match=r"\[chains, N, \*event\]"):
        inference.evidence(normal, np.zeros((20, 3)))
    with pytest.raises(ValueError, match="inside of the support, got 200 of 200"):
        inference.evidence(tfd.Gamma(2.0, 1.0), -np.ones(200))
    for bad in (np.nan, np.inf):
        draws = np.zeros((200, 2))
        draws[7, 1] = bad
        with pytest.raises(ValueError, match=r"finite numbers, .* 1 of 200, .* at 7\."):
            inference.evidence(normal, draws)
