"""Conditional densities of before flows: what each can be, and no more."""

import numpy as np
import pytest
from scipy import optimize, stats

from tests.estimators import small
from tfp_flows import bijectors, estimators

RNG = np.random.default_rng(4)
X = RNG.uniform(-1, 1, size=(400, 1))
SIDE = np.where(RNG.uniform(size=400) < 0.5, -1.0, 1.0)
# Two lines that part: half of the targets on each.
Y = SIDE * (2.0 + X[:, 0]) + 0.2 * RNG.normal(size=400)
FAST = {
    "epochs": 40,
    "options": {"hidden_units": (16,)},
    "learning_rate": 0.02,
    "batch_size": 64,
}

pytestmark = [
    pytest.mark.filterwarnings("ignore:The flow"),
    pytest.mark.filterwarnings("ignore:column 1 holds integers"),
]


def log_density(x, y):
    parts = [stats.norm.logpdf(y, side * (2.0 + x), 0.2) for side in (-1.0, 1.0)]
    return np.logaddexp(*parts) - np.log(2.0)


def test_gaussian_is_one_and_its_spread_follows_the_features():
    y = 2.0 * X[:, 0] + np.exp(X[:, 0]) * RNG.normal(size=400)
    model = small.gaussian(**FAST).fit(X, y)
    at = np.array([[-0.7], [0.7]])
    middle, one = model.predict(at, quantiles=[0.5, stats.norm.cdf(1.0)]).T
    new = np.linspace(-3.0, 3.0, 7)[:, None]
    np.testing.assert_allclose(
        model.predict_dist(at).log_prob(new),
        stats.norm.logpdf(new, middle, one - middle),
        atol=1e-8,
    )
    np.testing.assert_allclose(one - middle, np.exp(at[:, 0]), rtol=0.3)
    assert model.score(X, y) > stats.norm.logpdf(y, y.mean(), y.std()).mean() + 0.2


@pytest.mark.slow
def test_mixtures_see_two_lines_and_a_gaussian_does_not():
    exact = log_density(X[:, 0], Y).mean()
    found = {make.__name__: make(**FAST).fit(X, Y).score(X, Y) for make in small.RIVALS}
    assert found["mixture_network"] > exact - 0.3
    assert found["kernel_network"] > exact - 0.5
    assert found["gaussian"] < exact - 0.7


@pytest.mark.slow
def test_mixture_of_one_is_a_gaussian():
    model = small.mixture_network(num_components=1).fit(X, Y)
    assert model.flow_.transformer == bijectors.NormalMixture(1)
    np.testing.assert_allclose(model.predict_skewness(X[:3]), 0.0, atol=1e-6)
    assert model.calibrate(X, Y).interval(X[:2]).shape == (2, 2)


@pytest.mark.slow
def test_density_by_kernels_is_a_sum_of_them():
    model = small.kernel_network(num_components=12).fit(X, Y)
    kernels = model.flow_.transformer
    assert len(kernels.centers) == 12
    apart = np.ptp(kernels.centers) / 11.0
    np.testing.assert_allclose(kernels.scales, apart * np.array([0.5, 1.0, 2.0]))
    grid = np.linspace(-4.0, 4.0, 201)
    p = np.exp(model.predict_dist(X[:1]).log_prob(grid[:, None]))[:, 0]
    # In units of the standardised targets, by which the flow begins.
    z = (grid - Y.mean()) / Y.std()
    each = [
        stats.norm.pdf(z, center, scale) / Y.std()
        for center in kernels.centers
        for scale in kernels.scales
    ]
    weights, rest = optimize.nnls(np.stack(each, axis=1), p)
    assert rest < 1e-5
    assert weights.sum() == pytest.approx(1.0, abs=1e-4)


def test_kernels_take_integers_and_amounts_for_numbers():
    model = small.kernel_network(num_components=5).fit(X, np.round(np.abs(Y)))
    assert not model.flow_.is_discrete
    assert len(model.flow_.transformer.centers) <= 5


def test_what_makes_a_family_is_refused_as_an_option():
    for make in small.RIVALS:
        with pytest.raises(ValueError, match="`options` must leave out 'base'"):
            make(options={"base": "student-t"}).fit(X, Y)
    with pytest.raises(ValueError, match="`y` must be one target"):
        small.kernel_network().fit(X, np.stack([Y, Y + X[:, 0]], axis=1))
    with pytest.raises((TypeError, ValueError), match="`num_components` must be"):
        estimators.MixtureDensityNetwork(0).fit(X, Y)


@pytest.mark.slow
def test_a_mixture_network_takes_several_targets():
    y = np.stack([Y, X[:, 0] + RNG.normal(size=400)], axis=1)
    model = small.mixture_network(num_components=2).fit(X, y)
    assert model.predict_interval(X[:3]).shape == (3, 2, 2)
    assert model.get_params()["num_components"] == 2
    assert "flow" not in model.get_params()
