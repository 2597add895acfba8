"""Densities of angles."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate

from tests.flows import small
from tfp_flows import bijectors, flows

LOW, HIGH = 0.0, 360.0
GRID = np.linspace(LOW, HIGH, 201)


def torus(size=2):
    flow = small.build("circular", size, period=(LOW, HIGH))
    flow.adapt(np.random.default_rng(0).uniform(LOW, HIGH, (50, size)))
    return small.perturbed(flow, 0.4)


def test_density_on_a_torus_integrates_to_one_and_has_no_seam():
    points = np.stack(np.meshgrid(GRID, GRID), axis=-1).reshape(-1, 2)
    p = np.exp(torus().log_prob(points)).reshape(len(GRID), len(GRID))
    mass = integrate.trapezoid(integrate.trapezoid(p, GRID), GRID)
    np.testing.assert_allclose(mass, 1.0, atol=1e-3)
    assert p.max() > 2.0 * p.min()
    for one, other in ((p[0], p[-1]), (p[:, 0], p[:, -1])):
        np.testing.assert_allclose(one, other, rtol=1e-3)


def test_density_on_a_circle_integrates_to_one_and_samples_are_angles():
    flow = torus(1)
    p = np.exp(flow.log_prob(GRID[:, None]))
    np.testing.assert_allclose(integrate.trapezoid(p, GRID), 1.0, atol=1e-3)
    x = flow.sample(500, seed=1).numpy()
    assert np.all((x >= LOW) & (x <= HIGH))


def test_what_is_no_angle_is_named_and_has_no_density():
    flow = torus()
    np.testing.assert_array_equal(flow.log_prob([[400.0, 10.0]]), -np.inf)
    with pytest.raises(ValueError, match=r"`x` must be angles of the period .* 400"):
        flow.adapt(np.array([[10.0, 400.0]]))
    with pytest.raises(NotImplementedError, match="maps angles"):
        torus(1).distribution().cdf([1.0])
    with pytest.raises(ValueError, match=r"`period\[0\]` must be below"):
        flows.build("circular", 2, period=(1.0, 0.0))
    with pytest.raises(ValueError, match="two bounds"):
        flows.build("circular", 2, base="normal")


def test_autoregressive_flow_of_angles_has_no_seam():
    spline = bijectors.CircularSpline(3)
    flow = small.build(
        "autoregressive", 2, transformer=spline, base="uniform", dtype="float64"
    )
    chain = small.perturbed(flow, 0.4).bijector()
    layers = bijectors.Chain(chain.bijectors[1:])
    z = tf.constant([[-1.0, 0.3], [1.0, 0.3], [0.2, -1.0], [0.2, 1.0]], tf.float64)
    log_det = layers.inverse_log_det_jacobian(z, 1)
    np.testing.assert_allclose(log_det[0::2], log_det[1::2], atol=1e-9)
    back = layers.forward(tf.identity(layers.inverse(z)))
    np.testing.assert_allclose(np.abs(back), np.abs(z), atol=1e-9)
