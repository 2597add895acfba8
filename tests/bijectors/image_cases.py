"""Every map of images as a named case of the contract suite."""

from __future__ import annotations

from tfp_flows import bijectors as maps
from tfp_flows import networks
from tfp_flows.testing import BijectorCase, perturb

DENSE = {"infinite_inputs": "a sum of infinite terms of both signs is no number"}
RANKED = {"event_shape": "it takes images of any size"}
SIDES = {"unknown_shapes": "it says that images must have known sides"}
RESHAPES = {
    "event_shape": "it takes images of any number of channels",
    "leading_shapes": "the check gives images of its own shape to the inverse",
    "finite_gradients": "the check joins images of its own shape to those of the map",
}


def _perturbed(bijector, scale=0.3):
    perturb(bijector, scale, seed=1)
    return bijector


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


def _conv_1x1(dtype):
    return _perturbed(maps.InvertibleConv1x1.trainable(3, seed=0, dtype=dtype))


def _channel_coupling(dtype):
    net = _net(2, (1, 2), dtype, (2,), positions=True)
    mask = [True, False, True]
    return _perturbed(maps.ChannelCoupling(maps.Affine(), net, mask))


def _channel_coupling_spline(dtype):
    spline = maps.RationalQuadratic(3)
    net = _net(1, (1, spline.params_size), dtype, units=(4, 4), residual=True)
    return _perturbed(maps.ChannelCoupling(spline, net, [False, True]))


def _checkerboard_coupling(dtype):
    net = _net(1, (1, 2), dtype, (2,))
    return _perturbed(maps.CheckerboardCoupling(maps.Affine(), net, flip=True))


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
    return _perturbed(maps.MultiScale([level(4), level(8)], [prior]), 0.2)


_LISTED = [
    ("squeeze", (4, 4, 4), lambda _: maps.Squeeze(), {"skip": RESHAPES | SIDES}),
    (
        "squeeze_channels",
        (4, 4, 4),
        lambda _: maps.Squeeze(order="channels"),
        {"skip": RESHAPES | SIDES},
    ),
    (
        "haar_wavelet",
        (4, 4, 4),
        lambda _: maps.HaarWavelet(),
        {"skip": RESHAPES | DENSE | SIDES},
    ),
    (
        "cosine_transform",
        (4, 3, 2),
        lambda _: maps.CosineTransform(),
        {"skip": DENSE | RANKED | SIDES},
    ),
    ("conv_1x1", (2, 1, 3), _conv_1x1, {"skip": DENSE}),
    (
        "channel_coupling",
        (2, 3, 3),
        _channel_coupling,
        {"condition_shape": (2,), "skip": DENSE | SIDES},
    ),
    (
        "channel_coupling_spline",
        (2, 2, 2),
        _channel_coupling_spline,
        {"skip": DENSE | SIDES},
    ),
    (
        "checkerboard_coupling",
        (3, 2, 1),
        _checkerboard_coupling,
        {"condition_shape": (2,), "skip": DENSE | SIDES},
    ),
    (
        "multi_scale",
        (4, 4, 1),
        _multi_scale,
        {"condition_shape": (2,), "skip": DENSE | SIDES},
    ),
    (
        "pixel_sigmoid",
        (),
        lambda _: maps.PixelSigmoid(alpha=0.05),
        {
            "domain": (-4.0, 4.0),
            "codomain": (2.0, 250.0),
            "support": (-14.222, 270.222),
        },
    ),
]

CASES = {
    name: BijectorCase(build, event_shape, name=name, **options)
    for name, event_shape, build, options in _LISTED
}
