"""Importance sampling against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows.inference import importance_sample

LOG_2_PI = float(np.log(2.0 * np.pi))
WIDE = tfd.Independent(tfd.Normal([0.0, 0.0], [1.5, 1.5]), 1)
DATA = tf.constant([1.0, 2.0, 4.0])


def bump(x):
    """Return the log of a normal density without its constant."""
    return -0.5 * tf.reduce_sum(tf.square(x - 1.0), axis=-1)


@tfd.JointDistributionCoroutineAutoBatched
def model():
    """A conjugate model: the posterior of the precision is a gamma distribution."""
    precision = yield tfd.Gamma(3.0, 2.0, name="precision")
    yield tfd.Sample(tfd.Normal(0.0, tf.math.rsqrt(precision)), 3, name="y")


def evidence():
    """Return the log-evidence of the model, and shape and rate of its posterior."""
    shape, rate = 3.0 + 1.5, 2.0 + 0.5 * float(tf.reduce_sum(DATA**2))
    gamma = tf.math.lgamma
    log_z = gamma(shape) - gamma(3.0) + 3.0 * np.log(2.0) - shape * np.log(rate)
    return float(log_z) - 1.5 * LOG_2_PI, shape, rate


@pytest.fixture(scope="module")
def found():
    return importance_sample(bump, WIDE, 20_000, seed=0, block_size=3_000)


def test_log_evidence_is_within_its_standard_error(found):
    value, stderr = found.log_evidence
    assert abs(value - LOG_2_PI) < 4.0 * stderr
    assert stderr < 0.01
    assert found.reliable
    assert "log-evidence 1.8" in repr(found)


def test_expectations_have_standard_errors_that_cover_the_truth(found):
    mean, stderr = found.expectation()
    assert np.all(np.abs(mean - 1.0) < 4.0 * stderr)
    assert np.all(stderr < 0.02)
    both = found.expectation(lambda x: {"square": x**2, "far": x[:, 0] > 2.0})
    assert np.all(np.abs(both.value["square"] - 2.0) < 4.0 * both.stderr["square"])
    assert both.value["far"] == pytest.approx(0.1587, abs=4.0 * both.stderr["far"])
    np.testing.assert_allclose(found.variance(), 1.0, atol=0.05)


def test_standard_error_is_the_scatter_of_repetitions(found):
    weights = np.exp(found.log_weights.reshape(100, 200))
    scatter = np.log(weights.mean(axis=1)).std() / np.sqrt(100)
    assert found.log_evidence.stderr == pytest.approx(scatter, rel=0.2)


def test_resampled_draws_follow_the_target(found):
    x = found.resample(5_000, seed=1)
    assert x.shape == (5_000, 2)
    np.testing.assert_allclose(x.mean(axis=0), 1.0, atol=0.06)
    np.testing.assert_array_equal(x, found.resample(5_000, seed=1))
    assert abs(np.corrcoef(x[:-1, 0], x[1:, 0])[0, 1]) < 0.05  # in random order


def test_blocks_do_not_change_what_is_computed_and_are_drawn_again(monkeypatch):
    monkeypatch.setattr("tfp_flows.inference.proposals.MOST_KEPT", 0)
    again = importance_sample(bump, WIDE, 20_000, seed=0, block_size=3_000)
    kept = importance_sample(bump, WIDE, 20_000, seed=0, block_size=3_000)
    np.testing.assert_array_equal(again.log_weights, kept.log_weights)
    np.testing.assert_array_equal(again.resample(50, seed=0), kept.resample(50, seed=0))


@pytest.mark.slow
def test_flow_over_unbounded_numbers_serves_a_pinned_model():
    log_z, shape, rate = evidence()
    flow = tfpf.flows.build("linear", 1, seed=0)
    target = model.experimental_pin(y=DATA)
    found = importance_sample(target, flow, 20_000, seed=0)
    assert abs(found.log_evidence.value - log_z) < 4.0 * found.log_evidence.stderr
    mean, stderr = found.expectation(lambda x: x.precision)
    assert abs(mean - shape / rate) < 4.0 * stderr
    assert found.resample(7, seed=0).precision.shape == (7,)


def test_prior_is_a_proposal_over_the_events_of_the_model():
    log_z, _, _ = evidence()
    prior = tfd.JointDistributionNamed({"precision": tfd.Gamma(3.0, 2.0)})
    target = tfd.JointDistributionNamed(
        {
            "precision": tfd.Gamma(3.0, 2.0),
            "y": lambda precision: tfd.Sample(
                tfd.Normal(0.0, tf.math.rsqrt(precision)), 3
            ),
        }
    ).experimental_pin(y=DATA)
    found = importance_sample(target, prior, 20_000, seed=0)
    assert abs(found.log_evidence.value - log_z) < 4.0 * found.log_evidence.stderr


def test_support_moves_a_function_to_the_whole_line():
    def target(x):
        return tf.reduce_sum(tf.math.log(x) - x, axis=-1)  # gamma, shape 2

    normal = tfd.Independent(tfd.Normal([0.5], [0.9]), 1)
    found = importance_sample(target, normal, 20_000, support=tfb.Exp(), seed=0)
    assert abs(found.log_evidence.value) < 4.0 * found.log_evidence.stderr
    mean, stderr = found.expectation()
    assert abs(mean[0] - 2.0) < 4.0 * stderr[0]


def test_zero_density_at_some_draws_is_weight_zero():
    half = importance_sample(
        lambda x: tf.where(x[:, 0] > 0.0, bump(x), -np.inf), WIDE, 20_000, seed=0
    )
    truth = LOG_2_PI + np.log(0.8413447)
    value, stderr = half.log_evidence
    assert abs(value - truth) < 4.0 * stderr


def test_a_proposal_that_ends_before_the_target_is_said_to():
    box = tfd.Independent(tfd.Uniform([-1.0, -1.0], [1.0, 1.0]), 1)
    found = importance_sample(bump, box, 2_000, seed=0)
    assert not found.reliable
    assert "no density at events where the target has" in found.judgement
    inside = tfd.Independent(tfd.Uniform([-0.5, -0.5], [0.5, 0.5]), 1)
    covered = importance_sample(inside, box, 2_000, seed=0)
    assert covered.is_covered
    assert covered.reliable
    half = tfd.Independent(tfd.HalfNormal([2.0, 2.0]), 1)
    assert not importance_sample(bump, half, 2_000, seed=0).is_covered
    above = importance_sample(
        tfd.Independent(tfd.Gamma([2.0], 1.0), 1),
        tfd.Independent(tfd.Exponential([0.5]), 1),
        2_000,
        seed=0,
    )
    assert above.reliable


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (lambda x: bump(x) * np.nan, "got nan for 300 of 300 draws"),
        (lambda x: bump(x) + np.inf, "got inf for 300"),
        (lambda x: bump(x) - np.inf, "must not be 0 everywhere"),
        (lambda x: x, "one number for each event"),
        (lambda x: tf.reduce_sum(bump(x)), "Sum over the coordinates"),
        (tfd.Normal(0.0, 1.0), "must have events of shape"),
        (tfd.Normal([0.0, 0.0], 1.0), "must have no batch"),
        (tfd.Poisson(3.0), "support"),
    ],
)
def test_bad_targets_are_named(target, message):
    with pytest.raises(ValueError, match=message):
        importance_sample(target, WIDE, 300, seed=0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, WIDE, 10), TypeError, "`target` must be a function"),
        ((bump, 3, 10), TypeError, "`proposal` must be a distribution or a flow"),
        ((bump, WIDE, 0), ValueError, "`n` must be at least 1"),
        ((bump, tfd.Normal([0.0], 1.0), 10), ValueError, "no batch"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        importance_sample(*arguments)


def test_discrete_and_mixed_variables_are_named():
    discrete = tfd.JointDistributionNamed({"n": tfd.Categorical([0.0, 1.0])})
    with pytest.raises(ValueError, match="continuous variables"):
        importance_sample(discrete, WIDE, 10)
    mixed = tfd.JointDistributionNamed(
        {"a": tfd.Normal(0.0, 1.0), "b": tfd.Normal(np.float64(0.0), 1.0)}
    )
    with pytest.raises(ValueError, match="one dtype"):
        importance_sample(mixed, WIDE, 10)


def test_condition_of_a_proposal_is_asked_for():
    flow = tfpf.flows.build("linear", 2, 1, seed=0)
    with pytest.raises(ValueError, match=r"flow\.distribution\(condition\)"):
        importance_sample(bump, flow, 10)
