"""Quantiles of the normal distribution and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from tfp_flows.math import normal


def derivatives(function, x, order):
    """Return a function's value and its derivatives by each element."""
    if order == 0:
        return [function(x)]
    with tf.GradientTape() as tape:
        tape.watch(x)
        out = derivatives(function, x, order - 1)
    return [*out, tape.gradient(out[-1], x)]


def by_probability(p):
    return normal.quantile(p, 1.0 - p)


def by_log(log_p):
    return normal.quantile_of_logs(log_p, tf.math.log1p(-tf.exp(log_p)))


def quantile_derivatives(x, order):
    """Return the quantile `x` and its derivatives by the probability, in theory.

    That of order `n` is a polynomial in `x` times `x'^n`, with `x' = 1 / phi`.
    """
    slope, polynomial = np.exp(-normal.log_prob(x)), np.poly1d([1.0])
    out = [x]
    for n in range(1, order + 1):
        out.append(polynomial(x) * slope**n)
        polynomial = polynomial.deriv() + n * np.poly1d([1.0, 0.0]) * polynomial
    return out


@pytest.mark.parametrize(
    "jit_compile", [None, pytest.param(True, marks=pytest.mark.slow)]
)
def test_derivatives_of_the_quantile_are_those_of_theory(jit_compile):
    x = tf.constant([-10.0, -5.0, -2.0, -0.3, 0.4, 3.0], tf.float64)
    order = 3 if jit_compile else 5

    def function(p):
        return derivatives(by_probability, p, order)

    if jit_compile:
        function = tf.function(function, jit_compile=True)
    found = function(normal.tails(x)[0])
    for one, other in zip(found, quantile_derivatives(x, order), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_derivatives_of_the_quantile_keep_digits_in_single_precision():
    x = tf.constant([-5.0, -4.0, -1.0, 0.2, 1.5])
    found = derivatives(by_probability, normal.tails(x)[0], 5)
    exact = quantile_derivatives(tf.cast(x, tf.float64), 5)
    # The fifth power of a density that is known to five digits.
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3)


def test_derivatives_of_traced_quantiles_are_those_of_plain_ones():
    p = tf.constant([1e-4, 0.6], tf.float64)
    found = derivatives(tf.function(by_probability, autograph=False), p, 3)
    for one, other in zip(found, derivatives(by_probability, p, 3), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_derivatives_by_logs_hold_to_the_fifth_order():
    # With m the derivative by the log, l = log(p): m' = m * (1 + x * m), x' = m.
    x = np.array([-30.0, -9.0, -1.0])
    log_p = normal.log_tails(tf.constant(x))[0]
    found = derivatives(by_log, log_p, 5)
    m = np.exp(log_p - normal.log_prob(tf.constant(x)))
    bent = 1.0 + x * m
    third = m * (bent**2 + m * (m + x * bent))
    near = x > -20.0
    for one, other in zip(found[1:4], (m, m * bent, third), strict=True):
        np.testing.assert_allclose(one[near], other[near], rtol=1e-8)
    # Higher orders, and those far out, are differences of the order below.
    for step, order in ((1e-4, 3), (1e-4, 4), (1e-4, 5)):
        below = [
            derivatives(by_log, log_p * (1.0 + sign * step), order - 1)[-1]
            for sign in (1.0, -1.0)
        ]
        difference = (below[0] - below[1]) / (2.0 * step * log_p)
        np.testing.assert_allclose(found[order], difference, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-3), ("float64", 1e-8)])
def test_derivatives_by_logs_hold_where_the_probability_underflows(dtype, tolerance):
    # By l = log(p): x' = m, with m = p / phi Mills' ratio, and x'' = m * (1 + x * m).
    x = tf.constant([-1e4, -50.0, -12.0, -7.1, -2.0], dtype)
    log_p = normal.log_tails(x)[0]
    value, slope, curvature = derivatives(by_log, log_p, 2)
    np.testing.assert_allclose(value, x, rtol=1e-6)
    exact = tf.cast(x, tf.float64)
    ratio = np.exp(normal.log_tails(exact)[0] - normal.log_prob(exact))
    # Far out the sum cancels even in float64: its asymptotic series stands for it.
    square = exact**-2
    series = square * (1 - square * (3 - square * (15 - square * 105)))
    bent = np.where(x < -40, series, 1.0 + exact * ratio)
    near = np.abs(x) < 1e3
    np.testing.assert_allclose(slope[near], ratio[near], rtol=tolerance)
    np.testing.assert_allclose(slope, -1.0 / exact, rtol=0.2)
    np.testing.assert_allclose(curvature, -bent / exact, rtol=0.2)
    np.testing.assert_allclose(curvature[near], (ratio * bent)[near], rtol=tolerance)


