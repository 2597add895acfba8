"""Neural posterior estimation against closed forms, and what it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import diagnostics, inference

QUICK = {"epochs": 30, "verbose": 0, "batch_size": 128, "jit_compile": False}
NORMAL = tfd.MultivariateNormalDiag(np.zeros(2, np.float32), np.ones(2, np.float32))
BOX = tfd.Independent(tfd.Uniform([-1.0, 0.0], [1.0, 2.0]), 1)


def _conjugate(count, seed=0):
    """Return pairs of the conjugate Gaussian model of unit noise."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(count, 2)).astype(np.float32)
    x = theta + rng.normal(size=(count, 2)).astype(np.float32)
    return theta, x


@pytest.fixture(scope="module")
def fitted():
    """Return an estimator that knows the conjugate Gaussian model."""
    npe = inference.NPE(NORMAL, "maf", num_layers=2, hidden_units=(32,), seed=0)
    return npe.fit(*_conjugate(4000), **QUICK)


@pytest.mark.slow
def test_posterior_is_the_conjugate_one(fitted):
    posterior = fitted.posterior([1.0, -2.0])
    assert isinstance(posterior, tfd.Distribution)
    draws = posterior.sample(4000, seed=1).numpy()
    np.testing.assert_allclose(draws.mean(0), [0.5, -1.0], atol=0.12)
    np.testing.assert_allclose(np.cov(draws.T), 0.5 * np.eye(2), atol=0.08)
    exact = tfd.MultivariateNormalDiag([0.5, -1.0], [0.5**0.5] * 2)
    error = posterior.log_prob(draws) - exact.log_prob(draws)
    assert abs(np.mean(error)) < 0.05


@pytest.mark.slow
def test_checks_pass_the_fit_and_flag_a_narrow_one(fitted):
    theta, x = _conjugate(400, seed=7)
    draws = fitted.draws(x, 100, seed=3)
    assert draws.shape == (400, 100, 2)
    found = diagnostics.sbc(theta, draws, names=fitted.names)
    assert found.p_values["KS"].min() > 0.01
    assert diagnostics.coverage(theta, draws).worst < 3.0
    middle = draws.mean(axis=1, keepdims=True)
    narrow = middle + (draws - middle) / 1.3
    assert not diagnostics.sbc(theta, narrow).is_calibrated
    assert not diagnostics.coverage(theta, narrow).is_calibrated


def test_draws_do_not_leave_a_bounded_prior():
    rng = np.random.default_rng(0)
    theta = rng.uniform([-1.0, 0.0], [1.0, 2.0], size=(200, 2))
    theta[0] = [-1.0, 2.0]  # on its corner
    npe = inference.NPE(BOX, "maf", num_layers=1, hidden_units=(8,), seed=0)
    npe.fit(theta, theta + 0.3 * rng.normal(size=(200, 2)), **QUICK)
    posterior = npe.posterior([[1.0, 2.0], [0.0, 0.0]])
    assert tuple(posterior.batch_shape) == (2,)
    draws = posterior.sample(500, seed=1)
    assert np.isfinite(BOX.log_prob(draws)).all()
    assert np.isneginf(posterior.log_prob([1.5, 1.0])).all()
    assert np.isnan(posterior.log_prob([np.nan, 1.0])).all()
    x = np.linspace(-1.0, 1.0, 101)[1:-1]
    grid = np.stack(np.meshgrid(x, x + 1.0), axis=-1).reshape(-1, 2)
    mass = np.exp(posterior.log_prob(grid[:, None].astype(np.float32)))
    np.testing.assert_allclose(mass.sum(axis=0) * 0.02**2, 1.0, atol=0.05)
    gradient = tf.GradientTape()
    point = tf.constant([1.5, 1.0])
    with gradient as tape:
        tape.watch(point)
        value = tf.reduce_sum(posterior.log_prob(point))
    assert np.isfinite(tape.gradient(value, point)).all()


def test_joint_priors_give_joint_posteriors():
    prior = tfd.JointDistributionNamedAutoBatched(
        {"shift": tfd.Normal(0.0, 1.0), "scale": tfd.HalfNormal(1.0)}
    )
    draws = prior.sample(200, seed=(0, 1))
    noise = np.random.default_rng(0).normal(size=(200, 8))
    x = draws["shift"][:, None] + draws["scale"][:, None] * noise
    npe = inference.NPE(prior, "maf", num_layers=1, hidden_units=(8,), seed=0)
    assert npe.names == ("scale", "shift")
    posterior = npe.fit(draws, x, **QUICK).posterior(x[0])
    found = posterior.sample(5, seed=1)
    assert set(found) == {"shift", "scale"}
    assert (found["scale"].numpy() > 0).all()
    log_prob = posterior.log_prob(found)
    flat = npe.posterior(x[0]).distribution.log_prob(posterior.bijector.inverse(found))
    assert log_prob.shape == (5,)
    assert np.isfinite(log_prob).all()
    assert not np.allclose(log_prob, flat)  # the map has a log-det
    np.testing.assert_allclose(
        posterior.log_prob({"shift": 0.0, "scale": -1.0}), -np.inf
    )
    assert npe.draws(x[:3], 4, seed=0).shape == (3, 4, 2)


