"""Chains, inverses and fixed conditions as named cases of the contract suite."""

from __future__ import annotations

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tests.bijectors.cases.registry import Cases, perturbed
from tests.bijectors.toy_maps import Affine as ToyAffine
from tests.bijectors.toy_maps import Shear
from tfp_flows import bijectors as maps
from tfp_flows import networks

CASES = Cases()


@CASES.add("chain", (2,))
def _chain(dtype):
    return maps.Chain(
        [
            ToyAffine.variable(2, dtype, 1),
            Shear.build(dtype),
            Shear.build(dtype, flip=True),
        ]
    )


@CASES.add("chain_empty", (2,))
def _chain_empty(dtype):
    return maps.Chain([])


@CASES.add("chain_conditional", (2,), condition_shape=(3,))
def _chain_conditional(dtype):
    parts = [Shear.build(dtype, (3,), seed, flip=seed == 5) for seed in (3, 5)]
    inverted = maps.Invert(parts[0])
    nested = maps.Chain([parts[1], ToyAffine.variable(2, dtype, 7)])
    return maps.Chain([nested, inverted])


@CASES.add("chain_checkpoint", (2,), condition_shape=(3,))
def _chain_checkpoint(dtype):
    blocks = []
    for seed in range(3):
        net = networks.MLP(
            1, (1, 2), (4,), condition_shape=(3,), dtype=dtype, seed=seed
        )
        coupling = maps.Coupling(maps.Affine(), net, [True, False])
        blocks += [coupling, maps.Permutation((1, 0) if seed else (0, 1))]
    first = ToyAffine.variable(2, dtype, 1)
    return perturbed(maps.Chain([first, *blocks], checkpoint=True))


@CASES.add("chain_with_tfb", (2,))
def _chain_with_tfb(dtype):
    scale = tfb.Scale(tf.constant([0.5, 2.0], dtype))
    return maps.Chain([scale, Shear.build(dtype), tfb.Shift(tf.ones([2], dtype))])


@CASES.add("invert", (2,))
def _invert(dtype):
    return maps.Invert(_chain(dtype))


@CASES.add("conditioned", (2,))
def _conditioned(dtype):
    return maps.Conditioned(_chain_conditional(dtype), tf.ones([3], dtype))