@pytest.mark.parametrize(
    ("dtype", "jit_compile"),
    [
        pytest.param("float32", True, marks=pytest.mark.slow),
        ("float64", False),
    ],
)
def test_quantiles_of_tails_are_straight_to_the_second_order(dtype, jit_compile):
    x = tf.constant([-12.0, -9.0, -3.0, 0.1, 2.0, 12.0], dtype)

    def by_tails(x):
        return normal.quantile(*normal.tails(x))

    def by_logs(x):
        return normal.quantile_of_logs(*normal.log_tails(x))

    for function in (by_tails, by_logs):
        found = tf.function(
            lambda x, function=function: derivatives(function, x, 2),
            jit_compile=jit_compile,
        )(x)
        atol = 2e-4 if dtype == "float32" else 1e-11
        for one, other in zip(found, (x, 1.0, 0.0), strict=True):
            np.testing.assert_allclose(one, tf.zeros_like(x) + other, atol=atol)


@pytest.mark.slow
def test_forward_mode_agrees_with_reverse_mode():
    p = tf.constant([1e-6, 0.2, 0.7], tf.float64)
    _, slope, curvature = derivatives(by_probability, p, 2)

    def tangents(p):
        with tf.autodiff.ForwardAccumulator(p, tf.ones_like(p)) as outer:
            x, gradient = derivatives(by_probability, p, 1)
        return outer.jvp(x), outer.jvp(gradient)

    found = tf.function(tangents, autograph=False)(p)
    for one, other in zip(found, (slope, curvature), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_quantile_inverts_both_tails(dtype):
    x = tf.constant(np.linspace(-8, 8, 65), dtype)
    back = normal.quantile(*normal.tails(x))
    tolerance = 2e-5 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(back, x, rtol=tolerance, atol=tolerance)


def test_quantiles_of_arrays_of_any_shape_are_those_of_tensors():
    for shape in ((), (5,), (3, 4)):
        below = np.random.default_rng(0).uniform(0.0, 1.0, size=shape) ** 20
        want = normal.quantile(tf.constant(below), tf.constant(1.0 - below))
        found = normal.quantiles_of_arrays(below, 1.0 - below)
        np.testing.assert_allclose(found, want, rtol=1e-12)


def test_cells_of_the_normal_distribution_sum_to_one():
    cells = normal.cell_probabilities(np.linspace(-9, 9, 100))
    assert abs(cells.sum() - 1) < 1e-14
    assert cells.min() > 0


@pytest.mark.colab
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 2e-5), ("float64", 1e-11)])
def test_tails_and_quantiles_are_those_of_scipy(dtype, rtol):
    x = np.array([-37.0, -12.0, -5.0, -1.0, 0.0, 0.3, 2.0, 7.0]).astype(dtype)
    exact = x.astype("float64")
    below, above = normal.tails(tf.constant(x))
    seen = exact > (-12.5 if dtype == "float32" else -40.0)
    np.testing.assert_allclose(below[seen], special.ndtr(exact[seen]), rtol=10 * rtol)
    np.testing.assert_allclose(above[seen], special.ndtr(-exact[seen]), rtol=10 * rtol)
    log_below, log_above = normal.log_tails(tf.constant(x))
    # The log of a probability near 1 is known to the digits of that probability.
    atol = float(np.finfo(dtype).eps)
    for found, side in ((log_below, exact), (log_above, -exact)):
        np.testing.assert_allclose(found, special.log_ndtr(side), rtol=rtol, atol=atol)
    np.testing.assert_allclose(
        normal.log_prob(tf.constant(x)), stats.norm.logpdf(exact), rtol=rtol
    )
    p = np.array([1e-30, 1e-9, 1e-3, 0.3, 0.5, 0.9], dtype)
    found = normal.quantile(tf.constant(p), tf.constant(1.0 - p))
    wanted = special.ndtri(p.astype("float64"))
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=atol)
    by_logs = normal.quantile_of_logs(tf.math.log(p), tf.math.log1p(-p))
    np.testing.assert_allclose(by_logs, found, rtol=rtol, atol=1e-6)


def test_quantiles_of_logs_reach_far_beyond_what_is_a_probability():
    x = tf.constant([-1e3, -40.0, 40.0, 1e3], tf.float64)
    found = normal.quantile_of_logs(*normal.log_tails(x))
    np.testing.assert_allclose(found, x, rtol=1e-10)


def test_cells_have_the_probabilities_of_scipy_and_the_ends_what_lies_beyond():
    edges = np.array([-9.0, -1.0, 0.5, 8.0, 8.5])
    found = normal.cell_probabilities(edges)
    np.testing.assert_allclose(found[1:3], np.diff(special.ndtr(edges))[1:3])
    np.testing.assert_allclose(found[0], special.ndtr(-1.0))
    np.testing.assert_allclose(found[-1], special.ndtr(-8.0), rtol=1e-12)


def test_gradient_of_a_quantile_takes_mills_ratio_alone():
    """The tail that belongs to the level is known, and is not evaluated again."""
    numbers = tf.TensorSpec([None], tf.float64)
    sizes = [
        len(
            tf.function(
                lambda p, order=order: derivatives(by_probability, p, order)[-1]
            )
            .get_concrete_function(numbers)
            .graph.as_graph_def()
            .node
        )
        for order in (0, 1)
    ]
    assert sizes[1] < 3 * sizes[0]
