"""Base densities: known distributions, trainable where they say so."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import distributions

X = np.random.default_rng(0).uniform(-0.9, 0.9, size=(5, 3)).astype("float32")


@pytest.mark.parametrize("kind", distributions.BASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_every_base_is_a_density_over_events(kind, dtype, shape):
    base = distributions.base(kind, shape, seed=0, dtype=dtype)
    distribution = base.distribution()
    assert distribution.event_shape == shape
    assert distribution.batch_shape == ()
    assert distribution.dtype == tf.as_dtype(dtype)
    sample = distribution.sample(4, seed=[0, 1])
    assert sample.shape == (4, *shape)
    assert np.all(np.isfinite(distribution.log_prob(sample)))


@pytest.mark.colab
def test_untrained_bases_are_the_laws_of_their_names():
    known = {
        "normal": tfd.Normal(0.0, 1.0),
        "diagonal-normal": tfd.Normal(0.0, 1.0),
        "student-t": tfd.StudentT(10.0, 0.0, 1.0),
        "uniform": tfd.Uniform(-1.0, 1.0),
    }
    for kind, distribution in known.items():
        found = distributions.base(kind, 3).distribution().log_prob(X)
        wanted = tf.reduce_sum(distribution.log_prob(X), axis=-1)
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_mixture_has_spread_means_from_its_seed():
    first, again, other = (
        distributions.base("gaussian-mixture", 2, num_components=4, seed=s)
        for s in (0, 0, 1)
    )
    means = first.distribution().components_distribution.mean()
    assert means.shape == [4, 2]
    np.testing.assert_array_equal(first._loc, again._loc)
    assert np.abs(first._loc - other._loc).max() > 0.0


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("normal", 0),
        ("uniform", 0),
        ("diagonal-normal", 2),
        ("student-t", 2),
        ("gaussian-mixture", 3),
    ],
)
def test_trainable_numbers_are_found_and_reached(kind, count):
    base = distributions.base(kind, 3, seed=0)
    distribution = base.distribution()
    assert len(base.trainable_variables) == count
    assert {id(v) for v in distribution.trainable_variables} == {
        id(v) for v in base.trainable_variables
    }
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(distribution.log_prob(X))
    for gradient in tape.gradient(loss, base.trainable_variables):
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0.0


@pytest.mark.colab
def test_density_reads_the_variables_when_it_is_used():
    base = distributions.base("diagonal-normal", 3)
    distribution = base.distribution()
    before = distribution.log_prob(X).numpy()
    base._loc.assign([1.0, 2.0, 3.0])
    base._log_scale.assign([0.5, 0.0, -0.5])
    after = distribution.log_prob(X).numpy()
    scale = np.exp([0.5, 0.0, -0.5]).astype("float32")
    wanted = tfd.MultivariateNormalDiag([1.0, 2.0, 3.0], scale).log_prob(X)
    np.testing.assert_allclose(after, wanted, atol=1e-4)
    assert np.abs(after - before).max() > 0.1


def test_degrees_of_freedom_stay_above_one():
    base = distributions.base("student-t", 1)
    base._raw_df.assign([-50.0])
    distribution = base.distribution()
    assert np.all(np.isfinite(distribution.log_prob([[1e10], [0.0]])))
    np.testing.assert_allclose(distribution.distribution.df, [1.0], atol=1e-5)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="`base` must be one of"):
        distributions.base("cauchy", 2)
    with pytest.raises(ValueError, match="`num_components` must be at least 1"):
        distributions.base("gaussian-mixture", 2, num_components=0)


def test_scale_mixture_is_elliptical_and_normal_with_one_component():
    one = distributions.base("scale-mixture", 3, num_components=1).distribution()
    wanted = tf.reduce_sum(tfd.Normal(0.0, 1.0).log_prob(X), axis=-1)
    np.testing.assert_allclose(one.log_prob(X), wanted, atol=1e-5)
    distribution = distributions.base(
        "scale-mixture", 3, num_components=4
    ).distribution()
    turned = X @ np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    same = distribution.log_prob(turned.astype("float32"))
    np.testing.assert_allclose(distribution.log_prob(X), same, atol=1e-5)
    scales = np.exp(np.linspace(-0.5, 0.5, 4))
    parts = [
        np.sum(tfd.Normal(0.0, scale).log_prob(X), axis=-1)
        for scale in scales.astype("float32")
    ]
    wanted = np.logaddexp.reduce(parts, axis=0) - np.log(4)
    np.testing.assert_allclose(distribution.log_prob(X), wanted, atol=1e-5)
    draws = distribution.sample(20_000, seed=[0, 1]).numpy()
    np.testing.assert_allclose(draws.var(axis=0), np.mean(scales**2), rtol=0.05)


@pytest.mark.parametrize("kind", distributions.BASES)
def test_scalars_have_a_cdf_and_its_inverse(kind):
    base = distributions.base(kind, (), seed=0, dtype="float64").distribution()
    levels = np.array([1e-6, 0.2, 0.5, 0.99])
    x = base.quantile(levels)
    np.testing.assert_allclose(base.cdf(x), levels, rtol=1e-6)
    np.testing.assert_allclose(base.survival_function(x), 1 - levels, rtol=1e-6)


BOUNDED = {
    "beta": tfd.Beta(2.0, 3.0),
    "kumaraswamy": tfd.Kumaraswamy(2.0, 3.0),
    "logit-normal": tfd.LogitNormal(0.0, 1.0),
    "gamma": tfd.Gamma(2.0, 3.0),
    "inverse-gamma": tfd.InverseGamma(2.0, 3.0),
    "log-normal": tfd.LogNormal(0.0, 1.0),
    "exponential": tfd.Exponential(2.0),
    "weibull": tfd.Weibull(1.0, 2.0),
    "uniform": tfd.Uniform(0.0, 1.0),
    "mixture": tfd.MixtureSameFamily(
        tfd.Categorical(logits=[0.0, 0.0]), tfd.Beta([2.0, 3.0], [3.0, 2.0])
    ),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_density_of_tfp_is_zero_outside_of_its_bounds(name):
    given = BOUNDED[name]
    base = distributions.base(given, 2)
    low, high = base.bounds
    assert low == 0.0
    x = tf.constant([[-0.5, 0.3], [0.3, -2.0], [0.3, 0.6], [np.nan, 0.3]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = base.distribution().log_prob(x)
    assert np.all(np.isneginf(found[:2]))
    wanted = tf.reduce_sum(given.log_prob(x[2]))
    np.testing.assert_allclose(found[2], wanted, rtol=1e-5)
    assert np.isnan(found[3])
    slopes = tape.gradient(found, x)
    assert np.all(np.isfinite(slopes[:3]))
    assert not np.any(slopes[:2])
    assert np.isneginf(base.distribution().log_prob([0.5, 1.5])) == (high == 1.0)


def test_bounded_base_of_one_number_keeps_its_functions_and_slices():
    beta = tfd.Beta(2.0, 3.0)
    distribution = distributions.base(beta, ()).distribution()
    levels = distribution.cdf([-1.0, 0.3, 2.0])
    np.testing.assert_allclose(levels, [0.0, beta.cdf(0.3), 1.0])
    np.testing.assert_allclose(distribution.quantile(0.2), beta.quantile(0.2))
    np.testing.assert_allclose(distribution.mean(), beta.mean())
    assert distribution.copy().log_prob(2.0) == -np.inf
    x, log_prob = distribution.experimental_sample_and_log_prob(4, seed=[0, 1])
    np.testing.assert_allclose(log_prob, beta.log_prob(x), rtol=1e-5)


def test_name_of_a_base_may_stand_in_the_body_of_its_class():
    class Wide(distributions.Base):
        kind = "wide-normal"

        def distribution(self):
            return self._events(tfd.Normal(self._zeros(), 3.0))

    try:
        assert isinstance(distributions.base("wide-normal", 2), Wide)
    finally:
        del distributions.Base.kinds["wide-normal"]
