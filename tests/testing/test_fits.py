"""Checks of fitted maps pass right fits and find planted faults."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import bijectors as maps
from tfp_flows import testing


def _draw(rows, seed):
    return np.random.default_rng(seed).gamma(2.0, size=(rows, 2))


def _spline(x):
    return maps.MarginalSpline.from_samples(x)


def _off(x, shift=0.0, scale=1.0):
    """Move the base values of a right fit."""
    wrong = maps.Standardize(tf.fill([2], -shift / scale), tf.fill([2], 1.0 / scale))
    return maps.Chain([_spline(x), wrong])


def test_right_fits_pass():
    testing.check_uniformity(_spline, _draw)
    testing.check_identity(_spline, (2,))


def test_a_base_may_be_uniform():
    def fit(x):
        return maps.Invert(maps.HistogramCDF.from_samples(x, 50))

    base = tfd.Uniform(np.float64(0.0), np.float64(1.0))
    testing.check_uniformity(fit, _draw, base=base)
    testing.check_identity(fit, (2,), base=base)


@pytest.mark.parametrize("fault", [{"shift": 0.3}, {"scale": 1.4}])
def test_shifts_and_scales_of_the_base_are_found(fault):
    with pytest.raises(testing.ContractError, match="distance of fresh rows"):
        testing.check_uniformity(lambda x: _off(x, **fault), _draw)
    with pytest.raises(testing.ContractError, match="median step"):
        testing.check_identity(lambda x: _off(x, **fault), (2,))


def test_dependence_that_is_left_is_found_in_random_directions():
    def draw(rows, seed):
        u = np.random.default_rng(seed).normal(size=(rows, 2))
        return np.stack([u[:, 0], 0.9 * u[:, 0] + 0.43 * u[:, 1]], axis=1)

    with pytest.raises(testing.ContractError, match="distance of fresh rows"):
        testing.check_uniformity(_spline, draw)


def test_base_values_that_are_not_finite_are_found():
    def fit(x):
        del x
        return maps.Standardize(tf.fill([2], np.nan), tf.ones([2]))

    with pytest.raises(testing.ContractError, match="finite"):
        testing.check_uniformity(fit, _draw)
