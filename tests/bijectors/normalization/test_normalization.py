"""ActNorm, Standardize and BatchNorm: what they adapt to, and when."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _context
from tfp_flows.bijectors import composition
from tfp_flows.bijectors.normalization import actnorm, batchnorm, standardize
from tfp_flows.math import moments

ActNorm = actnorm.ActNorm
BatchNorm = batchnorm.BatchNorm
Standardize = standardize.Standardize


def data(*shape, seed=0, dtype=np.float32):
    """Return channels of very different locations and scales."""
    rng = np.random.default_rng(seed)
    channels = np.arange(shape[-1])
    return (rng.normal(size=shape) * 10.0 ** (channels - 1) + 3 * channels).astype(
        dtype
    )


def adapted(kind, y, event_ndims=1):
    """Return an adapted map in the dtype of the data."""
    y = np.asarray(y)
    if kind == "act_norm":
        options = {"event_ndims": event_ndims, "dtype": y.dtype}
        bijector = ActNorm.trainable(y.shape[-1], **options)
    elif kind == "batch_norm":
        options = {"event_ndims": event_ndims, "dtype": y.dtype, "epsilon": 0.0}
        bijector = BatchNorm.trainable(y.shape[-1], **options)
    else:
        bijector = Standardize.trainable(y.shape[-event_ndims:], dtype=y.dtype)
    bijector.adapt(y)
    return bijector


def assert_normal(x, atol=1e-4):
    """Assert that each column has mean 0 and deviation 1."""
    x = np.reshape(x, [-1, x.shape[-1]]).astype(np.float64)
    np.testing.assert_allclose(x.mean(0), 0.0, atol=atol)
    np.testing.assert_allclose(x.std(0), 1.0, atol=atol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["act_norm", "batch_norm", "standardize"])
def test_adapted_map_sends_data_to_mean_0_and_deviation_1(kind, dtype):
    y = data(500, 4, dtype=dtype)
    x = adapted(kind, y).inverse(y)
    assert x.dtype == dtype
    assert_normal(x.numpy())


@pytest.mark.parametrize("kind", ["act_norm", "batch_norm"])
def test_channels_of_images_share_their_statistics_over_positions(kind):
    y = data(20, 4, 5, 3)
    bijector = adapted(kind, y, event_ndims=3)
    x = tf.identity(bijector.inverse(y))
    assert_normal(x.numpy())
    log_det = bijector.inverse_log_det_jacobian(tf.identity(y), event_ndims=3)
    per_position = -np.log(y.reshape(-1, 3).std(0)).sum()
    np.testing.assert_allclose(log_det, 20 * per_position * np.ones(20), rtol=1e-4)
    np.testing.assert_allclose(bijector.forward(x), y, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("offset", [1e6, -1e7])
@pytest.mark.parametrize("kind", ["act_norm", "standardize"])
def test_float32_data_far_from_zero_keep_their_digits(kind, offset):
    rng = np.random.default_rng(1)
    y = (offset + 3.0 * rng.normal(size=[4000, 2])).astype(np.float32)
    bijector = adapted(kind, y)
    x = bijector.inverse(y).numpy()
    assert_normal(x)
    exact = (y.astype(np.float64) - y.mean(0, np.float64)) / y.std(0, dtype=np.float64)
    np.testing.assert_allclose(x, exact, atol=1e-5)
    # The round trip is exact up to the spacing of float32 at the data.
    back = bijector.forward(tf.constant(x)).numpy()
    assert np.max(np.abs(back - y)) <= np.spacing(np.float32(abs(offset)))


@pytest.mark.parametrize("value", [0.0, 0.1, -7e5])
@pytest.mark.parametrize("kind", ["act_norm", "batch_norm", "standardize"])
def test_constant_channel_gets_scale_1(kind, value):
    y = data(300, 2)
    y[:, 1] = value
    bijector = adapted(kind, y)
    x = bijector.inverse(y).numpy()
    np.testing.assert_allclose(x[:, 1], 0.0, atol=1e-4)
    log_det = bijector.inverse_log_det_jacobian(tf.constant(y))
    np.testing.assert_allclose(
        log_det, -np.log(y[:, 0].std()) * np.ones(300), atol=1e-4
    )


def test_rounding_of_a_constant_is_not_blown_up():
    y = np.full([100, 1], 0.1, np.float32)
    y[::2] = np.nextafter(y[0], np.float32(1))
    x = adapted("act_norm", y).inverse(y)
    assert np.max(np.abs(x)) < 1e-6


def test_tiny_and_huge_units_are_normalised():
    y = data(200, 1, dtype=np.float64)
    y = np.concatenate([1e-30 * y, 1e30 * y], axis=-1).astype(np.float32)
    for kind in ("act_norm", "standardize"):
        assert_normal(adapted(kind, y).inverse(y).numpy(), atol=1e-3)


def test_act_norm_never_adapts_by_itself():
    bijector = ActNorm.trainable(2)
    y = data(50, 2)
    np.testing.assert_array_equal(bijector.inverse(y), y)
    np.testing.assert_array_equal(bijector.forward(y), y)
    with _context.training_scope(enabled=True):
        bijector.inverse_log_det_jacobian(y)
    assert not np.any([np.any(v.numpy()) for v in bijector.variables])


@pytest.mark.colab
def test_act_norm_trains_its_scale_and_shift_but_not_its_offset():
    bijector = adapted("act_norm", 1e6 + data(50, 2))
    names = [variable.name for variable in bijector.trainable_variables]
    assert sorted(names) == ["act_norm/log_scale:0", "act_norm/shift:0"]
    # The trained part is small, so that a small step moves it.
    assert np.all(np.abs(bijector.shift) < 1.0)
    before = bijector.shift.numpy()
    bijector.shift.assign_add([1e-3, 1e-3])
    np.testing.assert_allclose(bijector.shift - before, 1e-3, rtol=1e-2)


@pytest.mark.parametrize("kind", ["act_norm", "batch_norm", "standardize"])
def test_adapted_numbers_survive_a_checkpoint(kind, tmp_path):
    y = data(60, 3)
    bijector = adapted(kind, y)
    path = tf.train.Checkpoint(map=bijector).write(str(tmp_path / "map"))
    other = adapted(kind, y + 1.0)
    tf.train.Checkpoint(map=other).read(path).assert_consumed()
    np.testing.assert_array_equal(other.inverse(y), bijector.inverse(y))
    density = [
        tfd.TransformedDistribution(tfd.MultivariateNormalDiag(tf.zeros([3])), b)
        for b in (bijector, other)
    ]
    np.testing.assert_array_equal(density[0].log_prob(y), density[1].log_prob(y))


@pytest.mark.parametrize("kind", ["act_norm", "batch_norm", "standardize"])
def test_adapt_works_inside_a_traced_function(kind):
    y = data(60, 3)
    bijector, expected = adapted(kind, y + 5.0), adapted(kind, y)
    tf.function(bijector.adapt, autograph=False)(tf.constant(y))
    np.testing.assert_allclose(bijector.inverse(y), expected.inverse(y), atol=1e-6)


def test_each_batch_of_parameters_adapts_to_its_own_data():
    y = np.stack([data(50, 2, seed=1), 100.0 + data(50, 2, seed=2)], axis=1)
    zeros = np.zeros([2, 2], np.float32)
    maps = [
        ActNorm(tf.Variable(zeros), tf.Variable(zeros)),
        Standardize(tf.Variable(zeros), tf.Variable(zeros), event_ndims=1),
        BatchNorm(*(tf.Variable(zeros) for _ in range(4)), epsilon=0.0),
    ]
    for bijector in maps:
        bijector.adapt(y)
        x = bijector.inverse(y)
        for member in range(2):
            assert_normal(x[:, member].numpy())


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 2, 3)])
def test_standardize_takes_events_of_any_rank(shape):
    y = 5.0 + 3.0 * np.random.default_rng(0).normal(size=[40, *shape])
    bijector = Standardize.trainable(shape, dtype=tf.float64)
    assert bijector.forward_min_event_ndims == len(shape)
    bijector.adapt(y)
    x = tf.identity(bijector.inverse(y))
    np.testing.assert_allclose(np.mean(x, 0), np.zeros(shape), atol=1e-12)
    np.testing.assert_allclose(np.std(x, 0), np.ones(shape), atol=1e-12)
    log_det = bijector.forward_log_det_jacobian(tf.identity(x), event_ndims=len(shape))
    expected = np.log(y.std(0)).sum() * np.ones(40)
    np.testing.assert_allclose(log_det, expected, atol=1e-10)
    assert bijector.trainable_variables == ()


def test_standardize_keeps_densities_in_the_units_of_the_data():
    y = data(400, 2, dtype=np.float64)
    base = tfd.MultivariateNormalDiag(tf.zeros([2], tf.float64))
    found = tfd.TransformedDistribution(base, adapted("standardize", y)).log_prob(y)
    expected = tfd.MultivariateNormalDiag(y.mean(0), y.std(0)).log_prob(y)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("kind", ["act_norm", "batch_norm", "standardize"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_adapt_refuses_numbers_that_are_not_finite(kind, bad):
    y = data(10, 2)
    bijector = adapted(kind, y)
    before = [variable.numpy() for variable in bijector.variables]
    y[3, 1] = bad
    with pytest.raises(ValueError, match="`y` must be finite numbers"):
        bijector.adapt(y)
    with pytest.raises(ValueError, match="in at least one row"):
        bijector.adapt(y[:0])
    for variable, value in zip(bijector.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_wrong_arguments_are_explained():
    with pytest.raises(TypeError, match=r"`log_scale` must be a tf\.Variable for `Act"):
        ActNorm([0.0], [0.0]).adapt([[1.0]])
    with pytest.raises(TypeError, match=r"`loc` must be a tf\.Variable"):
        Standardize([0.0], [1.0]).adapt([[1.0]])
    with pytest.raises(TypeError, match=r"`moving_mean` must be a tf\.Variable"):
        BatchNorm([0.0], [0.0], [0.0], [1.0]).adapt([[1.0]])
    with pytest.raises(ValueError, match="`y` must have trailing shape"):
        ActNorm.trainable(2).adapt(data(5, 3))
    with pytest.raises(ValueError, match="`y` must have at least 3 dimensions"):
        ActNorm.trainable(3, event_ndims=3).adapt(data(5, 3))
    with pytest.raises(ValueError, match="`x` must have at least 3 dimensions"):
        BatchNorm.trainable(3, event_ndims=3).forward(data(5, 3))
    with pytest.raises(ValueError, match="`shift` must have trailing shape"):
        ActNorm([0.0, 0.0], [0.0])
    with pytest.raises(ValueError, match="`scale` must have trailing shape"):
        Standardize([0.0, 0.0], 1.0)
    with pytest.raises(ValueError, match="`momentum` must be at least 0 and below 1"):
        BatchNorm.trainable(2, momentum=1.0)
    with pytest.raises(ValueError, match="`x` must have trailing shape"):
        Standardize.trainable((2, 3)).forward(data(5, 3))


# Batch normalisation


def test_training_scope_nests_and_is_off_by_default():
    assert not _context.is_training()
    with _context.training_scope(enabled=True):
        with _context.training_scope(enabled=False):
            assert not _context.is_training()
        assert _context.is_training()
    assert not _context.is_training()


def test_batch_norm_is_frozen_outside_training():
    bijector, y = adapted("batch_norm", data(50, 3)), data(30, 3, seed=4) + 2.0
    before = [variable.numpy() for variable in bijector.variables]
    x = tf.identity(bijector.inverse(y))
    np.testing.assert_allclose(bijector.forward(x), y, rtol=1e-4, atol=1e-5)
    # An event alone has the same image as in its batch.
    np.testing.assert_allclose(bijector.inverse(y[7]), x[7], rtol=1e-6)
    for variable, value in zip(bijector.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_batch_norm_in_training_uses_and_follows_the_batch():
    bijector = BatchNorm.trainable(3, dtype=tf.float64, momentum=0.9)
    bijector.log_scale.assign([0.1, 0.2, 0.3])
    bijector.shift.assign([1.0, 2.0, 3.0])
    y = data(40, 3, dtype=np.float64)
    with _context.training_scope(enabled=True):
        x, log_det = bijector.inverse_and_log_det(tf.constant(y))
    factor = np.exp([0.1, 0.2, 0.3]) / np.sqrt(y.var(0) + 1e-5)
    expected = (y - y.mean(0)) * factor + [1.0, 2.0, 3.0]
    np.testing.assert_allclose(x, expected, atol=1e-10)
    np.testing.assert_allclose(log_det, np.log(factor).sum() * np.ones(40), atol=1e-10)
    np.testing.assert_allclose(bijector.moving_mean, 0.1 * y.mean(0), atol=1e-12)
    expected = 0.9 + 0.1 * y.var(0)
    np.testing.assert_allclose(bijector.moving_variance, expected, atol=1e-9)


@pytest.mark.parametrize("compiled", [False, True])
def test_batch_norm_density_in_training_is_that_of_the_batch(compiled):
    # The inverse updates the statistics; the log-det must still be that of the batch.
    layers = [BatchNorm.trainable(3, epsilon=0.0) for _ in range(2)]
    base = tfd.MultivariateNormalDiag(tf.zeros([3]))
    density = tfd.TransformedDistribution(base, composition.Chain(layers))
    y = tf.constant(data(40, 3))
    deviation = y.numpy().std(0)
    expected = base.log_prob((y - tf.reduce_mean(y, 0)) / deviation)
    expected -= np.log(deviation).sum()

    def log_prob(y):
        with _context.training_scope(enabled=True):
            return density.log_prob(y)

    log_prob = tf.function(log_prob, autograph=False) if compiled else log_prob
    np.testing.assert_allclose(log_prob(y), expected, rtol=1e-4)
    means = [layer.moving_mean.numpy() for layer in layers]
    np.testing.assert_allclose(means[0], 0.01 * y.numpy().mean(0), rtol=1e-4, atol=1e-6)


def test_batch_norm_differentiates_through_the_statistics():
    bijector = BatchNorm.trainable(2, dtype=tf.float64)
    y = tf.constant(data(10, 2, dtype=np.float64))
    weights = tf.constant(data(10, 2, seed=3, dtype=np.float64))

    def loss(y):
        with _context.training_scope(enabled=True):
            x, log_det = bijector.inverse_and_log_det(y)
        return tf.reduce_sum(x * weights) + tf.reduce_sum(log_det)

    with tf.GradientTape() as tape:
        tape.watch(y)
        value = loss(y)
    gradient = tape.gradient(value, y).numpy()
    step = 1e-6
    for place in [(0, 0), (4, 1)]:
        bump = np.zeros([10, 2])
        bump[place] = step
        numeric = (loss(y + bump) - loss(y - bump)) / (2 * step)
        np.testing.assert_allclose(gradient[place], numeric, rtol=1e-5)
    # A shift of the whole batch changes nothing.
    np.testing.assert_allclose(gradient.sum(0), 0.0, atol=1e-9)


def test_batch_norm_statistics_converge_to_those_of_the_data():
    bijector = BatchNorm.trainable(2, momentum=0.9)
    y = tf.constant(data(200, 2))

    @tf.function(autograph=False)
    def step():
        with _context.training_scope(enabled=True):
            bijector.inverse_and_log_det(y)

    for _ in range(100):
        step()
    np.testing.assert_allclose(bijector.moving_mean, y.numpy().mean(0), atol=1e-3)
    np.testing.assert_allclose(bijector.moving_variance, y.numpy().var(0), atol=1e-4)
    np.testing.assert_allclose(np.std(bijector.inverse(y), 0), 1.0, atol=3e-3)


def test_batch_norm_needs_variables_to_train():
    bijector = BatchNorm([0.0], [0.0], [0.0], [1.0])
    np.testing.assert_allclose(bijector.inverse([[2.0]]), [[2.0]], rtol=1e-4)
    with (
        _context.training_scope(enabled=True),
        pytest.raises(TypeError, match=r"`moving_mean` must be a tf\.Variable"),
    ):
        bijector.inverse([[1.0]])


def test_batch_statistics_hold_far_from_zero_in_float32():
    y = (1e6 + np.random.default_rng(0).normal(size=[1000, 1])).astype(np.float32)
    centered, mean, variance = moments.normalize(tf.constant(y), [0])
    np.testing.assert_allclose(np.mean(centered, dtype=np.float64), 0.0, atol=1e-4)
    np.testing.assert_allclose(variance[0], y.var(0, dtype=np.float64), rtol=1e-4)
    np.testing.assert_allclose(mean[0], y.mean(0, np.float64), rtol=1e-7)
