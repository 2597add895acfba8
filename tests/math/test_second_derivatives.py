"""Second derivatives of maps to the normal distribution and back, by differences."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import mixtures
from tfp_flows.math.gaussianization import (
    cdf_tables,
    mixture_maps,
    rosenblatt,
    rosenblatt_inverse,
)

RNG = np.random.default_rng(0)
SIZE, COUNT = 2, 3


def numbers(*shape, scale=1.0):
    return tf.constant(scale * RNG.normal(size=shape))


POINTS = numbers(4, SIZE)
LOGISTICS = [
    tf.nn.log_softmax(numbers(COUNT, 1, SIZE), axis=0),
    numbers(COUNT, 1, SIZE),
    numbers(COUNT, 1, SIZE, scale=0.4),
]
MARGINALS = [numbers(SIZE, COUNT), numbers(SIZE, COUNT), numbers(SIZE, COUNT)]
GAUSSIANS = [
    numbers(COUNT),
    numbers(COUNT, SIZE),
    numbers(COUNT, SIZE, scale=0.4),
    numbers(COUNT, SIZE, SIZE),
]
TABLE = [tf.fill([SIZE], tf.constant(end, tf.float64)) for end in (-3.0, 3.0)]
TABLE.append(numbers(SIZE, 8))


def of_kind(function, kind):
    return lambda x, *parameters: function(x, *parameters, kind)


MAPS = {
    "logit_cdf": (mixtures.logit_cdf, LOGISTICS),
    "logit_cdf_inverse": (mixtures.logit_cdf_inverse, LOGISTICS),
    "rosenblatt": (rosenblatt.gaussianize, GAUSSIANS),
    "rosenblatt_inverse": (rosenblatt_inverse.sample_map, GAUSSIANS),
    "table": (cdf_tables.gaussianize, TABLE),
    "table_inverse": (cdf_tables.sample_map, TABLE),
}
for family in mixture_maps.KINDS:
    MAPS[family] = of_kind(mixture_maps.gaussianize, family), MARGINALS
    MAPS[f"{family}_inverse"] = of_kind(mixture_maps.sample_map, family), MARGINALS


# Dearer than the rest: one solution after the other.
DEAR = pytest.param("rosenblatt_inverse", marks=pytest.mark.slow)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [DEAR, *(name for name in MAPS if name != "rosenblatt_inverse")]
)
def test_second_derivatives_are_those_of_differences(name):
    """By inputs and parameters at once, of value and log-derivative."""
    function, parameters = MAPS[name]
    sources = [POINTS, *parameters]
    directions = [
        tf.constant(np.cos(np.arange(tf.size(s))).reshape(s.shape)) for s in sources
    ]

    def gradients(sources):
        with tf.GradientTape() as tape:
            tape.watch(sources)
            value, log_slope = function(*sources)
            total = tf.reduce_sum(tf.sin(value) + tf.square(log_slope))
        return tape.gradient(total, sources)

    with tf.GradientTape() as tape:
        tape.watch(sources)
        products = zip(gradients(sources), directions, strict=True)
        along = tf.add_n([tf.reduce_sum(g * d) for g, d in products])
    second = tape.gradient(along, sources)
    step = 1e-5
    ends = [
        gradients(
            [s + sign * step * d for s, d in zip(sources, directions, strict=True)]
        )
        for sign in (1, -1)
    ]
    for found, high, low in zip(second, *ends, strict=True):
        np.testing.assert_allclose(
            found, (high - low) / (2 * step), rtol=1e-5, atol=1e-5
        )
