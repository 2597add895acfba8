"""Maps of images: pixel orders, counts of log-dets, levels, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import fft

from tests.bijectors.cases import images as image_cases
from tfp_flows import bijectors as maps
from tfp_flows import networks
from tfp_flows.testing import perturb

RNG = np.random.default_rng(0)


def images(*shape):
    return RNG.normal(size=shape).astype("float32")


def net(inputs, outputs, **options):
    return networks.ConvNet(inputs, outputs, (4,), seed=0, **options)


def test_squeeze_has_the_pixel_order_of_tensorflow():
    x = images(3, 4, 6, 2)
    y = maps.Squeeze().forward(x)
    np.testing.assert_array_equal(y, tf.nn.space_to_depth(x, 2))


def test_squeeze_by_channels_keeps_the_pixels_of_a_channel_together():
    x = np.arange(32.0).reshape(4, 4, 2)
    y = maps.Squeeze(order="channels").forward(x).numpy()
    np.testing.assert_array_equal(y[1, 0, :4], x[2:, :2, 0].ravel())
    np.testing.assert_array_equal(y[1, 0, 4:], x[2:, :2, 1].ravel())


@pytest.mark.parametrize("order", ["pixels", "channels"])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_squeeze_undoes_itself_for_any_leading_shape(order, factor):
    squeeze = maps.Squeeze(factor=factor, order=order)
    for leading in ([], [2], [2, 1, 3]):
        x = images(*leading, 6, 12, 2)
        y = squeeze.forward(x)
        event = [6 // factor, 12 // factor, 2 * factor**2]
        assert y.shape.as_list() == [*leading, *event]
        assert squeeze.forward_event_shape(x.shape) == y.shape
        assert squeeze.inverse_event_shape(y.shape) == x.shape
        np.testing.assert_array_equal(squeeze.inverse(tf.identity(y)), x)


def test_squeeze_names_the_rows_that_are_missing():
    with pytest.raises(ValueError, match=r"5 x 4. Pad by 1 rows and 0 columns"):
        maps.Squeeze().forward(images(5, 4, 1))
    with pytest.raises(ValueError, match="multiple of 4, got 3"):
        maps.Squeeze().inverse(images(5, 4, 3))


def test_conv_1x1_counts_every_pixel():
    conv = maps.InvertibleConv1x1.trainable(3, seed=0)
    perturb(conv, 0.3)
    matrix = conv.linear.matrix().numpy()
    x = images(2, 5, 7, 3)
    y = conv.forward(x)
    np.testing.assert_allclose(y, x @ matrix.T, rtol=1e-4, atol=1e-5)
    log_det = conv.forward_log_det_jacobian(x, event_ndims=3)
    expected = 35 * np.linalg.slogdet(matrix.astype("float64"))[1]
    np.testing.assert_allclose(log_det, [expected] * 2, rtol=1e-5)
    with pytest.raises(ValueError, match="`linear` must have no shift"):
        maps.InvertibleConv1x1(maps.LU.trainable(3))


def test_act_norm_gives_mean_0_and_deviation_1_per_channel():
    x = 50.0 * images(40, 5, 5, 3) + [100.0, 0.0, -7.0]
    x[..., 1] = 3.0  # a constant channel
    norm = maps.ActNorm.trainable(3, event_ndims=3)
    norm.adapt(x.astype("float32"))
    z = norm.inverse(x.astype("float32")).numpy()
    np.testing.assert_allclose(z.mean((0, 1, 2)), 0.0, atol=1e-4)
    np.testing.assert_allclose(z.std((0, 1, 2)), [1.0, 0.0, 1.0], atol=1e-4)


def test_couplings_leave_alone_what_the_mask_keeps():
    x = images(2, 4, 4, 3)
    mask = [True, False, True]
    coupling = maps.ChannelCoupling(maps.Affine(), net(2, (1, 2)), mask)
    perturb(coupling, 0.5)
    changed = np.abs(coupling.forward(x) - x)
    assert changed[..., mask].max() == 0.0 < changed[..., 1].min()
    board = maps.CheckerboardCoupling(maps.Affine(), net(3, (3, 2)), flip=True)
    perturb(board, 0.5)
    changed = np.abs(board.forward(x) - x)
    assert changed[:, ::2, 1::2].max() == changed[:, 1::2, ::2].max() == 0.0
    assert changed[:, ::2, ::2].min() > 0.0 < changed[:, 1::2, 1::2].min()


def test_couplings_refuse_a_conditioner_that_does_not_fit():
    with pytest.raises(ValueError, match=r"`conditioner` must be a network of images"):
        maps.ChannelCoupling(maps.Affine(), net(1, (1, 2)), [True, True, False])
    mlp = networks.MLP(1, (1, 2), (4,))
    with pytest.raises(ValueError, match=r"got `MLP`"):
        maps.ChannelCoupling(maps.Affine(), mlp, [True, False])
    with pytest.raises(ValueError, match="For one channel use CheckerboardCoupling"):
        maps.ChannelCoupling(maps.Affine(), net(1, (1, 2)), [True])


@pytest.mark.colab
def test_multi_scale_keeps_each_half_where_it_was():
    map_ = maps.MultiScale([maps.Chain([])] * 2)
    x = images(2, 8, 8, 1)
    np.testing.assert_array_equal(map_.inverse(x), x)
    scale = maps.ActNorm(np.zeros(8, "float32"), np.ones(8, "float32"), event_ndims=3)
    deep = maps.MultiScale([maps.Chain([]), scale])
    moved = deep.inverse(x).numpy() != x
    # The second level sees the upper two pixels of each block of four.
    assert moved[:, ::2].all()
    assert not moved[:, 1::2].any()


def test_prior_of_a_level_sees_only_what_goes_on():
    prior = maps.ChannelCoupling(
        maps.Affine(), net(2, (2, 2)), [True, True, False, False]
    )
    perturb(prior, 0.5)
    map_ = maps.MultiScale([maps.Chain([])] * 2, [prior])
    x = images(1, 4, 4, 1)
    z = map_.inverse(x).numpy()
    np.testing.assert_array_equal(z[:, ::2], x[:, ::2])
    squeezed = tf.nn.space_to_depth(x, 2)
    np.testing.assert_allclose(
        tf.nn.space_to_depth(z, 2), prior.inverse(squeezed), atol=1e-6
    )


def test_multi_scale_says_how_often_a_size_can_be_squeezed():
    assert maps.MultiScale.level_shape((28, 28, 1), 1) == (7, 7, 8)
    with pytest.raises(ValueError, match=r"at most 2 levels, or pad .* to 32 x 32"):
        maps.MultiScale([maps.Chain([])] * 3).inverse(images(28, 28, 1))
    with pytest.raises(ValueError, match=r"pad the images to 8 x 6"):
        maps.MultiScale([maps.Chain([])]).inverse(images(7, 5, 1))
    with pytest.raises(ValueError, match="`priors` must be empty or one for each"):
        maps.MultiScale([maps.Chain([])], [maps.Chain([])])


@pytest.mark.parametrize("alpha", [0.05, 1e-6])
def test_pixel_sigmoid_counts_every_constant(alpha):
    pixels = maps.PixelSigmoid(num_values=256, alpha=alpha)
    x = np.array([0.5, 3.0, 128.0, 255.5])
    p = alpha + (1 - 2 * alpha) * x / 256
    z = pixels.inverse(tf.constant(x))
    np.testing.assert_allclose(z, np.log(p / (1 - p)), atol=1e-10)
    # Close to white, float32 keeps its digits.
    z = pixels.inverse(x.astype("float32"))
    np.testing.assert_allclose(z, np.log(p / (1 - p)), rtol=1e-6, atol=1e-6)
    expected = np.log((1 - 2 * alpha) / 256) - np.log(p) - np.log1p(-p)
    found = pixels.inverse_log_det_jacobian(tf.constant(x), event_ndims=0)
    np.testing.assert_allclose(found, expected, atol=1e-10)
    with pytest.raises(ValueError, match="`alpha` must be in"):
        maps.PixelSigmoid(alpha=0.5)


def test_cosine_transform_is_that_of_scipy():
    x = np.random.default_rng(0).normal(size=(3, 6, 5, 2))
    expected = fft.dctn(x, axes=(1, 2), norm="ortho")
    map_ = maps.CosineTransform()
    np.testing.assert_allclose(map_.forward(x), expected, atol=1e-12)
    assert not np.any(map_.forward_log_det_jacobian(x))


def test_haar_wavelet_keeps_lengths_and_finds_the_means():
    x = np.random.default_rng(0).normal(size=(3, 4, 6, 2))
    y = maps.HaarWavelet().forward(x).numpy()
    means = x.reshape(3, 2, 2, 3, 2, 2).mean((2, 4))
    np.testing.assert_allclose(y[..., :2], 2.0 * means, atol=1e-12)
    np.testing.assert_allclose(np.sum(y**2), np.sum(x**2))
    flat = maps.HaarWavelet().forward(np.ones([2, 2, 1]))
    assert flat.numpy().ravel().tolist() == [2.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["squeeze", "channel_coupling", "multi_scale"])
def test_unknown_sides_are_refused_while_tracing(name):
    case = image_cases.CASES[name]
    size = case.event_shape[-1]
    spec = tf.TensorSpec([None, None, None, size], tf.float32)
    # Made here: variables that a trace makes have no value once it fails.
    map_, given = case.bijector(), case.condition((1,))

    @tf.function(autograph=False)
    def forward(x):
        return map_.forward(x, **given)

    with pytest.raises(ValueError, match="`x` must be images of known sides"):
        forward.get_concrete_function(spec)
