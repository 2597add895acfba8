"""Densities of targets given features."""

import numpy as np
import pytest
from scipy import stats

from tests.estimators import small
from tfp_flows import estimators, flows

RNG = np.random.default_rng(2)
X = RNG.uniform(-1, 1, size=(500, 1))
Y = 2.0 * X[:, 0] + np.exp(X[:, 0]) * RNG.normal(size=500)

pytestmark = pytest.mark.filterwarnings("ignore:The flow")


@pytest.fixture(scope="module")
def fitted():
    return small.conditional(
        flow="maf", epochs=60, options={"num_layers": 1, "hidden_units": (16,)}
    ).fit(X, Y)


@pytest.mark.slow
def test_quantiles_are_those_of_the_distribution(fitted):
    levels = [0.05, 0.5, 0.95]
    found = fitted.predict(X[:7], quantiles=levels)
    assert found.shape == (7, 3)
    below = fitted.predict_dist(X[:7]).cdf(found.T).numpy()
    np.testing.assert_allclose(below.T, np.tile(levels, (7, 1)), atol=1e-6)
    np.testing.assert_array_equal(fitted.predict(X[:7], quantiles=0.5), found[:, 1])
    np.testing.assert_allclose(fitted.predict_interval(X[:7], 0.9), found[:, [0, 2]])
    with pytest.raises(ValueError, match="`quantiles` must be a number or a list"):
        fitted.predict(X, quantiles=[50])
    with pytest.raises(ValueError, match="`coverage` must be between 0 and 1"):
        fitted.predict_interval(X, 90)


def test_mean_width_and_likelihood_follow_the_features(fitted):
    at = np.array([[-0.7], [0.0], [0.7]])
    np.testing.assert_allclose(fitted.predict(at), 2 * at[:, 0], atol=0.35)
    low, high = fitted.predict_interval(at, 0.9).T
    np.testing.assert_allclose(high - low, 3.29 * np.exp(at[:, 0]), rtol=0.3)
    exact = stats.norm.logpdf(Y, 2.0 * X[:, 0], np.exp(X[:, 0])).mean()
    assert exact - 0.08 < fitted.score(X, Y) < exact + 0.05
    np.testing.assert_allclose(
        fitted.predict_dist(X[:5]).log_prob(Y[:5]), fitted.log_prob(X[:5], Y[:5])
    )


def test_mean_and_deviation_come_as_of_a_gaussian_process(fitted):
    mean, std = fitted.predict(X[:7], return_std=True)
    assert mean.shape == std.shape == (7,)
    np.testing.assert_allclose(mean, fitted.predict(X[:7]), rtol=1e-6)
    np.testing.assert_allclose(std, fitted.predict_std(X[:7]), rtol=1e-6)
    np.testing.assert_allclose(std, np.exp(X[:7, 0]), rtol=0.3)
    with pytest.raises(ValueError, match="`quantiles` must be left out with"):
        fitted.predict(X[:7], [0.5], return_std=True)
    forest = estimators.QuantileForest(20, random_state=0).fit(X, Y)
    mean, std = forest.predict(X[:7], return_std=True)
    np.testing.assert_array_equal(mean, forest.predict(X[:7]))
    np.testing.assert_array_equal(std, forest.predict_std(X[:7]))


def test_samples_have_a_row_for_each_row_of_features(fitted):
    draws = fitted.sample(X[:4], 2000)
    assert draws.shape == (4, 2000)
    median = fitted.predict(X[:4], quantiles=0.5)
    np.testing.assert_allclose((draws < median[:, None]).mean(axis=1), 0.5, atol=0.05)
    np.testing.assert_array_equal(draws, fitted.sample(X[:4], 2000))
    with pytest.raises(TypeError, match=r"`n_samples` .* without a fraction, got 2\.5"):
        fitted.sample(X[:4], 2.5)
    for widths in (fitted.predict_interval, fitted.sharpness):
        with pytest.raises(TypeError, match="`coverage` must be a plain number"):
            widths(X[:4], coverage="most")


