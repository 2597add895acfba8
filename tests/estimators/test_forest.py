"""Quantiles of a forest are those of rows in equal leaves."""

import pickle

import numpy as np
import pytest

from tfp_flows.estimators import QuantileForest

RNG = np.random.default_rng(3)
GROUP = np.repeat([0, 1, 2], [40, 30, 30])
X = GROUP[:, None].astype(float)
Y = 5.0 * GROUP + RNG.normal(size=100)
LEVELS = np.array([0.0, 0.05, 0.3, 0.5, 0.95, 1.0])


def groups(min_samples_leaf=10):
    """Return a forest whose leaves are the groups: too few rows for any other."""
    return QuantileForest(20, min_samples_leaf=min_samples_leaf, random_state=0)


def test_equal_leaves_have_the_quantiles_of_their_rows():
    model = groups().fit(X, Y)
    for group in range(3):
        own, at = Y[group == GROUP], X[group == GROUP][:2]
        wanted = np.quantile(own, LEVELS, method="inverted_cdf")
        np.testing.assert_array_equal(model.predict(at, LEVELS)[0], wanted)
        np.testing.assert_allclose(model.predict(at), own.mean(), rtol=1e-12)
        np.testing.assert_allclose(model.predict_std(at), own.std(), rtol=0.01)
        some = np.sort(own)[[0, 7, -1]]
        np.testing.assert_allclose(
            model.cdf(np.repeat(at[:1], 3, axis=0), some),
            np.array([1, 8, len(own)]) / len(own),
            rtol=1e-12,
        )
        exact = np.abs(own[:, None] - own).mean() / 2.0
        score = np.abs(own - own[0]).mean() - exact
        np.testing.assert_allclose(model.crps(at[:1], own[:1]), score, rtol=0.02)
        density = model.predict_dist(at)
        np.testing.assert_allclose(density.mean(), own.mean(), rtol=1e-12)
        np.testing.assert_allclose(density.prob(own[0]), 1.0 / len(own), rtol=1e-12)
        draws = model.sample(at, 500)
        assert set(draws.ravel()) <= set(own)
        np.testing.assert_allclose(draws.mean(), own.mean(), atol=0.15)


def test_weights_of_rows_are_those_of_the_distribution():
    weights = RNG.uniform(0.1, 1.0, size=100)
    model = groups().fit(X, Y, sample_weight=weights)
    own = GROUP == 1
    mean = np.average(Y[own], weights=weights[own])
    np.testing.assert_allclose(model.predict(X[own][:1]), mean, rtol=1e-12)
    order = np.argsort(Y[own])
    sums = np.cumsum(weights[own][order]) / weights[own].sum()
    wanted = Y[own][order][np.searchsorted(sums, 0.3)]
    assert model.predict(X[own][:1], 0.3) == wanted


def test_several_targets_keep_their_axis():
    y = np.stack([Y, -Y], axis=1)
    model = groups().fit(X, y)
    assert model.predict(X[:3]).shape == (3, 2)
    found = model.predict(X[:3], [0.11, 0.89])
    assert found.shape == (3, 2, 2)
    np.testing.assert_allclose(found[:, 0], -found[:, 1, ::-1], rtol=1e-12)
    assert model.cdf(X, y).shape == (100, 2)
    assert model.crps(X, y).shape == (100, 2)
    draws = model.sample(X[:3], 4)
    assert draws.shape == (3, 2, 4)
    np.testing.assert_array_equal(draws[:, 0], -draws[:, 1])
    assert np.isfinite(model.score(X, y))
    with pytest.raises(NotImplementedError, match="`predict_dist` needs one target"):
        model.predict_dist(X)


def test_moments_and_risks_are_there_and_a_density_is_not():
    model = groups().fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert model.value_at_risk(X[:2], 0.9).shape == (2,)
    assert np.all(model.expected_shortfall(X, 0.9) >= model.value_at_risk(X, 0.9))
    assert np.all(np.abs(model.predict_mode(X) - model.predict(X)) < 2.0)
    low, high = model.predict_interval(X, 0.9).T
    assert 0.85 < np.mean((low <= Y) & (high >= Y)) < 0.98
    np.testing.assert_allclose(model.sharpness(X), high - low)
    with pytest.raises(NotImplementedError, match="`calibrate` needs a density"):
        model.calibrate(X, Y)


def test_text_among_features_is_read_as_labels():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"colour": np.array(["red", "blue", "green"])[GROUP]})
    model = groups().fit(frame, Y)
    wanted = [Y[group == GROUP].mean() for group in range(3)]
    at = pd.DataFrame({"colour": ["red", "blue", "green"]})
    np.testing.assert_allclose(model.predict(at), wanted, rtol=1e-12)
