"""States on their way from a wide density to a target, against closed forms."""

from __future__ import annotations

import numpy as np

from tfp_flows.inference import proposals, tempering


def test_the_next_power_keeps_half_of_the_states_effective():
    gains = np.random.default_rng(0).normal(scale=3.0, size=4_000)
    power, weights = tempering.next_power(gains, 0.25)
    # Normal gains of deviation s leave exp(-(s * change)^2) of the states.
    change = np.sqrt(np.log(2.0)) / 3.0
    assert abs((power - 0.25) / change - 1.0) < 0.1
    assert abs(1.0 / np.sum(weights**2) / 4_000 - 0.5) < 0.01


def test_the_last_power_is_1_and_states_outside_have_no_weight():
    gains = np.array([0.1, 0.0, -np.inf, 0.2])
    power, weights = tempering.next_power(gains, 0.0)
    assert power == 1.0
    assert weights[2] == 0.0
    np.testing.assert_allclose(weights.sum(), 1.0)


def test_states_are_resampled_by_their_weights():
    weights = np.array([0.0, 0.5, 0.125, 0.375])
    weights = np.repeat(weights / 100.0, 100)
    found = proposals.resampled(weights, 400, np.random.default_rng(0))
    counts = np.bincount(found // 100, minlength=4)
    np.testing.assert_allclose(counts, [0, 200, 50, 150], atol=1)
