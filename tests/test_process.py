"""What holds a flow opens in a fork that cannot compute, and says so when used."""

from __future__ import annotations

import inspect
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tests.flows import small
from tfp_flows import _process, flows, inference, models

X = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
PRIOR = tfd.MultivariateNormalDiag(tf.zeros(2))


def _built(layer, **options):
    made = layer(2, kl_weight=1.0, seed=0, **options)
    made(X)
    return made


MODELS = {
    "DenseReparameterization": lambda: _built(models.DenseReparameterization),
    "FlowVAE": lambda: models.FlowVAE(
        2, 1, likelihood="gaussian", hidden_units=4, posterior="planar", seed=0
    ),
    "MultiplicativeDense": lambda: _built(models.MultiplicativeDense, hidden_units=4),
    "PointFlow": lambda: models.PointFlow(2, 1, hidden_units=4, seed=0),
    "linear": lambda: small.build("linear"),
    "mixture": lambda: small.build("mixture"),
    "rbig": lambda: small.build("rbig"),
}


@pytest.fixture
def fork(monkeypatch):
    """Return a function after whose call this process counts as a fork."""
    return lambda: monkeypatch.setattr(_process, "_parent", 1)


@pytest.mark.parametrize("name", MODELS)
def test_models_and_layers_open_in_a_fork_and_say_there_what_they_cannot(name, fork):
    found = MODELS[name]()
    pickled = pickle.dumps(found)
    assert type(pickle.loads(pickled)) is type(found)
    fork()
    twin = pickle.loads(pickled)
    for use in (lambda: twin(X), lambda: twin.anything):
        with pytest.raises(RuntimeError, match=r"is a fork of 1.*'spawn'"):
            use()


def test_every_public_model_and_layer_of_flows_is_among_them():
    kinds = [*vars(models).values(), *vars(flows).values()]
    public = {
        kind.__name__: kind
        for kind in kinds
        if inspect.isclass(kind) and issubclass(kind, (keras.Model, keras.Layer))
    }
    assert len(public) > 20
    for name, kind in public.items():
        assert kind.__reduce__ is _process.Forkable.__reduce__, name


@pytest.mark.parametrize("kind", ["NRE", "NPE"])
def test_estimators_open_in_a_fork_and_say_there_what_they_cannot(kind, fork):
    options = {"hidden_units": 4} if kind == "NRE" else {"flow": "linear"}
    estimator = getattr(inference, kind)(PRIOR, seed=0, **options)
    plain = {} if kind == "NRE" else {"jit_compile": False}
    estimator.fit(X, X, epochs=1, verbose=0, **plain)
    pickled = pickle.dumps(estimator)
    fork()
    twin = pickle.loads(pickled)
    draws = {"num_draws": 20, "num_chains": 4, "burn_in": 10} if kind == "NRE" else {}
    with pytest.raises(RuntimeError, match="is a fork of 1"):
        twin.posterior(X[0], **draws)


def test_a_latent_model_that_was_forked_says_that_it_cannot_compute(fork):
    found = MODELS["FlowVAE"]()
    found.compile("adam")
    fork()
    for use in (
        lambda: found.elbo(X),
        lambda: found.sample(3),
        lambda: found.fit(X, verbose=0),
    ):
        with pytest.raises(RuntimeError, match="is a fork of 1"):
            use()
