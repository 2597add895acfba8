"""Continuous flows: objectives, pairs, conditions, weights, and solvers in files."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import _context
from tfp_flows.flows._model import batch as batches
from tfp_flows.flows.continuous import matching
from tfp_flows.training import FlowMatching, MaximumLikelihood, RegularizedLikelihood


@pytest.mark.slow
def test_names_train_by_the_objective_that_suits_them():
    assert isinstance(small.build("flow-matching").objective, FlowMatching)
    cnf = small.build("cnf")
    assert isinstance(cnf.objective, RegularizedLikelihood)
    x = small.table(100)
    for name in ("cnf", "flow-matching"):
        flow, history = tfpf.fit(
            name, x, epochs=2, seed=0, verbose=0, **small.SMALL[name]
        )
        assert history.report.log_likelihood is not None
        assert np.all(np.isfinite(flow.log_prob(x)))


def test_penalties_come_on_top_of_the_likelihood_in_training_only():
    flow = small.perturbed(small.build("cnf", 2, 1, num_layers=2))
    x = small.batch(20)
    flow.adapt(*x)
    data = {"x": x[0], "condition": x[1]}
    plain = MaximumLikelihood()(flow, data, seed=0)
    none = RegularizedLikelihood(0.0, 0.0)(flow, data, seed=0)
    np.testing.assert_allclose(none, plain, rtol=1e-5)
    path = flow.path(*x)
    cost = np.mean(0.3 * path.kinetic + 0.2 * path.jacobian)
    more = RegularizedLikelihood(0.3, 0.2)(flow, data, seed=0)
    np.testing.assert_allclose(more - plain, cost, rtol=1e-4)
    flow.compile("sgd", objective=RegularizedLikelihood(0.3, 0.2), jit_compile=False)
    np.testing.assert_allclose(flow.evaluate(data, verbose=0), plain, rtol=1e-5)


@pytest.mark.slow
def test_the_best_velocity_makes_the_data():
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(4_000, 1)).astype("float32")
    flow = tfpf.flows.build(
        "flow-matching", 1, hidden_units=(16, 16), frequency=0.0, seed=0
    )
    flow, _ = tfpf.fit(flow, x, steps=1500, batch_size=128, seed=0, verbose=0)
    new = np.linspace(-4.0, 8.0, 7)[:, np.newaxis]
    exact = -0.5 * ((new[:, 0] - 2.0) / 3.0) ** 2 - np.log(3.0 * np.sqrt(2.0 * np.pi))
    np.testing.assert_allclose(flow.log_prob(new), exact, atol=0.15)


def test_pairs_are_nearest_and_keep_to_their_condition():
    rng = np.random.default_rng(0)
    begin, end = rng.normal(size=(2, 60, 2))
    order = matching._assigned(begin, end)
    assert sorted(order) == list(range(60))
    paired = np.sum((begin[order] - end) ** 2)
    assert paired < 0.5 * np.sum((begin - end) ** 2)
    label = np.arange(60)[:, np.newaxis] % 3
    order = matching._assigned(begin, end, label)
    np.testing.assert_array_equal(label[order], label)
    assert np.any(order != np.arange(60))
    np.testing.assert_array_equal(
        matching._assigned(begin, end, rng.normal(size=(60, 1))), np.arange(60)
    )


def test_times_have_the_density_that_is_asked_for():
    seed, end = tf.constant([0, 1]), tf.zeros([1_000, 2])
    for power in (0.0, 2.0):
        drawn = FlowMatching(power=power)._draw_times(seed, end)
        assert np.mean(drawn) == pytest.approx((1 + power) / (2 + power), abs=1e-3)
    drawn = FlowMatching(times="logit-normal", location=1.0)._draw_times(seed, end)
    assert np.median(drawn) == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-2)


def test_weights_of_zero_have_no_influence():
    flow, x = small.perturbed(small.build("flow-matching")), small.table(20)
    weight = np.repeat([1.0, 0.0], 10).astype("float32")
    losses = []
    for far in (0.0, 100.0):
        moved = x + far * (1.0 - weight)[:, np.newaxis]
        data = (moved, np.zeros([20, 0]), weight)
        losses.append(float(FlowMatching()(flow, data, seed=3)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_flow_without_a_velocity_is_named():
    flow = small.build("nsf")
    with pytest.raises(ValueError, match="`flow` must have a velocity"):
        FlowMatching()(flow, small.table(5), seed=0)
    with pytest.raises(ValueError, match="`solver` must be one of"):
        small.build("cnf").solve_by(steps=3)
    with pytest.raises(ValueError, match="`num_layers` must be 1"):
        FlowMatching()(small.build("cnf", num_layers=2), small.table(5), seed=0)


def test_a_solver_chosen_afterwards_is_saved(tmp_path):
    flow = small.perturbed(small.build("cnf"))
    x = small.table(10)
    before = flow.log_prob(x)
    flow.solve_by(num_steps=None, exact=False, num_probes=3)
    assert np.abs(flow.log_prob(x) - before).max() > 1e-6
    flow.save(tmp_path / "flow.keras")
    twin = tfpf.load(tmp_path / "flow.keras")
    assert twin.num_steps is None
    np.testing.assert_array_equal(twin.log_prob(x), flow.log_prob(x))
    flow.solve_by(num_steps=2, exact=True)
    np.testing.assert_allclose(flow.log_prob(x), before, rtol=1e-5)
    assert int(flow.path(x).num_evaluations[0]) == 8


@pytest.mark.slow
def test_discrete_columns_are_matched_spread_over_their_cells():
    rng = np.random.default_rng(0)
    x = np.stack([rng.poisson(5.0, 200), rng.normal(size=200)], axis=1)
    flow, _ = tfpf.fit(
        "flow-matching", x, epochs=1, seed=0, verbose=0, hidden_units=(4,), num_steps=2
    )
    assert flow.is_discrete
    found = flow.in_field(batches.Batch(flow.spread(x), extra={}))
    assert np.all(np.isfinite(found.x))
    assert np.all(flow.sample(20, seed=0).numpy()[:, 0] % 1 == 0)


COMPILED = [False, pytest.param(True, marks=pytest.mark.slow)]


@pytest.mark.parametrize("jit_compile", COMPILED)
def test_samples_are_solved_without_their_log_dets(monkeypatch, jit_compile):
    flow = small.perturbed(small.build("cnf", 2, 1, num_layers=2))
    x, condition = small.batch(6)
    flow.adapt(x, condition)
    density = flow.distribution(condition)
    z = flow.base.distribution().sample(6, seed=tf.constant([1, 2]))
    wanted = density.bijector.forward(z)
    # What sums up traces is not to be called.
    monkeypatch.setattr("tfp_flows.math.traces.trace_and_square", None)
    function = tf.function(flow.pushed, jit_compile=jit_compile)
    with _context.values_scope(points=True):
        found = function(z, condition)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert flow.sample(3, condition, seed=0, jit_compile=jit_compile).shape == (3, 6, 2)


@pytest.mark.parametrize("jit_compile", COMPILED)
def test_samples_remember_no_log_dets_that_were_left_out(jit_compile):
    flow = small.perturbed(small.build("cnf", 2, num_layers=2))
    flow.adapt(small.table(20))

    @tf.function(jit_compile=jit_compile)
    def both():
        x = flow.sample(8, seed=tf.constant([1, 2]))
        return x, flow.log_prob(x)

    x, log_prob = both()
    wanted = flow.log_prob(tf.identity(x))
    np.testing.assert_allclose(log_prob, wanted, rtol=1e-4, atol=1e-4)
