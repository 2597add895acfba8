"""Autoregressive maps as named cases of the contract suite."""

from __future__ import annotations

from tests.bijectors.cases.coupling import ANGLES, by_column
from tests.bijectors.cases.registry import Cases, perturbed
from tfp_flows import bijectors as maps
from tfp_flows import networks

CASES = Cases()


@CASES.add("autoregressive_affine", (3,))
def _autoregressive_affine(dtype):
    made = networks.MADE(3, 2, (6,), dtype=dtype, seed=0, order="right-to-left")
    return perturbed(maps.MaskedAutoregressive(maps.Affine(), made))


@CASES.add("autoregressive_spline", (2,), condition_shape=(2,))
def _autoregressive_spline(dtype):
    transformer = maps.RationalQuadratic(4)
    made = networks.MADE(
        2, transformer.params_size, (6,), condition_shape=2, dtype=dtype, seed=0
    )
    return perturbed(maps.MaskedAutoregressive(transformer, made))


@CASES.add("autoregressive_attention", (4,), condition_shape=(2,))
def _autoregressive_attention(dtype):
    net = networks.CausalTransformer(
        *(4, 2, 4, 1),
        num_heads=2,
        token_size=2,
        order=(3, 1, 2, 0),
        condition_shape=2,
        dtype=dtype,
        seed=0,
    )
    return perturbed(maps.MaskedAutoregressive(maps.Affine(), net))


@CASES.add("autoregressive_convolution", (4,), condition_shape=(2,))
def _autoregressive_convolution(dtype):
    net = networks.CausalConvolution(
        *(4, 2, 4),
        dilations=(1, 1),
        token_size=2,
        condition_shape=2,
        dtype=dtype,
        seed=0,
    )
    return perturbed(maps.MaskedAutoregressive(maps.Affine(), net))


# Coordinate 2 depends on 0 and 1, these on each other not at all.
GRAPH = [[0, 0, 0], [0, 0, 0], [1, 1, 0]]


@CASES.add("autoregressive_graph", (3,), condition_shape=(2,))
def _autoregressive_graph(dtype):
    made = networks.MADE(
        *(3, 2, (6,)), adjacency=GRAPH, condition_shape=2, dtype=dtype, seed=0
    )
    return perturbed(maps.MaskedAutoregressive(maps.Affine(), made))


@CASES.add("autoregressive_periodic", (2,), condition_shape=(2,), **ANGLES)
def _autoregressive_periodic(dtype):
    transformer = by_column((0, 1))
    made = networks.MADE(
        *(2, transformer.params_size, (6,)),
        period=(-1.0, 1.0),
        periodic=(False, True),
        order="right-to-left",
        condition_shape=2,
        dtype=dtype,
        seed=0,
    )
    return perturbed(maps.MaskedAutoregressive(transformer, made))


@CASES.add("invert_autoregressive", (2,))
def _invert_autoregressive(dtype):
    made = networks.MADE(2, 2, (6,), dtype=dtype, seed=0)
    affine = maps.Affine()
    return maps.Invert(perturbed(maps.MaskedAutoregressive(affine, made)))


@CASES.add("block_autoregressive", (2,), condition_shape=(2,))
def _block_autoregressive(dtype):
    net = networks.BlockNetwork(
        2, (3, 3), ranks="right-to-left", condition_shape=2, dtype=dtype, seed=0
    )
    return perturbed(maps.BlockAutoregressive(net), 0.05)