@pytest.mark.parametrize("size", [1, 2])
def test_several_targets_keep_their_axis(size):
    y = np.stack([Y, X[:, 0] + RNG.normal(size=500)], axis=1)[:, :size]
    model = small.conditional().fit(X, y)
    assert model.predict(X[:3]).shape == (3, size)
    assert model.predict(X[:3], quantiles=[0.1, 0.9]).shape == (3, size, 2)
    mean, std = model.predict(X[:3], return_std=True)
    assert mean.shape == std.shape == (3, size)
    assert model.predict_interval(X[:3]).shape == (3, size, 2)
    assert model.sample(X[:3], 5).shape == (3, size, 5)
    assert model.log_prob(X[:3], y[:3]).shape == (3,)
    low, high = np.moveaxis(model.predict_interval(X[:3]), -1, 0)
    assert (low < high).all()


@pytest.mark.slow
def test_moments_and_risks_are_those_of_a_normal_distribution():
    y = 2.0 * X[:, 0] + 0.5 * RNG.normal(size=500)
    model = small.conditional(epochs=40).fit(X, y)
    at, exact = X[:5], model.predict_dist(X[:5])
    center, scale = exact.quantile(0.5).numpy(), model.predict_std(at)
    np.testing.assert_allclose(model.predict_mode(at), center, atol=0.1)
    np.testing.assert_allclose(model.predict_skewness(at), 0.0, atol=0.05)
    np.testing.assert_allclose(
        model.value_at_risk(at, 0.9), exact.quantile(0.9), atol=1e-6
    )
    width = model.sharpness(at)
    np.testing.assert_allclose(
        width, exact.quantile(0.95) - exact.quantile(0.05), atol=1e-6
    )
    # Of a normal distribution: deviations, and the closed form of its score.
    np.testing.assert_allclose(width / scale, 2 * 1.645, rtol=0.05)
    shortfall = (model.expected_shortfall(at, 0.9) - center) / scale
    np.testing.assert_allclose(shortfall, stats.norm.pdf(1.2816) / 0.1, rtol=0.06)
    below = model.expected_shortfall(at, 0.9, tail="lower")
    assert np.all(below < center)
    u = (y[:5] - center) / scale
    score = u * (2 * stats.norm.cdf(u) - 1) + 2 * stats.norm.pdf(u) - np.pi**-0.5
    np.testing.assert_allclose(model.crps(at, y[:5]), scale * score, atol=0.01)
    np.testing.assert_allclose(model.cdf(at, y[:5]), exact.cdf(y[:5]), atol=1e-9)
    with pytest.raises(ValueError, match="`level` must be between 0 and 1"):
        model.value_at_risk(at, 95)
    with pytest.raises(ValueError, match="at least 50 rows"):
        model.calibrate(at, y[:5])


def test_scores_of_several_targets_keep_their_axis():
    y = np.stack([Y, X[:, 0] + RNG.normal(size=500)], axis=1)
    model = small.conditional().fit(X, y)
    for found in (model.crps(X[:3], y[:3]), model.cdf(X[:3], y[:3])):
        assert found.shape == (3, 2)
    assert model.predict_mode(X[:3]).shape == (3, 2)
    assert np.all(model.predict_std(X[:3]) > 0.0)


@pytest.mark.slow
def test_text_among_features_is_read_as_labels():
    pd = pytest.importorskip("pandas")
    colour = RNG.choice(["red", "blue", "green"], size=300)
    frame = pd.DataFrame({"colour": colour, "size": RNG.normal(size=300)})
    y = 6.0 * (colour == "red") + frame["size"].to_numpy() + RNG.normal(size=300)
    model = small.conditional(flow="linear").fit(frame, y)
    assert model.flow_.condition_labels() == {"colour": ("blue", "green", "red")}
    at = pd.DataFrame({"colour": ["red", "blue"], "size": [0.0, 0.0]})
    by_label = model.predict_dist(at)
    by_number = model.flow_.distribution([[2.0, 0.0], [0.0, 0.0]])
    np.testing.assert_array_equal(by_label.log_prob([1, 2]), by_number.log_prob([1, 2]))
    assert model.predict(at).shape == model.sample(at)[:, 0].shape == (2,)
    categories = frame.astype({"colour": "category"})
    again = small.conditional(flow="linear").fit(categories, y)
    assert again.score(frame, y) == model.score(categories, y)
    with pytest.raises(ValueError, match="'purple'"):
        model.predict(at.replace("red", "purple"))
    built = flows.build("linear", 1, 2, seed=0)
    with pytest.raises(ValueError, match="`X` must hold numbers in 'colour'"):
        small.conditional(flow=built).fit(frame, y)
