"""Variational autoencoders: bounds beside exact likelihoods, values, files, errors."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfp_flows import flows, models
from tfp_flows.models import likelihoods

SCALE = 0.7


def linear(posterior, **given):
    """Return a model whose decoder is linear, with its exact distribution of `x`."""
    vae = models.FlowVAE(
        3,
        2,
        likelihood="gaussian",
        posterior=posterior,
        decoder=keras.Sequential([keras.Input((2,)), keras.layers.Dense(6)]),
        hidden_units=(8,),
        seed=0,
        **given,
    )
    rng = np.random.default_rng(1)
    for weight in vae.trainable_variables:
        if "decoder" not in weight.path:
            weight.assign(weight + 0.03 * rng.normal(size=weight.shape))
    # Wide posteriors near the prior, so that draws reach all of the true one.
    kernel, bias = vae.head.get_weights()
    vae.head.set_weights([0.1 * kernel, np.array([0.0, 0.0, 0.3, 0.3])])
    loading = rng.normal(size=(2, 3)) * 0.5
    kernel, bias = np.zeros([2, 3, 2]), np.zeros([3, 2])
    kernel[..., 0] = loading
    bias[:, 1] = np.log(np.expm1(SCALE - likelihoods.SMALLEST_SCALE))
    vae.decoder.set_weights([kernel.reshape(2, 6), bias.reshape(6)])
    covariance = loading.T @ loading + SCALE**2 * np.eye(3)
    return vae, stats.multivariate_normal(np.zeros(3), covariance)


@pytest.mark.parametrize(
    "posterior",
    [
        "gaussian",
        "iaf",
        pytest.param("planar", marks=pytest.mark.slow),
        pytest.param("sylvester", marks=pytest.mark.slow),
        pytest.param("nsf", marks=pytest.mark.slow),
        pytest.param("householder", marks=pytest.mark.slow),
    ],
)
def test_bounds_end_at_the_exact_likelihood(posterior):
    options = {} if posterior == "gaussian" else {"num_layers": 2}
    vae, exact = linear(posterior, posterior_options=options)
    x = 0.7 * exact.rvs(4, random_state=0)
    wanted = exact.logpdf(x)
    found = vae.log_prob_bound(x, draws=40_000, seed=0)
    np.testing.assert_allclose(found, wanted, atol=0.1)
    # The density of draws is that of the flow, the other way round.
    features = vae._features(tf.constant(x, tf.float32), training=False)
    z, log_q = vae._posterior_draw(features, tf.constant([1, 2]))
    back, log_det = tf.identity(z), 0.0
    if vae.posterior_flow is not None:
        back, log_det = vae.posterior_flow.bijector().inverse_and_log_det(
            back, condition=features
        )
    loc, log_scale = np.split(np.asarray(vae.head(features)), 2, axis=1)
    base = stats.norm(loc, np.exp(7.0 * np.tanh(log_scale / 7.0))).logpdf(back)
    np.testing.assert_allclose(log_q, base.sum(axis=1) + log_det, atol=1e-3)
    # Of few draws it is lower, and of one it is the evidence lower bound.
    many = np.repeat(x, 500, axis=0)
    one = vae.elbo(many, seed=1).reshape(4, 500).mean(axis=1)
    few = vae.log_prob_bound(many, draws=4, seed=1).reshape(4, 500).mean(axis=1)
    assert np.all(one < few + 0.05)
    assert np.all(few < wanted + 0.05)


def test_a_flow_as_prior_counts():
    prior = flows.Flow.from_maps([], event_shape=2, base="student-t")
    vae, exact = linear("gaussian", prior=prior)
    plain, _ = linear("gaussian")
    x = exact.rvs(3, random_state=0)
    z = np.asarray(vae.encode(x, seed=3))
    change = vae.elbo(x, seed=0) - plain.elbo(x, seed=0)
    assert np.all(np.abs(change) > 1e-3)
    assert z.shape == (3, 2)
    assert vae.sample(5, seed=0).shape == (5, 3)


@pytest.mark.parametrize("name", ["bernoulli", "logistic", "categorical"])
def test_masses_of_levels_sum_to_one(name):
    values = likelihoods.likelihood(name, 5)
    numbers = np.random.default_rng(0).normal(size=(7, values.numbers)).astype("f")
    density = values.distribution(tf.constant(3.0 * numbers))
    levels = np.arange(values.num_levels, dtype="float32")
    masses = np.stack([density.prob(np.full(7, level)) for level in levels])
    np.testing.assert_allclose(masses.sum(axis=0), 1.0, atol=1e-5)
    if name != "logistic":  # whose mean is that of the logistic, within the ends
        means = (masses * levels[:, None]).sum(axis=0)
        np.testing.assert_allclose(values.mean(3.0 * numbers), means, atol=1e-4)
    np.testing.assert_allclose(values.scaled(levels[[0, -1]]), [-1.0, 1.0])


def patterns(count, seed):
    """Return noisy copies of two patterns of zeros and ones."""
    rng = np.random.default_rng(seed)
    two = np.repeat(np.eye(2), 8, axis=1)
    x = two[rng.integers(2, size=count)]
    return np.where(rng.uniform(size=x.shape) < 0.05, 1.0 - x, x)


@pytest.mark.slow
def test_fit_learns_patterns_and_a_file_keeps_them(tmp_path):
    x = patterns(1_000, 0)
    vae = models.FlowVAE(
        16, 2, posterior="planar", posterior_options={"num_layers": 2}, prior="maf",
        hidden_units=(32,), seed=0, warmup_steps=20,
    )  # fmt: skip
    vae.compile(keras.optimizers.Adam(0.01))
    history = vae.fit(x, epochs=20, batch_size=100, validation_data=x[:50], verbose=0)
    # Pixels without patterns cost 16 log 2 = 11.1 nats, the truth log 2 + 3.2.
    bound = vae.log_prob_bound(patterns(300, 1), draws=50, seed=0).mean()
    assert -7.0 < bound < -3.4
    loss = vae.evaluate(x, verbose=0, batch_size=1_000)
    assert loss == pytest.approx(-vae.elbo(x, draws=20, seed=0).mean(), abs=0.3)
    assert set(history.history) == {"loss", "val_loss"}
    drawn = np.asarray(vae.sample(200, seed=0))
    halves = drawn.reshape(200, 2, 8).mean(axis=2)
    assert np.mean(np.abs(halves[:, 0] - halves[:, 1]) > 0.5) > 0.8
    path = tmp_path / "vae.keras"
    vae.save(path)
    loaded = keras.saving.load_model(path)
    first, second = (m.log_prob_bound(x[:9], draws=5, seed=1) for m in (vae, loaded))
    np.testing.assert_array_equal(first, second)
    loaded.fit(x, epochs=1, verbose=0)


def test_warmup_weighs_the_divergence_in_training_alone():
    vae = models.FlowVAE(4, 1, warmup_steps=10, hidden_units=(4,), seed=0)
    assert vae._divergence_weight(True) == 1.0  # not compiled
    vae.compile("adam")
    assert float(vae._divergence_weight(True)) == pytest.approx(0.1)
    vae.optimizer.iterations.assign(50)
    assert float(vae._divergence_weight(True)) == 1.0
    assert vae._divergence_weight(False) == 1.0


def test_images_pass_through_networks_of_the_user():
    encoder = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Conv2D(2, 3, strides=2, padding="same"),
            keras.layers.Flatten(),
        ]
    )
    vae = models.FlowVAE(
        (4, 4, 1), 2, likelihood="logistic", num_levels=4, encoder=encoder,
        hidden_units=(8,), seed=0,
    )  # fmt: skip
    x = np.random.default_rng(0).integers(0, 4, size=(5, 4, 4, 1))
    assert vae.log_prob_bound(x, draws=3).shape == (5,)
    assert vae.reconstruct(x, seed=0).shape == (5, 4, 4, 1)
    drawn = np.asarray(vae.sample(6, seed=0))
    assert set(np.unique(drawn)) <= {0.0, 1.0, 2.0, 3.0}
    assert vae.sample(2, mean=True, seed=0).shape == (2, 4, 4, 1)
    copy = models.FlowVAE.from_config(vae.get_config())
    assert copy.encoder.layers[0].filters == 2


@pytest.mark.parametrize("dtype", ["float64", "mixed_float16"])
def test_types_follow_the_policy(dtype):
    vae = models.FlowVAE(
        4, 2, posterior="iaf", posterior_options={"num_layers": 1}, prior="realnvp",
        hidden_units=(4,), seed=0, dtype=dtype,
    )  # fmt: skip
    x = np.random.default_rng(0).integers(0, 2, size=(3, 4))
    found = vae(x)
    assert found.dtype == ("float64" if dtype == "float64" else "float32")
    copy = models.FlowVAE.from_config(vae.get_config())
    copy.set_weights(vae.get_weights())
    np.testing.assert_array_equal(vae.elbo(x, seed=0), copy.elbo(x, seed=0))


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"posterior": "nif"}, ValueError, "`posterior` must be one of 'gaussian'"),
        ({"likelihood": "poisson"}, ValueError, "`likelihood` must be one of"),
        ({"num_levels": 1}, ValueError, "`num_levels` must be at least 2"),
        ({"prior": 3}, TypeError, "`prior` must be None, the name of a flow"),
        ({"posterior_options": {"a": 1}}, ValueError, "must be left out with"),
        (
            {"prior": flows.build("maf", 3, num_layers=1)},
            ValueError,
            r"`prior` must have events \(2,\)",
        ),
        (
            {"decoder": keras.layers.Dense(3)},
            ValueError,
            "`decoder` must return 4 numbers",
        ),
    ],
)
def test_bad_arguments_are_named(given, kind, message):
    with pytest.raises(kind, match=message):
        models.FlowVAE(4, 2, hidden_units=(4,), **given)


def test_bad_events_are_named():
    vae = models.FlowVAE(4, 2, hidden_units=(4,), seed=0)
    with pytest.raises(ValueError, match="`fit` needs a compiled model"):
        vae.fit(np.zeros([3, 4]), verbose=0)
    vae.compile("adam")
    wrong = tf.fill([3, 4], np.nan)
    for given in ({"x": wrong}, {"x": wrong.numpy().tolist()}):
        with pytest.raises(ValueError, match="`x` must be finite"):
            vae.fit(**given, verbose=0)
    with pytest.raises(ValueError, match="`x` must be finite"):
        vae.fit(np.zeros([3, 4]), validation_data=(wrong,), verbose=0)
    with pytest.raises(ValueError, match=r"whole numbers from 0 to 1 .* got 0\.5"):
        vae.fit(np.full([3, 4], 0.5), verbose=0)
    with pytest.raises(ValueError, match=r"`x` must have shape \(N, 4\), got \(3, 5\)"):
        vae.log_prob_bound(np.zeros([3, 5]))
    with pytest.raises(ValueError, match="`x` must be finite"):
        vae.elbo(np.full([3, 4], np.nan))
    with pytest.raises(ValueError, match="`loss` must be left out"):
        vae.compile("adam", loss="mse")