@pytest.mark.slow
def test_sets_and_ensembles():
    rng = np.random.default_rng(0)
    prior = tfd.Normal(0.0, 1.0)
    theta = rng.normal(size=100)
    x = theta[:, None, None] + rng.normal(size=(100, 5, 1))
    embedding = inference.SetEmbedding(2, (8,))
    npe = inference.NPE(
        prior, "maf", embedding=embedding, num_layers=1, hidden_units=(8,), seed=0
    )
    with pytest.warns(UserWarning, match="of one number"):
        npe.fit(theta, x, **{**QUICK, "epochs": 1})
    one = npe.posterior(x[0])
    assert one.event_shape == ()
    np.testing.assert_allclose(
        one.log_prob(0.3), npe.posterior(x[0, ::-1]).log_prob(0.3), atol=1e-4
    )
    restored = keras.layers.deserialize(keras.layers.serialize(embedding))
    assert restored.hidden_units == (8,)
    two = inference.NPE(NORMAL, "maf", ensemble=2, num_layers=1, seed=0)
    two.fit(*_conjugate(60), **{**QUICK, "epochs": 1})
    assert two.flow.num_members == 2
    posterior = two.posterior([0.0, 0.0])
    assert np.isfinite(posterior.log_prob(posterior.sample(7, seed=1))).all()


def test_datasets_of_pairs_are_read():
    theta, x = _conjugate(60)
    dataset = tf.data.Dataset.from_tensor_slices((theta, x)).batch(32)
    npe = inference.NPE(NORMAL, "linear", num_layers=1, seed=0)
    one = npe.fit(dataset, epochs=1, verbose=0).posterior([0.0, 0.0]).log_prob([0.1, 0])
    two = npe.fit(theta, x, epochs=1, verbose=0).posterior([0.0, 0.0])
    np.testing.assert_allclose(one, two.log_prob([0.1, 0]), rtol=1e-5)
    with pytest.raises(ValueError, match="must end"):
        npe.fit(dataset.repeat())
    with pytest.raises(ValueError, match="pairs of batches"):
        npe.fit(dataset, x)


def test_invalid_simulations_are_counted():
    theta, x = _conjugate(200)
    x[3, 0], x[5] = np.nan, np.inf
    npe = inference.NPE(NORMAL, "linear", num_layers=1, seed=0)
    with pytest.warns(UserWarning, match=r"2 of 200 simulations \(1.0%\)"):
        npe.fit(theta, x, epochs=1, verbose=0)
    assert npe.invalid == 2
    with pytest.raises(ValueError, match=r"trailing shape \(2,\)"):
        npe.posterior([0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="finite numbers"):
        npe.posterior([np.nan, 0.0])
    with pytest.warns(UserWarning, match=r"100.0 % of them"):
        npe.posterior([50.0, 0.0])


@pytest.mark.parametrize(
    ("theta", "x", "message"),
    [
        (np.zeros([20, 2]), np.zeros([20, 3]), "50 valid simulations or more, got 20"),
        (np.zeros([0, 2]), np.zeros([0, 3]), "50 valid simulations or more, got 0 of"),
        (np.full([100, 2], 3.0), np.zeros([100, 3]), "100 of 100 outside"),
        (np.zeros([100, 3]), np.zeros([100, 3]), r"\[N, 2\].*got \(100, 3\)"),
        (np.zeros([100, 2]), np.zeros([90, 3]), "got 100 and 90"),
        (np.zeros([100, 2]), None, "`x` is missing"),
    ],
)
def test_simulations_that_do_not_fit_are_refused(theta, x, message):
    with pytest.raises(ValueError, match=message):
        inference.NPE(BOX).fit(theta, x)


def test_priors_that_cannot_be_learned_are_refused():
    with pytest.raises(TypeError, match="must be a distribution"):
        inference.NPE([0.0, 1.0])
    with pytest.raises(ValueError, match=r"tfd\.Independent"):
        inference.NPE(tfd.Uniform([0.0, 0.0], 1.0))
    with pytest.raises(TypeError, match="discrete"):
        inference.NPE(tfd.Poisson(1.0))
    with pytest.raises(ValueError, match="is not fitted"):
        inference.NPE(BOX).posterior([0.0])
    with pytest.raises(ValueError, match="`flow` must be one of"):
        inference.NPE(BOX, "no-flow")


def test_series_and_images_are_summarised():
    rng = np.random.default_rng(0)
    series = inference.SeriesEmbedding(3, (4, 4), num_places=2, seed=0)
    image = inference.ImageEmbedding(2, (4,), kernel_size=3, seed=0)
    for layer, shape, size in ((series, (20,), 3), (image, (9, 8), 2)):
        x = rng.normal(size=(5, *shape)).astype(np.float32)
        found = np.asarray(layer(x))
        assert found.shape == layer.compute_output_shape(x.shape) == (5, size)
        again = keras.layers.deserialize(keras.layers.serialize(layer))
        np.testing.assert_allclose(again(x[..., None]), found, atol=1e-6)  # the seed's
        with pytest.raises(ValueError, match=r"must have shape \["):
            type(layer)()(np.zeros([5, 2], np.float32)[:, 0])
    early = np.zeros([1, 20], np.float32)
    early[0, 4] = 1.0
    assert not np.allclose(series(early), series(np.roll(early, 12, axis=1)))


@pytest.mark.slow
def test_embeddings_are_trained_saved_and_loaded(tmp_path):
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(80, 2)).astype(np.float32)
    x = theta[:, :1] + rng.normal(size=(80, 12)).astype(np.float32)
    layer = inference.SeriesEmbedding(2, (4,), num_places=1, seed=0)
    npe = inference.NPE(
        NORMAL, "maf", embedding=layer, num_layers=1, hidden_units=(8,), seed=0
    )
    start = np.asarray(layer(x))
    npe.fit(theta, x, **{**QUICK, "epochs": 8})
    assert np.abs(layer(x) - start).max() > 1e-3
    density = npe.posterior(x[0]).log_prob(theta[:3])
    npe.flow.save(tmp_path / "flow.keras")
    loaded = keras.models.load_model(tmp_path / "flow.keras")
    found = loaded.log_prob(theta[:3], np.broadcast_to(x[0], (3, 12)))
    np.testing.assert_allclose(found, density, atol=1e-5)
