"""Chains that start at draws of a posterior: where the flow has no draws they go."""

from __future__ import annotations

import dataclasses

import numpy as np
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows.inference import drift, starts, targets
from tfp_flows.inference.whitened import Whitened

START = starts.Start("none", np.array([1.0, -2.0]), np.diag([2.0, 0.5]), 0.0)
TARGET = tfd.MultivariateNormalDiag([1.0, -2.0], [2.0, 0.5])
NORMAL = tfd.Sample(tfd.Normal(0.0, 1.0), 2)


def measured(density, target=TARGET, steps=20):
    return measured_from(Whitened(targets.read(target), START), density, steps)


def measured_from(whitened, density, steps):
    z, log_q = density.experimental_sample_and_log_prob(10_000, seed=[0, 4])
    log_weights = np.asarray(whitened.log_prob(z) - log_q, np.float64)
    vectors = np.asarray(whitened.unwhitened(z))
    return drift.measure(whitened, vectors, log_weights, steps, 0)


def test_chains_stay_at_draws_of_the_target():
    exact = tfd.TransformedDistribution(NORMAL, tfb.Shift([0.0, 0.0]))
    found = measured(exact)
    assert found.reliable
    assert "stay there" in repr(found)
    assert np.abs(found.shifts).max() < 0.1
    assert np.abs(found.ratios - 1.0).max() < 0.08
    assert 0.6 < found.acceptance < 1.0
    assert found.gradients == 512 * 241
    assert found.states.shape == (5_120, 2)


def test_chains_leave_draws_whose_weights_are_equal_but_which_lack_tails():
    """Of 10,000 draws none is 1.6 deviations off, where the target has a tenth."""
    short = tfb.Chain([tfb.Scale(0.75), tfb.Invert(tfb.Sinh())])
    found = measured(
        tfd.TransformedDistribution(NORMAL, tfb.Blockwise([short, tfb.Identity()]))
    )
    assert not found.reliable
    assert found.doubtful.tolist() == [True, False]
    assert found.ratios[0] > 1.1
    assert "the standard deviation of x0 becomes" in found.judgement
    assert "Do not trust" in found.judgement


def test_weights_that_put_draws_right_are_no_drift():
    wide = tfd.TransformedDistribution(NORMAL, tfb.Scale([1.5, 1.2]))
    assert measured(wide).reliable


def test_chains_that_do_not_move_are_no_evidence():
    numbers = {"names": ("x0",), "doubtful": np.array([False]), "gradients": 1}
    stuck = drift.Drift(
        shifts=np.zeros(1), ratios=np.ones(1), acceptance=0.01,
        states=np.zeros((1, 1)), tails=np.zeros(1), **numbers,
    )  # fmt: skip
    assert not stuck.reliable
    assert "Only 1% of the proposals" in stuck.judgement


def test_deviations_that_rest_on_few_draws_are_named():
    """A Student-t of 2.2 degrees of freedom, met exactly: its variance is finite."""
    heavy = tfd.JointDistributionNamed(
        {"x": tfd.StudentT(2.2, 0.0, 1.0), "y": tfd.Normal(0.0, 1.0)}
    )
    begin = starts.Start("none", np.zeros(2), np.eye(2), 0.0)
    whitened = Whitened(targets.read(heavy), begin)
    exact = tfd.Blockwise([tfd.StudentT(2.2, 0.0, 1.0), tfd.Normal(0.0, 1.0)])
    found = measured_from(whitened, exact, 4)
    assert found.tails[0] > 0.7 > 0.4 > found.tails[1]
    assert not found.reliable
    still = dataclasses.replace(found, doubtful=np.zeros(2, bool))
    assert "deviation of x rests on a few draws" in still.judgement
