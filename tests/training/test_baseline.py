"""The Gaussian that every flow has to beat."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow_probability as tfp

from tfp_flows.training import baseline


def test_gaussian_is_the_maximum_of_likelihood():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3)) * [1.0, 100.0, 1e-3] + 7
    found = baseline.Gaussian.fit(x).log_prob(x)
    cov = np.cov(x.T, bias=True)
    right = tfp.distributions.MultivariateNormalTriL(x.mean(0), np.linalg.cholesky(cov))
    np.testing.assert_allclose(found, right.log_prob(x), atol=1e-5)


def test_mean_follows_the_condition():
    rng = np.random.default_rng(0)
    classes = np.eye(2)[rng.integers(2, size=4000)]  # columns sum to one
    x = classes @ [[-3.0], [5.0]] + 0.5 * rng.normal(size=(4000, 1))
    model = baseline.Gaussian.fit(x, classes)
    entropy = 0.5 * np.log(2 * np.pi * np.e * 0.25)
    assert model.log_prob(x, classes).mean() == pytest.approx(-entropy, abs=0.03)


@pytest.mark.parametrize(("rows", "columns"), [(20, 30), (5, 2)])
def test_few_rows_shrink_the_covariance(rows, columns):
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(2, rows, columns))
    values = baseline.Gaussian.fit(train).log_prob(test)
    assert np.isfinite(values).all()
    assert values.mean() > -12 * columns


def test_columns_that_follow_from_others_have_a_density():
    x = np.random.default_rng(0).normal(size=(50, 2))
    x = np.column_stack([x, x.sum(axis=1), np.ones(50)])
    assert np.isfinite(baseline.Gaussian.fit(x).log_prob(x)).all()


def test_advice_names_what_to_do():
    rng = np.random.default_rng(0)
    gaussian = rng.normal(size=100)
    good = baseline.compare(gaussian + 1, gaussian, parameters=10, rows=900)
    assert good.advice == ()
    assert good.lead == pytest.approx(1)
    assert good.lead_error == pytest.approx(0, abs=1e-9)
    worse = baseline.compare(gaussian - 0.5, gaussian, parameters=1000, rows=900)
    loses, large = worse.advice
    assert loses.startswith("The flow loses to a full Gaussian by 0.500 +- 0.000 nats")
    assert "(1,000) than there are rows (900)" in large
    one = baseline.compare(gaussian[:1] - 1, gaussian[:1], parameters=1, rows=9)
    assert one.gaussian_error is None
    assert "+-" not in one.advice[0]
    none = baseline.compare(np.array([-np.inf, 0]), gaussian[:2], parameters=1, rows=9)
    assert "by far" in none.advice[0]
