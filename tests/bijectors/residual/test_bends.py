"""Planar, radial and Sylvester maps: always invertible, also far out; errors."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import bijectors as maps
from tfp_flows import networks
from tfp_flows.testing import perturb


def draw(kind, rng, dtype="float32", size=3, scale=1.0, batch=()):
    """Return a map of random parameters."""

    def normal(*shape):
        return tf.constant(scale * rng.normal(size=(*batch, *shape)), dtype)

    if kind == "planar":
        return maps.Planar(normal(size), normal(size), normal())
    if kind == "radial":
        return maps.Radial(normal(size), normal(), normal())
    given = normal(2, 2), normal(2), normal(2, 2), normal(2)
    if kind == "triangular":
        return maps.Sylvester(*given, kind=kind, event_size=size)
    rows = 2 if kind == "orthogonal" else 3
    return maps.Sylvester(*given, normal(rows, size), kind=kind)


KINDS = ["planar", "radial", "orthogonal", "householder", "triangular"]


def jacobian(bijector, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = bijector.forward(x)
    return tape.batch_jacobian(y, x).numpy()


def test_thousand_random_planar_maps_are_invertible():
    rng = np.random.default_rng(0)
    planar = draw("planar", rng, scale=3.0, batch=(1000,))
    move, product, stretch = planar._move()
    found = tf.reduce_sum(planar.normal * move, axis=-1)
    np.testing.assert_allclose(found, product, atol=2e-5)
    assert np.all(stretch > 0)
    assert np.min(product) < -0.9  # the bound was needed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_inverse_is_right_far_out(kind, dtype):
    rng = np.random.default_rng(1)
    eps, bound = np.finfo(dtype).eps, 1e-5 if dtype == "float32" else 1e-10
    bijector = draw(kind, rng, dtype)
    far = rng.uniform(-100, 100, size=(100, 3))
    y = tf.constant(np.concatenate([far, rng.normal(size=(100, 3))]), dtype)
    x = bijector.inverse(y)
    slopes = jacobian(bijector, x)
    # A step of x to the next float moves y by this much.
    steep = np.maximum(1.0, np.linalg.norm(slopes, 2, axis=(1, 2)))
    size = np.maximum(1.0, np.abs(y).max(-1))
    error = np.abs(bijector.forward(tf.identity(x)) - y).max(-1)
    assert np.all(error <= 8 * eps * size * steep)
    again = bijector.inverse(tf.identity(bijector.forward(y)))
    condition = np.linalg.cond(jacobian(bijector, y))
    assert np.all(np.abs(again - y).max(-1) <= bound * size * condition)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_maps_acts_as_each_of_them(kind):
    bijector = draw(kind, np.random.default_rng(2), batch=(4,))
    y = tf.random.stateless_normal([4, 3], [0, 1])
    x, log_det = bijector.inverse_and_log_det(y)
    for i in range(4):
        one = bijector[i].inverse_and_log_det(y[i])
        np.testing.assert_allclose(x[i], one[0], atol=1e-5)
        np.testing.assert_allclose(log_det[i], one[1], atol=1e-5)


@pytest.mark.parametrize("kind", ["orthogonal", "householder", "triangular"])
def test_directions_of_sylvester_maps_are_orthonormal(kind):
    rows = draw(kind, np.random.default_rng(3), "float64", size=5).directions()
    assert rows.shape == (2, 5)
    np.testing.assert_allclose(rows @ tf.transpose(rows), np.eye(2), atol=1e-12)


def test_directions_do_not_jump_where_an_axis_changes_its_sign():
    rows = [
        maps.Sylvester(
            tf.zeros([1, 1]), tf.zeros([1]), tf.ones([1, 1]), tf.zeros([1]), axes
        ).directions()
        for axes in ([[1e-4, 1.0]], [[-1e-4, 1.0]])
    ]
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-3)


@pytest.mark.parametrize("map_", [maps.Planar, maps.Radial, maps.Sylvester])
def test_an_untrained_map_is_the_identity(map_):
    x = tf.random.stateless_normal([20, 3], [0, 2])
    bijector = map_.trainable(3, seed=0)
    y, log_det = bijector.forward_and_log_det(x)
    np.testing.assert_allclose(y, x, atol=1e-6)
    np.testing.assert_allclose(log_det, np.zeros(20), atol=1e-6)


def test_radial_keeps_its_centre_and_rows_do_not_see_each_other():
    radial = draw("radial", np.random.default_rng(4))
    x = tf.concat([[radial.center], tf.random.stateless_normal([5, 3], [0, 3])], 0)
    y = radial.forward(x)
    np.testing.assert_allclose(y[0], x[0], atol=1e-6)
    np.testing.assert_array_equal(radial.forward(x[:1]), y[:1])


def test_wrong_sylvester_maps_are_named():
    square, vector = tf.eye(2), tf.zeros([2])
    with pytest.raises(ValueError, match="`axes` must be given unless"):
        maps.Sylvester(square, vector, square, vector)
    with pytest.raises(ValueError, match="at least 2 numbers wide, and 2 rows"):
        maps.Sylvester(square, vector, square, vector, tf.zeros([3, 4]))
    with pytest.raises(ValueError, match="`num_directions` must be"):
        maps.Sylvester.trainable(2, 3)
    with pytest.raises(ValueError, match="`kind` must be one of 'orthogonal'"):
        maps.Sylvester.trainable(2, kind="cayley")


def test_amortized_maps_are_those_of_each_condition():
    bijector = maps.Sylvester.trainable(3, 2, seed=0)
    count = maps.Amortized.num_parameters(bijector)
    net = networks.MLP(0, (1, count), (8,), condition_shape=(2,), seed=0)
    amortized = maps.Amortized(bijector, net)
    perturb(amortized, 0.3)
    x = tf.random.stateless_normal([4, 3], [0, 4])
    condition = tf.random.stateless_normal([4, 2], [0, 5])
    y = amortized.forward(x, condition=condition)
    one = amortized.forward(x[2], condition=condition[2])
    np.testing.assert_allclose(y[2], one, atol=1e-6)
    assert np.abs(y - bijector.forward(x)).max() > 0.01
    wide = amortized.forward(tf.stack([x, x + 1.0]), condition=condition)
    np.testing.assert_allclose(wide[0], y, atol=1e-6)


def test_what_cannot_be_amortized_is_named():
    planar = maps.Planar.trainable(2, seed=0)
    net = networks.MLP(0, (1, 3), (4,), condition_shape=(2,), seed=0)
    with pytest.raises(ValueError, match="input size 0 and 5 outputs for `Planar`"):
        maps.Amortized(planar, net)
    with pytest.raises(TypeError, match="a map with declared parameters"):
        maps.Amortized.num_parameters(maps.Chain([planar]))


@pytest.mark.parametrize("count", [1, 3, 5])
def test_directions_are_those_of_any_number_of_reflections(count):
    made = maps.Sylvester.trainable(
        3, 2, kind="householder", num_reflections=count, seed=0
    )
    assert made.axes.shape == (count, 3)
    rows = made.directions()
    np.testing.assert_allclose(rows @ tf.transpose(rows), np.eye(2), atol=1e-6)
    with pytest.raises(ValueError, match="`num_reflections` must be at least 1"):
        maps.Sylvester.trainable(3, 2, kind="householder", num_reflections=0)


def test_triangular_directions_start_across_the_coordinates():
    made = maps.Sylvester.trainable(3, 3, kind="triangular", seed=0, dtype="float64")
    inner = made.inner.numpy()
    np.testing.assert_array_equal(np.diagonal(inner), 1.0)
    np.testing.assert_array_equal(np.tril(inner, -1), 0.0)
    assert np.all(np.abs(inner[np.triu_indices(3, 1)]) > 0.01)
    x = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_array_equal(made.forward(x), x)
