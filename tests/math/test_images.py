"""Reorderings and value ranges of images."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import fft

from tests.math.slopes import assert_log_slope
from tfp_flows.math import images

RNG = np.random.default_rng(0)


def test_sides_are_divided_as_often_as_both_allow():
    for height, width, factor, count in (
        (8, 12, 2, 2),
        (8, 8, 2, 3),
        (6, 9, 2, 0),
        (9, 27, 3, 2),
        (5, 5, 3, 0),
    ):
        assert images.divisions(height, width, factor) == count


def test_pixels_become_channels_as_in_tensorflow():
    x = tf.constant(RNG.normal(size=(2, 4, 6, 3)))
    for factor, shape in ((2, (2, 3, 12)), (1, (4, 6, 3))):
        y = images.squeeze(x, factor)
        assert y.shape[1:] == shape == images.squeezed_shape((4, 6, 3), factor)
        if factor > 1:
            np.testing.assert_array_equal(y, tf.nn.space_to_depth(x, factor))
        assert images.unsqueezed_shape(shape, factor) == (4, 6, 3)
        np.testing.assert_array_equal(images.unsqueeze(y, factor), x)


def test_channels_may_vary_slowest():
    x = RNG.normal(size=(4, 6, 3))
    y = images.squeeze(tf.constant(x), 2, "channels")
    for c, i, j in np.ndindex(3, 2, 2):
        np.testing.assert_array_equal(y[..., (c * 2 + i) * 2 + j], x[i::2, j::2, c])
    back = images.unsqueeze(y, 2, "channels")
    np.testing.assert_array_equal(back, x)


def test_leading_dimensions_may_be_unknown():
    x = tf.constant(RNG.normal(size=(2, 5, 4, 4, 1)))
    squeeze = tf.function(
        lambda x: images.squeeze(x, 2),
        input_signature=[tf.TensorSpec([None, None, 4, 4, 1], tf.float64)],
    )
    np.testing.assert_array_equal(squeeze(x), images.squeeze(x, 2))
    assert squeeze.get_concrete_function().output_shapes == [None, None, 2, 2, 4]


def test_sides_and_channels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="Pad by 1 rows and 0 columns"):
        images.squeezed_shape((5, 6, 1), 3)
    with pytest.raises(ValueError, match="a multiple of 4, got 6"):
        images.unsqueezed_shape((2, 2, 6), 2)


def test_checkerboards_alternate_in_both_directions():
    board = images.checkerboard(2, 3)[..., 0]
    np.testing.assert_array_equal(board, [[True, False, True], [False, True, False]])
    np.testing.assert_array_equal(images.checkerboard(2, 3, flip=True)[..., 0], ~board)


def test_wavelets_are_sums_and_differences_and_their_own_inverse():
    # Two channels: the pixels a, b, c, d of a block follow each other, channels within.
    x = tf.constant([[1.0, 10.0, 2.0, 20.0, 4.0, 40.0, 8.0, 80.0]])
    y = images.haar(x)
    parts = np.array([15.0, -5.0, -9.0, 3.0]) / 2.0
    np.testing.assert_allclose(y[0, ::2], parts)
    np.testing.assert_allclose(y[0, 1::2], 10.0 * parts)
    np.testing.assert_allclose(images.haar(y), x)
    matrix = images.haar(tf.eye(4)).numpy()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(4))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cosine_transforms_are_those_of_scipy(dtype):
    x = RNG.normal(size=(2, 4, 3, 2)).astype(dtype)
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    y = images.cosine_transform(tf.constant(x))
    wanted = fft.dctn(x.astype("float64"), norm="ortho", axes=(1, 2))
    np.testing.assert_allclose(y, wanted, atol=tolerance)
    assert y.dtype == dtype
    back = images.cosine_transform(y, inverse=True)
    np.testing.assert_allclose(back, x, atol=tolerance)


@pytest.mark.parametrize("alpha", [1e-6, 0.05])
def test_pixels_have_the_logits_of_their_share(alpha):
    x = np.array([1.0, 17.5, 128.0, 250.0])
    z, log_det = images.pixel_logit(tf.constant(x), 256.0, alpha)
    p = alpha + (1.0 - 2.0 * alpha) * x / 256.0
    np.testing.assert_allclose(z, np.log(p / (1.0 - p)), rtol=1e-10)
    assert_log_slope(lambda x: images.pixel_logit(x, 256.0, alpha), x)
    assert_log_slope(lambda z: images.pixel_sigmoid(z, 256.0, alpha), z)
    back, inverse_log_det = images.pixel_sigmoid(z, 256.0, alpha)
    np.testing.assert_allclose(back, x, rtol=1e-10)
    np.testing.assert_allclose(inverse_log_det, -log_det, rtol=1e-10)


def test_pixels_keep_their_digits_at_both_ends():
    x = tf.constant([0.0, 1e-3, 256.0 - 1e-3, 256.0], tf.float32)
    z, log_det = images.pixel_logit(x, 256.0, 1e-6)
    np.testing.assert_allclose(z[0], -z[3], rtol=1e-5)
    np.testing.assert_allclose(log_det[0], log_det[3], rtol=1e-5)
    assert np.all(np.isfinite(log_det))
    back, _ = images.pixel_sigmoid(z, 256.0, 1e-6)
    np.testing.assert_allclose(back, x, atol=1e-4)


def test_pixels_that_no_logit_has_have_density_zero():
    # The shares 0.05 and below reach as far as 14.2 pixels beyond both ends.
    x = tf.constant([-15.0, -14.0, 270.0, 271.0], tf.float64)
    _, log_det = images.pixel_logit(x, 256.0, 0.05)
    assert np.isneginf(log_det.numpy()).tolist() == [True, False, False, True]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_saturated_pixels_have_a_density(dtype):
    z = tf.constant([-np.inf, -1e30, -90.0, -20.0, 20.0, 90.0, 1e30, np.inf], dtype)
    compiled = tf.function(images.pixel_logit, jit_compile=True)
    for num_values, alpha in itertools.product(
        (1.0, 32.0, 256.0, 65536.0), (0.0, 1e-6, 0.002, 0.05, 0.4)
    ):
        x, _ = images.pixel_sigmoid(z, num_values, alpha)
        ways = [images.pixel_logit]
        if alpha == 0.002:
            ways.append(compiled)
        for logit in ways:
            back, log_det = logit(x, num_values, alpha)
            assert np.all(np.isfinite(back))
            assert np.all(np.isfinite(log_det))
            assert np.all(np.diff(back) >= 0)


def test_pixels_beyond_all_bounds_have_finite_logits_and_nan_stays():
    x = tf.constant([-np.inf, -1e30, 1e30, np.inf, np.nan])
    z, log_det = images.pixel_logit(x, 256.0, 0.002)
    assert np.isfinite(z).tolist() == [True] * 4 + [False]
    assert np.isneginf(log_det[:4]).all()
    assert np.isnan(z[4] + log_det[4])
