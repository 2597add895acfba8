"""Chains against closed forms, and a judgement of chains that have not met."""

from __future__ import annotations

import numpy as np
import pytest
from tensorflow_probability import distributions as tfd

from tfp_flows import flows, inference
from tfp_flows.inference import sampling, starts, targets
from tfp_flows.inference.tempering import WarmUp
from tfp_flows.inference.whitened import Whitened

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
    assert "R-hat cannot show a mode" in met.judgement
    apart = inference.Chains(r_hat=np.array([1.001, 1.5]), acceptance=0.8, **numbers)
    assert not apart.reliable
    assert "have not met" in apart.judgement


def test_chains_that_rarely_jump_are_not_to_be_trusted():
    numbers = {"draws": None, "r_hat": np.ones(1), "ess": np.ones(1), "gradients": 1}
    rare = inference.Chains(acceptance=0.8, jump_acceptance=0.01, **numbers)
    assert not rare.reliable
    assert "Only 1.0% of the jumps are accepted" in rare.judgement
    often = inference.Chains(acceptance=0.8, jump_acceptance=0.4, **numbers)
    assert often.reliable
    assert "40% of the jumps" in often.judgement


@pytest.mark.slow(rare=True)
def test_jumps_give_modes_their_shares():
    modes = tfd.MixtureSameFamily(
        tfd.Categorical(probs=[0.3, 0.7]),
        tfd.MultivariateNormalDiag([[-4.0, 0.0], [4.0, 1.0]], [[0.5, 0.5], [0.5, 1.0]]),
    )
    flow = flows.build("nsf", 2, num_layers=2, num_bins=4, hidden_units=(16,), seed=0)
    found = inference.sample_posterior(
        modes, "flow-mcmc", flow, num_states=512, start="laplace",
        num_draws=500, num_chains=16, burn_in=50, seed=0,
    )  # fmt: skip
    assert found.draws.shape == (16, 500, 2)
    right = found.draws[..., 0] > 0.0
    assert abs(right.mean() - 0.7) < 0.06
    assert np.all(right.any(axis=1) & ~right.all(axis=1))
    assert found.jump_acceptance > 0.15
    assert np.all(found.r_hat < 1.05)
    # A step is six evaluations: one anew, four leapfrogs, one jump.
    assert found.gradients == 16 * 500 * 6
    assert found.warm_up_gradients > 16 * 50 * 6 + 512 * 6


def test_bad_targets_of_jumps_are_named():
    def jumps(target, **options):
        return inference.sample_posterior(target, "flow-mcmc", event_shape=2, **options)

    with pytest.raises(ValueError, match="must have a log-density below infinity"):
        jumps(lambda x: x[..., 0] * np.nan, start="none")
    with pytest.raises(ValueError, match="must not be 0 everywhere"):
        jumps(lambda x: x[..., 0] * 0.0 - np.inf, start="none")
    with pytest.raises(ValueError, match="must return one number for each event"):
        jumps(lambda x: x, start="none")
    with pytest.raises(ValueError, match="`num_chains` must be at least 2"):
        jumps(lambda x: x[..., 0], num_chains=1)
    normal = tfd.MultivariateNormalDiag([0.0, 0.0])
    with pytest.raises(ValueError, match="`steps_size` is no option of method 'flow-m"):
        jumps(normal.log_prob, start="none", steps_size=1.0)
    with pytest.raises(ValueError, match="`spread` must be at least 1"):
        jumps(normal.log_prob, start="none", spread=-1.0)
    with pytest.raises(ValueError, match="`local` must be one of 'base', 'target'"):
        jumps(normal.log_prob, start="none", local="events")


class Warmed:
    """Stands in for tempering: the share of accepted jumps is by the flow's name."""

    def __init__(self, whitened, built, **options):
        self.flow = built

    def warm_up(self, states=None):
        shares = {"RealNVP": self.affine, "NeuralSplineFlow": self.splines}
        share = shares[type(self.flow).__name__]
        return WarmUp(3, 10, share, np.zeros([2, 2]))


@pytest.mark.parametrize(
    ("affine", "splines", "kept", "evaluations"),
    [
        (0.7, 0.9, flows.RealNVP, 10),
        (0.4, 0.9, flows.NeuralSplineFlow, 20),
        (0.4, 0.3, flows.RealNVP, 20),
    ],
)
def test_splines_jump_where_affine_couplings_are_rarely_accepted(
    affine, splines, kept, evaluations, monkeypatch
):
    stand_in = type("Two", (Warmed,), {"affine": affine, "splines": splines})
    monkeypatch.setattr(sampling, "Tempering", stand_in)
    normal = tfd.MultivariateNormalDiag([0.0, 0.0])
    read = targets.read(normal)
    whitened = Whitened(read, starts.choose(read, "none", 0))
    found, spent = sampling._warmed_up(whitened, None, 0, {})
    assert type(found.flow) is kept
    assert spent == evaluations


def test_bad_options_are_named():
    with pytest.raises(
        ValueError, match="`method` must be one of 'neutra', 'flow-mcmc', 'nuts'"
    ):
        inference.sample_posterior(MODEL, "hmc")
    with pytest.raises(ValueError, match="left out for method 'nuts'"):
        inference.sample_posterior(MODEL, "nuts", "linear")
    with pytest.raises(ValueError, match="`burn_in` must be at least 10"):
        inference.sample_posterior(MODEL, "nuts", burn_in=0)
