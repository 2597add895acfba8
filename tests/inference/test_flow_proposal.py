"""Jumps leave the target as it is, whatever proposes them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats
from tensorflow_probability import distributions as tfd

from tfp_flows import flows, inference
from tfp_flows.inference.over_base import OverBase

# A target, and a proposal that is wrong in place and in width.
TARGET = tfd.MultivariateNormalDiag([1.0, -2.0], [0.5, 2.0])
WRONG = tfd.MultivariateNormalDiag([0.0, 0.0], [1.5, 3.0])


def run(kernel, first, steps, seed=0):
    @tf.function(autograph=False)
    def chains():
        return tfp.mcmc.sample_chain(
            steps,
            first,
            kernel=kernel,
            num_burnin_steps=30,
            trace_fn=lambda _, results: results.is_accepted,
            seed=[seed, 1],
        )

    draws, accepted = chains()
    return np.asarray(draws, np.float64).reshape((-1, first.shape[-1])), accepted


def expected_acceptance():
    """Return the mean of `min(1, w(x') / w(x))`, `x` of the target."""
    x, y = TARGET.sample(50_000, seed=[1, 2]), WRONG.sample(50_000, seed=[3, 4])
    ratios = [TARGET.log_prob(v) - WRONG.log_prob(v) for v in (y, x)]
    return float(tf.reduce_mean(tf.minimum(1.0, tf.exp(ratios[0] - ratios[1]))))


def test_a_wrong_proposal_gives_the_right_moments():
    kernel = inference.FlowProposal(TARGET.log_prob, WRONG)
    draws, accepted = run(kernel, tf.zeros([400, 2]), 100)
    # About 10,000 effective draws: five standard errors and more.
    assert np.abs(draws.mean(axis=0) - [1.0, -2.0]).max() < 0.1
    assert np.abs(draws.std(axis=0) / [0.5, 2.0] - 1.0).max() < 0.05
    assert abs(float(np.mean(accepted)) - expected_acceptance()) < 0.02


def test_one_step_leaves_draws_of_the_target_draws_of_the_target():
    kernel = inference.FlowProposal(TARGET.log_prob, WRONG)
    first = TARGET.sample(20_000, seed=[5, 6])
    state, results = kernel.one_step(
        first, kernel.bootstrap_results(first), seed=[0, 7]
    )
    for column, loc, scale in zip(
        state.numpy().T, [1.0, -2.0], [0.5, 2.0], strict=True
    ):
        assert stats.kstest(column, stats.norm(loc, scale).cdf).pvalue > 1e-3
    moved = np.any(state.numpy() != first.numpy(), axis=-1)
    assert np.array_equal(moved, results.is_accepted.numpy())
    np.testing.assert_allclose(
        results.target_log_prob, TARGET.log_prob(state), rtol=1e-5, atol=1e-5
    )


def test_a_narrow_proposal_is_mended_by_local_steps():
    narrow = tfd.MultivariateNormalDiag([1.0, -2.0], [0.25, 1.0])
    local = tfp.mcmc.HamiltonianMonteCarlo(TARGET.log_prob, tf.constant([0.4, 1.6]), 3)
    kernel = inference.FlowProposal(TARGET.log_prob, narrow, local, local_steps=2)
    draws, _ = run(kernel, tf.zeros([200, 2]), 100)
    assert np.abs(draws.mean(axis=0) - [1.0, -2.0]).max() < 0.15
    assert np.abs(draws.std(axis=0) / [0.5, 2.0] - 1.0).max() < 0.08


def test_a_transformed_local_kernel_keeps_densities_of_the_target():
    inner = tfp.mcmc.HamiltonianMonteCarlo(TARGET.log_prob, 0.3, 2)
    local = tfp.mcmc.TransformedTransitionKernel(
        inner, tfp.bijectors.Scale(tf.constant([0.5, 2.0]))
    )
    kernel = inference.FlowProposal(TARGET.log_prob, WRONG, local)
    first = TARGET.sample(50, seed=[1, 1])
    state, results = kernel.one_step(
        first, kernel.bootstrap_results(first), seed=[0, 1]
    )
    np.testing.assert_allclose(
        results.target_log_prob, TARGET.log_prob(state), rtol=1e-4, atol=1e-4
    )


@pytest.mark.slow
def test_steps_over_a_bent_base_leave_the_target_as_it_is():
    bent = tfp.bijectors.Chain(
        [
            tfp.bijectors.Shift(tf.constant([0.5, -1.0])),
            tfp.bijectors.SinhArcsinh(skewness=0.3, tailweight=0.7),
        ]
    )
    local = OverBase(
        TARGET.log_prob,
        lambda: bent,
        lambda log_prob: tfp.mcmc.HamiltonianMonteCarlo(
            log_prob, tf.constant([0.3, 0.9]), 3
        ),
    )
    first = TARGET.sample(20_000, seed=[5, 6])
    state, results = first, local.bootstrap_results(first)
    for seed in range(3):
        state, results = local.one_step(state, results, seed=[seed, 7])
    for column, loc, scale in zip(
        state.numpy().T, [1.0, -2.0], [0.5, 2.0], strict=True
    ):
        assert stats.kstest(column, stats.norm(loc, scale).cdf).pvalue > 1e-3
    assert np.mean(np.any(state != first, axis=-1)) > 0.9
    values = TARGET.log_prob(tf.identity(state))
    np.testing.assert_allclose(results.target_log_prob, values, rtol=1e-4, atol=1e-4)
    kernel = inference.FlowProposal(TARGET.log_prob, WRONG, local)
    draws, _ = run(kernel, tf.zeros([200, 2]), 60)
    assert np.abs(draws.mean(axis=0) - [1.0, -2.0]).max() < 0.15
    assert np.abs(draws.std(axis=0) / [0.5, 2.0] - 1.0).max() < 0.08


def test_chains_jump_to_a_mode_that_none_started_in():
    modes = tfd.MixtureSameFamily(
        tfd.Categorical(probs=[0.3, 0.7]),
        tfd.MultivariateNormalDiag([[-6.0], [6.0]], [[0.5], [0.5]]),
    )
    wide = tfd.MultivariateNormalDiag([0.0], [6.0])
    kernel = inference.FlowProposal(modes.log_prob, wide)
    draws, _ = run(kernel, tf.fill([400, 1], -6.0), 150)
    assert abs(float(np.mean(draws > 0.0)) - 0.7) < 0.03


def test_states_outside_of_the_support_are_left_and_never_entered():
    def half(z):
        inside = z[..., 0] > 0.0
        return tf.where(inside, -0.5 * z[..., 0] ** 2, -np.inf)

    wide = tfd.MultivariateNormalDiag([0.0], [2.0])
    kernel = inference.FlowProposal(half, wide)
    draws, _ = run(kernel, tf.fill([100, 1], -1.0), 100)
    assert draws.min() > 0.0
    assert abs(draws.mean() - np.sqrt(2.0 / np.pi)) < 0.05


@pytest.mark.slow(rare=True)
def test_refit_trains_the_flow_on_states_and_moves_its_scale():
    flow = flows.build("realnvp", 2, num_layers=2, hidden_units=(16,), seed=0)
    kernel = inference.FlowProposal(TARGET.log_prob, flow)
    states = TARGET.sample([20, 100], seed=[2, 3])
    losses = kernel.refit(states, epochs=5, seed=0)
    assert len(losses) == 5
    test = TARGET.sample(4_000, seed=[4, 5])
    entropy = float(TARGET.entropy())
    loss = -float(tf.reduce_mean(flow.log_prob(test)))
    assert entropy - 0.1 < loss < entropy + 0.15
    again = kernel.refit(20.0 * states, epochs=2, seed=1)
    assert again[-1] - losses[-1] == pytest.approx(2.0 * np.log(20.0), abs=0.2)
    draws, accepted = run(kernel, tf.zeros([20, 2]), 5)
    assert draws.shape == (100, 2)
    assert 0.0 < np.mean(accepted) < 0.5


@pytest.mark.slow
def test_one_seed_gives_one_refit():
    states = TARGET.sample(600, seed=[2, 3])
    losses = [
        inference.FlowProposal(TARGET.log_prob, flows.build("linear", 2, seed=0)).refit(
            states, epochs=3, seed=seed
        )
        for seed in (1, 1, 2)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_bad_arguments_are_named():
    log_prob = TARGET.log_prob
    hmc = tfp.mcmc.HamiltonianMonteCarlo(log_prob, 0.1, 2)
    with pytest.raises(ValueError, match="`local_kernel` must not adapt, got Dual"):
        inference.FlowProposal(
            log_prob, WRONG, tfp.mcmc.DualAveragingStepSizeAdaptation(hmc, 10)
        )
    uncalibrated = tfp.mcmc.UncalibratedHamiltonianMonteCarlo(log_prob, 0.1, 2)
    with pytest.raises(ValueError, match="`local_kernel` must be calibrated"):
        inference.FlowProposal(log_prob, WRONG, uncalibrated)
    with pytest.raises(TypeError, match=r"must be a kernel of tfp\.mcmc, got str"):
        inference.FlowProposal(log_prob, WRONG, "hmc")
    with pytest.raises(TypeError, match="`flow` must be a distribution or a flow"):
        inference.FlowProposal(log_prob, "nsf")
    with pytest.raises(ValueError, match=r"`flow` must be over vectors \[D\]"):
        inference.FlowProposal(log_prob, tfd.Normal(0.0, 1.0))
    with pytest.raises(ValueError, match="`local_steps` must be at least 1"):
        inference.FlowProposal(log_prob, WRONG, hmc, local_steps=0)
    kernel = inference.FlowProposal(log_prob, WRONG)
    with pytest.raises(TypeError, match="`flow` must be a flow to be refitted"):
        kernel.refit(np.zeros([100, 2]))
    with pytest.raises(ValueError, match=r"`init_state` must be vectors \[chains, 2\]"):
        kernel.bootstrap_results(tf.zeros([5, 3]))
    with pytest.raises(ValueError, match="must return one number for each chain"):
        inference.FlowProposal(lambda z: -(z**2), WRONG).bootstrap_results(
            tf.zeros([5, 2])
        )


def test_refit_names_states_that_do_not_fit():
    kernel = inference.FlowProposal(TARGET.log_prob, flows.build("linear", 2, seed=0))
    with pytest.raises(ValueError, match=r"`states` must be vectors \[\.\.\., 2\]"):
        kernel.refit(np.zeros([100, 3]))
    with pytest.raises(ValueError, match="the number of states` must be at least 50"):
        kernel.refit(np.zeros([10, 2]))
    with pytest.raises(ValueError, match="`states` must be finite"):
        kernel.refit(np.full([100, 2], np.nan))
