"""Marginal and conditional densities against closed forms, and what they refuse."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows.flows._model import query_conditional
from tfp_flows.flows._model.query_conditional import Conditional
from tfp_flows.flows._model.query_exact import GivenPrefix, Prefix
from tfp_flows.flows._model.query_marginal import Marginal

MEAN = np.array([1.0, 2.0, 3.0])
ROOT = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.5, 0.3, 0.4]])


@pytest.fixture(scope="module")
def normal():
    rows = np.random.default_rng(0).normal(size=[500, 3]) @ ROOT.T + MEAN
    flow = tfpf.flows.build(
        "linear", 3, columns=["a", "b", "c"], base="normal", dtype="float64", seed=0
    )
    flow.adapt(rows)
    for variable in flow.trainable_variables:
        noise = np.random.default_rng(1).normal(size=variable.shape)
        variable.assign_add(0.3 * noise)
    return flow


@pytest.fixture(scope="module")
def ordered():
    rows = np.random.default_rng(0).normal(size=[500, 3]) @ ROOT.T + MEAN
    flow = tfpf.flows.build(
        "maf", 3, num_layers=2, hidden_units=(8,), order="left-to-right", seed=0
    )
    flow.adapt(rows)
    for variable in flow.trainable_variables:
        noise = np.random.default_rng(1).normal(size=variable.shape)
        variable.assign_add(0.1 * noise)
    return flow


def test_normal_flows_have_normal_marginals_and_conditionals(normal):
    draws = normal.sample(20_000, seed=1).numpy()
    found = normal.marginal(["c", "a"])
    assert isinstance(found, tfd.MultivariateNormalTriL)
    np.testing.assert_allclose(found.mean(), draws[:, [2, 0]].mean(0), atol=0.1)
    given = normal.conditional({"b": 2.0})
    x = normal.sample(4, seed=2).numpy()
    x[:, 1] = 2.0
    log_prob = normal.log_prob(x) - normal.marginal("b").log_prob([[2.0]])
    np.testing.assert_allclose(given.log_prob(x[:, [0, 2]]), log_prob, atol=1e-9)


def test_importance_sampling_agrees_with_the_closed_form(normal):
    exact, found = normal.marginal([2, 0]), Marginal(normal, (2, 0))
    x = exact.sample(50, seed=1)
    np.testing.assert_allclose(found.log_prob(x), exact.log_prob(x), atol=0.03)
    assert np.all(found.effective_sample_size(x) > 300.0)
    exact, found = normal.conditional({"b": 2.0}), Conditional(normal, (1,), [2.0])
    x = exact.sample(50, seed=1)
    np.testing.assert_allclose(found.log_prob(x), exact.log_prob(x), atol=0.03)
    np.testing.assert_allclose(
        np.mean(found.sample(8000, seed=2), axis=0), exact.mean(), atol=0.06
    )
    assert found.effective_sample_size > 3000.0


def test_columns_that_come_first_are_exact(ordered):
    first = ordered.marginal([0, 1])
    assert isinstance(first, Prefix)
    x = first.sample(20, seed=1)
    by_draws = Marginal(ordered, (0, 1), num_draws=256).log_prob(x)
    np.testing.assert_allclose(first.log_prob(x), by_draws, atol=0.05)
    rest = ordered.conditional({0: 1.5})
    assert isinstance(rest, GivenPrefix)
    draws = rest.sample(4000, seed=2)
    by_draws = Conditional(ordered, (0,), [1.5], num_draws=2048)
    np.testing.assert_allclose(
        rest.log_prob(draws[:20]), by_draws.log_prob(draws[:20]), atol=0.05
    )
    np.testing.assert_allclose(
        np.mean(draws, axis=0), np.mean(by_draws.sample(4000, seed=3), 0), atol=0.1
    )


def test_columns_that_come_last_are_not_taken_for_first(ordered):
    assert isinstance(ordered.marginal([2]), Marginal)
    assert isinstance(ordered.conditional({2: 3.0}), Conditional)


def test_discrete_columns_have_masses():
    flow = tfpf.flows.build(
        "maf",
        2,
        num_layers=1,
        hidden_units=(8,),
        columns={"n": ("integer", "positive"), "x": "continuous"},
        seed=0,
    )
    rng = np.random.default_rng(0)
    n = rng.poisson(2.0, size=400)
    flow.adapt(np.stack([n, n + rng.normal(size=400)], axis=1))
    masses = np.exp(flow.marginal("n").log_prob(np.arange(30.0)[:, None]))
    np.testing.assert_allclose(masses.sum(), 1.0, atol=0.02)
    given = flow.conditional({"x": 2.0})
    masses = np.exp(given.log_prob(np.arange(30.0)[:, None]))
    np.testing.assert_allclose(masses.sum(), 1.0, atol=0.02)
    assert set(np.unique(given.sample(200, seed=1))) <= set(np.arange(30.0))
    with pytest.raises(ValueError, match="for 'n', got"):
        flow.conditional({"n": 2.5})


def test_ensembles_and_saved_flows_answer_alike(tmp_path):
    flow = tfpf.flows.build(
        "maf", 2, members=2, num_layers=1, hidden_units=(8,), seed=0
    )
    flow.adapt(np.random.default_rng(0).normal(size=[200, 2]))
    flow.save(tmp_path / "flow.keras")
    again = tfpf.load(tmp_path / "flow.keras")
    found = [f.conditional({0: 0.5}).log_prob([[0.1]]) for f in (flow, again)]
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    assert flow.marginal(1).sample(3, seed=1).shape == (3, 1)


def test_conditional_flows_need_their_condition():
    flow = tfpf.flows.build("maf", 2, condition_shape=1, num_layers=1, seed=0)
    assert flow.marginal(0, condition=[0.5]).log_prob([[0.1]]).shape == (1,)
    with pytest.raises(ValueError, match="`condition` is missing"):
        flow.marginal(0)
    with pytest.raises(ValueError, match="`condition` must be one"):
        flow.marginal(0, condition=[[0.5], [1.0]])


def test_queries_work_in_graphs(normal):
    found = Marginal(normal, (1,), num_draws=64)
    values = tf.constant([[1.0], [2.0]], tf.float64)
    traced = tf.function(found.log_prob)(values)
    np.testing.assert_allclose(traced, found.log_prob(values), atol=1e-9)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"q": 1.0}, "got 'q': it has the columns"),
        ({}, "must be values by column"),
        ({"a": np.nan}, "must be a finite number for 'a'"),
        ({"a": 1.0, 0: 2.0}, "each column once"),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, "must leave a column"),
    ],
)
def test_bad_conditions_are_sentences(normal, given, message):
    with pytest.raises(ValueError, match=message):
        normal.conditional(given)


def test_a_condition_far_outside_the_data_warns(normal):
    with pytest.warns(UserWarning, match="far outside the data"):
        normal.conditional({"b": 1e6})


def test_columns_of_images_are_refused():
    flow = tfpf.flows.build("linear", (2, 2), seed=0)
    with pytest.raises(ValueError, match="are for flows of vectors"):
        flow.marginal(0)


def test_weights_of_which_few_are_possible_are_tempered_among_these():
    weights = np.array([0.0, -1.0, -50.0, *[-np.inf] * 97])
    shares = query_conditional._tempered(weights, 25.0)
    np.testing.assert_allclose(shares[:3], 1.0 / 3.0, rtol=1e-4)
    assert shares[3:].tolist() == [0.0] * 97
