"""Marginal and radial maps of a Gaussianization: tails, tables, exact cases."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows import bijectors as maps

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_cdf_is_finite_far_in_both_tails(dtype):
    x = tf.constant([-40.0, -8.0, 0.0, 8.0, 40.0], dtype)
    cdf = maps.NormalCDF()
    p = tf.identity(cdf.forward(x))
    assert np.all((p.numpy() > 0) & (p.numpy() < 1))
    for value in (
        cdf.inverse(p),
        cdf.forward_log_det_jacobian(x, event_ndims=0),
        cdf.inverse_log_det_jacobian(tf.identity(p), event_ndims=0),
        cdf.inverse(tf.constant([0.0, 1.0], dtype)),
    ):
        assert np.all(np.isfinite(value))


@pytest.mark.colab
def test_normal_cdf_is_that_of_tfp():
    x = tf.constant(np.linspace(-6, 5, 45))
    ours, theirs = maps.NormalCDF(), tfb.NormalCDF()
    np.testing.assert_allclose(ours.forward(x), theirs.forward(x), rtol=1e-12)
    np.testing.assert_allclose(
        ours.forward_log_det_jacobian(x, event_ndims=0),
        theirs.forward_log_det_jacobian(x, event_ndims=0),
        atol=1e-12,
    )
    back = ours.inverse(tf.identity(ours.forward(x)))
    np.testing.assert_allclose(back, x, atol=1e-9)


def test_marginal_gaussianize_is_the_chain_of_both_cdfs():
    x = RNG.gamma(2.0, size=(2000, 2))
    whole = maps.MarginalGaussianize.from_samples(x, 50, dtype=tf.float64)
    table = maps.HistogramCDF(whole.low, whole.high, whole.log_masses)
    chain = maps.Chain([maps.Invert(table), maps.NormalCDF()])
    y = tf.constant(x[:100])
    np.testing.assert_allclose(whole.inverse(y), chain.inverse(y), atol=1e-7)
    np.testing.assert_allclose(
        whole.inverse_log_det_jacobian(tf.identity(y), event_ndims=1),
        chain.inverse_log_det_jacobian(tf.identity(y), event_ndims=1),
        atol=1e-6,
    )


def test_table_makes_marginals_normal():
    x = RNG.gamma(2.0, size=(5000, 2))
    table = maps.MarginalGaussianize.from_samples(x, 60, dtype=tf.float64)
    z = np.sort(table.inverse(tf.constant(x)).numpy(), axis=0)
    levels = (np.arange(5000) + 0.5)[:, np.newaxis] / 5000
    cdf = 0.5 * (1 + tf.math.erf(z / np.sqrt(2)).numpy())
    assert np.abs(cdf - levels).max() < 0.03


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)]
)
def test_table_is_inverted_within_and_beyond_the_grid(dtype, tolerance):
    x = RNG.uniform(-1, 1, size=(500, 3))
    table = maps.MarginalGaussianize.from_samples(x, 20, dtype=dtype)
    for factor in (1.0, 10.0):
        y = tf.constant(factor * x, dtype)
        back = table.forward(tf.identity(table.inverse(y)))
        np.testing.assert_allclose(back, y, atol=tolerance * factor * 10)


def test_density_of_a_table_is_that_of_the_histogram():
    x = RNG.uniform(size=(1000, 1))
    table = maps.HistogramCDF.from_samples(
        x, 10, margin=0.0, pseudo_counts=1e-6, dtype=tf.float64
    )
    counts, edges = np.histogram(x, 10)
    middle = (edges[1:] + edges[:-1]) / 2
    density = np.exp(
        table.forward_log_det_jacobian(tf.constant(middle[:, None]), event_ndims=1)
    )
    np.testing.assert_allclose(density, counts / 1000 / np.diff(edges), rtol=1e-3)


def test_bad_samples_and_knots_are_errors():
    with pytest.raises(ValueError, match="`x` must be a matrix"):
        maps.HistogramCDF.from_samples([1.0, 2.0])
    with pytest.raises(ValueError, match="`x_knots` must increase"):
        maps.MarginalSpline.from_knots([[0.0, 0.0]], [[0.0, 1.0]], [[0.0, 0.0]])
    with pytest.raises(ValueError, match="`log_y_bins` must have shape"):
        maps.MarginalSpline(
            tf.zeros([2]), tf.zeros([2, 3]), tf.zeros([2]), tf.zeros([2, 4]), 0.0
        )
    with pytest.raises(ValueError, match="`bijector` must be a map of one feature"):
        maps.RadialGaussianize(maps.MarginalSpline.trainable(2), 2)


def test_marginal_spline_with_equal_slopes_is_affine():
    knots = np.array([[-2.0, -0.5, 1.0], [-1.0, 0.0, 3.0]])
    spline = maps.MarginalSpline.from_knots(
        knots, 3.0 * knots + 1.0, np.full([2, 3], -np.log(3.0)), dtype=tf.float64
    )
    x = tf.constant(RNG.normal(size=(20, 2)) * 5)
    np.testing.assert_allclose(spline.forward(x), 3.0 * x + 1.0, atol=1e-12)
    log_det = spline.forward_log_det_jacobian(x, event_ndims=1)
    np.testing.assert_allclose(log_det, 2 * np.log(3.0), atol=1e-12)


def test_marginal_spline_from_samples_makes_marginals_normal():
    x = np.stack([RNG.logistic(size=8000), 3 + 2 * RNG.normal(size=8000)], axis=1)
    train, rest = np.split(x, 2)
    spline = maps.MarginalSpline.from_samples(train, dtype=tf.float64)
    z, log_det = spline.inverse_and_log_det(rest)
    log_prob = log_det - 0.5 * np.sum(z**2, axis=1) - np.log(2 * np.pi)
    truth = -2.0 - (0.5 * np.log(2 * np.pi * np.e) + np.log(2))
    assert abs(np.mean(log_prob) - truth) < 0.05
    # A normal column needs no more than a straight line.
    slopes = spline.log_knot_slopes.numpy()[1]
    np.testing.assert_allclose(slopes, -np.log(train[:, 1].std()), atol=1e-6)
    with pytest.raises(ValueError, match="`x` must be a matrix"):
        maps.MarginalSpline.from_samples([1.0, 2.0])


def test_radial_map_keeps_directions():
    spline = maps.MarginalSpline.trainable(1, 4, dtype=tf.float64)
    for variable in spline.trainable_variables:
        variable.assign_add(0.2 * RNG.normal(size=variable.shape))
    radial = maps.RadialGaussianize(spline, 3)
    x = tf.constant(RNG.normal(size=(30, 3)))
    y = radial.forward(x)
    cosine = np.sum(x * y, -1) / np.linalg.norm(x, axis=-1) / np.linalg.norm(y, axis=-1)
    np.testing.assert_allclose(cosine, 1.0, atol=1e-12)
    assert np.all(np.isfinite(radial.inverse(tf.zeros([1, 3], tf.float64))))


def test_rotation_by_zero_is_the_matrix_and_keeps_volumes():
    matrix = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    x = tf.constant(RNG.normal(size=(5, 3)))
    turn = maps.Rotation.trainable(matrix, dtype=tf.float64)
    np.testing.assert_allclose(turn.forward(x), x.numpy() @ matrix.T, atol=1e-12)
    assert np.all(turn.forward_log_det_jacobian(x, event_ndims=1).numpy() == 0)
    with pytest.raises(ValueError, match="must be orthogonal"):
        maps.Rotation(tf.ones([2, 2]), validate_args=True)
