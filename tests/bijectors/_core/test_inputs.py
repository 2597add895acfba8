"""Inputs that are no real numbers of the map's dtype are named."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.flows import small
from tfp_flows import bijectors

LU = bijectors.LU.trainable(2, seed=0)
CDF = bijectors.NormalCDF()


@pytest.mark.parametrize(
    "name",
    ["forward", "inverse", "forward_log_det_jacobian", "inverse_log_det_jacobian"],
)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (tf.ones([2], tf.float64), "must be float32, as the numbers of `LU` are, got"),
        (tf.ones([2], tf.int32), r"got int32. Cast it by tf.cast\(., 'float32'\)\.$"),
        (np.ones([2], complex), "must be real numbers, got complex128"),
        (np.array(["2020-01-01"] * 2, "M8[D]"), "must be numbers, got dates"),
        (np.array(["1.5", "2"]), "must be numbers, got text"),
        (tf.sparse.from_dense([1.0, 2.0]), "must be a dense tensor, got a `Sparse"),
        (tf.ragged.constant([[1.0], [1.0, 2.0]]), "must be a dense tensor, got a `Rag"),
        ([[1.0], [1.0, 2.0]], "must be numbers, got"),
        (None, "must be numbers, got None"),
    ],
)
def test_what_a_map_cannot_take_is_named(name, value, message):
    rest = (1,) if "log_det" in name else ()
    with pytest.raises((TypeError, ValueError), match=message):
        getattr(LU, name)(value, *rest)


@pytest.mark.parametrize(
    "value", [[1, 0], np.array([1, 0]), tf.constant([1, 0]), np.array([True, False])]
)
def test_integers_are_numbers_to_maps_without_a_dtype(value):
    wanted = CDF.forward(tf.constant([1.0, 0.0])).numpy().tolist()
    assert CDF.forward(value).numpy().tolist() == wanted


def test_the_cosine_transform_of_integer_pixels_is_that_of_their_floats():
    pixels = np.arange(16).reshape(4, 4, 1)
    transform = bijectors.CosineTransform()
    found = transform.forward(pixels)
    np.testing.assert_allclose(
        found, transform.forward(pixels.astype("float32")), rtol=1e-6
    )


@pytest.mark.parametrize("shuffle", [bijectors.Permutation([1, 0]), None])
def test_maps_that_only_move_numbers_keep_integers(shuffle):
    moved = shuffle or bijectors.Squeeze()
    big = 2**24 + np.arange(2 if shuffle else 4)
    found = moved.forward(big if shuffle else big.reshape(2, 2, 1))
    assert found.dtype.is_integer
    assert sorted(found.numpy().ravel().tolist()) == big.tolist()


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (np.ones([1, 1], complex), "must be real numbers"),
        (np.array([["a"]]), "must be numbers, got text"),
    ],
)
def test_conditions_are_real_numbers(condition, message):
    stack = small.build("maf", 2, 1).bijector()
    with pytest.raises(TypeError, match=f"`condition` {message}"):
        stack.forward(tf.ones([1, 2]), condition=condition)
