"""CDF tables with Gaussian tails."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.math.slopes import log_slope
from tfp_flows.math.gaussianization import cdf_tables

LOW, HIGH = [tf.constant(end, tf.float64) for end in ([-2.0, 0.0], [2.0, 5.0])]
RNG = np.random.default_rng(0)


def table(cells=9):
    return tf.constant(RNG.normal(size=[2, cells + 2]))


def test_counts_become_probabilities_with_what_lies_outside():
    found = np.exp(cdf_tables.log_masses(np.array([[3, 0, 5]]), 0.5))
    np.testing.assert_allclose(found, np.array([[0.5, 3.5, 0.5, 5.5, 0.5]]) / 10.5)


def test_tables_of_levels_have_these_levels_at_their_edges():
    levels = np.array([[-3.0, -1.0, 0.5, 2.0], [-2.0, -1.9, 1.0, 4.0]])
    masses = tf.constant(cdf_tables.log_masses_at(levels))
    width = (HIGH - LOW) / 3.0
    edges = tf.stack([LOW + i * width for i in range(4)])
    z, _ = cdf_tables.gaussianize(edges, LOW, HIGH, masses)
    np.testing.assert_allclose(z, levels.T, atol=1e-6)


def test_normal_cells_give_the_identity():
    edges = np.linspace(-4.0, 4.0, 401)
    masses = np.log(np.diff(stats.norm.cdf(edges), prepend=0.0, append=1.0))
    masses[[0, -1]] = stats.norm.logcdf(-4.0)
    x = tf.constant(np.linspace(-2.5, 2.5, 40)[:, np.newaxis])
    ends = tf.constant([-4.0], tf.float64), tf.constant([4.0], tf.float64)
    z, log_det = cdf_tables.gaussianize(x, *ends, tf.constant(masses[np.newaxis]))
    np.testing.assert_allclose(z, x, atol=1e-3)
    np.testing.assert_allclose(log_det, 0.0, atol=0.05)


@pytest.mark.parametrize(("dtype", "atol"), [("float32", 2e-4), ("float64", 1e-9)])
def test_inverse_is_undone_inside_and_in_the_tails(dtype, atol):
    x = tf.constant(RNG.uniform(-4.0, 8.0, size=[40, 2]), dtype)
    given = [tf.cast(part, dtype) for part in (LOW, HIGH, table())]
    z, log_det = cdf_tables.gaussianize(x, *given)
    back, inverse = cdf_tables.sample_map(z, *given)
    np.testing.assert_allclose(back, x, atol=atol)
    np.testing.assert_allclose(inverse, -log_det, atol=10 * atol)
    assert np.isnan(cdf_tables.gaussianize(x * np.nan, *given)[0]).all()
    assert np.isnan(cdf_tables.sample_map(z * np.nan, *given)[0]).all()


def test_log_slopes_are_those_of_autodiff():
    x, given = tf.constant(RNG.uniform(-4.0, 8.0, size=[40, 2])), (LOW, HIGH, table())
    for function in (cdf_tables.gaussianize, cdf_tables.sample_map):
        found = function(x, *given)[1]
        wanted = log_slope(lambda x, f=function: f(x, *given), x)
        np.testing.assert_allclose(found, wanted, atol=1e-7)


def test_densities_integrate_to_one():
    x = np.linspace(-200.0, 200.0, 400_001)  # tails may be flat
    z, log_det = cdf_tables.gaussianize(
        tf.constant(np.stack([x, x], axis=1)), LOW, HIGH, table(4)
    )
    density = np.exp(stats.norm.logpdf(z) + log_det)
    np.testing.assert_allclose(density.sum(axis=0) * (x[1] - x[0]), 1.0, atol=2e-3)


def test_tails_have_at_least_a_tenth_of_the_mean_slope():
    # An outer cell that is nearly empty would make a tail of huge width.
    masses = np.log([[1e-3, 1e-9, 0.5, 0.5, 1e-9, 1e-3]])
    ends = tf.constant([0.0], tf.float64), tf.constant([4.0], tf.float64)
    x = tf.constant([[-1.0], [0.0], [4.0], [5.0]], tf.float64)
    z, log_det = cdf_tables.gaussianize(x, *ends, tf.constant(masses))
    mean = float(z[2, 0] - z[1, 0]) / 4.0
    np.testing.assert_allclose(np.exp(log_det[0]), 0.1 * mean, rtol=1e-6)
    np.testing.assert_allclose(np.exp(log_det[3]), 0.1 * mean, rtol=1e-6)
    np.testing.assert_allclose(z[1] - z[0], 0.1 * mean, rtol=1e-6)
