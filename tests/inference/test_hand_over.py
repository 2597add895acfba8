"""What ArviZ gets: names, chains, draws, whatever its major version."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _optional, inference
from tfp_flows.inference.simulation.parameters import Parameters


def chains(draws):
    nothing = np.zeros(1)
    return inference.Chains(draws, nothing, nothing, gradients=1, acceptance=0.8)


DRAWS = {
    "rate": np.arange(12.0).reshape((3, 4)),
    "effect": np.arange(24.0).reshape((3, 4, 2)),
}


@pytest.fixture
def next_major(monkeypatch):
    """An ArviZ whose `from_dict` takes groups, as that of version 1 does."""

    def from_dict(data, *, coords=None, dims=None):
        return types.SimpleNamespace(data=data, coords=coords, dims=dims)

    arviz = types.SimpleNamespace(from_dict=from_dict)
    monkeypatch.setattr(_optional, "require", lambda *_, **__: arviz)


def test_chains_and_names_arrive_in_arviz():
    pytest.importorskip("arviz")
    found = inference.to_arviz(
        chains(DRAWS), coords={"school": ["A", "B"]}, dims={"effect": ["school"]}
    ).posterior
    assert found["rate"].dims == ("chain", "draw")
    assert found["effect"].dims == ("chain", "draw", "school")
    assert list(found["school"].values) == ["A", "B"]
    np.testing.assert_array_equal(found["effect"].values, DRAWS["effect"])


def test_the_next_major_gets_groups(next_major):
    found = inference.to_arviz(chains(DRAWS), dims={"effect": ["school"]})
    assert set(found.data) == {"posterior"}
    assert set(found.data["posterior"]) == {"rate", "effect"}
    assert found.dims == {"effect": ["school"]}
    assert found.coords is None


def test_parts_of_joint_distributions_keep_their_names(next_major):
    model = tfd.JointDistributionNamed(
        {"b": tfd.Normal(100.0, 1.0), "a": tfd.Sample(tfd.Normal(0.0, 1.0), 2)}
    )
    found = inference.to_arviz(model, 50, seed=0).data["posterior"]
    assert found["a"].shape == (1, 50, 2)
    assert found["b"].shape == (1, 50)
    assert found["b"].min() > 90.0
    again = inference.to_arviz(model, 50, seed=0).data["posterior"]
    np.testing.assert_array_equal(found["b"], again["b"])


def test_a_density_without_names_has_the_name_that_is_given(next_major):
    found = inference.to_arviz(
        tfd.MultivariateNormalDiag([0.0, 1.0]), 20, name="x", seed=0
    )
    assert found.data["posterior"]["x"].shape == (1, 20, 2)
    one = inference.to_arviz(chains(np.zeros((2, 5, 3)))).data["posterior"]
    assert one["theta"].shape == (2, 5, 3)


def test_weighted_draws_are_resampled(next_major):
    target = tfd.MultivariateNormalDiag([1.0], [0.5])
    wide = tfd.MultivariateNormalDiag([0.0], [2.0])
    sample = inference.importance_sample(target, wide, 20_000, seed=0)
    found = inference.to_arviz(sample, 4_000, seed=1).data["posterior"]["theta"]
    assert found.shape == (1, 4_000, 1)
    assert abs(found.mean() - 1.0) < 0.05
    assert abs(found.std() - 0.5) < 0.05


PRIOR = tfd.JointDistributionNamed(
    {"scale": tfd.Uniform(0.5, 1.5), "loc": tfd.Sample(tfd.Normal(0.0, 1.0), 2)}
)


def test_chains_of_a_learned_likelihood_stay_chains(next_major):
    vectors = np.random.default_rng(0).normal(size=(20, 3, 3)).astype("float32")
    learned = inference.ChainPosterior(
        Parameters(PRIOR), lambda rows: rows[:, 0], vectors, acceptance=0.8
    )
    found = inference.to_arviz(learned).data["posterior"]
    assert found["loc"].shape == (3, 20, 2)
    assert found["scale"].shape == (3, 20)
    np.testing.assert_allclose(found["loc"][1, 5], vectors[5, 1, :2], rtol=1e-6)
    assert 0.5 < found["scale"].min() < found["scale"].max() < 1.5


def test_a_learned_posterior_has_the_names_of_its_prior(next_major):
    prior = Parameters(PRIOR)
    normal = tfd.MultivariateNormalDiag(tf.zeros(3))
    learned = inference.Posterior(normal, prior.bijector, PRIOR)
    found = inference.to_arviz(learned, 30, seed=0).data["posterior"]
    assert found["loc"].shape == (1, 30, 2)
    assert found["scale"].min() >= 0.5
    many = inference.Posterior(
        tfd.MultivariateNormalDiag(tf.zeros([2, 3])), prior.bijector, PRIOR
    )
    with pytest.raises(ValueError, match="must be one posterior, got a batch"):
        inference.to_arviz(many)
    rounds = inference.SequentialResult(learned, None, np.zeros((1, 3)), np.zeros(1))
    again = inference.to_arviz(rounds, 30, seed=0).data["posterior"]
    np.testing.assert_array_equal(again["loc"], found["loc"])


def test_bad_draws_are_named(next_major):
    with pytest.raises(TypeError, match=r"a dict of arrays .* got int"):
        inference.to_arviz(3)
    with pytest.raises(ValueError, match=r"must be arrays \[chains, N, \.\.\.\]"):
        inference.to_arviz({"a": np.zeros(5)})
    with pytest.raises(ValueError, match="as many chains and draws in each"):
        inference.to_arviz({"a": np.zeros((2, 5)), "b": np.zeros((2, 6))})
    with pytest.raises(ValueError, match="must be one posterior, got a batch"):
        inference.to_arviz(tfd.Normal([0.0, 1.0], 1.0))
    with pytest.raises(ValueError, match="`n` must be at least 1"):
        inference.to_arviz(tfd.Normal(0.0, 1.0), 0)


def test_without_arviz_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(ImportError, match=r"pip install 'tfp_flows\[inference\]'"):
        inference.to_arviz(chains(DRAWS))
