"""Tables of the maps of one-dimensional mixtures."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from tfp_flows.math.gaussianization import mixture_knots
from tfp_flows.math.splines import tables


def _loss(x, knots):
    positions, values, log_slopes = (np.ascontiguousarray(part) for part in knots)
    z, log_det = tables.evaluate(tf.constant(x), positions, values, np.exp(log_slopes))
    return np.mean(0.5 * z.numpy() ** 2 - log_det, axis=0) + 0.5 * math.log(2 * math.pi)


def test_modes_far_apart_come_near_the_entropy():
    rng = np.random.default_rng(0)
    modes = rng.integers(0, [2, 5], size=[20_000, 2])
    x = modes * [30.0, 40.0] + rng.standard_normal([20_000, 2])
    knots = mixture_knots.mixture_knots(x[:10_000], 5, 64)
    entropy = 0.5 * math.log(2 * math.pi * math.e) + np.log([2.0, 5.0])
    np.testing.assert_allclose(_loss(x[10_000:], knots), entropy, atol=0.03)


def test_knots_increase_with_ties_constants_and_few_rows():
    rng = np.random.default_rng(0)
    x = np.stack([rng.integers(0, 3, 60), np.full(60, 2.0), rng.normal(size=60)], 1)
    for count in (1, 2, 8):
        positions, values, log_slopes = mixture_knots.mixture_knots(
            x.astype(np.float64), count, 16
        )
        assert positions.shape == values.shape == log_slopes.shape == (3, 17)
        assert np.all(np.diff(positions) > 0)
        assert np.all(np.diff(values) > 0)
        assert np.all(np.isfinite(log_slopes))


def test_one_component_is_the_normal_law_of_the_rows():
    rng = np.random.default_rng(1)
    x = 3.0 + 2.0 * rng.standard_normal([50_000, 1])
    loss = _loss(x, mixture_knots.mixture_knots(x, 1, 32))
    want = 0.5 * math.log(2 * math.pi * math.e) + math.log(x.std())
    np.testing.assert_allclose(loss, want, atol=2e-3)
