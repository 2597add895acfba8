"""Free energies of a double well, against quadrature."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate
from tensorflow_probability import distributions as tfd

from tfp_flows import inference


def well(x):
    """Return minus the energy of a double well of unequal depths."""
    return -(x[..., 0] ** 4 - 3.0 * x[..., 0] ** 2 + 0.5 * x[..., 0])


def mass(low, high):
    return integrate.quad(lambda x: np.exp(-(x**4 - 3 * x**2 + 0.5 * x)), low, high)[0]


def left(x):
    return x[:, 0] < 0.0


def right(x):
    return x[:, 0] >= 0.0


@pytest.fixture(scope="module")
def found():
    wide = tfd.Sample(tfd.Normal(0.0, 1.5), 1)
    return inference.importance_sample(well, wide, 50_000, seed=0)


def test_difference_is_that_of_quadrature_within_its_standard_error(found):
    value, stderr = inference.free_energy_difference(found, left, right)
    truth = np.log(mass(-9, 0) / mass(0, 9))
    assert abs(value - truth) < 4.0 * stderr
    assert stderr < 0.03
    back = inference.free_energy_difference(found, right, left)
    assert back.value == pytest.approx(-value)


def test_standard_error_of_a_difference_is_the_scatter_of_repetitions(found):
    x = np.concatenate([x for x, _ in found._draws])
    weights = np.exp(found.log_weights).reshape(100, 500)
    inside = left(x).reshape(100, 500)
    values = np.log((weights * inside).sum(1) / (weights * ~inside).sum(1))
    stderr = inference.free_energy_difference(found, left, right).stderr
    assert stderr == pytest.approx(values.std() / 10.0, rel=0.2)


def test_profile_is_the_energy_up_to_a_constant(found):
    edges = np.linspace(-2.0, 2.0, 41)
    profile = inference.free_energy_profile(found, lambda x: x[:, 0], edges)
    masses = [mass(a, b) for a, b in itertools.pairwise(edges)]
    truth = -np.log(np.array(masses))
    gap = profile.value - truth
    gap -= np.median(gap)
    assert np.all(np.abs(gap) < 5.0 * profile.stderr + 0.01)
    assert profile.value.min() == 0.0


def test_states_and_bins_without_draws_are_named(found):
    with pytest.raises(ValueError, match="`end` must hold some draws"):
        inference.free_energy_difference(found, left, lambda x: x[:, 0] > 99.0)
    with pytest.raises(ValueError, match="must span some draws"):
        inference.free_energy_profile(found, lambda x: x[:, 0], [90.0, 99.0])
    with pytest.raises(ValueError, match="must be ascending"):
        inference.free_energy_profile(found, lambda x: x[:, 0], [1.0, 0.0])
    with pytest.raises(ValueError, match=r"one number for each event, got shape \["):
        inference.free_energy_profile(found, lambda x: x, [-1.0, 0.0, 1.0])
    with pytest.raises(TypeError, match="`coordinate` must be a function, got str"):
        inference.free_energy_profile(found, "x", [-1.0, 0.0, 1.0])
    with pytest.raises(TypeError, match="`start` must be a function, got str"):
        inference.free_energy_difference(found, "left", left)
    with pytest.raises(TypeError, match="`function` must be a function, got int"):
        found.expectation(3)
    profile = inference.free_energy_profile(found, lambda x: x[:, 0], [0, 1, 90, 99])
    assert np.isinf(profile.value[-1])
    assert np.isinf(profile.stderr[-1])
