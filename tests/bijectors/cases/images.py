"""Maps of images as named cases of the contract suite."""

from __future__ import annotations

from tests.bijectors.cases.registry import DENSE, Cases, perturbed
from tfp_flows import bijectors as maps
from tfp_flows import networks

CASES = Cases()

RANKED = {"event_shape": "it takes images of any size"}
SIDES = {"unknown_shapes": "it says that images must have known sides"}
RESHAPES = {
    "event_shape": "it takes images of any number of channels",
    "leading_shapes": "the check gives images of its own shape to the inverse",
    "finite_gradients": "the check joins images of its own shape to those of the map",
}


def _net(inputs, outputs, dtype, condition_shape=None, units=(4,), **options):
    return networks.ConvNet(
        inputs,
        outputs,
        units,
        condition_shape=condition_shape,
        activation="tanh",
        dtype=dtype,
        seed=0,
        **options,
    )


CASES.add("squeeze", (4, 4, 4), skip=RESHAPES | SIDES)(lambda _: maps.Squeeze())
CASES.add("squeeze_channels", (4, 4, 4), skip=RESHAPES | SIDES)(
    lambda _: maps.Squeeze(order="channels")
)
CASES.add("haar_wavelet", (4, 4, 4), skip=RESHAPES | DENSE | SIDES)(
    lambda _: maps.HaarWavelet()
)
CASES.add("cosine_transform", (4, 3, 2), skip=DENSE | RANKED | SIDES)(
    lambda _: maps.CosineTransform()
)


@CASES.add("conv_1x1", (2, 1, 3), skip=DENSE)
def _conv_1x1(dtype):
    return perturbed(maps.InvertibleConv1x1.trainable(3, seed=0, dtype=dtype))


@CASES.add("channel_coupling", (2, 3, 3), condition_shape=(2,), skip=DENSE | SIDES)
def _channel_coupling(dtype):
    net = _net(2, (1, 2), dtype, (2,), positions=True)
    mask = [True, False, True]
    return perturbed(maps.ChannelCoupling(maps.Affine(), net, mask))


@CASES.add("channel_coupling_spline", (2, 2, 2), skip=DENSE | SIDES)
def _channel_coupling_spline(dtype):
    spline = maps.RationalQuadratic(3)
    net = _net(1, (1, spline.params_size), dtype, units=(4, 4), residual=True)
    return perturbed(maps.ChannelCoupling(spline, net, [False, True]))


@CASES.add("checkerboard_coupling", (3, 2, 1), condition_shape=(2,), skip=DENSE | SIDES)
def _checkerboard_coupling(dtype):
    net = _net(1, (1, 2), dtype, (2,))
    return perturbed(maps.CheckerboardCoupling(maps.Affine(), net, flip=True))


@CASES.add("multi_scale", (4, 4, 1), condition_shape=(2,), skip=DENSE | SIDES)
def _multi_scale(dtype):
    def level(channels):
        kept = channels // 2
        net = _net(kept, (channels - kept, 2), dtype, (2,))
        mask = [channel < kept for channel in range(channels)]
        conv = maps.InvertibleConv1x1.trainable(channels, seed=1, dtype=dtype)
        norm = maps.ActNorm.trainable(channels, event_ndims=3, dtype=dtype)
        coupling = maps.ChannelCoupling(maps.Affine(), net, mask)
        return maps.Chain([norm, maps.Invert(conv), coupling])

    net = _net(2, (2, 2), dtype, (2,))
    prior = maps.ChannelCoupling(maps.Affine(), net, [True, True, False, False])
    return perturbed(maps.MultiScale([level(4), level(8)], [prior]), 0.2)


CASES.add(
    "pixel_sigmoid",
    (),
    domain=(-4.0, 4.0),
    codomain=(2.0, 250.0),
    support=(-14.222, 270.222),
)(lambda _: maps.PixelSigmoid(alpha=0.05))
