"""Maps to the normal distribution through CDFs of mixtures."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from tests.math.slopes import assert_log_slope
from tfp_flows.math.gaussianization import mixture_maps

FAMILIES = {"normal": stats.norm, "logistic": stats.logistic}
KINDS = pytest.mark.parametrize("kind", mixture_maps.KINDS)


def mixture(size=2, count=3):
    rng = np.random.default_rng(0)
    shapes = rng.normal(size=(3, size, count)) * [[[1.0]], [[2.0]], [[0.4]]]
    return [tf.constant(part) for part in shapes]


@KINDS
def test_values_are_quantiles_of_the_cdf(kind):
    logits, locations, log_scales = (part.numpy() for part in mixture())
    x = np.linspace(-3.0, 4.0, 30)
    weights = special.softmax(logits, axis=1)
    scales = np.exp(log_scales)
    z, _ = mixture_maps.gaussianize(
        tf.constant(np.stack([x, x], axis=1)), *mixture(), kind
    )
    family, share = FAMILIES[kind], mixture_maps.BROAD_WEIGHT
    for d in range(2):
        mean = weights[d] @ locations[d]
        unit = family.std()
        variance = weights[d] @ ((scales[d] * unit) ** 2 + (locations[d] - mean) ** 2)
        broad = mixture_maps.BROAD_SCALE * np.sqrt(variance) / unit
        cdf = family.cdf(x[:, np.newaxis], locations[d], scales[d]) @ weights[d]
        cdf = (1.0 - share) * cdf + share * family.cdf(x, mean, broad)
        np.testing.assert_allclose(z[:, d], special.ndtri(cdf), atol=1e-9)


@KINDS
def test_log_slopes_are_those_of_autodiff(kind):
    x = np.linspace(-60.0, 60.0, 40).reshape(20, 2)
    assert_log_slope(lambda x: mixture_maps.gaussianize(x, *mixture(), kind), x, 1e-7)
    z = np.linspace(-12.0, 12.0, 40).reshape(20, 2)
    assert_log_slope(lambda z: mixture_maps.sample_map(z, *mixture(), kind), z, 1e-6)


def test_one_normal_component_is_nearly_standardised():
    parameters = [tf.constant([[v]], tf.float64) for v in (0.0, 2.0, np.log(3.0))]
    x = tf.constant([[-4.0], [2.0], [5.0]], tf.float64)
    z, log_slope = mixture_maps.gaussianize(x, *parameters, "normal")
    np.testing.assert_allclose(z, (x - 2.0) / 3.0, atol=1e-3)
    np.testing.assert_allclose(log_slope, -np.log(3.0), atol=1e-3)


@KINDS
def test_tails_are_straight(kind):
    x = tf.constant([[500.0], [600.0], [700.0]], tf.float64)
    for sign in (-1.0, 1.0):
        parameters = mixture(size=1)
        z, log_slope = mixture_maps.gaussianize(sign * x, *parameters, kind)
        rise = np.diff(z[:, 0]) / (100.0 * sign)
        np.testing.assert_allclose(rise, np.exp(log_slope[:2, 0]), rtol=1e-9)


@KINDS
@pytest.mark.parametrize(("dtype", "atol"), [("float32", 2e-4), ("float64", 1e-8)])
def test_inverse_is_undone_in_the_middle_and_in_the_tails(kind, dtype, atol):
    parameters = [tf.cast(part, dtype) for part in mixture()]
    z = tf.constant(np.linspace(-9.0, 9.0, 20).reshape(10, 2), dtype)
    x, log_slope = mixture_maps.sample_map(z, *parameters, kind)
    back, forward = mixture_maps.gaussianize(x, *parameters, kind)
    np.testing.assert_allclose(back, z, atol=atol)
    np.testing.assert_allclose(log_slope, -forward, atol=100 * atol)


@KINDS
def test_nan_and_further_leading_dimensions(kind):
    x = np.linspace(-3.0, 3.0, 12).reshape(2, 3, 2)
    whole, _ = mixture_maps.gaussianize(tf.constant(x), *mixture(), kind)
    one, _ = mixture_maps.gaussianize(tf.constant(x[1, 2]), *mixture(), kind)
    np.testing.assert_allclose(whole[1, 2], one)
    nan = tf.constant([np.nan, 0.0], tf.float64)
    z, _ = mixture_maps.gaussianize(nan, *mixture(), kind)
    assert np.isnan(z).tolist() == [True, False]
