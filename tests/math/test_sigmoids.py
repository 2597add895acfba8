"""Deep sigmoidal functions."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.math.far import assert_inverse_holds_far_out
from tests.math.slopes import assert_log_slope
from tfp_flows.math import mixtures, sigmoids

UNITS = 3


def numbers(num_layers, points=1, dtype="float64"):
    rng = np.random.default_rng(num_layers)
    found = sigmoids.sizes(UNITS, num_layers)
    return [tf.constant(rng.normal(size=[size, points]), dtype) for size in found]


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=0)


def plain(x, layers):
    """Return a deep function as the paper has it, weights and all."""
    h, widths = x[np.newaxis], [1, *[UNITS] * (len(layers) - 1), 1]
    for params, before, after in zip(layers, widths, widths[1:], strict=False):
        raw, b, rest = np.split(params.numpy()[:, 0], [UNITS, 2 * UNITS])
        w = softmax(rest[: UNITS * after].reshape(UNITS, after)).T
        u = np.ones([UNITS, 1])
        if before > 1:
            u = softmax(rest[UNITS * after :].reshape(before, UNITS)).T
        a = np.exp(raw / (1.0 + np.abs(raw) / sigmoids.LOG_SLOPE_BOUND))
        mean = w @ (1.0 / (1.0 + np.exp(-a[:, None] * (u @ h) - b[:, None])))
        h = np.log(mean) - np.log1p(-mean)
    return h[0]


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_values_are_those_of_the_paper(num_layers):
    x, layers = np.linspace(-3.0, 3.0, 9), numbers(num_layers)
    found = sigmoids.forward(tf.constant(x), layers, UNITS)[0]
    np.testing.assert_allclose(found, plain(x, layers), atol=1e-9)


def test_one_layer_is_a_mixture_of_logistics():
    (params,) = numbers(1, 9)
    raw, b, w = tf.split(params, 3)
    log_scales = -raw / (1.0 + tf.abs(raw) / sigmoids.LOG_SLOPE_BOUND)
    locations = -b * tf.exp(log_scales)
    x = tf.constant(np.linspace(-30.0, 30.0, 9))
    wanted = mixtures.logit_cdf(x, tf.nn.log_softmax(w, 0), locations, log_scales)
    for one, other in zip(sigmoids.forward(x, [params], UNITS), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_log_slopes_are_those_of_autodiff_and_constant_far_out(num_layers):
    x, layers = np.linspace(-40.0, 40.0, 17), numbers(num_layers, 17)
    assert_log_slope(lambda x: sigmoids.forward(x, layers, UNITS), x)
    far = tf.constant([1e6] * 17, tf.float64)
    near, further = (sigmoids.forward(x, layers, UNITS) for x in (far, 2.0 * far))
    np.testing.assert_allclose(near[1], further[1], atol=1e-9)
    np.testing.assert_allclose(further[0] - near[0], 1e6 * np.exp(near[1]), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_inverse_holds_far_out(num_layers, dtype):
    layers = numbers(num_layers, 400, dtype)
    places = [layer.shape[0] for layer in layers]
    assert_inverse_holds_far_out(
        lambda x, p: sigmoids.forward(x, tf.split(p, places), UNITS),
        lambda y, p: sigmoids.inverse(y, tf.split(p, places), UNITS),
        tf.concat(layers, 0),
    )
