"""The rule of Gauss and Legendre, and integrals with exact derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate

from tfp_flows.math import quadrature


@pytest.mark.parametrize("num_nodes", [1, 2, 5])
def test_rule_is_exact_for_polynomials_of_its_degree(num_nodes):
    x = tf.constant([-2.0, 0.0, 3.0], tf.float64)
    for power in range(2 * num_nodes):
        places = quadrature.nodes(x, 1.0, num_nodes)
        found = (x - 1.0) * quadrature.mean(places**power, num_nodes)
        wanted = (x ** (power + 1) - 1.0) / (power + 1)
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("num_nodes", [3, 20])
def test_derivatives_are_those_of_the_integrand_however_coarse_the_rule(num_nodes):
    """Of `exp(sin(a * x))`, by `x` to the third order, and mixed with `a`."""
    x = tf.constant([-1.0, 0.2, 2.0], tf.float64)
    a = tf.constant(1.3, tf.float64)

    def derivatives(x, a):
        with tf.GradientTape(persistent=True) as third:
            third.watch([x, a])
            with tf.GradientTape(persistent=True) as second:
                second.watch([x, a])
                with tf.GradientTape(persistent=True) as first:
                    first.watch([x, a])
                    y, log_slope = quadrature.antiderivative(
                        lambda t: tf.sin(a * t), x, 0.0, num_nodes
                    )
                slope = first.gradient(y, x)
                by_a = first.gradient(y, a)
            bend = second.gradient(slope, x)
        mixed = second.gradient(by_a, x), second.gradient(slope, a)
        return y, log_slope, slope, bend, third.gradient(bend, x), *mixed

    y, log_slope, slope, bend, third, one, other = derivatives(x, a)
    integrand, cosine = np.exp(np.sin(a * x)), a * np.cos(a * x)
    np.testing.assert_allclose(log_slope, np.sin(a * x), rtol=1e-13)
    np.testing.assert_allclose(slope, integrand, rtol=1e-13)
    np.testing.assert_allclose(bend, integrand * cosine, rtol=1e-12)
    wanted = integrand * (cosine**2 - a**2 * np.sin(a * x))
    np.testing.assert_allclose(third, wanted, rtol=1e-12)
    by_a = integrand * np.cos(a * x) * x
    np.testing.assert_allclose(one, by_a, rtol=1e-12)
    np.testing.assert_allclose(other, np.sum(by_a), rtol=1e-12)
    if num_nodes == 20:
        grid = np.linspace(0.0, x.numpy(), 20001)
        wanted = integrate.trapezoid(np.exp(np.sin(a * grid)), grid, axis=0)
        np.testing.assert_allclose(y, wanted, rtol=1e-7)


def test_derivatives_are_right_to_the_sixth_order():
    # Every derivative of the integral of exp is exp.
    x = tf.constant([-1.0, 0.2, 2.0], tf.float64)

    def derivative(order):
        if order == 0:
            return quadrature.antiderivative(lambda t: t, x, 0.0, 20)[0]
        with tf.GradientTape() as tape:
            tape.watch(x)
            below = derivative(order - 1)
        return tape.gradient(below, x)

    for order in range(1, 7):
        np.testing.assert_allclose(derivative(order), np.exp(x), rtol=1e-11)
