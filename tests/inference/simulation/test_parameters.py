"""Densities of priors outside of their support, and of parameters that are NaN."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows.inference.simulation.parameters import log_prior

JOINT = tfd.JointDistributionNamedAutoBatched(
    {"rate": tfd.Gamma(3.0, 2.0), "shift": tfd.Sample(tfd.Normal(0.0, 1.0), 2)}
)


@pytest.mark.parametrize(
    ("prior", "value", "expected"),
    [
        (tfd.Gamma(3.0, 2.0), [-1.0, np.nan], [-np.inf, np.nan]),
        (tfd.Uniform(-1.0, 1.0), [2.0, np.nan], [-np.inf, np.nan]),
        (
            tfd.Independent(tfd.Beta([2.0, 2.0], 3.0), 1),
            [[0.5, 1.5], [0.5, np.nan], [-1.0, np.nan]],
            [-np.inf, np.nan, np.nan],
        ),
        (
            JOINT,
            {"rate": [-1.0, np.nan, 1.0], "shift": [[0, 0], [0, 0], [0, np.nan]]},
            [-np.inf, np.nan, np.nan],
        ),
    ],
)
def test_outside_is_minus_infinity_and_nan_is_nan(prior, value, expected):
    if isinstance(value, dict):
        value = {name: tf.constant(v, tf.float32) for name, v in value.items()}
    else:
        value = tf.constant(value)
    np.testing.assert_array_equal(log_prior(prior, value), expected)


def test_inside_nothing_changes():
    draws = JOINT.sample(5, seed=0)
    np.testing.assert_array_equal(log_prior(JOINT, draws), JOINT.log_prob(draws))
    arrays = {name: v.numpy() for name, v in draws.items()}
    np.testing.assert_array_equal(log_prior(JOINT, arrays), JOINT.log_prob(draws))
