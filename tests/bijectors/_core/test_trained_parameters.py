"""Parameters of maps: what they may be, and errors that name a wrong one."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

from tests.bijectors.toy_maps import Shear
from tfp_flows import bijectors as maps
from tfp_flows import networks

X = tf.constant([[0.3, -0.2], [1.4, 0.7]])


def test_spline_of_transformed_variables_trains_as_that_of_tfp():
    sizes = {"bin_widths": 4, "bin_heights": 4, "knot_slopes": 3}
    given = {
        key: tfp.util.TransformedVariable(np.ones(size, "float32"), tfb.Softplus())
        for key, size in sizes.items()
    }
    gradients = []
    for kind in (tfb.RationalQuadraticSpline, maps.RationalQuadraticSpline):
        spline = kind(**given, range_min=-2.0)
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(spline.forward([0.3, 1.1]))
        gradients.append(
            tape.gradient(y, [v.pretransformed_input for v in given.values()])
        )
        assert len(spline.trainable_variables) == 3
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("tails", ["identity", "linear", "circular"])
def test_spline_of_a_variable_of_free_numbers_stays_that_of_the_variable(tails):
    size = {"identity": 11, "linear": 13, "circular": 12}[tails]
    free = tf.Variable(np.random.default_rng(0).normal(size=size).astype("float32"))
    spline = maps.RationalQuadraticSpline.from_unconstrained(free, tails=tails)
    assert [v is free for v in spline.trainable_variables] == [True]
    x = tf.constant([-0.5, 0.3])
    with tf.GradientTape() as tape:
        log_det = tf.reduce_sum(spline.forward_log_det_jacobian(x))
    assert np.all(np.isfinite(tape.gradient(log_det, free)))
    free.assign(2.0 * free)
    fixed = maps.RationalQuadraticSpline.from_unconstrained(free.value(), tails=tails)
    np.testing.assert_allclose(spline.forward(x), fixed.forward(x), atol=1e-6)


def test_range_of_a_spline_may_be_trained():
    low, high = tf.Variable(-2.0), keras.Variable(2.0)
    spline = maps.RationalQuadraticSpline([1.0, 1.0], [1.0, 2.0], [1.0], low, high)
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(spline.forward([0.3]))
    assert len(spline.trainable_variables) == 2
    assert all(g is not None for g in tape.gradient(y, spline.trainable_variables))


@pytest.mark.parametrize(
    "build",
    [
        lambda p: maps.Affine()(p),
        lambda p: maps.RationalQuadraticSpline(p, [1.0], []),
        lambda p: maps.LeakyReLU(p),
        lambda p: maps.Standardize(p, [1.0, 1.0]),
    ],
)
def test_function_as_parameter_is_refused(build):
    with pytest.raises(TypeError, match=r"got a function.*DeferredTensor"):
        build(lambda: [1.0, 2.0])


@pytest.mark.parametrize(
    "build",
    [
        lambda v: maps.PixelSigmoid(alpha=v),
        lambda v: maps.RationalQuadratic(range_min=v),
        lambda v: maps.PReLU([0.0], max_log_scale=v),
    ],
)
def test_settings_that_are_variables_are_refused_not_frozen(build):
    with pytest.raises(TypeError, match="must be a"):
        build(tf.Variable(0.1))


NEGATIVE = {
    "scale": lambda v, **k: maps.Standardize([0.0, 0.0], v, **k),
    "moving_variance": lambda v, **k: maps.BatchNorm(
        [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], v, **k
    ),
    "signs": lambda v, **k: maps.LU(
        np.eye(2, dtype="f"), np.eye(2, dtype="f"), [0.0, 0.0], signs=v, **k
    ),
    "high": lambda v, **k: maps.HistogramCDF(
        [0.0, 0.0], v, np.zeros([2, 5], "float32"), **k
    ),
    "bin_heights": lambda v, **k: maps.RationalQuadraticSpline(
        [1.0, 1.0], v, [1.0], **k
    ),
    "negative_slope": lambda v, **k: maps.LeakyReLU(v, **k),
}
WRONG = {"scale": [1.0, 0.0], "signs": [1.0, 0.5]}


@pytest.mark.parametrize("name", NEGATIVE)
def test_wrong_numbers_are_named(name):
    build, wrong = NEGATIVE[name], np.float32(WRONG.get(name, [1.0, -1.0]))
    with pytest.raises(ValueError, match=f"`{name}` must"):
        build(wrong)
    build(tf.constant(wrong))
    with pytest.raises(ValueError, match=f"`{name}` must"):
        build(tf.constant(wrong), validate_args=True)


@pytest.mark.parametrize("name", NEGATIVE)
def test_wrong_variables_are_named_at_each_use_also_in_a_chain(name):
    wrong = np.float32(WRONG.get(name, [1.0, -1.0]))
    variable = tf.Variable(np.ones(2, "float32"))
    chain = maps.Chain([NEGATIVE[name](variable, validate_args=True)])
    chain.forward(X)
    variable.assign(wrong)
    with pytest.raises(ValueError, match=f"`{name}` must"):
        chain.forward(X)
    traced = tf.function(chain.forward, autograph=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"`{name}` must"):
        traced(X)


@pytest.mark.parametrize(
    "build",
    [
        lambda: maps.HistogramCDF(
            np.zeros([3, 2], "f"), np.ones([3, 2], "f"), np.zeros([3, 2, 5], "f")
        ),
        lambda: maps.MixtureGaussianize(
            np.zeros([3, 1], "f"),
            np.zeros([3, 1, 2], "f"),
            np.zeros([3, 1, 2], "f"),
            np.zeros([3, 1, 2, 2], "f"),
        ),
    ],
)
def test_maps_that_take_no_batches_of_parameters_say_so(build):
    with pytest.raises(ValueError, match="without a batch"):
        build()


def test_a_batch_of_scales_keeps_the_event_of_standardize():
    scale = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
    units = maps.Standardize(np.zeros(2, "float32"), scale)
    assert units.experimental_batch_shape(1) == (2,)
    np.testing.assert_array_equal(units[1].scale, scale[1])
    assert units[1].event_ndims == 1


def test_batches_that_do_not_broadcast_are_named():
    ones = np.ones([3, 2], "float32")
    with pytest.raises(ValueError, match=r"`bin_heights` of .* against .*3,.*2,"):
        maps.RationalQuadraticSpline(ones, ones[:2], [1.0])


def test_splines_of_a_batch_may_have_ranges_of_their_own():
    low, ones = np.float32([-1.0, 0.0, 1.0]), np.ones(2, "float32")
    spline = maps.RationalQuadraticSpline(ones, [0.5, 1.5], [1.0], range_min=low)
    singles = [
        maps.RationalQuadraticSpline(ones, [0.5, 1.5], [1.0], range_min=start)
        for start in low
    ]
    wanted = [single.forward(0.3) for single in singles]
    np.testing.assert_allclose(spline.forward(0.3), wanted, rtol=1e-6)


def test_weights_that_are_variables_of_keras_are_trained():
    given = [keras.Variable(w.numpy()) for w in networks.MLP(1, (1, 2), (4,)).weights]
    net = networks.MLP(1, (1, 2), (4,), weights=given)
    coupling = maps.Coupling(maps.Affine(), net, [True, False])
    assert len(coupling.trainable_variables) == len(given)


def test_keras_variables_reach_the_memory_of_maps():
    affine = maps.Affine()(keras.Variable(np.zeros([2, 2], "float32")))
    with tf.GradientTape() as tape:
        z = affine.inverse(X)
        log_det = tf.reduce_sum(affine.forward_log_det_jacobian(z, 1))
    assert tape.gradient(log_det, affine.trainable_variables[0]) is not None


def test_map_that_states_nothing_of_its_parameters_takes_inputs_of_unknown_rank():
    shear = Shear.build()
    function = tf.function(shear.forward, input_signature=[tf.TensorSpec(None)])
    np.testing.assert_allclose(function(X), shear.forward(X), rtol=1e-6)
