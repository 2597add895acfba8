"""Splines as named cases of the contract suite, with each kind of tails."""

from __future__ import annotations

import math

import tensorflow as tf

from tests.bijectors.cases.registry import BATCH, Cases
from tests.bijectors.toy_maps import noise
from tfp_flows import bijectors as maps

CASES = Cases()
ENDS = (-3.0, 3.0)


def _knots(tails, dtype):
    slopes = noise([{"identity": 4, "linear": 6, "circular": 5}[tails]], dtype, 3)
    return maps.RationalQuadraticSpline(
        bin_widths=tf.Variable(tf.exp(noise([5], dtype, 1)), name="widths"),
        bin_heights=tf.Variable(tf.exp(noise([5], dtype, 2)), name="heights"),
        knot_slopes=tf.Variable(tf.exp(slopes), name="slopes"),
        range_min=tf.constant(-3.0, dtype),
        range_max=tf.constant(3.0, dtype),
        tails=tails,
    )


@CASES.add("spline", (), edges=ENDS)
def _spline(dtype):
    return _knots("identity", dtype)


@CASES.add("spline_linear", (), edges=ENDS)
def _spline_linear(dtype):
    return _knots("linear", dtype)


@CASES.add(
    "spline_circular",
    (),
    edges=ENDS,
    domain=ENDS,
    codomain=ENDS,
    support=(-math.inf, math.inf),  # the identity outside of the circle
)
def _spline_circular(dtype):
    return _knots("circular", dtype)


@CASES.add("spline_vector", (2,), edges=(-2.0, 2.0), skip=BATCH)
def _spline_vector(dtype):
    params = noise([2, 3 * 4 - 1], dtype, 4)
    return maps.RationalQuadraticSpline.from_unconstrained(
        params, range_min=-2.0, range_max=2.0
    )
