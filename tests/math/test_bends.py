"""Bends: bounded slopes, and the roots of single ones and of triangular systems."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import bends


def test_bounded_numbers_stay_above_minus_one_and_keep_what_is_positive():
    raw = tf.constant([-1e8, -3.0, -0.5, 0.0, 0.5, 40.0])
    p, stretch = bends.bounded(raw)
    np.testing.assert_allclose(p[1:], [-0.75, -1 / 3, 0.0, 0.5, 40.0], rtol=1e-6)
    # Close to -1 what is left over has all digits.
    np.testing.assert_allclose(stretch[0], 1e-8, rtol=1e-5)
    np.testing.assert_allclose(stretch, 1.0 + p, atol=1e-7)


def test_bounded_numbers_have_slope_one_at_zero():
    raw = tf.constant(0.0)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        p, _ = bends.bounded(raw)
    assert float(tape.gradient(p, raw)) == 1.0


def test_slope_is_that_of_autodiff():
    a = tf.constant(np.linspace(-8.0, 8.0, 33))
    for raw in (-50.0, -0.3, 2.0):
        p, stretch = bends.bounded(tf.constant(raw, a.dtype))
        with tf.GradientTape() as tape:
            tape.watch(a)
            value, log_slope = bends.bend(a, p, stretch)
        slope = tape.gradient(value, a)
        np.testing.assert_allclose(tf.exp(log_slope), slope, rtol=1e-9)


@pytest.mark.parametrize("raw", [-1e6, -2.0, 0.0, 30.0])
def test_unbend_finds_the_root(raw):
    value = tf.constant([-1e30, -40.0, -0.01, 0.0, 0.3, 25.0, np.inf])
    p, stretch = bends.bounded(tf.constant(raw))
    a = bends.unbend(value, p, stretch)
    again = bends.bend(a, p, stretch)[0]
    np.testing.assert_allclose(again, value, rtol=1e-6, atol=1e-6 * (1 + abs(p)))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_triangular_system_is_solved_coordinate_by_coordinate(size):
    rng = np.random.default_rng(size)
    strict = np.triu(3.0 * rng.normal(size=[size, size]), 1)
    p, stretch = bends.bounded(tf.constant(3.0 * rng.normal(size=size)))
    a = tf.constant(4.0 * rng.normal(size=[50, size]))
    value = a + tf.tanh(a) @ (strict + np.diag(p)).T
    found = bends.unbend_triangular(value, tf.constant(strict), p, stretch)
    np.testing.assert_allclose(found, a, atol=1e-9)


def test_derivatives_of_a_system_are_those_of_the_implicit_function():
    strict = tf.constant([[0.0, 2.0], [0.0, 0.0]], tf.float64)
    value = tf.constant([[0.3, -0.4]], tf.float64)

    def solution(strict, value, raw):
        p, stretch = bends.bounded(raw)
        return tf.reduce_sum(bends.unbend_triangular(value, strict, p, stretch) ** 2)

    def gradient(raw):
        with tf.GradientTape() as tape:
            tape.watch(raw)
            number = solution(strict, value, raw)
        return tape.gradient(number, raw)

    raw, step = tf.constant([-0.6, 0.7], tf.float64), 1e-5
    for place in ([1.0, 0.0], [0.0, 1.0]):
        move = step * tf.constant(place, tf.float64)
        ends = [solution(strict, value, raw + s * move) for s in (1, -1)]
        slope = tf.reduce_sum(gradient(raw) * place)
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-7)
        with tf.GradientTape() as tape:
            tape.watch(raw)
            along = tf.reduce_sum(gradient(raw) * place)
        second = tape.gradient(along, raw)
        ends = [gradient(raw + s * move) for s in (1, -1)]
        np.testing.assert_allclose(second, (ends[0] - ends[1]) / (2 * step), rtol=1e-6)


def test_derivatives_of_a_system_are_right_above_the_third_order():
    rng = np.random.default_rng(0)
    value, strict = rng.normal(size=(3, 2)), np.triu(rng.normal(size=(2, 2)), 1)
    raw = tf.constant(rng.normal(size=2))

    def solved(t):
        p, stretch = bends.bounded(raw * (1.0 + t))
        a = bends.unbend_triangular(value * (1.0 + t), strict * (1.0 - t), p, stretch)
        return tf.reduce_sum(a * [1.0, 2.0])

    def derivative(t, order):
        if order == 0:
            return solved(t)
        with tf.GradientTape() as tape:
            tape.watch(t)
            below = derivative(t, order - 1)
        return tape.gradient(below, t)

    t, step = tf.constant(0.2, tf.float64), 1e-4
    ends = derivative(t + step, 3), derivative(t - step, 3)
    difference = (ends[0] - ends[1]) / (2.0 * step)
    np.testing.assert_allclose(derivative(t, 4), difference, rtol=1e-6)
    with tf.autodiff.ForwardAccumulator(t, tf.ones_like(t)) as forward:
        a = solved(t)
    np.testing.assert_allclose(forward.jvp(a), derivative(t, 1), rtol=1e-12)
