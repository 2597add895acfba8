"""Reasons of anomalies against the closed form of a normal distribution."""

import numpy as np
import pytest
from scipy import stats

from tests.estimators import small

RNG = np.random.default_rng(3)
COVARIANCE = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 4.0]])
X = RNG.multivariate_normal([1.0, 0.0, -2.0], COVARIANCE, size=800)


@pytest.fixture(scope="module")
def detector():
    return small.detector(
        epochs=5, options={"base": "normal"}, missing="impute", contamination=0.05
    ).fit(X)


@pytest.mark.slow
def test_attributions_are_conditional_log_densities(detector):
    rows = np.array([[1.0, 0.0, 9.0], [2.0, -1.0, -2.0], [1.0, 0.0, -2.0]])
    found = detector.attributions(rows)
    flow = detector.flow_
    for j in range(3):
        others = [i for i in range(3) if i != j]
        given = flow.log_prob(rows) - flow.marginal(others).log_prob(rows[:, others])
        precision = np.linalg.inv(np.cov(flow.sample(20_000, seed=1).numpy().T))
        entropy = 0.5 * np.log(2 * np.pi * np.e / precision[j, j])
        np.testing.assert_allclose(found[:, j], -entropy - given, atol=0.15)
    assert found[0].argmax() == 2
    assert set(np.argsort(found[1])[1:]) == {0, 1}  # each contradicts the other
    assert np.all(found[2] < 0.3)


def test_missing_cells_count_as_usual(detector):
    rows = np.array([[1.0, 0.0, np.nan], [4.5, 0.0, np.nan], [np.nan] * 3])
    found = detector.score_samples(rows)
    exact = detector.flow_.marginal([0, 1]).log_prob(rows[:2, :2]).numpy()
    np.testing.assert_allclose(np.diff(found[:2]), np.diff(exact), atol=0.02)
    np.testing.assert_array_equal(detector.predict(rows), [1, -1, 1])


def test_p_values_of_usual_rows_are_uniform(detector):
    usual, new = (
        RNG.multivariate_normal([1.0, 0.0, -2.0], COVARIANCE, size=300)
        for _ in range(2)
    )
    found = detector.p_values(new, usual)
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert detector.p_values([[9.0, -9.0, 9.0]], usual) == pytest.approx(1 / 301)
    with pytest.raises(ValueError, match="at least 20 rows"):
        detector.p_values(new, usual[:10])


def test_noise_gives_dependent_columns_a_density():
    x = np.column_stack([X[:, 0], X[:, 2].round(), X[:, 0] + X[:, 2].round()])
    detector = small.blurred(epochs=5).fit(x)
    assert detector.noise_ == pytest.approx(0.5 * len(x) ** (-1 / 7))
    odd = x[:1] + np.array([0.0, 0.0, 9.0])  # no sum of the others any more
    assert detector.score_samples(odd)[0] < detector.score_samples(x).min()
    assert small.blurred(options={"preprocessing": ["continuous"] * 3})._noise(x) == 0.0
    with pytest.raises(ValueError, match="`noise` must be 'auto' or a number"):
        small.blurred(noise=-0.1).fit(x)


@pytest.mark.slow
def test_scores_are_told():
    plain = small.blurred(epochs=5).fit(X)
    assert plain.by_ == "mix"
    log_prob = plain.flow_.log_prob(X).numpy()
    assert plain.score(X) == pytest.approx(log_prob.mean())
    norm = (plain.flow_.bijector().inverse(X).numpy() ** 2).sum(axis=1)
    parts = []
    for found in (log_prob, -norm):
        low, middle, high = np.quantile(found, [0.25, 0.5, 0.75])
        parts.append((found - middle) / (high - low))
    np.testing.assert_allclose(plain.score_samples(X), np.mean(parts, axis=0))
    assert small.blurred(missing="impute").fit(X).by_ == "density"
    with pytest.raises(ValueError, match="there is no base variable"):
        small.blurred(missing="impute", by="mix").fit(X)
    with pytest.raises(ValueError, match="`by` must be one of"):
        small.blurred(by="luck").fit(X)
