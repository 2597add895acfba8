"""Chains against closed forms, and a judgement of chains that have not met."""

from __future__ import annotations

import numpy as np
import pytest
from tensorflow_probability import distributions as tfd

from tfp_flows import inference

MODEL = tfd.JointDistributionNamed(
    {
        "a": tfd.Gamma(3.0, 2.0),
        "b": lambda a: tfd.Normal(a, 0.5),
        "y": lambda b: tfd.Normal(b, 0.5),
    }
).experimental_pin(y=1.0)
QUICK = {"num_draws": 400, "num_chains": 4, "burn_in": 100, "seed": 0}


def mean_of_a():
    """Return the mean of `a` by a sum over a grid: `b` is integrated out."""
    grid = np.linspace(1e-3, 12.0, 20_000)
    weights = grid**2 * np.exp(-2.0 * grid) * np.exp(-((1.0 - grid) ** 2))
    return np.sum(grid * weights) / np.sum(weights)


@pytest.mark.slow
def test_chains_sample_a_pinned_model_in_its_own_structure():
    found = inference.sample_posterior(MODEL, flow="linear", steps=20, **QUICK)
    assert found.draws["a"].shape == found.draws["b"].shape == (4, 400)
    assert np.all(found.draws["a"] > 0.0)
    error = found.draws["a"].std() / np.sqrt(found.ess.min())
    assert abs(found.draws["a"].mean() - mean_of_a()) < 4.0 * error
    assert found.ess.min() > 200
    assert found.r_hat.shape == (2,)
    assert np.all(found.r_hat < 1.03)
    assert found.gradients >= 1_600
    assert 0.6 < found.acceptance < 1.0
    assert found.report is not None


def test_judgement_is_by_the_worst_coordinate():
    numbers = {"draws": None, "ess": np.array([900.0, 80.0]), "gradients": 1}
    met = inference.Chains(r_hat=np.array([1.001, 1.009]), acceptance=0.8, **numbers)
    assert met.reliable
    assert "1.009, with 80 effective draws" in repr(met)
    apart = inference.Chains(r_hat=np.array([1.001, 1.5]), acceptance=0.8, **numbers)
    assert not apart.reliable
    assert "have not met" in apart.judgement


def test_bad_options_are_named():
    with pytest.raises(ValueError, match="`method` must be one of 'neutra', 'nuts'"):
        inference.sample_posterior(MODEL, "hmc")
    with pytest.raises(ValueError, match="left out for method 'nuts'"):
        inference.sample_posterior(MODEL, "nuts", "linear")
    with pytest.raises(ValueError, match="`burn_in` must be at least 10"):
        inference.sample_posterior(MODEL, "nuts", burn_in=0)
