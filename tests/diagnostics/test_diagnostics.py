"""Diagnostics flag a planted fault, and pass what is right."""

from __future__ import annotations

import numpy as np
import pytest
from tensorflow_probability import distributions as tfd

from tfp_flows import diagnostics, plots
from tfp_flows.diagnostics import uniformity

NARROW = 1.3


def _pairs(seed, narrow=1.0, shift=0.0, count=400, draws=100):
    """Return parameters, draws of their posteriors, and log-densities of both."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(count, 2))
    x = theta + rng.normal(size=(count, 2))
    scale = np.sqrt(0.5) / narrow
    mean = x / 2 + shift
    drawn = mean[:, None] + scale * rng.normal(size=(count, draws, 2))
    density = tfd.MultivariateNormalDiag(mean, np.full(2, scale))
    of_draws = np.transpose(density.log_prob(np.swapaxes(drawn, 0, 1)))
    return theta, drawn, (density.log_prob(theta).numpy(), of_draws)


def _checks(theta, draws, log_prob):
    return (
        diagnostics.sbc(theta, draws),
        diagnostics.coverage(theta, draws),
        diagnostics.coverage(theta, draws, log_prob=log_prob),
        diagnostics.pit(theta, draws),
    )


@pytest.mark.parametrize("seed", range(2))
def test_right_posteriors_pass_and_narrow_ones_do_not(seed):
    assert all(found.is_calibrated for found in _checks(*_pairs(seed)))
    assert not any(found.is_calibrated for found in _checks(*_pairs(seed, NARROW)))


def test_false_alarms_are_as_rare_as_the_level_says():
    rng = np.random.default_rng(0)
    p = [
        diagnostics.Ranks(rng.uniform(size=(100, 1)), ("a",)).p_value
        for _ in range(300)
    ]
    assert np.mean(np.array(p) < uniformity.LEVEL) < 0.03
    assert np.mean(np.array(p) < 0.2) > 0.1


def test_sentences_name_the_fault():
    narrow, by_distance, by_density, _ = _checks(*_pairs(0, NARROW))
    assert "too narrow by a factor of 1.2" in str(narrow)
    np.testing.assert_allclose(narrow.spread, NARROW, atol=0.12)
    assert "regions are too narrow" in str(by_density)
    assert "not calibrated" in str(by_distance)
    assert by_density.worst > 3.0
    assert "too wide" in str(diagnostics.sbc(*_pairs(0, 1 / NARROW)[:2]))
    shifted = diagnostics.sbc(*_pairs(0, shift=-0.2)[:2], names=["left", "right"])
    assert "left is too low by 0.19 deviations" in str(shifted)
    np.testing.assert_allclose(shifted.location, 0.2 / np.sqrt(0.5), atol=0.12)


def test_coverage_of_a_calibrated_posterior_is_its_level():
    found = diagnostics.coverage(*_pairs(1)[:2])
    level = np.array([0.5, 0.9])
    errors = (found.expected(level) - level) / found.stderr(level)
    assert np.abs(errors).max() < 3.0
    assert found.worst < 3.0


def test_ties_are_ranked_evenly():
    rng = np.random.default_rng(0)
    theta, draws = rng.poisson(2.0, size=300), rng.poisson(2.0, size=(300, 20))
    assert diagnostics.sbc(theta, draws).is_calibrated


def test_band_holds_nearly_all_uniform_ecdfs():
    levels, low, high = uniformity.band(100, 0.9)
    values = np.random.default_rng(1).uniform(size=(100, 500))
    share = uniformity.ecdf(values, levels)
    inside = (share >= low[:, None]) & (share <= high[:, None])
    assert 0.85 < inside.all(axis=0).mean() < 0.96


def test_pit_of_a_distribution_is_its_cdf():
    x = np.array([[0.0, 1.0]] * 10)
    found = diagnostics.pit(x, tfd.Normal(np.zeros([10, 2]), 1.0))
    np.testing.assert_allclose(found.values[0], [0.5, 0.8413447], atol=1e-6)


def test_two_sample_tests_see_a_narrow_sample():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 2)), rng.normal(size=(400, 2))
    assert not diagnostics.mmd(x, y).differ
    assert not diagnostics.c2st(x, y, folds=2).differ
    assert diagnostics.mmd(x / NARROW, y).differ
    assert diagnostics.c2st(x / NARROW, y, folds=2).differ
    assert float(diagnostics.mmd(x + 3.0, y)) > 0.5
    assert float(diagnostics.c2st(x + 9.0, y, folds=2)) == 1.0


def test_mmd_is_the_mean_of_kernels():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 2)), rng.normal(size=(40, 2))
    first, second = (x - y.mean(0)) / y.std(0), (y - y.mean(0)) / y.std(0)

    def mean(a, b, same):
        kernel = np.exp(-0.5 * ((a[:, None] - b) ** 2).sum(-1))
        return kernel[~np.eye(len(a), dtype=bool)].mean() if same else kernel.mean()

    expected = mean(first, first, True) + mean(second, second, True)
    expected -= 2 * mean(first, second, False)
    found = diagnostics.mmd(x, y, bandwidth=1.0)
    np.testing.assert_allclose(float(found), expected, rtol=1e-9)


def test_predictive_check_sees_what_the_model_misses():
    rng = np.random.default_rng(0)
    simulated = rng.normal(size=(500, 50))
    statistics = {"mean": np.mean, "largest": np.max}
    good = diagnostics.predictive_check(
        rng.normal(size=50), simulated, statistics=statistics
    )
    assert good.is_plausible
    heavy = rng.standard_t(1, size=50)
    bad = diagnostics.predictive_check(heavy, simulated, statistics=statistics)
    assert not bad.is_plausible
    assert "its mean is" in str(bad)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.sbc(np.zeros(20), np.zeros([5, 20])), r"\[20, L, 1\]"),
        (lambda: diagnostics.sbc(np.zeros(3), np.zeros([3, 5])), "10 rows"),
        (lambda: diagnostics.sbc(np.full(20, np.nan), np.zeros([20, 5])), "finite"),
        (
            lambda: diagnostics.sbc(np.zeros(20), np.zeros([20, 5]), names=["a", "b"]),
            "name all 1",
        ),
        (lambda: diagnostics.mmd(np.zeros([20, 2]), np.zeros([20, 3])), "3 columns"),
        (lambda: diagnostics.c2st(np.zeros([2, 2]), np.zeros([20, 2])), "10 rows"),
        (
            lambda: diagnostics.mmd(np.zeros(20), np.zeros(20), bandwidth=0.0),
            "must be positive",
        ),
        (
            lambda: diagnostics.pit(np.zeros(20), tfd.Normal(np.zeros(3), 1.0)),
            "batch_shape",
        ),
        (
            lambda: diagnostics.predictive_check(np.zeros(2), np.zeros([5, 3])),
            "shape of `x_o`",
        ),
        (
            lambda: diagnostics.coverage(
                np.zeros(20), np.zeros([20, 5]), references=np.zeros([20, 2])
            ),
            "a row for each",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_plots_show_bands_beside_what_was_found(tmp_path):
    theta, draws, log_prob = _pairs(0)
    found = diagnostics.sbc(theta, draws, names=["left", "right"])
    ax = plots.ranks(found, 1)
    assert ax.get_xlabel() == "rank of right"
    assert sum(patch.get_height() for patch in ax.containers[0]) == len(theta)
    ax = plots.rank_ecdf(found)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["95% if calibrated", "left", "right"]
    ax = plots.coverage(diagnostics.coverage(theta, draws, log_prob=log_prob))
    assert ax.get_ylabel() == "coverage"
    x, y = ax.lines[0].get_data()
    assert np.abs(x - y).max() < 0.1
    ax = plots.predictive(diagnostics.predictive_check(theta[0], theta))
    assert ax.lines[0].get_xdata()[0] == theta[0, 0]
    ax.figure.savefig(tmp_path / "plot.png")
