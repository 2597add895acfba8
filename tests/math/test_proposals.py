"""Proposals: densities integrate to one, and follow what they are given."""

import numpy as np
import tensorflow as tf

from tfp_flows.math import proposals


def _mixture():
    rng = np.random.default_rng(0)
    x = rng.normal(size=[2000, 2])
    x[:, 1] += 2.0 * x[:, 0]
    return proposals.joint(x, 0)


def test_conditional_density_integrates_to_one():
    part = proposals.Conditionals(_mixture(), (0,), (1,), tf.float64)
    given = part.given(tf.constant([[0.3], [-5.0]], tf.float64))
    grid = np.linspace(-60.0, 60.0, 40_001)
    values = tf.constant(np.tile(grid[None, :, None], [2, 1, 1]))
    density = np.exp(part.log_density(given, values))
    # The tails of a Student-t beyond the grid hold what is left.
    np.testing.assert_allclose(density.sum(1) * (grid[1] - grid[0]), 1.0, atol=1e-3)


def test_draws_follow_what_is_given():
    part = proposals.Conditionals(_mixture(), (0,), (1,), tf.float64)
    uniforms = proposals.points(4096, part.num_uniforms, 0)
    draws, log_q = part.draw(part.given(tf.constant([[1.0]], tf.float64)), uniforms)
    np.testing.assert_allclose(np.median(draws), 2.0, atol=0.1)
    np.testing.assert_allclose(
        log_q, part.log_density(part.given(tf.constant([[1.0]], tf.float64)), draws)
    )


def test_weights_against_the_true_conditional_have_mean_one():
    part = proposals.Conditionals(_mixture(), (0,), (1,), tf.float64)
    uniforms = proposals.points(4096, part.num_uniforms, 0)
    draws, log_q = part.draw(part.given(tf.constant([[1.0]], tf.float64)), uniforms)
    log_p = -0.5 * np.square(draws[..., 0] - 2.0) - 0.5 * np.log(2.0 * np.pi)
    np.testing.assert_allclose(np.exp(log_p - log_q).mean(), 1.0, atol=0.01)
