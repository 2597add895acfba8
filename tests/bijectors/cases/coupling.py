"""Couplings as named cases of the contract suite."""

from __future__ import annotations

import math

import keras

from tests.bijectors.cases.registry import Cases, perturbed
from tfp_flows import bijectors as maps
from tfp_flows import networks
from tfp_flows.bijectors.transformers.by_column import ByColumn

CASES = Cases()


@CASES.add("coupling_affine", (3,))
def _coupling_affine(dtype):
    net = networks.MLP(1, (2, 2), (6,), dtype=dtype, seed=0)
    return perturbed(maps.Coupling(maps.Affine(), net, [True, False, False]))


@CASES.add("coupling_spline", (2,), edges=(-3.0, 3.0))
def _coupling_spline(dtype):
    transformer = maps.RationalQuadratic(4, -3.0, 3.0)
    net = networks.MLP(
        1, (1, transformer.params_size), (6, 6), residual=True, dtype=dtype, seed=0
    )
    # Steeper, and float32 could not hold the round trip to the suite's bound.
    return perturbed(maps.Coupling(transformer, net, [False, True]), 0.1)


@CASES.add("coupling_conditional", (3,), condition_shape=(2,))
def _coupling_conditional(dtype):
    transformer = maps.RationalQuadratic(4, tails="linear")
    shape = (1, transformer.params_size)
    net = networks.MLP(2, shape, (6,), condition_shape=2, dtype=dtype, seed=0)
    mask = [True, False, True]
    return perturbed(maps.Coupling(transformer, net, mask))


@CASES.add("coupling_keras", (2,), condition_shape=(2,))
def _coupling_keras(dtype):
    kernel = keras.initializers.RandomNormal(stddev=0.3, seed=0)
    layers = [
        keras.layers.Dense(5, "tanh", kernel_initializer=kernel, dtype=dtype),
        keras.layers.Dense(2, kernel_initializer=kernel, dtype=dtype),
    ]
    net = networks.as_conditioner(
        keras.Sequential(layers), 1, (1, 2), condition_shape=2, dtype=dtype
    )
    return maps.Chain([maps.Coupling(maps.Affine(), net, [True, False])])


@CASES.add("coupling_table", (3,))
def _coupling_table(dtype):
    table = networks.Table((2, 2), 7, dtype=dtype)
    return perturbed(maps.Coupling(maps.Affine(), table, [True, False, False]))


# An angle in [-1, 1], which networks see by its cosine and sine, and numbers.
ANGLES = {
    "edges": (-1.0, 1.0),
    "domain": (-1.0, 1.0),
    "support": (-math.inf, math.inf),  # the identity outside of the circle
    "quadrature": False,  # the plane would wind around the circle
    "skip": {"infinite_inputs": "infinity is no angle: it has no cosine"},
}


def by_column(places):
    parts = maps.Affine(), maps.CircularSpline(3, -1.0, 1.0)
    return ByColumn(parts, places)


@CASES.add("coupling_periodic", (3,), **ANGLES)
def _coupling_periodic(dtype):
    transformer = by_column((1, 0))
    net = networks.MLP(
        1, (2, transformer.params_size), (6,), period=(-1.0, 1.0), dtype=dtype, seed=0
    )
    return perturbed(maps.Coupling(transformer, net, [True, False, False]))
