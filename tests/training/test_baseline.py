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


def test_weights_count_as_copies():
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(300, 2)), rng.integers(0, 4, size=300)
    given = rng.normal(size=(300, 1))
    copied = (np.repeat(part, weights, axis=0) for part in (x, given))
    one = baseline.Gaussian.fit(x, given, weights).log_prob(x, given)
    np.testing.assert_allclose(
        one, baseline.Gaussian.fit(*copied).log_prob(x, given), atol=1e-6
    )


def test_estimates_have_no_error_that_is_no_number():
    values = np.random.default_rng(0).normal(size=50)
    found = baseline.estimate(values)
    assert found.error == pytest.approx(values.std(ddof=1) / np.sqrt(50))
    assert baseline.estimate(np.r_[values, 9.0], np.r_[np.ones(50), 0.0]) == found
    assert str(baseline.estimate(values[:1])) == f"{values[0]:.4f} (no standard error)"
    assert baseline.estimate(np.array([-np.inf, 0.0])).error is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("unit", [1e300, 1e-300])
def test_squares_of_extreme_numbers_are_not_taken(unit):
    x = np.random.default_rng(0).normal(0.5, size=(100, 2))
    found = baseline.Gaussian.fit(x * unit).log_prob(x * unit)
    wanted = baseline.Gaussian.fit(x).log_prob(x) - 2.0 * np.log(unit)
    np.testing.assert_allclose(found, wanted, rtol=1e-10)
