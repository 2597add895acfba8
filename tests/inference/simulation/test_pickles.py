"""Estimators and posteriors pickle and copy for whatever prior TFP has."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows import inference
from tfp_flows.inference.simulation import chains

EYE = np.eye(2, dtype=np.float32)
MIXED = tfd.Categorical(probs=[0.3, 0.7])


def _level_given(rate):
    return tfd.Sample(tfd.Normal(0.0, rate), 2)


def _model():
    rate = yield tfd.Gamma(2.0, 1.0, name="rate")
    yield tfd.Sample(tfd.Normal(rate, 1.0), 2, name="level")


def _rooted():
    root = tfd.JointDistributionCoroutine.Root
    rate = yield root(tfd.Gamma(2.0, 1.0, name="rate"))
    yield tfd.LogNormal(rate, 1.0, name="level")


def _kernel():
    return tfp.math.psd_kernels.ExponentiatedQuadratic(1.0, 1.0)


# Plain, wrapped, transformed, of matrices, mixed, of processes, and joint ones.
PRIORS = {
    "normal": lambda: tfd.Normal(0.0, 1.0),
    "pareto": lambda: tfd.Pareto(3.0, 1.0),
    "truncated": lambda: tfd.TruncatedNormal(0.0, 1.0, -1.0, 2.0),
    "independent": lambda: tfd.Independent(tfd.Uniform([-1.0, 0.0], [1.0, 2.0]), 1),
    "sample": lambda: tfd.Sample(tfd.Normal(0.0, 1.0), 3),
    "vectors": lambda: tfd.MultivariateNormalTriL([0.0, 1.0], EYE),
    "low rank": lambda: tfd.MultivariateNormalDiagPlusLowRank(
        [0.0, 0.0], [1.0, 1.0], [[0.1], [0.2]]
    ),
    "operator": lambda: tfd.MultivariateNormalLinearOperator(
        [0.0, 0.0], tf.linalg.LinearOperatorDiag([1.0, 2.0])
    ),
    "cholesky": lambda: tfd.WishartTriL(5.0, EYE, input_output_cholesky=True),
    "weibull": lambda: tfd.Weibull(1.5, 1.0),
    "kumaraswamy": lambda: tfd.Kumaraswamy(1.5, 1.0),
    "transformed": lambda: tfd.TransformedDistribution(
        tfd.Sample(tfd.Normal(0.0, 1.0), 2), tfb.Chain([tfb.Exp(), tfb.Shift([1.0, 2])])
    ),
    "masked": lambda: tfd.Masked(tfd.Normal(0.0, 1.0), validity_mask=True),
    "reshaped": lambda: tfd.BatchReshape(tfd.Normal(tf.zeros([1, 1]), 1.0), []),
    "same family": lambda: tfd.MixtureSameFamily(MIXED, tfd.Normal([0.0, 1.0], 1.0)),
    "mixture": lambda: tfd.Mixture(MIXED, [tfd.Gamma(2.0, 1.0), tfd.Gamma(1.0, 3.0)]),
    "process": lambda: tfd.GaussianProcess(
        _kernel(), np.linspace(0, 1, 3, dtype=np.float32)[:, None]
    ),
    "states": lambda: tfd.LinearGaussianStateSpaceModel(
        3,
        tf.linalg.LinearOperatorIdentity(2),
        tfd.MultivariateNormalDiag([0.0, 0.0], [1.0, 1.0]),
        tf.linalg.LinearOperatorIdentity(2),
        tfd.MultivariateNormalDiag([0.0, 0.0], [1.0, 1.0]),
        tfd.MultivariateNormalDiag([0.0, 0.0], [1.0, 1.0]),
    ),
    "named": lambda: tfd.JointDistributionNamed(
        {"rate": tfd.Gamma(2.0, 1.0), "level": _level_given}
    ),
    "named, batched": lambda: tfd.JointDistributionNamedAutoBatched(
        {"rate": tfd.Gamma(2.0, 1.0), "level": _level_given}
    ),
    "sequential": lambda: tfd.JointDistributionSequential(
        [tfd.Gamma(2.0, 1.0), _level_given]
    ),
    "coroutine": lambda: tfd.JointDistributionCoroutine(_rooted),
    "coroutine, batched": lambda: tfd.JointDistributionCoroutineAutoBatched(_model),
}


def _pickled(value):
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if "batched" in name else [])
        for name in PRIORS
    ],
)
def test_estimators_pickle_with_their_prior(name):
    npe = inference.NPE(PRIORS[name](), "linear", seed=0)
    twin = _pickled(npe)
    assert type(twin.prior) is type(npe.prior)
    assert twin.names == npe.names
    parts = npe.parameters.sample(5, [0, 1])
    found = twin.parameters.sample(5, [0, 1])
    for one, other in zip(parts, found, strict=True):
        np.testing.assert_array_equal(one, other)
    wanted = npe.parameters.log_prob(parts)
    assert np.isfinite(wanted).all()
    np.testing.assert_array_equal(twin.parameters.log_prob(parts), wanted)
    vectors = npe.parameters.unbounded(parts)
    np.testing.assert_array_equal(twin.parameters.unbounded(parts), vectors)


FITTED = {
    "npe": lambda prior: inference.NPE(prior, "linear", num_layers=1, seed=0),
    "nle": lambda prior: inference.NLE(prior, "linear", num_layers=1, seed=0),
    "nre": lambda prior: inference.NRE(prior, hidden_units=(4,), seed=0),
}


def _standing(count, start, **_):
    """Return chains that stay where they start."""
    return tf.tile(start[None], [count, 1, 1]), tf.zeros([count])


@pytest.mark.parametrize("kind", FITTED)
def test_fitted_ones_and_their_posteriors_answer_the_same(kind, monkeypatch):
    monkeypatch.setattr(tfp.mcmc, "sample_chain", _standing)
    monkeypatch.setattr(chains, "STARTS", 100)
    estimator = FITTED[kind](PRIORS["named"]())
    parts = estimator.parameters.sample(60, [0, 1])
    theta = estimator.parameters.packed(parts)
    x = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    compiled = {} if kind == "nre" else {"jit_compile": False}
    estimator.fit(theta, x, epochs=1, verbose=0, **compiled)
    options = {} if kind == "npe" else {"num_draws": 20, "num_chains": 4, "burn_in": 10}

    def answers(posterior):
        density = "log_prob" if kind == "npe" else "unnormalized_log_prob"
        draws = posterior.sample(3, seed=(0, 1))
        return [getattr(posterior, density)(theta), *tf.nest.flatten(draws)]

    if kind != "npe":
        options["seed"] = 0
    posterior = estimator.posterior(x[0], **options)
    wanted = answers(posterior)
    twins = [_pickled(posterior), copy.deepcopy(posterior)]
    twins.append(_pickled(estimator).posterior(x[0], **options))
    for twin in twins:
        for one, other in zip(answers(twin), wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert _pickled(estimator).history.history == estimator.history.history


def test_functions_without_a_name_copy_but_do_not_pickle():
    prior = tfd.JointDistributionNamedAutoBatched(
        {"a": tfd.Normal(0.0, 1.0), "b": lambda a: tfd.LogNormal(a, 1.0)}
    )
    npe = inference.NPE(prior, "linear")
    with pytest.raises(pickle.PicklingError, match=r"`.*<lambda>` .*top of a module"):
        pickle.dumps(npe)
    twin = copy.deepcopy(npe)
    parts = npe.parameters.sample(3, [0, 1])
    wanted = npe.parameters.log_prob(parts)
    np.testing.assert_array_equal(twin.parameters.log_prob(parts), wanted)


REFUSED = {
    "pinned": (
        lambda: PRIORS["named, batched"]().experimental_pin(rate=1.0),
        TypeError,
        "must be a distribution .*Pinned",
    ),
    "discrete": (lambda: tfd.Poisson(1.0), TypeError, "continuous"),
    "a discrete part": (
        lambda: tfd.JointDistributionNamed({"a": tfd.Poisson(1.0)}),
        TypeError,
        "continuous",
    ),
    "discrete components": (
        lambda: tfd.MixtureSameFamily(MIXED, tfd.Poisson([1.0, 2.0])),
        TypeError,
        "continuous",
    ),
    "unlike components": (
        lambda: tfd.Mixture(MIXED, [tfd.Normal(0.0, 1.0), tfd.Gamma(1.0, 1.0)]),
        ValueError,
        "where its events lie",
    ),
    "components in different places": (
        lambda: tfd.MixtureSameFamily(MIXED, tfd.Uniform([0.0, 1.0], [1.0, 2.0])),
        ValueError,
        "in different places",
    ),
    "of unknown shape": (
        lambda: tfd.Autoregressive(
            lambda x: tfd.Independent(tfd.Normal(x, 1.0), 1), np.zeros(2, "float32"), 2
        ),
        ValueError,
        "shape of its events",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_priors_that_cannot_serve_are_refused_with_the_reason(name):
    build, error, match = REFUSED[name]
    with pytest.raises(error, match=match):
        inference.NPE(build(), "linear")
